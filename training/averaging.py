"""An exponential moving average of a network's weights, which scores better than any single step's weights."""

import copy

import torch

from model.networks import AnyNetwork


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
