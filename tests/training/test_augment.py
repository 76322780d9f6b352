import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.model.signals import SR, frequency_of, melody, sine
from tests.training.material import heard_onset
from training.augment import (
    AugmentConfig,
    at_peak,
    augment,
    clipped,
    compressed,
    equaliser,
    low_pass,
    noisy,
    pitch_shift,
    quantised,
)
from training.room import in_room, room_impulse, rooms

ALWAYS = AugmentConfig(room=1, equaliser=1, low_pass=1, high_pass=1, noise=1, compress=1, clip=1, quantise=1)
ONSETS = (0.5, 1.5, 2.6)
NOTHING = AugmentConfig(
    room=0, equaliser=0, low_pass=0, high_pass=0, noise=0, compress=0, clip=0, quantise=0, level_db=(0, 0)
)


def three_notes() -> NDArray[np.float32]:
    return melody([(onset, onset + 0.6, 60 + 7 * i) for i, onset in enumerate(ONSETS)], 4.0)


@pytest.mark.parametrize("seed", range(20))
def test_an_onset_stays_where_it_is(seed: int) -> None:
    config = AugmentConfig(room=1, equaliser=1, low_pass=1, high_pass=1, noise=0, compress=1, clip=1, quantise=1)
    wave = melody([(1.0, 1.6, 45 + 2 * seed)], 2.5)
    changed = augment(wave, np.random.default_rng(seed), config)
    assert heard_onset(changed, near=1.0) == pytest.approx(heard_onset(wave, near=1.0), abs=0.005)


@given(seed=st.integers(0, 10_000), n_samples=st.integers(200, 40_000))
def test_length_type_and_range_stay(seed: int, n_samples: int) -> None:
    rng = np.random.default_rng(seed)
    changed = augment(rng.normal(0, 0.3, n_samples).astype(np.float32), rng, ALWAYS)
    assert changed.shape == (n_samples,)
    assert changed.dtype == np.float32
    assert np.abs(changed).max() <= 1 + 1e-6


def test_the_same_seed_changes_alike_and_another_differs() -> None:
    one, same, other = (augment(three_notes(), np.random.default_rng(seed), ALWAYS) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


def test_with_nothing_drawn_only_the_level_changes() -> None:
    wave = three_notes()
    np.testing.assert_allclose(augment(wave, np.random.default_rng(0), NOTHING), wave / np.abs(wave).max(), atol=1e-6)


def test_silence_stays_finite() -> None:
    changed = augment(np.zeros(16000, dtype=np.float32), np.random.default_rng(0), ALWAYS)
    assert np.isfinite(changed).all()


@pytest.mark.parametrize("semitones", [-2.0, -0.37, 0.0, 1.0, 2.0])
def test_a_shift_scales_time_and_pitch_alike(semitones: float) -> None:
    shifted, factor = pitch_shift(three_notes(), semitones=semitones)
    assert factor == pytest.approx(2 ** (-semitones / 12))
    assert len(shifted) == pytest.approx(4.0 * SR * factor, abs=2)
    for onset in ONSETS:
        assert heard_onset(shifted, near=onset * factor) == pytest.approx(onset * factor, abs=0.003)
    tone, _ = pitch_shift(sine(440, 2.0), semitones=semitones)
    spectrum = np.abs(np.fft.rfft(tone[4000:20000] * np.hanning(16000), 2**18))
    assert np.argmax(spectrum) * SR / 2**18 == pytest.approx(frequency_of(69) * 2 ** (semitones / 12), rel=2e-4)


@pytest.mark.parametrize("seed", range(5))
def test_a_room_begins_with_the_direct_sound(seed: int) -> None:
    impulse = room_impulse(np.random.default_rng(seed), seconds=0.5, direct_db=6.0)
    assert impulse[0] == 1.0
    reflected = np.sqrt((impulse[1:] ** 2).sum())
    assert -20 * np.log10(reflected) == pytest.approx(6.0, abs=0.01)


def test_a_room_decays_by_60_db_in_its_time() -> None:
    impulse = room_impulse(np.random.default_rng(0), seconds=0.8, direct_db=0.0)
    early, late = (np.sqrt((impulse[int(t * SR) : int((t + 0.1) * SR)] ** 2).mean()) for t in (0.1, 0.6))
    assert 20 * np.log10(early / late) == pytest.approx(60 * 0.5 / 0.8, abs=3)


def test_the_whole_effect_of_a_room_is_a_convolution() -> None:
    wave, impulse = three_notes(), rooms(1, 4)[0]
    np.testing.assert_allclose(in_room(wave, impulse), np.convolve(wave, impulse)[: len(wave)], atol=1e-4)


def test_noise_is_as_far_below_the_signal_as_said() -> None:
    wave = sine(440, 2.0)
    for seed in range(6):
        noise = noisy(wave, np.random.default_rng(seed), snr_db=20) - wave
        assert 20 * np.log10(wave.std() / noise.std()) == pytest.approx(20, abs=1.5)


def test_compression_brings_loud_and_soft_nearer() -> None:
    wave = np.concatenate([sine(440, 1.0, amplitude=0.5), sine(440, 1.0, amplitude=0.05)])
    changed = compressed(wave, strength=0.5)
    loud, soft = np.abs(changed[4000:12000]).max(), np.abs(changed[20000:28000]).max()
    assert 20 * np.log10(loud / soft) == pytest.approx(10, abs=0.5)  # 20 dB before, half of it after


def test_filters_have_the_gains_they_say() -> None:
    gains = low_pass(8001, 2000.0, order=2)
    assert 20 * np.log10(gains[2000]) == pytest.approx(-3.01, abs=0.01)
    assert 20 * np.log10(gains[8000]) == pytest.approx(-24.1, abs=0.1)
    curve_db = 20 * np.log10(equaliser(8001, np.random.default_rng(0), 8.0))
    assert np.abs(curve_db).max() <= 8
    assert curve_db.std() > 1


def test_quantising_is_coarse_and_clipping_bounded() -> None:
    wave = sine(440, 0.5)
    assert 0.001 < np.abs(quantised(wave) - wave).max() < 0.02
    assert len(np.unique(quantised(wave))) <= 255
    assert np.abs(clipped(wave, excess_db=8)).max() < 1
    assert np.abs(at_peak(wave, -6.0)).max() == pytest.approx(10 ** (-6 / 20))
