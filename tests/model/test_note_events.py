"""Labels drawn as activations are found again; decoding obeys its options."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.activations import Activations, ActivationsWriter, open_activations
from model.errors import ActivationsError, OptionError
from model.labels import NoteArrays, note_targets
from model.note import N_PITCHES, Note
from model.note_events import DecodingOptions, decode_notes

RATE = 16000 / 384


def perfect(notes: list[Note], seconds: float) -> Activations:
    """What a network that makes no mistake would say."""
    targets = note_targets(NoteArrays.from_notes(notes), n_frames=int(seconds * RATE), frame_rate=RATE)
    stacked = np.stack([targets.onset, targets.frame, targets.velocity], axis=1)
    return Activations(np.rint(stacked * 255).astype(np.uint8), RATE)


@st.composite
def note_lists(draw: st.DrawFn) -> list[Note]:
    """Notes of which those of one pitch stand at least 130 ms apart."""
    notes = []
    for pitch in draw(st.lists(st.integers(21, 108), unique=True, max_size=6)):
        now = draw(st.floats(0.1, 2.0))
        for _ in range(draw(st.integers(1, 5))):
            length = draw(st.floats(0.08, 1.5))
            notes.append(Note(now, pitch, now + length, velocity=draw(st.integers(1, 127))))
            now += length + draw(st.floats(0.13, 1.0))
    return sorted(notes)


@settings(max_examples=150, deadline=None)
@given(note_lists())
def test_notes_to_labels_to_notes(notes: list[Note]) -> None:
    found = decode_notes(perfect(notes, 20.0), DecodingOptions(min_note_ms=0))
    expected = [note for note in notes if note.offset < 19.9]
    found = [note for note in found if note.offset < 19.9]
    assert [note.pitch for note in sorted(found, key=lambda n: (n.pitch, n.onset))] == [
        note.pitch for note in sorted(expected, key=lambda n: (n.pitch, n.onset))
    ]
    pairs = zip(
        sorted(found, key=lambda n: (n.pitch, n.onset)),
        sorted(expected, key=lambda n: (n.pitch, n.onset)),
        strict=True,
    )
    for heard, played in pairs:
        assert abs(heard.onset - played.onset) < 0.5 / RATE
        assert abs(heard.offset - played.offset) < 0.6 / RATE
        assert abs(heard.velocity - played.velocity) <= 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.9), st.floats(0.05, 0.9), st.floats(-100, 100))
def test_any_activations_give_valid_notes_that_do_not_overlap(
    seed: int, onset: float, frame: float, latency: float
) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.random((120, 3, N_PITCHES)) ** 3 * 255).astype(np.uint8)
    notes = decode_notes(Activations(values, RATE), DecodingOptions(onset, frame, 0, latency))
    assert notes == sorted(notes)
    for pitch in range(21, 109):
        mine = [note for note in notes if note.pitch == pitch]
        assert all(a.offset <= b.onset for a, b in pairwise(mine))


def test_searching_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = (np.random.default_rng(3).random((1000, 3, N_PITCHES)) ** 4 * 255).astype(np.uint8)
    whole = decode_notes(Activations(values, RATE), DecodingOptions())
    monkeypatch.setattr("model.note_events.CHUNK_FRAMES", 7)
    assert decode_notes(Activations(values, RATE), DecodingOptions()) == whole
    assert len(whole) > 1000


def test_onset_and_frame_thresholds_minimum_length_and_range() -> None:
    notes = [Note(0.5, 60, 0.56), Note(1.0, 30, 2.0), Note(1.0, 90, 2.0)]
    heard = perfect(notes, 3.0)
    assert len(decode_notes(heard, DecodingOptions())) == 3
    assert len(decode_notes(heard, DecodingOptions(min_note_ms=200))) == 2
    assert [n.pitch for n in decode_notes(heard, DecodingOptions(lowest_pitch=60, highest_pitch=80))] == [60]
    quiet = Activations((heard.values * 0.5).astype(np.uint8), RATE)
    assert decode_notes(quiet, DecodingOptions(onset_threshold=0.65)) == []
    assert len(decode_notes(quiet, DecodingOptions(onset_threshold=0.3, frame_threshold=0.3))) == 3


def test_a_dip_ends_a_note_unless_what_follows_makes_up_for_it() -> None:
    heard = perfect([Note(0.5, 60, 2.0)], 3.0).values
    start = int(1.0 * RATE)
    for seconds, length in ((0.1, 1.5), (0.6, 0.5)):
        dipped = heard.copy()
        dipped[start : start + int(seconds * RATE), 1, 60 - 21] = 0
        (note,) = decode_notes(Activations(dipped, RATE), DecodingOptions())
        assert note.offset - note.onset == pytest.approx(length, abs=1.5 / RATE)


def test_latency_moves_notes_earlier_and_none_before_the_beginning() -> None:
    heard = perfect([Note(0.01, 50, 0.5), Note(1.0, 60, 2.0)], 3.0)
    plain = decode_notes(heard, DecodingOptions())
    early = decode_notes(heard, DecodingOptions(latency_ms=30))
    assert early[0].onset == 0.0
    assert early[1].onset == pytest.approx(plain[1].onset - 0.03)
    for before, after in zip(plain, early, strict=True):
        assert after.offset == pytest.approx(before.offset - 0.03)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"onset_threshold": 0.0}, "onset_threshold must lie in 0.01..0.99, got 0.0"),
        ({"frame_threshold": 1.5}, "frame_threshold must lie"),
        ({"min_note_ms": -1}, "min_note_ms must lie"),
        ({"latency_ms": 101}, "latency_ms must lie in -100..100, got 101"),
        ({"lowest_pitch": 70, "highest_pitch": 60}, "lowest_pitch <= highest_pitch"),
        ({"instruments": ("piano", "guitar")}, "instruments must be among piano, .*, horn, got 'guitar'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        DecodingOptions(**options)


def test_activations_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.activations"
    values = np.random.default_rng(0).integers(0, 256, (100, 3, N_PITCHES), dtype=np.uint8)
    with ActivationsWriter(path, RATE) as writer:
        for start in range(0, 100, 30):
            writer.append(values[start : start + 30])
    read = open_activations(path)
    np.testing.assert_array_equal(read.values, values)
    assert read.frame_rate == RATE
    from safetensors.numpy import load_file

    np.testing.assert_array_equal(load_file(path)["activations"], values)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ActivationsError, match="not as long"):
        open_activations(path)


def test_unfinished_activations_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.activations"
    writer = ActivationsWriter(path, RATE)
    writer.append(np.zeros((5, 3, N_PITCHES), dtype=np.uint8))
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    with pytest.raises(ActivationsError):
        open_activations(path)
