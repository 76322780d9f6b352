import os
import resource
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from model.note import Note
from training.errors import DataError
from training.jobs import Job, Outcome, run_jobs
from training.pairs import forget_moved
from training.prepared import Recording, read_manifest, write_recording


def make(name: str, seed: int, folder: Path) -> Recording:
    """Write a second of noise; the recording called "bad" is refused."""
    if name == "bad":
        raise DataError("bad.mid: holds no note")
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, 16000).astype(np.float32)
    made = {"settings": {"seed": seed}}
    return write_recording(folder, name, noise, [Note(0.1, 60, 0.5)], source="test", split="train", made=made)


def jobs(*names: str, seed: int = 1) -> list[Job]:
    return [Job(name, partial(make, name, seed), {"seed": seed}) for name in names]


def test_a_failure_is_named_and_the_others_are_made(tmp_path: Path) -> None:
    outcome = run_jobs(tmp_path, jobs("a", "bad", "b"), workers=1)
    assert sorted(outcome.made) == ["a", "b"]
    assert outcome.failed == {"bad": "bad.mid: holds no note"}
    assert "2 made, 0 were there, 1 left out" in outcome.summary()
    assert [recording.id for recording in read_manifest(tmp_path)] == ["a", "b"]


def test_what_is_finished_is_not_made_again(tmp_path: Path) -> None:
    run_jobs(tmp_path, jobs("a"), workers=1)
    before = (tmp_path / "a.wav").stat().st_mtime_ns
    outcome = run_jobs(tmp_path, jobs("a", "b"), workers=1)
    assert (outcome.found, outcome.made) == (["a"], ["b"])
    assert (tmp_path / "a.wav").stat().st_mtime_ns == before


def test_what_is_asked_for_no_more_leaves_the_set_and_is_named(tmp_path: Path) -> None:
    run_jobs(tmp_path, jobs("a", "renamed"), workers=1)
    outcome = run_jobs(tmp_path, jobs("a", "new name"), workers=1)
    assert (outcome.made, outcome.found, outcome.gone) == (["new name"], ["a"], ["renamed"])
    assert [recording.id for recording in read_manifest(tmp_path)] == ["a", "new name"]
    assert "renamed is no longer in the source" in outcome.summary()
    assert (tmp_path / "renamed.wav").exists(), "nothing is deleted that somebody may have no other copy of"


def test_each_recording_that_is_left_out_is_one_line_whatever_its_name() -> None:
    failed = {"a\nb": "in/a\nb.wav: holds only silence", "é\udcff": "in/é\udcff.wav: holds only silence"}
    lines = Outcome([], [], failed, ["c\rd"]).summary().splitlines()
    assert lines[1:] == [
        r"  left out a\nb: in/a\nb.wav: holds only silence",
        r"  left out é\udcff: in/é\udcff.wav: holds only silence",
        r"  c\rd is no longer in the source, nor in the set; its files stay",
    ]


def test_what_a_kill_left_half_done_is_made_again(tmp_path: Path) -> None:
    run_jobs(tmp_path, jobs("a", "b", "c", "d"), workers=1)
    (tmp_path / "a.tsv").unlink()
    (tmp_path / "b.wav").unlink()
    (tmp_path / "c.tsv").write_bytes(b"")
    assert sorted(run_jobs(tmp_path, jobs("a", "b", "c", "d"), workers=1).made) == ["a", "b", "c"]


def test_other_settings_make_it_again(tmp_path: Path) -> None:
    run_jobs(tmp_path, jobs("a", seed=1), workers=1)
    first = read_manifest(tmp_path)[0].sha256
    assert run_jobs(tmp_path, jobs("a", seed=2), workers=1).made == ["a"]
    assert read_manifest(tmp_path)[0].sha256 != first


def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(tmp_path: Path) -> None:
    run_jobs(tmp_path, jobs("a"), workers=1)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, most))  # less than a second of audio takes
    try:
        with pytest.raises(DataError, match=r"audio cannot be written .* as when the disk is full"):
            run_jobs(tmp_path, jobs("b", "a"), workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert [recording.id for recording in read_manifest(tmp_path)] == ["a"]


def test_two_runs_do_not_work_in_one_folder(tmp_path: Path) -> None:
    """The second is told; so it is where a recording would be taken out; another folder does not matter."""
    held = []

    def meanwhile(folder: Path) -> Recording:
        with pytest.raises(DataError, match=f"another prepare is at work in {folder}; wait until it has ended"):
            run_jobs(folder, jobs("b"), workers=1)
        with pytest.raises(DataError, match="another prepare is at work"):
            forget_moved(folder, ["b"])
        held.append(run_jobs(tmp_path / "other", jobs("b"), workers=1).made)
        return make("a", 1, folder)

    assert run_jobs(tmp_path / "set", [Job("a", meanwhile, {})], workers=1).made == ["a"]
    assert held == [["b"]]
    assert run_jobs(tmp_path / "set", jobs("a", "b"), workers=1).failed == {}


def die(folder: Path) -> Recording:
    """End as the kernel ends a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_process_that_is_killed_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    run_jobs(tmp_path, jobs("a"), workers=1)
    fatal = [Job(name, die, {}) for name in ("b", "c")]
    with pytest.raises(DataError, match="a process was killed, perhaps for want of memory"):
        run_jobs(tmp_path, fatal, workers=2)
    assert [recording.id for recording in read_manifest(tmp_path)] == ["a"]


def test_several_processes_make_the_same_as_one(tmp_path: Path) -> None:
    run_jobs(tmp_path / "one", jobs("a", "b", "c"), workers=1)
    run_jobs(tmp_path / "many", jobs("a", "b", "c"), workers=2)
    assert read_manifest(tmp_path / "one") == read_manifest(tmp_path / "many")
