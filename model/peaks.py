"""How loud a recording is, moment by moment: what a picture of its waveform is drawn from.

Taken while the recording passes by on its way to the network, so that nobody has to decode it a second time: a browser
could only do so with all of it in memory.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

PEAKS_PER_SECOND = 100


class Peaks:
    """The loudest sample of each hundredth of a second.

    Parameters
    ----------
    sr : int
        Rate of the waveform in Hz.

    Raises
    ------
    ValueError
        If a hundredth of a second is no whole number of samples.
    """

    def __init__(self, sr: int) -> None:
        if sr % PEAKS_PER_SECOND:
            raise ValueError(f"the rate must be a multiple of {PEAKS_PER_SECOND} Hz, got {sr}")
        self._width = sr // PEAKS_PER_SECOND
        self._rest = np.zeros(0, dtype=np.float32)
        self._values: list[NDArray[np.float32]] = []

    def watch(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass blocks of a waveform on, each of shape (samples,), float32."""
        for block in blocks:
            self._take(np.concatenate([self._rest, np.abs(block)]))
            yield block

    def _take(self, magnitudes: NDArray[np.float32]) -> None:
        whole = len(magnitudes) // self._width * self._width
        # (samples,) -> (hundredths, samples of each)
        self._values.append(magnitudes[:whole].reshape(-1, self._width).max(axis=1))
        self._rest = magnitudes[whole:]

    @property
    def values(self) -> NDArray[np.float32]:
        """What was heard so far, full scale at 1, shape (hundredths,); the last may be begun."""
        begun = [self._rest.max(keepdims=True)] if len(self._rest) else []
        return np.concatenate([np.zeros(0, dtype=np.float32), *self._values, *begun])

    @property
    def dbfs(self) -> float:
        """Level of the loudest sample relative to full scale, in dB."""
        return float(20 * np.log10(max(self.values.max(initial=0.0), 1e-12)))

    def to_bytes(self) -> bytes:
        """A byte for each hundredth: 255 is full scale, and what lies above it."""
        return (self.values.clip(0, 1) * 255).round().astype(np.uint8).tobytes()
