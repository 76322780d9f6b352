"""A recording's own concert pitch: found or told, and its notes read by it."""

from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from model.audio import AudioLimits, AudioReader
from model.errors import OptionError
from model.features import StftConfig
from model.note_events import DecodingOptions, decode_notes
from model.sequence import SequenceConfig, SequenceNetwork
from model.transcriber import Transcriber
from model.tuning import Tuning
from tests.model.files import encode
from tests.model.signals import SR, TUNE, TUNE_SECONDS, melody


def tuned(cents: float) -> NDArray[np.float32]:
    """The tune so many cents sharp, and as much faster."""
    wave = melody(TUNE, TUNE_SECONDS)
    return soxr.resample(wave, SR, SR / 2 ** (cents / 1200)).astype(np.float32) if cents else wave


def heard(*waves: NDArray[np.float32]) -> Tuning:
    tuning = Tuning(SR)
    for wave in waves:
        tuning.add(wave)
    return tuning


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber.load(DEFAULT_CHECKPOINT, device="cpu", threads=2)


def notes(transcriber: Transcriber, cents: float, *, a4_hz: float | None = None) -> list[tuple[int, float]]:
    """Pitches and onsets of the tune, at the tune's own speed."""
    activations = transcriber.activations(tuned(cents), a4_hz=a4_hz)
    ratio = 2 ** (cents / 1200)
    return [
        (note.pitch, note.onset * ratio) for note in decode_notes(activations, DecodingOptions(**ENTRY["decoding"]))
    ]


def share_right(found: list[tuple[int, float]]) -> float:
    """F1 by pitch and onset, 50 ms."""
    hits = sum(any(p == pitch and abs(t - onset) < 0.05 for p, t in found) for onset, _, pitch in TUNE)
    return 2 * hits / (len(TUNE) + len(found))


@pytest.mark.parametrize("cents", [-45, -32, -20, 20, 32, 45])
def test_the_tuning_is_found(cents: int) -> None:
    tuning = heard(tuned(cents))
    assert tuning.cents == pytest.approx(cents, abs=5)
    assert tuning.a4_hz == pytest.approx(440 * 2 ** (cents / 1200), abs=1.3)


@pytest.mark.parametrize("cents", [0, -5, 5])
def test_what_is_in_tune_is_left_as_it_is(cents: int) -> None:
    assert heard(tuned(cents)).cents == 0


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(5 * SR, dtype=np.float32),
        np.full(5 * SR, 0.5, dtype=np.float32),
        np.zeros(1, dtype=np.float32),
        np.zeros(0, dtype=np.float32),
        np.random.default_rng(0).normal(0, 0.1, 60 * SR).astype(np.float32),
        np.full(5 * SR, np.nan, dtype=np.float32),
    ],
    ids=["silence", "constant", "one sample", "nothing", "noise", "no numbers"],
)
def test_where_there_is_no_telling_it_is_in_tune(wave: NDArray[np.float32]) -> None:
    assert heard(wave, wave).cents == 0


@pytest.mark.parametrize("place", range(1000, 48_000, 5000))
def test_a_click_in_silence_does_not_hide_it(place: int) -> None:
    click = np.zeros(60 * SR, dtype=np.float32)
    click[place] = 0.5
    assert heard(click, tuned(-32)).cents == pytest.approx(-32, abs=5)
    assert heard(tuned(-32), click).cents == pytest.approx(-32, abs=5)


def test_windows_near_a_quarter_tone_do_not_change_keys() -> None:
    tuning = heard(tuned(44))
    assert 35 < tuning.cents <= 50
    for _ in range(6):
        tuning.add(tuned(57))  # alone it would be 43 cents flat of the next key
    assert 45 < tuning.cents < 65


@pytest.mark.parametrize("cents", [-48, 48])
def test_notes_between_the_keys_are_heard(transcriber: Transcriber, cents: int) -> None:
    assert share_right(notes(transcriber, cents)) > 0.9


def test_read_by_another_concert_pitch_they_are_not(transcriber: Transcriber) -> None:
    assert share_right(notes(transcriber, -48, a4_hz=440)) < 0.7


@pytest.mark.parametrize("a4_hz", [392.0, 415.0, 466.0])
def test_a_told_concert_pitch_is_written_as_a(transcriber: Transcriber, a4_hz: float) -> None:
    cents = 1200 * np.log2(a4_hz / 440)
    assert share_right(notes(transcriber, cents, a4_hz=a4_hz)) > 0.9
    assert share_right(notes(transcriber, cents)) < 0.3  # found within a quarter tone, it is another key's


@pytest.mark.parametrize("a4_hz", [0.0, 389.9, 470.1, float("nan")])
def test_a_concert_pitch_out_of_range_is_refused(a4_hz: float) -> None:
    with pytest.raises(OptionError, match=r"a4_hz must lie in 390\.\.470"):
        Tuning(SR, a4_hz)


def test_a_recording_tells_how_it_was_read(transcriber: Transcriber, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.wav", tuned(-32), sr=SR, kind="wav")
    for told, read in ((None, 431.9), (440.0, 440.0), (430.0, 430.0)):
        with path.open("rb") as file, AudioReader(file, sr=SR, limits=AudioLimits()) as reader:
            summary = transcriber.write_activations(reader, tmp_path / "out", on_progress=lambda _: None, a4_hz=told)
        assert summary.a4_hz == pytest.approx(read, abs=1.3)


def test_a_network_that_cannot_be_retuned_says_so(transcriber: Transcriber, tmp_path: Path) -> None:
    network = SequenceNetwork(SequenceConfig(kind="dnn", features=StftConfig(), hidden=8, layers=1)).eval()
    other = Transcriber(network, transcriber.device)
    path = encode(tmp_path / "a.wav", tuned(-32), sr=SR, kind="wav")
    said = []
    for told in (None, 432.0):
        with path.open("rb") as file, AudioReader(file, sr=SR, limits=AudioLimits()) as reader:
            summary = other.write_activations(reader, tmp_path / "out", on_progress=lambda _: None, a4_hz=told)
        assert summary.a4_hz == 440
        said.append(summary.warnings)
    assert said == [[], ["this model reads all notes by A4 = 440 Hz, whatever a4_hz says"]]
