"""The variable-Q transform: a waveform becomes frames of log-spaced frequency bins.

A constant-Q transform (Brown 1991, "Calculation of a constant Q spectral transform") gives each bin ``k`` the centre
frequency ``fmin * 2**(k / bins_per_octave)`` and a window whose length is inversely proportional to that frequency.
The variable-Q transform (Schörkhuber et al. 2014, "A Matlab toolbox for efficient perfect reconstruction
time-frequency transforms with log-frequency resolution") adds a floor ``gamma`` to the bandwidth, so that low bins keep
a usable time resolution:

    bandwidth(f) = alpha * f + gamma,        length(f) = sr / bandwidth(f)

Octaves are computed from the top downwards. Between two octaves the waveform is halved in rate by a half-band filter,
so every octave uses kernels of a few hundred samples at most (Schörkhuber & Klapuri 2010).

Conventions, and how they differ from ``librosa.vqt``:

- Frame ``t`` is centred on sample ``t * hop_length``; samples outside the waveform are zeros.
- A kernel's absolute values sum to 1, so a sine of amplitude ``A`` on a bin's centre gives ``A / 2`` there, at any
  frequency. ``librosa.vqt(..., scale=True)`` gives that times the square root of the window's length in samples.
- Only magnitudes are returned.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

# The half-band filter must pass the octave below it and stop what would alias into that octave. With the top bin's
# edge at 0.88 of the lower Nyquist frequency, a Kaiser window of this length and shape leaves under 0.05 dB of ripple
# and over 80 dB of attenuation.
HALF_BAND_TAPS = 95
HALF_BAND_BETA = 8.0
# Outputs of the half-band filter computed by one row of a matrix product (see `halving_matrix`).
HALVING_BLOCK = 32
KEPT_TUNINGS = 32


@dataclass(frozen=True)
class CqtConfig:
    """The sizes of the transform.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    hop_length : int
        Samples between two frames; divisible by ``2 ** (n_octaves - 1)``.
    fmin : float
        Centre of the lowest bin in Hz.
    n_octaves, bins_per_octave : int
        The transform has ``n_octaves * bins_per_octave`` bins.
    gamma : float or None
        Bandwidth floor in Hz. None takes the equivalent rectangular bandwidth of hearing, as librosa does
        (``24.7 * alpha / 0.108``, Glasberg & Moore 1990); 0 is the plain constant-Q transform.
    floor_db : float
        Magnitudes below this level (dB relative to a magnitude of 1) count as silence.
    """

    sr: int = 16000
    hop_length: int = 384
    fmin: float = 27.5
    n_octaves: int = 8
    bins_per_octave: int = 36
    gamma: float | None = None
    floor_db: float = -100.0

    def __post_init__(self) -> None:
        if min(self.sr, self.hop_length, self.n_octaves, self.bins_per_octave) < 1:
            raise ValueError(
                "sr, hop_length, n_octaves and bins_per_octave must be at least 1, got "
                f"{self.sr}, {self.hop_length}, {self.n_octaves} and {self.bins_per_octave}"
            )
        if not self.fmin > 0 or not (self.gamma is None or self.gamma >= 0):
            raise ValueError(f"fmin must be positive and gamma not negative, got {self.fmin} and {self.gamma}")
        coarsest = 2 ** (self.n_octaves - 1)
        if self.hop_length % coarsest:
            raise ValueError(
                f"hop_length must be divisible by {coarsest} for {self.n_octaves} octaves, got {self.hop_length}"
            )
        if self.frequencies[-1] * 2 ** (1 / self.bins_per_octave) > self.sr / 2:
            raise ValueError(f"the highest bin, {self.frequencies[-1]:.0f} Hz, lies above {self.sr} Hz / 2")

    @property
    def n_bins(self) -> int:
        """Number of frequency bins."""
        return self.n_octaves * self.bins_per_octave

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sr / self.hop_length

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Centre frequencies in Hz, shape ``(n_bins,)``."""
        octaves = np.arange(self.n_bins) / self.bins_per_octave
        centres: NDArray[np.float64] = self.fmin * 2.0**octaves
        return centres

    @property
    def bandwidths(self) -> NDArray[np.float64]:
        """Bandwidths in Hz, shape ``(n_bins,)``."""
        ratio = 2.0 ** (1 / self.bins_per_octave)
        alpha = (ratio**2 - 1) / (ratio**2 + 1)  # bandwidth over frequency of evenly spaced bins, as librosa has it
        gamma = 24.7 * alpha / 0.108 if self.gamma is None else self.gamma
        widths: NDArray[np.float64] = alpha * self.frequencies + gamma
        return widths


def vqt_kernels(frequencies: NDArray[np.float64], lengths: NDArray[np.float64], sr: float) -> NDArray[np.float32]:
    """Hann-windowed complex exponentials, centred, with absolute values that sum to 1.

    Parameters
    ----------
    frequencies : ndarray, shape (n,)
        Centre frequencies in Hz.
    lengths : ndarray, shape (n,)
        Window lengths in samples; they need not be whole.
    sr : float
        Sampling rate in Hz.

    Returns
    -------
    ndarray, shape (2 * n, 1, taps), float32
        The n real parts, then the n imaginary parts; ``taps`` is odd.
    """
    half = int(np.ceil(lengths.max() / 2))
    time = np.arange(-half, half + 1)
    position = time[None, :] / lengths[:, None]  # -0.5 to 0.5 inside the window
    window = np.where(np.abs(position) < 0.5, 0.5 + 0.5 * np.cos(2 * np.pi * position), 0.0)
    window /= window.sum(axis=1, keepdims=True)
    phase = 2 * np.pi * frequencies[:, None] / sr * time[None, :]
    kernels = np.concatenate([window * np.cos(phase), -window * np.sin(phase)])
    return kernels[:, None, :].astype(np.float32)


