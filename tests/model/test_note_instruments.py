"""Notes are given the instruments that were heard along them, and that play in the piece."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.activations import Activations, ActivationsWriter, open_activations
from model.errors import OptionError
from model.instruments import INSTRUMENTS, N_INSTRUMENTS, PROGRAM_NAMES, RATE_DIVISOR, Instrument
from model.labels import NoteArrays, instrument_targets, note_targets
from model.note import LOWEST_PITCH, N_PITCHES, Note
from model.note_events import DecodingOptions, decode_notes

RATE = 16000 / 384
NAMES = [instrument.name for instrument in INSTRUMENTS]
VIOLIN, VIOLA, CELLO = (NAMES.index(name) for name in ("violin", "viola", "cello"))


def perfect(notes: list[Note], seconds: float) -> Activations:
    """What a network that makes no mistake would say."""
    arrays, n_frames = NoteArrays.from_notes(notes), int(seconds * RATE)
    drawn = note_targets(arrays, n_frames=n_frames, frame_rate=RATE)
    values = np.rint(np.stack([drawn.onset, drawn.frame, drawn.velocity], axis=1) * 255).astype(np.uint8)
    heard = instrument_targets(arrays, n_frames=n_frames, frame_rate=RATE)
    return Activations(values, RATE, np.rint(heard * 255).astype(np.uint8))


def unsure(notes: list[Note], odds: list[dict[int, float]], seconds: float) -> Activations:
    """Of each note, in turn, these probabilities of instruments."""
    heard = perfect(notes, seconds)
    assert heard.instruments is not None
    for note, probabilities in zip(notes, odds, strict=True):
        column: NDArray[np.uint8] = np.zeros(N_INSTRUMENTS, dtype=np.uint8)
        for output, probability in probabilities.items():
            column[output] = round(255 * probability)
        first, last = (int(time * RATE / RATE_DIVISOR) for time in (note.onset, note.offset))
        heard.instruments[first : last + 1, :, note.pitch - LOWEST_PITCH] = column
    return heard


@given(st.lists(st.sampled_from(INSTRUMENTS), min_size=1, max_size=6))
def test_every_note_gets_the_instrument_that_plays_it(players: list[Instrument]) -> None:
    players = players * 2
    notes = [
        Note(0.2 + 0.3 * i, 40 + 3 * i, 0.45 + 0.3 * i, program=player.program) for i, player in enumerate(players)
    ]
    found = decode_notes(perfect(notes, 6.0), DecodingOptions())
    assert [note.program for note in found] == [note.program for note in notes]
    assert min(note.instrument_confidence for note in found) > 0.95


def test_only_allowed_instruments_are_named() -> None:
    notes = [Note(0.2 + i, 60 + i, 0.9 + i) for i in range(4)]
    heard = unsure(notes, [{VIOLIN: 0.6, VIOLA: 0.3, CELLO: 0.1}] * 4, 5.0)
    assert {note.program for note in decode_notes(heard, DecodingOptions())} == {40}
    found = decode_notes(heard, DecodingOptions(instruments=("viola", "cello")))
    assert {note.program for note in found} == {41}
    one = decode_notes(heard, DecodingOptions(instruments=("horn",)))
    assert {(note.program, note.instrument_confidence) for note in one} == {(60, 1.0)}


def test_a_doubtful_note_goes_to_who_plays_the_piece() -> None:
    """Nine clear cello notes make a tenth, in which a viola was heard a little more, one of theirs."""
    notes = [Note(0.2 + 0.5 * i, 48 + i, 0.6 + 0.5 * i) for i in range(10)]
    odds = [{CELLO: 0.95, VIOLA: 0.05}] * 9 + [{CELLO: 0.45, VIOLA: 0.55}]
    found = decode_notes(unsure(notes, odds, 6.0), DecodingOptions())
    assert {note.program for note in found} == {42}
    alone = decode_notes(unsure(notes[9:], odds[9:], 6.0), DecodingOptions())
    assert [note.program for note in alone] == [41]


def test_a_note_that_might_be_twos_is_ones() -> None:
    notes = [Note(0.2, 60, 0.9)]
    (found,) = decode_notes(unsure(notes, [{VIOLA: 0.43, CELLO: 0.43}], 2.0), DecodingOptions())
    assert found.program in (41, 42)


def test_a_few_stray_notes_are_no_instrument() -> None:
    """Three of thirty notes sound a little more like a viola's; it would get a staff of its own."""
    notes = [Note(0.2 + 0.3 * i, 40 + i, 0.45 + 0.3 * i) for i in range(30)]
    odds = [{CELLO: 0.95, VIOLA: 0.02}] * 30
    odds[5::10] = [{CELLO: 0.02, VIOLA: 0.6}] * 3
    heard = unsure(notes, odds, 10.0)
    assert {note.program for note in decode_notes(heard, DecodingOptions())} == {42}
    told = decode_notes(heard, DecodingOptions(instruments=("viola", "cello")))
    assert [note.program for note in told].count(41) == 3


