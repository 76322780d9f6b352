"""An exponential moving average of a network's weights, which scores better than any single step's weights."""

import copy

import torch

from model.network import TranscriptionNetwork


def averaged_copy(network: TranscriptionNetwork) -> TranscriptionNetwork:
    """A copy to average into, out of reach of the optimizer."""
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def average_into(average: TranscriptionNetwork, network: TranscriptionNetwork, decay: float) -> None:
    """Move ``average`` by ``1 - decay`` of the way to ``network``; counters are copied."""
    pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
    for mean, value in pairs:
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)
