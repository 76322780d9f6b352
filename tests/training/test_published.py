import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.model.signals import sine
from training.errors import DataError
from training.jobs import run_jobs
from training.prepared import Split, read_audio, read_manifest, read_notes
from training.published import published_jobs

COLUMNS = "start_time,end_time,instrument,note,start_beat,end_beat,note_value"
ROW = "22050,66150,41,69,0.0,1.0,Quarter\n"


def write_musicnet(
    root: Path, *, name: str = "1727", split: str = "train", labels: str = ROW, seconds: float = 2, sr: int = 44100
) -> None:
    """One recording as MusicNet has them: 44.1 kHz float WAV."""
    for kind in ("train_data", "train_labels", "test_data", "test_labels"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    soundfile.write(root / f"{split}_data" / f"{name}.wav", sine(440, seconds, sr=sr), sr, subtype="FLOAT")
    (root / f"{split}_labels" / f"{name}.csv").write_text(f"{COLUMNS}\n{labels}")


def prepare(root: Path, out: Path, split: Split = "train") -> dict[str, str]:
    return run_jobs(out, published_jobs(root, split), workers=1).failed


def test_sample_indices_become_seconds_and_programs_count_from_0(tmp_path: Path) -> None:
    write_musicnet(tmp_path / "in")
    assert not prepare(tmp_path / "in", tmp_path / "out")
    [note] = read_notes(tmp_path / "out" / "1727.tsv")
    assert (note.onset, note.offset, note.pitch, note.program) == (0.5, 1.5, 69, 40)
    audio = read_audio(tmp_path / "out" / "1727.wav")
    np.testing.assert_allclose(audio[2000:30000], sine(440, 2.0)[2000:30000], atol=2e-3)


def test_splits_are_ours_for_validation_and_theirs_for_testing(tmp_path: Path) -> None:
    for name, split in (("1727", "train"), ("2633", "train"), ("2303", "test")):
        write_musicnet(tmp_path / "in", name=name, split=split, seconds=1 + int(name) / 10_000)
    splits: tuple[Split, ...] = ("train", "validation", "test")
    for split in splits:
        assert not prepare(tmp_path / "in", tmp_path / split, split)
    found = {split: [(r.id, r.split) for r in read_manifest(tmp_path / split)] for split in splits}
    assert found == {
        "train": [("1727", "train")],
        "validation": [("2633", "validation")],
        "test": [("2303", "test")],
    }


def test_two_players_may_hold_one_pitch(tmp_path: Path) -> None:
    write_musicnet(tmp_path / "in", labels=ROW + "30000,60000,41,69,0.0,1.0,Quarter\n")
    prepare(tmp_path / "in", tmp_path / "out")
    assert len(read_notes(tmp_path / "out" / "1727.tsv")) == 2


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("66150,22050,41,69,0,1,Quarter\n", r"1727\.csv, line 2: not a note: .*onset 1\.5 and offset 0\.5"),
        ("a,22050,41,69,0,1,Quarter\n", r"1727\.csv, line 2: not a note"),
        ("900000,950000,41,69,0,1,Quarter\n", r"1727\.wav: 1 labels begin after its end at 2\.0 s"),
        ("22050\n", r"1727\.csv, line 2: not a note"),
    ],
)
def test_bad_labels_are_named(tmp_path: Path, labels: str, said: str) -> None:
    write_musicnet(tmp_path / "in", labels=labels)
    failed = prepare(tmp_path / "in", tmp_path / "out")
    assert list(failed) == ["1727"]
    assert re.search(said, failed["1727"])


def test_labels_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    write_musicnet(tmp_path / "in")
    labels = tmp_path / "in" / "train_labels" / "1727.csv"
    labels.write_text(labels.read_text(), encoding="utf-8-sig")
    assert prepare(tmp_path / "in", tmp_path / "out") == {}


def test_the_same_label_twice_counts_once(tmp_path: Path) -> None:
    write_musicnet(tmp_path / "in", labels=ROW + ROW)
    prepare(tmp_path / "in", tmp_path / "out")
    [recording] = read_manifest(tmp_path / "out")
    assert (recording.n_notes, recording.made["remarks"]) == (1, {"notes given twice": 1})


def test_a_table_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    write_musicnet(tmp_path / "in")
    (tmp_path / "in" / "train_labels" / "1727.csv").write_text("start_time,end_time,note\n1,2,60\n")
    assert "1727.csv: not a table of MusicNet labels: it lacks instrument" in prepare(tmp_path / "in", tmp_path)["1727"]


def test_another_rate_than_that_of_the_labels_is_named(tmp_path: Path) -> None:
    write_musicnet(tmp_path / "in", sr=48000)
    assert "the sampling rate is 48000 Hz, expected 44100 Hz" in prepare(tmp_path / "in", tmp_path / "out")["1727"]


def test_a_copy_of_a_test_recording_is_kept_out_of_training(tmp_path: Path) -> None:
    write_musicnet(tmp_path / "in", name="2303", split="test")
    write_musicnet(tmp_path / "in", name="1727", split="train")
    assert not prepare(tmp_path / "in", tmp_path / "test", "test")
    assert "the same audio as" in prepare(tmp_path / "in", tmp_path / "train", "train")["1727"]


def test_what_lies_in_the_folders_for_testing_is_for_testing_alone(tmp_path: Path) -> None:
    """A folder of MusicNet's shape with other recordings; one name lies in both halves of it."""
    lying = (("mine", "test"), ("1727", "test"), ("1727", "train"), ("other", "train"))
    for seconds, (name, split) in enumerate(lying, start=2):
        write_musicnet(tmp_path / "in", name=name, split=split, seconds=seconds)
    (tmp_path / "in" / "test_labels" / "alone.csv").write_text(COLUMNS)
    assert set(prepare(tmp_path / "in", tmp_path / "test", "test")) == {"alone"}
    assert [(one.id, one.seconds) for one in read_manifest(tmp_path / "test")] == [("1727", 3), ("mine", 2)]
    failed = prepare(tmp_path / "in", tmp_path / "train", "train")
    assert "train_data/1727: lies in the folders for testing, too" in failed["1727 of train_data"]
    assert [one.id for one in read_manifest(tmp_path / "train")] == ["other"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="test_data: no such folder"):
        published_jobs(tmp_path, "train")
