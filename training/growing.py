"""A larger network that begins where a smaller one stands.

What is added reads everything and is read by nothing that was there, so the larger network says what the smaller one
said until training gives the new weights something to do (after Chen et al. 2016, "Net2Net").
"""

from pathlib import Path

import torch
from torch import Tensor

from model.checkpoint import load_checkpoint, save_checkpoint
from model.network import NetworkConfig, TranscriptionNetwork
from training.errors import FitError

GATES = 4  # of an LSTM, whose rows lie gate by gate

Sizes = list[tuple[int, int]]  # of what lies side by side in a dimension: before and after


def grow(checkpoint: Path, out: Path, sizes: dict[str, int], *, seed: int = 1) -> None:
    """Write a larger network that says what a checkpoint says.

    Parameters
    ----------
    checkpoint : Path
        Of a `TranscriptionNetwork`.
    out : Path
        Overwritten.
    sizes : dict of str to int
        New values of ``fine_channels``, ``pitch_channels`` or ``pitch_hidden``, none smaller than it is.
    seed : int
        Of the new weights.

    Raises
    ------
    FitError
        If it is another kind of network or a size shrinks.
    CheckpointError
        If the checkpoint cannot be read.
    """
    small = load_checkpoint(checkpoint)
    if not isinstance(small, TranscriptionNetwork):
        raise FitError(f"{checkpoint} is no network of harmonics and columns; only those can grow")
    before = small.config.to_dict()
    if shrunk := [f"{name} {before[name]}" for name, size in sizes.items() if size < before[name]]:
        raise FitError(f"a network cannot grow smaller: {checkpoint} has {', '.join(shrunk)}")
    torch.manual_seed(seed)
    large = TranscriptionNetwork(NetworkConfig.from_dict(before | sizes)).eval()
    weights = small.state_dict()
    large.load_state_dict(
        {name: _embed(name, weights[name], new, small.config, large.config) for name, new in large.state_dict().items()}
    )
    save_checkpoint(large, out)


def _embed(name: str, old: Tensor, new: Tensor, before: NetworkConfig, after: NetworkConfig) -> Tensor:
    """A weight's new values, with the old ones in their places and nothing new read by what was there."""
    if not old.dim():  # a counter
        return old
    dimensions = _dimensions(name, before, after)
    at = [_places(dimensions.get(d, [(old.shape[d], new.shape[d])])) for d in range(min(2, old.dim()))]
    grown = new.clone()
    if old.dim() == 1:
        grown[at[0]] = old
        return grown
    grown[at[0]] = 0
    grown[at[0][:, None], at[1]] = old
    return grown


def _dimensions(name: str, before: NetworkConfig, after: NetworkConfig) -> dict[int, Sizes]:
    """Where something lies side by side in a weight: its dimensions."""
    hidden = (before.pitch_hidden, after.pitch_hidden)
    columns = [(before.pitch_channels, after.pitch_channels), (before.context_channels, after.context_channels)]
    if name.startswith("lstm."):
        return {0: [hidden] * GATES} | ({1: columns} if "weight_ih" in name else {})
    return {1: [hidden] * 2} if name == "head.weight" else {}  # both directions


def _places(sizes: Sizes) -> Tensor:
    """Where the old indices lie among the new ones."""
    starts = [sum(after for _, after in sizes[:i]) for i in range(len(sizes))]
    return torch.cat([start + torch.arange(before) for start, (before, _) in zip(starts, sizes, strict=True)])
