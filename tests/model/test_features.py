"""Spectrum, mel bands and cepstrum: their physics, and their agreement with librosa."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.features import FEATURES, FeatureConfig, MelConfig, MfccConfig, Stft, StftConfig, build_front_end
from tests.model.signals import SR, sine

ALL = [kind() for kind in FEATURES.values()]


def frames(config: FeatureConfig, wave: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = build_front_end(config).to_frames(torch.from_numpy(wave)[None])[0].numpy()
    return found


def noise(seconds: float) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 0.1, int(seconds * SR)).astype(np.float32)


def librosa_levels(power: NDArray[np.float64], config: StftConfig | MelConfig | MfccConfig) -> NDArray[np.float64]:
    """librosa's power on our scale: its window peaks at 1 and sums to n_fft / 2, ours sums to 1."""
    level_db = 10 * np.log10(power / (config.n_fft / 2) ** 2 + 1e-20)
    return (np.maximum(level_db - config.floor_db, 0) / 50).T


@pytest.mark.parametrize("n_samples", [1, 383, 384, 385, 5000])
@pytest.mark.parametrize("config", ALL, ids=FEATURES)
def test_any_length_gives_one_frame_per_begun_hop(config: FeatureConfig, n_samples: int) -> None:
    assert frames(config, np.ones(n_samples, dtype=np.float32)).shape == (-(-n_samples // 384), config.n_bins)


@pytest.mark.parametrize("config", ALL, ids=FEATURES)
def test_a_shift_by_one_hop_is_a_shift_by_one_frame(config: FeatureConfig) -> None:
    wave = noise(2)
    later = np.concatenate([np.zeros(384, dtype=np.float32), wave])
    np.testing.assert_allclose(frames(config, later)[1:][20:60], frames(config, wave)[20:60], atol=2e-4)


@pytest.mark.parametrize("config", ALL, ids=FEATURES)
def test_silence_is_zero(config: FeatureConfig) -> None:
    assert np.abs(frames(config, np.zeros(SR, dtype=np.float32))).max() < 1e-6


@pytest.mark.parametrize("config", ALL, ids=FEATURES)
def test_an_impulse_is_loudest_in_the_frame_on_which_it_falls(config: FeatureConfig) -> None:
    wave = np.zeros(SR, dtype=np.float32)
    wave[20 * 384] = 1.0
    assert np.abs(frames(config, wave)).sum(axis=1).argmax() == 20


def test_a_tone_lands_on_its_bin_at_half_its_amplitude() -> None:
    power = Stft(StftConfig()).power(torch.from_numpy(sine(100 * SR / 2048, 1.0, amplitude=0.8))[None])[0, 20]
    assert power.argmax() == 100
    assert power.max().sqrt().item() == pytest.approx(0.4, rel=1e-4)


def test_spectrum_agrees_with_librosa() -> None:
    import librosa

    config, wave = StftConfig(), noise(1)
    theirs = np.abs(librosa.stft(wave, n_fft=2048, hop_length=384, center=True, pad_mode="constant")) ** 2
    ours = frames(config, wave)
    np.testing.assert_allclose(ours, librosa_levels(theirs, config)[: len(ours)], atol=2e-3)


def test_mel_bands_agree_with_librosa() -> None:
    import librosa

    config, wave = MelConfig(), noise(1)
    theirs = mel_power(librosa, wave, config)
    ours = frames(config, wave)
    np.testing.assert_allclose(ours, librosa_levels(theirs, config)[: len(ours)], atol=2e-3)


def test_cepstrum_agrees_with_librosa() -> None:
    import librosa

    config, wave = MfccConfig(), noise(1)
    levels = librosa_levels(mel_power(librosa, wave, config), config).T
    theirs = librosa.feature.mfcc(S=levels, n_mfcc=config.n_mfcc).T
    ours = frames(config, wave)
    np.testing.assert_allclose(ours, theirs[: len(ours)], atol=2e-3)


def mel_power(librosa: object, wave: NDArray[np.float32], config: MelConfig | MfccConfig) -> NDArray[np.float64]:
    """librosa's mel bands with our conventions; bands too narrow for a bin are silent in both."""
    filters = librosa.filters.mel(  # type: ignore[attr-defined]
        sr=SR, n_fft=config.n_fft, n_mels=config.n_mels, fmin=config.fmin, fmax=config.fmax, norm=None
    )
    spectrum = librosa.stft(wave, n_fft=config.n_fft, hop_length=384, pad_mode="constant")  # type: ignore[attr-defined]
    power: NDArray[np.float64] = filters.astype(np.float64) @ np.abs(spectrum.astype(np.complex128)) ** 2
    return power


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (StftConfig, {"n_fft": 1023}, "n_fft must be even"),
        (StftConfig, {"hop_length": 0}, "must be positive"),
        (MelConfig, {"fmax": 9000.0}, "fmax <= sr / 2 = 8000"),
        (MelConfig, {"n_mels": 0}, "n_mels must be at least 1"),
        (MfccConfig, {"n_mfcc": 129}, "n_mfcc must be 1 to n_mels = 128"),
    ],
)
def test_sizes_that_cannot_be_are_refused(kind: type[FeatureConfig], values: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind(**values)  # type: ignore[arg-type]
