"""Front ends besides the variable-Q transform: spectrum, mel bands and mel cepstrum, frame by frame.

Conventions, which are those of `model.cqt`, and how they differ from librosa's:

- Frame ``t`` is centred on sample ``t * hop_length``; samples outside the waveform are zeros (librosa's
  ``center=True, pad_mode="constant"``), and there are ``ceil(samples / hop_length)`` frames (librosa has
  ``1 + samples // hop_length``).
- The Hann window sums to 1, so a sine of amplitude ``A`` on a bin's centre gives ``A / 2`` there. librosa's window
  peaks at 1: its magnitudes are larger by the window's sum, ``n_fft / 2``.
- Levels are decibels above ``floor_db``, divided by 50: 0 is silence.

Mel bands follow Slaney's scale (1998, "Auditory toolbox": linear up to 1 kHz, logarithmic above), as triangles over
the power spectrum whose peak is 1 (librosa's ``norm=None``).
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from model.cqt import CqtConfig, VariableQ


@dataclass(frozen=True)
class SpectrumConfig:
    """What all of these front ends begin with.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    hop_length : int
        Samples between two frames.
    n_fft : int
        Length of the window in samples; even.
    floor_db : float
        Magnitudes below this level (dB relative to a magnitude of 1) count as silence.
    """

    sr: int = 16000
    hop_length: int = 384
    n_fft: int = 2048
    floor_db: float = -100.0

    def __post_init__(self) -> None:
        if self.sr < 1 or self.hop_length < 1:
            raise ValueError(f"sr and hop_length must be positive, got {self.sr} and {self.hop_length}")
        if self.n_fft < 2 or self.n_fft % 2:
            raise ValueError(f"n_fft must be even and at least 2, got {self.n_fft}")

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sr / self.hop_length


@dataclass(frozen=True)
class StftConfig(SpectrumConfig):
    """A spectrum of evenly spaced bins; sizes as in `SpectrumConfig`."""

    kind: Literal["stft"] = "stft"

    @property
    def n_bins(self) -> int:
        """Values per frame."""
        return self.n_fft // 2 + 1


@dataclass(frozen=True)
class MelBandsConfig(SpectrumConfig):
    """Mel bands of a spectrum.

    Parameters
    ----------
    n_mels : int
        Number of bands.
    fmin, fmax : float
        Lower edge of the lowest band and upper edge of the highest, in Hz.
    """

    n_mels: int = 229
    fmin: float = 30.0
    fmax: float = 8000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_mels < 1:
            raise ValueError(f"n_mels must be at least 1, got {self.n_mels}")
        if not 0 <= self.fmin < self.fmax <= self.sr / 2:
            raise ValueError(
                f"0 <= fmin < fmax <= sr / 2 = {self.sr / 2:g} must hold, got fmin {self.fmin:g}, fmax {self.fmax:g}"
            )


@dataclass(frozen=True)
class MelConfig(MelBandsConfig):
    """Mel bands as features; sizes as in `MelBandsConfig`."""

    kind: Literal["mel"] = "mel"

    @property
    def n_bins(self) -> int:
        """Values per frame."""
        return self.n_mels


@dataclass(frozen=True)
class MfccConfig(MelBandsConfig):
    """Mel-frequency cepstral coefficients: the cosine transform of mel bands on their log scale.

    Parameters
    ----------
    n_mfcc : int
        Coefficients kept, from the first (the mean level) on; at most ``n_mels``.
    """

    n_mels: int = 128
    n_mfcc: int = 40
    kind: Literal["mfcc"] = "mfcc"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.n_mfcc <= self.n_mels:
            raise ValueError(f"n_mfcc must be 1 to n_mels = {self.n_mels}, got {self.n_mfcc}")

    @property
    def n_bins(self) -> int:
        """Values per frame."""
        return self.n_mfcc


FeatureConfig: TypeAlias = CqtConfig | StftConfig | MelConfig | MfccConfig
FEATURES: dict[str, type[FeatureConfig]] = {
    "cqt": CqtConfig,
    "stft": StftConfig,
    "mel": MelConfig,
    "mfcc": MfccConfig,
}


def features_from_dict(values: dict[str, Any]) -> FeatureConfig:
    """The configuration of a front end from plain values; without a ``kind`` it is the variable-Q transform's.

    Raises
    ------
    TypeError
        If a key is not a field.
    ValueError
        If there is no such kind, or a size is out of range.
    """
    kind = values.get("kind", "cqt")
    if kind not in FEATURES:
        raise ValueError(f"features must be one of {', '.join(FEATURES)}, got {kind!r}")
    return FEATURES[kind](**{key: value for key, value in values.items() if key != "kind"})


def mel_filters(config: MelBandsConfig) -> NDArray[np.float32]:
    """Triangles over the bins of the power spectrum, shape (n_mels, n_fft // 2 + 1), with a peak of 1 on the mel grid.

    A band narrower than the bins' spacing may hold no bin's centre; it then stays silent, as in librosa.
    """
    lowest, highest = hz_to_mel(np.array([config.fmin, config.fmax]))
    edges = mel_to_hz(np.linspace(lowest, highest, config.n_mels + 2))
    bins = np.arange(config.n_fft // 2 + 1) * config.sr / config.n_fft
    rising = (bins[None, :] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins[None, :]) / (edges[2:] - edges[1:-1])[:, None]
    triangles: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return triangles


# Slaney's scale: 3 mel for 200 Hz up to 1 kHz (15 mel), then 27 mel for a factor of 6.4.
_MEL_PER_HZ = 3 / 200
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_MEL_PER_NEPER = 27 / np.log(6.4)


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies in Hz to Slaney's mel."""
    logarithmic = _BREAK_MEL + _MEL_PER_NEPER * np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ)
    return np.where(hz < _BREAK_HZ, hz * _MEL_PER_HZ, logarithmic)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `hz_to_mel`."""
    exponential = _BREAK_HZ * np.exp((np.maximum(mel, _BREAK_MEL) - _BREAK_MEL) / _MEL_PER_NEPER)
    return np.where(mel < _BREAK_MEL, mel / _MEL_PER_HZ, exponential)


def cosine_matrix(n_inputs: int, n_outputs: int) -> NDArray[np.float32]:
    """The orthonormal cosine transform (DCT-II), its first ``n_outputs`` rows: shape (n_outputs, n_inputs)."""
    order, position = np.arange(n_outputs)[:, None], np.arange(n_inputs)[None, :]
    matrix: NDArray[np.float64] = np.sqrt(2 / n_inputs) * np.cos(np.pi * order * (2 * position + 1) / (2 * n_inputs))
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


class Stft(nn.Module):
    """Waveform to the power in evenly spaced bins.

    Parameters
    ----------
    config : SpectrumConfig
    """

    window: Tensor

    def __init__(self, config: SpectrumConfig) -> None:
        super().__init__()
        self.config = config
        window = torch.hann_window(config.n_fft, dtype=torch.float64)
        self.register_buffer("window", (window / window.sum()).float(), persistent=False)

    def power(self, waveform: Tensor) -> Tensor:
        """(batch, samples) -> squared magnitudes (batch, frames, n_fft // 2 + 1)."""
        hop, size = self.config.hop_length, self.config.n_fft
        n_frames = -(-waveform.shape[1] // hop)
        needed = (n_frames - 1) * hop + size // 2  # so that the last frame's window fits
        padded = F.pad(waveform, (size // 2, max(0, needed - waveform.shape[1])))
        spectrum = torch.fft.rfft(padded.unfold(1, size, hop)[:, :n_frames] * self.window)
        squares: Tensor = spectrum.real.square() + spectrum.imag.square()
        return squares

    def to_frames(self, waveform: Tensor) -> Tensor:
        """What a network reads: (batch, samples) -> levels (batch, frames, bins) on the log scale."""
        return log_scale(self.power(waveform), self.config.floor_db)


class Mel(Stft):
    """Waveform to the power in mel bands.

    Parameters
    ----------
    config : MelBandsConfig
    """

    filters: Tensor

    def __init__(self, config: MelBandsConfig) -> None:
        super().__init__(config)
        self.register_buffer("filters", torch.from_numpy(mel_filters(config)), persistent=False)

    def power(self, waveform: Tensor) -> Tensor:
        """(batch, samples) -> power in each band (batch, frames, n_mels)."""
        return super().power(waveform) @ self.filters.T


class Mfcc(Mel):
    """Waveform to mel-frequency cepstral coefficients.

    Parameters
    ----------
    config : MfccConfig
    """

    cosines: Tensor

    def __init__(self, config: MfccConfig) -> None:
        super().__init__(config)
        self.register_buffer("cosines", torch.from_numpy(cosine_matrix(config.n_mels, config.n_mfcc)), persistent=False)

    def to_frames(self, waveform: Tensor) -> Tensor:
        """(batch, samples) -> coefficients (batch, frames, n_mfcc)."""
        return super().to_frames(waveform) @ self.cosines.T


def log_scale(power: Tensor, floor_db: float) -> Tensor:
    """Power to a log scale: 0 is ``floor_db`` and below, 1 is 50 dB above it."""
    return torch.clamp(10 * torch.log10(power + 1e-20) - floor_db, min=0) / 50


def build_front_end(config: FeatureConfig) -> VariableQ | Stft:
    """The front end that a configuration describes; it has no weights."""
    match config:
        case CqtConfig():
            return VariableQ(config)
        case StftConfig():
            return Stft(config)
        case MelConfig():
            return Mel(config)
        case MfccConfig():
            return Mfcc(config)
