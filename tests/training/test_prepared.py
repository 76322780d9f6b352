import json
import resource
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from model.note import Note
from training.errors import DataError
from training.prepared import (
    SAMPLE_RATE,
    labels_fault,
    playable,
    read_audio,
    read_labels,
    read_manifest,
    read_notes,
    write_manifest,
    write_notes,
    write_recording,
)


def tone(seconds: float = 1.0) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def note_strategy() -> st.SearchStrategy[Note]:
    return st.builds(
        lambda onset, length, pitch, velocity, program: Note(
            onset / 1000, pitch, (onset + length) / 1000, velocity, program=program
        ),
        st.integers(0, 9000),
        st.integers(20, 3000),
        st.integers(21, 108),
        st.integers(1, 127),
        st.integers(0, 127),
    )


@given(notes=st.lists(note_strategy(), max_size=30))
def test_labels_read_back_as_written(tmp_path_factory: pytest.TempPathFactory, notes: list[Note]) -> None:
    path = tmp_path_factory.mktemp("labels") / "a.tsv"
    write_notes(path, notes)
    assert read_notes(path) == sorted(notes)


def test_a_recording_reads_back_and_its_manifest_names_it(tmp_path: Path) -> None:
    notes = [Note(0.1, 69, 0.9, 80, program=40)]
    record = write_recording(tmp_path, "a", tone(), notes, source="test", split="train", made={"seed": 1})
    write_manifest(tmp_path, [record])
    assert read_manifest(tmp_path) == [record]
    assert (record.seconds, record.n_notes) == (1.0, 1)
    assert read_notes(tmp_path / "a.tsv") == notes
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav"), tone(), atol=1 / 32768)


def test_a_crop_is_that_part_of_the_whole(tmp_path: Path) -> None:
    write_recording(tmp_path, "a", tone(), [], source="test", split="train", made={})
    whole = read_audio(tmp_path / "a.wav")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", start=4000, n_samples=999), whole[4000:4999])
    assert len(read_audio(tmp_path / "a.wav", start=15000, n_samples=9000)) == 1000


@pytest.mark.parametrize(
    ("waveform", "notes", "said"),
    [
        (np.full(16000, np.nan, dtype=np.float32), [], "not finite"),
        (3 * tone(), [], "within -1..1"),
        (np.zeros(0, dtype=np.float32), [], "non-empty"),
        (tone(), [Note(1.5, 60, 2.0)], "after the audio ends"),
    ],
)
def test_nonsense_is_refused_and_named(tmp_path: Path, waveform: np.ndarray, notes: list[Note], said: str) -> None:
    with pytest.raises(DataError, match=f"broken.*{said}"):
        write_recording(tmp_path, "broken", waveform, notes, source="test", split="train", made={})
    assert not list(tmp_path.iterdir())


def test_a_bad_label_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    write_notes(path, [Note(0.1, 69, 0.9)])
    path.write_text(path.read_text() + "0.5\t0.4\t60\t64\t0\n")
    with pytest.raises(DataError, match=r"a\.tsv, line 3: .*onset 0\.5 and offset 0\.4"):
        read_notes(path)


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (0, "0 notes, its manifest says 2"),
        (62, "1 notes, its manifest says 2"),
        (75, "line 3: not a note"),
        (None, "labels cannot be read: .*utf-8"),
    ],
)
def test_labels_that_were_cut_or_spoilt_are_named(tmp_path: Path, kept: int | None, said: str) -> None:
    notes = [Note(0.1, 69, 0.9), Note(0.2, 60, 0.9)]
    record = write_recording(tmp_path, "a", tone(), notes, source="test", split="train", made={})
    path = tmp_path / "a.tsv"
    assert read_labels(tmp_path, record) == notes
    assert labels_fault(tmp_path, record) is None
    path.write_bytes(path.read_bytes()[:kept] if kept is not None else b"\xff\xfe\n")
    with pytest.raises(DataError, match=rf"a\.tsv.*{said}"):
        read_labels(tmp_path, record)
    assert "a.tsv" in (labels_fault(tmp_path, record) or "")


def test_labels_that_cannot_be_written_leave_those_before(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    write_notes(path, [Note(0.1, 69, 0.9)])
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_notes(path, [Note(float(i), 69, i + 0.9) for i in range(9)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert read_notes(path) == [Note(0.1, 69, 0.9)]


def test_another_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), 44100)
    with pytest.raises(DataError, match=r"mono at 16000 Hz, got .* at 44100 Hz"):
        read_audio(tmp_path / "a.wav")


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"recordings": [{"id": "a"}]}))
    with pytest.raises(DataError, match=r"manifest\.json is not a manifest"):
        read_manifest(tmp_path)


@given(notes=st.lists(note_strategy(), max_size=30))
def test_playable_notes_of_one_pitch_never_overlap(notes: list[Note]) -> None:
    kept = playable(notes)
    for pitch in {note.pitch for note in kept}:
        of_pitch = [note for note in kept if note.pitch == pitch]
        assert all(one.offset <= other.onset for one, other in pairwise(of_pitch))
    assert {(note.onset, note.pitch) for note in kept} <= {(note.onset, note.pitch) for note in notes}
