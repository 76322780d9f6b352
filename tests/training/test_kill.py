"""A run of `prepare` that is killed: its processes end, and the next run goes on to the same set."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from typer.testing import CliRunner

from training.cli import app
from training.prepared import read_manifest

COUNT = 12


def write_recordings(root: Path) -> None:
    """Recordings of 10 s, each with one note."""
    for split in ("train", "validation"):
        (root / split).mkdir(parents=True)
    noise = np.random.default_rng(0).integers(-9000, 9000, 10 * 44100).astype(np.int16)
    for number in range(COUNT):
        noise[0] = number
        folder = root / ("validation" if number == 0 else "train")
        soundfile.write(folder / f"{number:02d}.wav", noise, 44100)
        (folder / f"{number:02d}.tsv").write_text("#\n1.0\t2.0\t60\t64\n")


def prepare(root: Path, out: Path) -> str:
    """A whole run, in this process."""
    result = CliRunner().invoke(
        app, ["prepare", "maps", "--root", str(root), "--out", str(out), "--workers", "1"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_a_killed_run_leaves_no_process_and_the_next_goes_on(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in")
    train = tmp_path / "out" / "maps_train"
    # By itself, so that a machine that is busy does not let it come to its end first; its processes are at work then.
    killed_after_the_second = (
        "import os, signal\n"
        "from training import jobs\n"
        "from training.cli import main\n"
        "write = jobs.write_manifest\n"
        "def write_and_die(folder, recordings, left_out):\n"
        "    write(folder, recordings, left_out)\n"
        "    if len(recordings) == 2:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "jobs.write_manifest = write_and_die\n"
        "main()\n"
    )
    command = [sys.executable, "-c", killed_after_the_second, "prepare", "maps", "--workers", "2"]
    command += ["--root", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    # Its output ends when the last process that could write to it has ended.
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stdout.decode()
    made = len(read_manifest(train))
    assert made == 2

    said = prepare(tmp_path / "in", tmp_path / "out")
    assert f"{made} were there" in said
    prepare(tmp_path / "in", tmp_path / "whole")
    assert read_manifest(train) == read_manifest(tmp_path / "whole" / "maps_train")
    assert sorted(path.name for path in train.iterdir()) == sorted(
        path.name for path in (tmp_path / "whole" / "maps_train").iterdir()
    )
