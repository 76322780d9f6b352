"""What the network is trained to make small.

All kinds are per frame and summed over pitches, so that their values and the velocity's weight compare. The squared
error is that of 128-wide multi-hot targets, one place for each MIDI pitch, as the student project that this service
follows had it. The 40 places beyond the keyboard are 0 in every target and have no output, so they add nothing to the
sum. The focal loss (Lin et al. 2017, "Focal loss for dense object detection") is taken in the form for targets between
0 and 1 (Li et al. 2020, "Generalized focal loss"): cross-entropy times a power of the distance to the target.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from model.network import Outputs
from training.config import LossConfig

# In the order of `model.instruments`. The piano plays ten to fifty times as many notes as the rarest; an instrument
# counts by about the root of that.
RARITY = (1.0, 3.0, 1.5, 1.5, 1.5, 2.0, 4.0, 3.0, 3.0, 2.5, 3.0)

LEAST_SHARE = 1e-3  # an instrument that is hardly there would be named at every doubt


def transcription_loss(outputs: Outputs, targets: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """The loss of onsets and frames, and the squared error of the velocity where an onset is.

    Parameters
    ----------
    outputs : Outputs
        Shapes (batch, frames, pitches).
    targets : Tensor, shape (batch, 3, frames, pitches)
        Onset, frame and velocity as `model.labels.Targets` has them.
    config : LossConfig

    Returns
    -------
    dict
        ``onset``, ``frame``, ``velocity`` and their weighted sum ``total``; scalars, per frame summed over pitches.
    """
    onset, frame, velocity = targets.unbind(1)
    parts = {
        "onset": pitch_loss(outputs.onset_logits, onset, config, positive_weight=config.onset_weight),
        "frame": pitch_loss(outputs.frame_logits, frame, config, positive_weight=1.0),
        "velocity": (onset * (outputs.velocity - velocity).square()).sum() / onset.sum().clamp(min=1),
    }
    parts["total"] = parts["onset"] + parts["frame"] + config.velocity_weight * parts["velocity"]
    return parts


def instrument_loss(logits: Tensor, targets: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """Cross-entropy of the instruments where one of them sounds.

    Parameters
    ----------
    logits, targets : Tensor, shape (batch, steps, instruments, pitches)
        As in `Outputs`, and 1 for each instrument that sounds there; several share the place evenly.
    config : LossConfig
        With the instruments' shares. They are added to the logits here and not when serving, so that what is served is
        as if all instruments were equally frequent: who plays in a piece, the piece itself says.

    Returns
    -------
    dict
        ``total``, the mean over the places where an instrument sounds, each weighted by how rare it is.
    """
    shared = targets / targets.sum(dim=2, keepdim=True).clamp(min=1)
    rarity = torch.tensor(RARITY, device=shared.device)
    weight = torch.einsum("bsip,i->bsp", shared, rarity)
    prior = rarity * torch.tensor(config.instrument_shares or [1.0] * len(RARITY), device=shared.device)
    adjusted = logits + prior.clamp(min=LEAST_SHARE).log()[:, None]
    entropy = -(shared * adjusted.log_softmax(dim=2)).sum(dim=2)
    return {"total": (weight * entropy).sum() / weight.sum().clamp(min=1)}


def pitch_loss(logits: Tensor, target: Tensor, config: LossConfig, *, positive_weight: float) -> Tensor:
    """One part of the loss: logits and targets of shape (batch, frames, pitches) to a scalar."""
    n_pitches = target.shape[2]
    if config.kind == "mse":
        weight = 1 + (positive_weight - 1) * target
        return (weight * (logits.sigmoid() - target).square()).mean() * n_pitches
    weight = torch.as_tensor(positive_weight, device=logits.device)
    if config.kind == "bce":
        return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight) * n_pitches
    entropy = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight, reduction="none")
    return (entropy * (logits.sigmoid() - target).abs().pow(config.focal_gamma)).mean() * n_pitches
