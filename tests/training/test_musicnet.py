from collections.abc import Sequence
from pathlib import Path

import mido
import pytest

from model.note import Note
from tests.training.material import scale, write_piece
from training.errors import DataError
from training.evaluate import read_midi_notes
from training.musicnet import TEST_IDS, VALIDATION_IDS, Part, midi_ids, read_parts, split_of


def test_splits_do_not_meet() -> None:
    assert len(TEST_IDS) == 10
    assert not TEST_IDS & VALIDATION_IDS
    assert [split_of(name) for name in ("2303", "2633", "1727")] == ["test", "validation", "train"]


def test_ids_are_listed_by_split(tmp_path: Path) -> None:
    for name in ("1727", "2303", "2633"):
        write_piece(tmp_path / f"{name}.mid", scale(2))
    assert [midi_ids(tmp_path, split) for split in ("train", "validation", "test")] == [["1727"], ["2633"], ["2303"]]


def test_a_folder_without_pieces_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no MIDI file of the test split"):
        midi_ids(tmp_path, "test")


def test_parts_read_back_to_the_tick(tmp_path: Path) -> None:
    write_piece(tmp_path / "1727.mid", scale(9), program=42)
    [part] = read_parts(tmp_path / "1727.mid")
    assert part.program == 42
    for read, written in zip(part.notes, scale(9), strict=True):
        assert (read.pitch, read.program) == (written.pitch, 42)
        # 960 ticks a quarter at 120 a minute: half a millisecond
        assert read.onset == pytest.approx(written.onset, abs=0.0006)
        assert read.offset == pytest.approx(written.offset, abs=0.0006)


def test_a_part_has_no_overlap_of_one_pitch() -> None:
    part = Part.of(40, [Note(0.0, 60, 2.0), Note(1.0, 60, 1.5), Note(1.0, 62, 3.0)])
    assert [(note.pitch, note.onset, note.offset) for note in part.notes] == [
        (60, 0.0, 1.0),
        (60, 1.0, 1.5),
        (62, 1.0, 3.0),
    ]


@pytest.mark.parametrize("content", [b"", b"not midi at all", b"MThd\0\0\0\6\0\1\0\1\3\xc0"])
def test_what_is_no_midi_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1727.mid").write_bytes(content)
    with pytest.raises(DataError, match=r"1727\.mid"):
        read_parts(tmp_path / "1727.mid")


def two_tracks(path: Path, *tracks: Sequence[mido.Message]) -> Path:
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks += [mido.MidiTrack(messages) for messages in tracks]
    midi.save(str(path))
    return path


def test_tempos_are_read_from_whichever_track_they_are_on(tmp_path: Path) -> None:
    """A beat at 60 a minute and one at 240: 1 s and 0.25 s."""
    slow, fast = mido.MetaMessage("set_tempo", tempo=1_000_000), mido.MetaMessage("set_tempo", tempo=250_000)
    strike, end = mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=480)
    for tracks in (
        ([slow, fast.copy(time=480)], [strike, end, strike, end]),
        ([], [slow, strike, end, fast, strike, end]),
        ([slow], [strike, end, strike, end], [fast.copy(time=480)]),
    ):
        [part] = read_parts(two_tracks(tmp_path / "a.mid", *tracks))
        assert [(note.onset, note.offset) for note in part.notes] == [(0.0, 1.0), (1.0, 1.25)]


def test_a_tempo_of_nothing_is_named_wherever_notes_are_read(tmp_path: Path) -> None:
    path = two_tracks(
        tmp_path / "a.mid", [mido.MetaMessage("set_tempo", tempo=0)], [mido.Message("note_on", note=60, velocity=9)]
    )
    for read in (read_parts, read_midi_notes):
        with pytest.raises(DataError, match=r"a\.mid: not a MIDI file, or a damaged one"):
            read(path)