def halving_matrix() -> NDArray[np.float32]:
    """The half-band low-pass filter and the step of two samples as one matrix.

    A convolution with one channel uses a fraction of what a processor can do. Written as a banded matrix, the filter
    turns a window of ``2 * HALVING_BLOCK + HALF_BAND_TAPS - 2`` samples into ``HALVING_BLOCK`` samples at half the
    rate by a matrix product, which is ten times as fast.

    Returns
    -------
    ndarray, shape (2 * HALVING_BLOCK + HALF_BAND_TAPS - 2, HALVING_BLOCK), float32
        Column ``i`` holds the filter from row ``2 * i`` on.
    """
    time = np.arange(HALF_BAND_TAPS) - HALF_BAND_TAPS // 2
    taps = 0.5 * np.sinc(time / 2) * np.kaiser(HALF_BAND_TAPS, HALF_BAND_BETA)
    matrix = np.zeros((2 * HALVING_BLOCK + HALF_BAND_TAPS - 2, HALVING_BLOCK), dtype=np.float32)
    for output in range(HALVING_BLOCK):
        matrix[2 * output : 2 * output + HALF_BAND_TAPS, output] = taps / taps.sum()
    return matrix


class VariableQ(nn.Module):
    """Waveform to magnitudes on a log-frequency axis.

    Parameters
    ----------
    config : CqtConfig
    """

    halving: Tensor

    def __init__(self, config: CqtConfig) -> None:
        super().__init__()
        self.config = config
        self._retuned: dict[int, VariableQ] = {}
        self.register_buffer("halving", torch.from_numpy(halving_matrix()), persistent=False)
        for octave in range(config.n_octaves):
            self.register_buffer(f"octave_{octave}", torch.from_numpy(self._octave_kernels(octave)), persistent=False)

    def _octave_kernels(self, octave: int) -> NDArray[np.float32]:
        """Kernels of one octave, counted from the top, at that octave's rate."""
        config = self.config
        stop = config.n_bins - octave * config.bins_per_octave
        bins = slice(stop - config.bins_per_octave, stop)
        sr = config.sr / 2**octave
        return vqt_kernels(config.frequencies[bins], sr / config.bandwidths[bins], sr)

    def forward(self, waveform: Tensor) -> Tensor:
        """Transform a batch.

        Parameters
        ----------
        waveform : Tensor, shape (batch, samples), float32
            At ``config.sr``.

        Returns
        -------
        Tensor, shape (batch, frames, n_bins), float32
            Magnitudes, ``frames = ceil(samples / hop_length)``.
        """
        n_frames = -(-waveform.shape[1] // self.config.hop_length)
        signal = waveform
        octaves = []
        for octave in range(self.config.n_octaves):
            if octave:
                signal = self._half_rate(signal)
            octaves.append(self._magnitudes(signal, octave, n_frames))
        return torch.cat(octaves[::-1], dim=2)

    def _half_rate(self, signal: Tensor) -> Tensor:
        """(batch, samples) -> (batch, ceil(samples / 2)); output ``n`` is centred on sample ``2 * n``."""
        length = -(-signal.shape[1] // 2)
        blocks = -(-length // HALVING_BLOCK)
        before = HALF_BAND_TAPS // 2
        after = (blocks - 1) * 2 * HALVING_BLOCK + self.halving.shape[0] - before - signal.shape[1]
        windows = F.pad(signal, (before, after)).unfold(1, self.halving.shape[0], 2 * HALVING_BLOCK)
        return (windows @ self.halving).flatten(1)[:, :length]  # (batch, blocks, HALVING_BLOCK) -> (batch, length)

    def _magnitudes(self, signal: Tensor, octave: int, n_frames: int) -> Tensor:
        """One octave: (batch, samples) -> (batch, n_frames, bins_per_octave)."""
        kernels = self.get_buffer(f"octave_{octave}")
        hop = self.config.hop_length // 2**octave
        half = kernels.shape[2] // 2
        needed = (n_frames - 1) * hop + half + 1  # so that the last frame's kernel fits
        padded = F.pad(signal, (half, max(0, needed - signal.shape[1])))
        # A few hundred long windows: cutting them out and one matrix product beat a strided convolution fivefold.
        windows = padded.unfold(1, kernels.shape[2], hop)[:, :n_frames]  # (batch, n_frames, taps)
        real, imaginary = (windows @ kernels[:, 0].T).chunk(2, dim=2)
        return torch.sqrt(real.square() + imaginary.square() + 1e-20)  # the addend keeps the gradient finite

    def retuned(self, cents: int) -> "VariableQ":
        """The transform for sound whose concert pitch lies ``cents`` above this one's; the last few are kept."""
        if not cents:
            return self
        if cents not in self._retuned:
            if len(self._retuned) == KEPT_TUNINGS:
                self._retuned.clear()
            moved = VariableQ(replace(self.config, fmin=self.config.fmin * 2 ** (cents / 1200)))
            self._retuned[cents] = moved.to(self.halving.device)
        return self._retuned[cents]

    def log_magnitudes(self, waveform: Tensor) -> Tensor:
        """Magnitudes on a log scale: 0 is silence (``floor_db``), 1 is 50 dB above it.

        Parameters and shapes as `forward`.
        """
        level_db = 20 * torch.log10(self(waveform))
        return torch.clamp(level_db - self.config.floor_db, min=0) / 50

    to_frames = log_magnitudes  # the name that all front ends share (`model.features`)
