"""Recordings of any length in constant memory: overlapping windows over a stream of samples.

A window carries context on both sides of the frames that are kept from it, so that the bidirectional LSTMs have heard
what comes before and after. The frames of consecutive windows join without gap or overlap.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class WindowConfig:
    """How a recording is cut.

    Parameters
    ----------
    window_frames : int
        Frames heard at once.
    context_frames : int
        Frames at an inner edge that are heard and then thrown away: three seconds, and like the window a multiple of
        `model.instruments.RATE_DIVISOR`, so that no step of the instruments is cut.
    """

    window_frames: int = 2500
    context_frames: int = 124

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.context_frames < self.window_frames:
            raise ValueError(
                f"two contexts of {self.context_frames} frames do not fit into a window of {self.window_frames}"
            )


@dataclass(frozen=True)
class Window:
    """A cut of the waveform and which of its frames to keep.

    Parameters
    ----------
    samples : ndarray, shape (n,), float32
    keep : slice
        Frames, relative to the window's start.
    last : bool
        Whether the recording ends here.
    """

    samples: NDArray[np.float32]
    keep: slice
    last: bool


def windows(blocks: Iterable[NDArray[np.float32]], config: WindowConfig, *, hop_length: int) -> Iterator[Window]:
    """Cut a stream of blocks into overlapping windows.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n,), float32
        Blocks of any length.
    config : WindowConfig
    hop_length : int
        Samples between two frames. All windows start on the frame grid.

    Yields
    ------
    Window
        The kept frames number ``ceil(samples / hop_length)`` in all. Nothing for an empty stream.
    """
    size = config.window_frames * hop_length
    step = (config.window_frames - 2 * config.context_frames) * hop_length
    held = np.zeros(0, dtype=np.float32)
    first = True
    for held in _filled(blocks, size, step):
        last = len(held) <= size
        samples = held[:size]
        n_frames = -(-len(samples) // hop_length)
        start = 0 if first else config.context_frames
        stop = n_frames if last else config.window_frames - config.context_frames
        yield Window(samples, slice(start, stop), last)
        first = False


def _filled(blocks: Iterable[NDArray[np.float32]], size: int, step: int) -> Iterator[NDArray[np.float32]]:
    """Buffers that advance by ``step`` samples: longer than ``size`` while more follows, the last one at most that."""
    held: list[NDArray[np.float32]] = []
    n_held = 0
    for block in blocks:
        held.append(block)
        n_held += len(block)
        while n_held > size:  # one sample more than a window shows that this is not the last one
            joined = np.concatenate(held)
            yield joined
            held, n_held = [joined[step:]], n_held - step
    if n_held:
        yield np.concatenate(held)
