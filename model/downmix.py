"""Decoded frames as one wave, whatever FFmpeg's sample format and the number of channels."""

from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

# FFmpeg's integer sample formats: full scale, and the value that stands for silence.
INTEGER_FORMATS = {
    "u8": (128.0, 128.0),
    "s16": (32768.0, 0.0),
    "s32": (2147483648.0, 0.0),
    "s64": (2.0**63, 0.0),
}
CANCELLED = 0.01  # the mean has less of a channel's power: one of two cables was soldered the wrong way round


def to_float(samples: NDArray[Any], sample_format: str) -> NDArray[np.float32]:
    """Samples of an FFmpeg format as float32 with full scale at 1; the shape is kept."""
    name = sample_format.removesuffix("p")
    if name not in INTEGER_FORMATS:
        return samples.astype(np.float32, copy=False)
    scale, silence = INTEGER_FORMATS[name]
    return ((samples.astype(np.float32) - np.float32(silence)) / np.float32(scale)).astype(np.float32)


class Downmix:
    """The mean of all channels; the first one where they have cancelled each other out so far."""

    def __init__(self) -> None:
        self._energy_of_mean = self._energy_of_first = 0.0

    def mono(self, frame: AudioFrame) -> NDArray[np.float32]:
        """One wave of a frame's channels, shape (samples,)."""
        samples = frame.to_ndarray()  # planar: (channels, samples); packed: (1, samples * channels)
        channels = frame.layout.nb_channels
        if not frame.format.is_planar:
            samples = samples.reshape(-1, channels).T
        waves = to_float(samples, frame.format.name)
        first: NDArray[np.float32] = np.ascontiguousarray(waves[0])
        if channels == 1:
            return first
        mean: NDArray[np.float32] = waves.mean(axis=0)
        self._energy_of_mean += float(mean @ mean)
        self._energy_of_first += float(first @ first)
        return first if self._energy_of_mean < CANCELLED * self._energy_of_first else mean
