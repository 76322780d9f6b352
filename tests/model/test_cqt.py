"""The transform's physics, and its agreement with librosa."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.cqt import CqtConfig, VariableQ
from tests.model.signals import SR, sine


def transform(wave: NDArray[np.float32], config: CqtConfig | None = None) -> NDArray[np.float32]:
    return VariableQ(config or CqtConfig())(torch.from_numpy(wave)[None])[0].numpy()


@pytest.mark.parametrize("bin_index", [0, 17, 36, 120, 200, 287])
def test_a_tone_lands_on_its_bin_at_half_its_amplitude(bin_index: int) -> None:
    frequency = CqtConfig().frequencies[bin_index]
    magnitudes = transform(sine(frequency, 2.0, amplitude=0.8))
    middle = magnitudes[len(magnitudes) // 2]
    assert middle.argmax() == bin_index
    assert middle.max() == pytest.approx(0.4, rel=2e-3)


def test_a_shift_by_one_hop_is_a_shift_by_one_frame() -> None:
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.1, 2 * SR).astype(np.float32)
    later = np.concatenate([np.zeros(384, dtype=np.float32), wave])
    inner = slice(20, 60)  # at the recording's very edges the half-band filters' tails are cut
    np.testing.assert_allclose(transform(later)[1:][inner], transform(wave)[inner], atol=1e-6)


def test_silence_is_zero_on_the_log_scale_and_full_scale_is_94_db_above_the_floor() -> None:
    module = VariableQ(CqtConfig())
    assert module.log_magnitudes(torch.zeros(1, SR)).abs().max() == 0
    loud = module.log_magnitudes(torch.from_numpy(sine(440.0, 1.0, amplitude=1.0))[None])
    assert loud.max().item() * 50 == pytest.approx(100 + 20 * np.log10(0.5), abs=0.05)


def test_batch_and_single_agree() -> None:
    waves = torch.randn(3, SR, generator=torch.Generator().manual_seed(0))
    module = VariableQ(CqtConfig())
    alone = torch.cat([module(wave[None]) for wave in waves])
    torch.testing.assert_close(module(waves), alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 383, 384, 385, 1000, 16001])
def test_any_length_gives_one_frame_per_begun_hop(n_samples: int) -> None:
    assert transform(np.ones(n_samples, dtype=np.float32)).shape == (-(-n_samples // 384), 288)


def chord_near_bins(config: CqtConfig) -> NDArray[np.float32]:
    """Five tones up to 1 % off their bins, 6 s."""
    rng = np.random.default_rng(1)
    tones = [sine(config.frequencies[k] * 2 ** rng.uniform(-0.01, 0.01), 6.0) for k in (36, 80, 130, 190, 250)]
    return (0.2 * np.sum(tones, axis=0)).astype(np.float32)


@pytest.mark.parametrize("gamma", [None, 0.0])
def test_agrees_with_its_definition(gamma: float | None) -> None:
    """The octave-wise computation against windows of the full-rate waveform, in float64: within 1 %."""
    config = CqtConfig(gamma=gamma)
    wave = chord_near_bins(config)
    ours = transform(wave, config)[125]
    expected = np.empty(config.n_bins)
    for k, (frequency, bandwidth) in enumerate(zip(config.frequencies, config.bandwidths, strict=True)):
        reach = SR / bandwidth / 2
        time = np.arange(-int(reach), int(reach) + 1)
        window = 0.5 + 0.5 * np.cos(np.pi * time / reach)
        piece = wave[125 * 384 + time].astype(np.float64)
        expected[k] = np.abs(np.sum(piece * window * np.exp(-2j * np.pi * frequency / SR * time))) / window.sum()
    assert np.abs(ours - expected).max() < 0.01 * expected.max()


@pytest.mark.parametrize(("gamma", "tolerance"), [(None, 0.025), (0.0, 0.01)])
def test_agrees_with_librosa(gamma: float | None, tolerance: float) -> None:
    """librosa cuts its windows to whole samples at each octave's rate, which widens the shortest ones.

    So the two differ by at most 2.5 % of the largest magnitude (1 % with the longer windows of gamma 0), and by 0.3 dB
    within 10 dB of it.
    """
    import librosa

    config = CqtConfig(gamma=gamma)
    wave = chord_near_bins(config)
    theirs = np.abs(
        librosa.vqt(
            wave, sr=SR, hop_length=384, fmin=27.5, n_bins=288, bins_per_octave=36, gamma=gamma, res_type="soxr_vhq"
        )
    ).T / np.sqrt(SR / config.bandwidths)
    ours, theirs = transform(wave, config)[100:150], theirs[100:150]
    assert np.abs(ours - theirs).max() < tolerance * theirs.max()
    strong = theirs > 10 ** (-10 / 20) * theirs.max()
    assert np.abs(20 * np.log10(ours[strong] / theirs[strong])).max() < 0.3


def test_a_hop_that_the_octaves_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="divisible by 128"):
        CqtConfig(hop_length=400)


def test_bins_above_the_nyquist_frequency_are_refused() -> None:
    with pytest.raises(ValueError, match="lies above"):
        CqtConfig(sr=12800)
