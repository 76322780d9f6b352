"""Quiet recordings are raised, and nothing else is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from model.loudness import QUIET_DB, USUAL_DB, Loudness, level_db
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from tests.model.signals import SR, TUNE, TUNE_SECONDS, melody, sine

PIECE = 1600


def at(db: float, wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """A wave at a level."""
    return (wave * 10 ** ((db - level_db(wave, PIECE)) / 20)).astype(np.float32)


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber.load(DEFAULT_CHECKPOINT, device="cpu", threads=2)


def pitches(transcriber: Transcriber, wave: NDArray[np.float32]) -> list[int]:
    options = DecodingOptions(**ENTRY["decoding"])
    return sorted(note.pitch for note in decode_notes(transcriber.activations(wave), options))


def test_the_level_of_a_sine_is_its_power_and_pauses_do_not_count() -> None:
    tone = sine(440, 1.0, amplitude=0.1)
    assert level_db(tone, PIECE) == pytest.approx(-23.0, abs=0.05)
    assert level_db(np.concatenate([tone, np.zeros(9 * SR, np.float32)]), PIECE) == pytest.approx(-23.0, abs=0.05)


@pytest.mark.parametrize("db", [-10.0, -30.0, QUIET_DB + 0.1])
def test_a_usual_recording_is_left_as_it_is(db: float) -> None:
    wave = at(db, melody(TUNE, TUNE_SECONDS))
    assert Loudness(SR).raised(wave) is wave


@pytest.mark.parametrize("db", [QUIET_DB - 0.1, -60.0, -75.0])
def test_a_quiet_recording_is_raised_to_what_is_usual(db: float) -> None:
    raised = Loudness(SR).raised(at(db, melody(TUNE, TUNE_SECONDS)))
    assert raised.dtype == np.float32
    assert level_db(raised, PIECE) == pytest.approx(USUAL_DB, abs=0.1)


def test_a_constant_offset_is_no_sound() -> None:
    quiet = at(-60.0, melody(TUNE, TUNE_SECONDS))
    raised = Loudness(SR).raised(quiet + np.float32(0.02))
    assert level_db(raised - raised.mean(), PIECE) == pytest.approx(USUAL_DB, abs=0.1)
    still = np.full(SR, 0.02, np.float32)
    assert Loudness(SR).raised(still) is still


def test_a_pause_is_not_made_as_loud_as_the_music_before_it() -> None:
    music, pause = at(-50.0, melody(TUNE, TUNE_SECONDS)), at(-70.0, sine(440, 1.0))
    loudness = Loudness(SR)
    loudness.raised(music)
    assert level_db(loudness.raised(pause), PIECE) == pytest.approx(-56.0, abs=0.2)
    loudness.raised(at(-20.0, music))
    assert loudness.raised(pause) is pause


def test_what_is_called_silent_is_not_raised() -> None:
    hush = at(-20.0, melody(TUNE, TUNE_SECONDS))
    hush = (hush / np.abs(hush).max() * 10 ** (-84 / 20)).astype(np.float32)
    assert Loudness(SR).raised(hush) is hush


@pytest.mark.parametrize("wave", [np.zeros(0, np.float32), np.zeros(1, np.float32), np.full(3, 1e-30, np.float32)])
def test_what_holds_nothing_stays_nothing(wave: NDArray[np.float32]) -> None:
    assert np.abs(Loudness(SR).raised(wave)).max(initial=0.0) < 1e-20


def test_quiet_music_is_heard_as_loud_music_is(transcriber: Transcriber) -> None:
    wave = melody(TUNE, TUNE_SECONDS)
    usual = pitches(transcriber, at(USUAL_DB, wave))
    assert len(usual) > 0.8 * len(TUNE)
    assert pitches(transcriber, at(-75.0, wave)) == usual


def test_raised_noise_is_no_music(transcriber: Transcriber) -> None:
    noise = np.random.default_rng(0).normal(0, 1, 20 * SR).astype(np.float32)
    assert pitches(transcriber, at(-70.0, noise)) == []