def test_two_instruments_that_both_play_stay_apart() -> None:
    notes = [Note(0.2 + 0.5 * i, 48 + i, 0.6 + 0.5 * i) for i in range(10)]
    odds = [{CELLO: 0.7, VIOLA: 0.3}, {CELLO: 0.3, VIOLA: 0.7}] * 5
    found = decode_notes(unsure(notes, odds, 6.0), DecodingOptions())
    assert [note.program for note in found] == [42, 41] * 5


def test_searching_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [Note(0.2 + 0.5 * i, 48 + i, 0.6 + 0.5 * i) for i in range(10)]
    heard = unsure(notes, [{CELLO: 0.7, VIOLA: 0.3}, {CELLO: 0.3, VIOLA: 0.7}] * 5, 6.0)
    whole = decode_notes(heard, DecodingOptions())
    monkeypatch.setattr("model.note_instruments.CHUNK_STEPS", 3)
    assert decode_notes(heard, DecodingOptions()) == whole


def test_a_network_without_instruments_leaves_the_piano_and_says_so() -> None:
    heard = perfect([Note(0.2, 60, 0.9)], 2.0)
    (found,) = decode_notes(Activations(heard.values, RATE), DecodingOptions())
    assert (PROGRAM_NAMES[found.program], found.instrument_confidence) == ("piano", 0.0)


def test_an_unknown_instrument_is_named_with_those_there_are() -> None:
    with pytest.raises(OptionError, match=r"piano, harpsichord, .*horn, got 'tuba'"):
        DecodingOptions(instruments=("violin", "tuba"))


def test_instrument_targets_of_hand() -> None:
    # Frames 10 to 21 lie in steps 2 to 5. A guitar is none of the instruments, a bright piano is the piano.
    notes = [Note(10 / RATE, 60, 21.5 / RATE, program=40), Note(0.5, 62, 1, program=24), Note(0.0, 64, 0.01, program=1)]
    targets = instrument_targets(NoteArrays.from_notes(notes), n_frames=41, frame_rate=RATE)
    assert targets.shape == (11, N_INSTRUMENTS, N_PITCHES)
    expected = np.zeros_like(targets)
    expected[2:6, VIOLIN, 60 - LOWEST_PITCH] = 1
    expected[0, NAMES.index("piano"), 64 - LOWEST_PITCH] = 1
    np.testing.assert_array_equal(targets, expected)


@pytest.mark.parametrize("lengths", [[], [8], [4, 8, 3]])
def test_a_file_holds_frames_and_instruments(tmp_path: Path, lengths: list[int]) -> None:
    rng = np.random.default_rng(1)
    parts = [
        (
            rng.integers(0, 256, (n, 3, N_PITCHES), dtype=np.uint8),
            rng.integers(0, 256, (-(-n // RATE_DIVISOR), N_INSTRUMENTS, N_PITCHES), dtype=np.uint8),
        )
        for n in lengths
    ]
    with ActivationsWriter(tmp_path / "a", RATE) as writer:
        for values, instruments in parts:
            writer.append(values, instruments)
    read = open_activations(tmp_path / "a")
    if not lengths:
        assert read.instruments is None
        return
    np.testing.assert_array_equal(read.values, np.concatenate([values for values, _ in parts]))
    assert read.instruments is not None
    np.testing.assert_array_equal(read.instruments, np.concatenate([instruments for _, instruments in parts]))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
