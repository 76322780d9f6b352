"""Means of weights: over the steps of a run, and of a network before and after a run.

An exponential moving average scores better than any single step's weights. Between a network and what further training
made of it lie networks that keep more of what the first one knew (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models").
"""

import copy
from pathlib import Path

import torch

from model.checkpoint import load_checkpoint, save_checkpoint
from model.networks import AnyNetwork
from training.errors import FitError


def averaged_copy(network: AnyNetwork) -> AnyNetwork:
    """A copy to average into, out of reach of the optimizer, in evaluation mode."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def average_into(average: AnyNetwork, network: AnyNetwork, decay: float) -> None:
    """Move ``average`` by ``1 - decay`` of the way to ``network``; counters are copied."""
    pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
    for mean, value in pairs:
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def blend(before: Path, after: Path, out: Path, *, share: float) -> None:
    """Write the weights that lie between two checkpoints of one network.

    Parameters
    ----------
    before, after : Path
        The second was trained from the first; means of unrelated weights are good for nothing.
    out : Path
        Overwritten.
    share : float
        Of the second, 0 to 1.

    Raises
    ------
    FitError
        If their networks differ.
    CheckpointError
        If one cannot be read.
    """
    first, second = load_checkpoint(before), load_checkpoint(after)
    if first.config != second.config:
        raise FitError(f"{before} and {after} hold different networks")
    average_into(first, second, 1 - share)
    save_checkpoint(first, out)
