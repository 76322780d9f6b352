"""What the network is trained to make small."""

import torch
import torch.nn.functional as F
from torch import Tensor

from model.network import Outputs
from training.config import LossConfig


def transcription_loss(outputs: Outputs, targets: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """Binary cross-entropy of onsets and frames, and the squared error of the velocity where an onset is.

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
    weight = torch.as_tensor(config.onset_weight, device=onset.device)
    n_pitches = onset.shape[2]
    parts = {
        "onset": F.binary_cross_entropy_with_logits(outputs.onset_logits, onset, pos_weight=weight) * n_pitches,
        "frame": F.binary_cross_entropy_with_logits(outputs.frame_logits, frame) * n_pitches,
        "velocity": (onset * (outputs.velocity - velocity).square()).sum() / onset.sum().clamp(min=1),
    }
    parts["total"] = parts["onset"] + parts["frame"] + config.velocity_weight * parts["velocity"]
    return parts
