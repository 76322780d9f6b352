"""The command line without a server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from tests.app.service import free_port, wait_for


def amt(*words: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AMT_")}
    environment = clean | {"AMT_THREADS": "1"} | {f"AMT_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "app.cli", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def recording(tmp_path: Path, tune: bytes) -> Path:
    path = tmp_path / "a tune.wav"
    path.write_bytes(tune)
    return path


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path, recording: Path, client: Any, tune_job: Any) -> None:
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"text")
    folder = tmp_path / "out" / "deeper"
    run = amt("transcribe", bad, tmp_path / "missing.wav", recording, "-o", folder)
    assert run.returncode == 1, run.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["a tune.csv", "a tune.json", "a tune.mid"]
    assert f"{bad}: " in run.stderr
    assert f"{tmp_path / 'missing.wav'}: " in run.stderr
    assert "Traceback" not in run.stderr
    # The same code, the same notes as through the service.
    served = client.get(tune_job["links"]["notes_csv"]).text
    assert (folder / "a tune.csv").read_bytes().decode() == served
    assert len(json.loads((folder / "a tune.json").read_text())["notes"]) == tune_job["result"]["n_notes"]


def test_all_good_is_zero(tmp_path: Path, recording: Path) -> None:
    run = amt("transcribe", recording, "-o", tmp_path / "out", "--onset-threshold", "0.9", "--lowest-pitch", "60")
    assert run.returncode == 0, run.stderr
    notes = json.loads((tmp_path / "out" / "a tune.json").read_text())["notes"]
    assert all(note["pitch"] >= 60 for note in notes)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--onset-threshold", "2"], "onset_threshold"),
        (["--lowest-pitch", "80", "--highest-pitch", "70"], "options: lowest_pitch must not lie above"),
        (["--model", "nobody's"], "there is no model"),
        (["--colour", "blue"], "No such option"),
    ],
)
def test_wrong_usage_is_two(tmp_path: Path, recording: Path, words: list[str], said: str) -> None:
    run = amt("transcribe", recording, "-o", tmp_path / "out", *words)
    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()


def test_two_files_of_one_name_are_refused(tmp_path: Path, recording: Path) -> None:
    other = tmp_path / "other" / recording.name
    other.parent.mkdir()
    shutil.copy(recording, other)
    run = amt("transcribe", recording, other, "-o", tmp_path / "out")
    assert (run.returncode, "would both be written" in run.stderr) == (2, True)


def test_a_file_that_is_there_is_replaced_only_if_told(tmp_path: Path, recording: Path) -> None:
    """Beside a recording lie the notes that somebody has made of it, under its name."""
    labels = recording.with_suffix(".mid")
    labels.write_bytes(b"somebody's work")
    run = amt("transcribe", recording, "-o", tmp_path)
    assert (run.returncode, f"{labels} is there already" in run.stderr) == (2, True)
    assert labels.read_bytes() == b"somebody's work"
    assert not recording.with_suffix(".json").exists()
    assert amt("transcribe", recording, "-o", tmp_path, "--overwrite").returncode == 0
    assert labels.read_bytes().startswith(b"MThd")


def test_what_cannot_be_written_or_read_is_said_in_words(tmp_path: Path, recording: Path) -> None:
    (tmp_path / "file").touch()
    run = amt("transcribe", recording, "-o", tmp_path / "file")
    assert (run.returncode, "cannot be made a folder" in run.stderr) == (2, True)
    os.mkfifo(tmp_path / "pipe.wav")
    long = recording.rename(tmp_path / ("a" * 251 + ".wav"))
    (tmp_path / "out").mkdir()
    run = amt("transcribe", tmp_path / "pipe.wav", long, "-o", tmp_path / "out")
    assert run.returncode == 1
    assert "pipe.wav: this is not a file" in run.stderr
    assert "the name is too long" in run.stderr
    assert list((tmp_path / "out").iterdir()) == []
    assert "Traceback" not in run.stderr


def test_a_name_in_another_coding_is_a_name(tmp_path: Path, recording: Path) -> None:
    path = recording.rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe4r.wav")))
    run = amt("transcribe", path, "-o", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert sorted(found.suffix for found in (tmp_path / "out").iterdir()) == [".csv", ".json", ".mid"]


def test_a_run_that_is_ended_leaves_nothing_unfinished(tmp_path: Path, long_tune: bytes) -> None:
    path = tmp_path / "long.flac"
    path.write_bytes(long_tune)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "app.cli", "transcribe", str(path), "-o", str(out)]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"AMT_THREADS": "1"})
    wait_for(lambda: out.exists() and any(out.iterdir()), what="the folder of what is unfinished")
    run.terminate()
    assert run.wait(timeout=30) != 0
    assert list(out.iterdir()) == []


def test_help_names_the_exit_codes() -> None:
    assert "Exit status: 0" in amt("transcribe", "--help").stdout
    assert amt().returncode == 2


def test_the_doctor_is_content_here(tmp_path: Path) -> None:
    assert amt("migrate", var=str(tmp_path)).returncode == 0
    run = amt("doctor", var=str(tmp_path), port=str(free_port()))
    assert run.returncode == 0, run.stdout
    assert "wrong" not in run.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"redis_url": "redis://127.0.0.1:1"}, "redis"),
        ({"database_url": "postgresql://127.0.0.1:1/x"}, "database"),
        ({"checkpoint": "/nowhere"}, "checkpoint"),
        ({"storage_url": "file:///proc/nowhere"}, "storage"),
    ],
)
def test_the_doctor_finds_what_is_wrong(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    run = amt("doctor", var=str(tmp_path), port=str(free_port()), **settings)
    assert run.returncode == 1
    assert [line for line in run.stdout.splitlines() if line.startswith("wrong") and said in line], run.stdout
    assert "Traceback" not in run.stderr


def test_the_doctor_knows_a_damaged_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(Settings().checkpoint, folder)
    (damaged,) = folder.glob("*.safetensors")
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    run = amt("doctor", var=str(tmp_path), port=str(free_port()), checkpoint=str(folder))
    assert "is not the file that the manifest names" in run.stdout
    transcribed = amt("transcribe", damaged, "-o", tmp_path / "out", checkpoint=str(folder))
    assert transcribed.returncode == 2
    assert "SHA-256" in transcribed.stderr
