from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.model.signals import sine
from training.errors import DataError
from training.jobs import run_jobs
from training.maps import maps_jobs
from training.prepared import read_audio, read_manifest, read_notes


def write_pair(root: Path, name: str, *, sr: int, labels: str, amplitude: float = 0.5) -> None:
    root.mkdir(exist_ok=True)
    soundfile.write(root / f"{name}.wav", sine(440, 1.0, sr=sr, amplitude=amplitude), sr)
    (root / f"{name}.tsv").write_text(f"# onset,offset,note,velocity\n{labels}")


def test_another_rate_is_resampled_and_labels_are_kept(tmp_path: Path) -> None:
    write_pair(tmp_path / "in", "a", sr=44100, labels="0.25\t0.75\t69.0\t50.0\n")
    run_jobs(tmp_path / "out", maps_jobs(tmp_path / "in", "validation"), workers=1)
    audio = read_audio(tmp_path / "out" / "a.wav")
    np.testing.assert_allclose(audio[2000:14000], sine(440, 1.0)[2000:14000], atol=2e-3)
    [note] = read_notes(tmp_path / "out" / "a.tsv")
    assert (note.onset, note.offset, note.pitch, note.velocity) == (0.25, 0.75, 69, 50)
    [recording] = read_manifest(tmp_path / "out")
    assert (recording.split, recording.seconds) == ("validation", 1.0)


def test_notes_outside_the_keyboard_are_counted(tmp_path: Path) -> None:
    write_pair(tmp_path / "in", "a", sr=16000, labels="0.1\t0.5\t69\t50\n0.2\t0.5\t12\t50\n")
    run_jobs(tmp_path / "out", maps_jobs(tmp_path / "in", "train"), workers=1)
    [recording] = read_manifest(tmp_path / "out")
    assert (recording.n_notes, recording.made["remarks"]) == (1, {"notes outside the keyboard": 1})


def test_audio_over_full_scale_is_lowered_and_not_clipped(tmp_path: Path) -> None:
    root = tmp_path / "in"
    write_pair(root, "a", sr=16000, labels="0.1\t0.5\t69\t50\n")
    soundfile.write(root / "a.wav", sine(440, 1.0, amplitude=1.4), 16000, subtype="FLOAT")
    assert not run_jobs(tmp_path / "out", maps_jobs(root, "train"), workers=1).failed
    audio = read_audio(tmp_path / "out" / "a.wav")
    np.testing.assert_allclose(audio, sine(440, 1.0, amplitude=1.0), atol=1e-3)


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        ("0.2\t0.2\t69\t50", "notes too short to be heard, lengthened"),
        ("0.2\t0.4\t69\t0", "velocities outside 1..127, moved there"),
        ("0.1\t0.4\t60\t50\n0.105\t0.4\t60\t50", "notes that a note of the same pitch leaves no time"),
    ],
)
def test_what_is_changed_in_the_labels_is_counted(tmp_path: Path, line: str, remark: str) -> None:
    write_pair(tmp_path / "in", "a", sr=16000, labels=f"{line}\n")
    run_jobs(tmp_path / "out", maps_jobs(tmp_path / "in", "train"), workers=1)
    [recording] = read_manifest(tmp_path / "out")
    assert (recording.n_notes, recording.made["remarks"]) == (1, {remark: 1})


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in: no such folder"):
        maps_jobs(tmp_path / "in", "train")
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="in: 0 recordings"):
        maps_jobs(tmp_path / "in", "train")


def test_a_folder_named_like_a_table_does_not_keep_the_others_out(tmp_path: Path) -> None:
    for name in "ab":
        write_pair(tmp_path / "in", name, sr=16000, labels="0.1\t0.5\t60\t50\n", amplitude=0.5 - ord(name) / 1000)
    (tmp_path / "in" / "a.tsv").unlink()
    (tmp_path / "in" / "a.tsv").mkdir()
    outcome = run_jobs(tmp_path / "out", maps_jobs(tmp_path / "in", "train"), workers=1)
    assert (outcome.made, outcome.failed) == (["b"], {"a": f"{tmp_path / 'in' / 'a.tsv'}: not a file"})


def test_several_recordings_of_one_name_are_named(tmp_path: Path) -> None:
    write_pair(tmp_path / "in", "a", sr=16000, labels="0.1\t0.5\t60\t50\n")
    write_pair(tmp_path / "in", "b", sr=16000, labels="0.1\t0.5\t60\t50\n", amplitude=0.4)
    soundfile.write(tmp_path / "in" / "a.flac", sine(220, 1.0), 16000)
    outcome = run_jobs(tmp_path / "out", maps_jobs(tmp_path / "in", "train"), workers=1)
    assert outcome.made == ["b"]
    assert "several files of one name" in outcome.failed["a"]


@pytest.mark.parametrize(
    "labels", ["0.1\t0.5\tC4\t50\n", "0.1\t0.5\t60\n", "0.1\tinf\t60\t50\n", "nan\t0.5\t60\t50\n", "0.5\t0.1\t60\t50\n"]
)
def test_bad_labels_are_named(tmp_path: Path, labels: str) -> None:
    write_pair(tmp_path / "in", "a", sr=16000, labels=labels)
    outcome = run_jobs(tmp_path / "out", maps_jobs(tmp_path / "in", "train"), workers=1)
    assert "a.tsv, line 2: not a note" in outcome.failed["a"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_without_a_header_line_is_named_and_loses_no_note(tmp_path: Path, mark: str) -> None:
    write_pair(tmp_path / "in", "a", sr=16000, labels="")
    (tmp_path / "in" / "a.tsv").write_text(mark + "0.1\t0.5\t60\t50\n0.3\t0.5\t62\t50\n")
    outcome = run_jobs(tmp_path / "out", maps_jobs(tmp_path / "in", "train"), workers=1)
    assert "a.tsv: no header line" in outcome.failed["a"]
