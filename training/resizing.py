"""A larger or smaller network that begins where another one stands.

What is added reads everything and is read by nothing that was there, so a larger network says what the smaller one
said until training gives the new weights something to do (after Chen et al. 2016, "Net2Net"). A smaller one loses the
last channels, and what they said: train it on.
"""

from pathlib import Path

import torch
from torch import Tensor

from model.checkpoint import load_checkpoint, save_checkpoint
from model.network import NetworkConfig, TranscriptionNetwork
from training.errors import FitError

GATES = 4  # of an LSTM, whose rows lie gate by gate

Sizes = list[tuple[int, int]]  # of what lies side by side in a dimension: before and after


def resize(checkpoint: Path, out: Path, sizes: dict[str, int], *, seed: int = 1) -> None:
    """Write a network of other sizes with the weights of a checkpoint.

    Parameters
    ----------
    checkpoint : Path
        Of a `TranscriptionNetwork`.
    out : Path
        Overwritten.
    sizes : dict of str to int
        New values of ``fine_channels``, ``pitch_channels`` or ``pitch_hidden``.
    seed : int
        Of new weights.

    Raises
    ------
    FitError
        If it is another kind of network.
    CheckpointError
        If the checkpoint cannot be read.
    """
    given = load_checkpoint(checkpoint)
    if not isinstance(given, TranscriptionNetwork):
        raise FitError(f"{checkpoint} is no network of harmonics and columns; only those can be resized")
    torch.manual_seed(seed)
    made = TranscriptionNetwork(NetworkConfig.from_dict(given.config.to_dict() | sizes)).eval()
    weights = given.state_dict()
    made.load_state_dict(
        {name: _moved(name, weights[name], new, given.config, made.config) for name, new in made.state_dict().items()}
    )
    save_checkpoint(made, out)


def _moved(name: str, old: Tensor, new: Tensor, before: NetworkConfig, after: NetworkConfig) -> Tensor:
    """A weight's new values: the old ones in their places, and nothing new read by what was there."""
    if not old.dim():  # a counter
        return old
    dimensions = _dimensions(name, before, after)
    sizes = [dimensions.get(d, [(old.shape[d], new.shape[d])]) for d in range(min(2, old.dim()))]
    kept = [_kept(each) for each in sizes]
    there, here = ([one[side] for one in kept] for side in (0, 1))
    made = new.clone()
    if old.dim() == 1:
        made[here[0]] = old[there[0]]
        return made
    made[here[0]] = 0
    made[here[0][:, None], here[1]] = old[there[0][:, None], there[1]]
    return made


def _dimensions(name: str, before: NetworkConfig, after: NetworkConfig) -> dict[int, Sizes]:
    """Where something lies side by side in a weight: its dimensions."""
    hidden = (before.pitch_hidden, after.pitch_hidden)
    columns = [(before.pitch_channels, after.pitch_channels), (before.context_channels, after.context_channels)]
    if name.startswith("lstm."):
        return {0: [hidden] * GATES} | ({1: columns} if "weight_ih" in name else {})
    return {1: [hidden] * 2} if name == "head.weight" else {}  # both directions


def _kept(sizes: Sizes) -> tuple[Tensor, Tensor]:
    """Indices of what is kept, in the old weight and in the new one."""
    sides = []
    for side in (0, 1):
        starts = [sum(size[side] for size in sizes[:i]) for i in range(len(sizes))]
        sides.append(torch.cat([start + torch.arange(min(size)) for start, size in zip(starts, sizes, strict=True)]))
    return sides[0], sides[1]
