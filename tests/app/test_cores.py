"""Threads follow from the cores that a process really has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cores import SPIN_ROUNDS, spin_briefly, usable_cores
from app.settings import Settings

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
PROGRAM = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from app.cores import usable_cores; "


@LINUX
def test_processors_that_the_process_may_not_run_on_do_not_count() -> None:
    command = [sys.executable, "-c", PROGRAM + "print(usable_cores())"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"


def machine(root: Path, siblings: list[str], limits: dict[str, str]) -> Path:
    """The files of a machine: which threads belong to one core, and the limits of control groups."""
    for number, text in enumerate(siblings):
        folder = root / f"sys/devices/system/cpu/cpu{number}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(text + "\n")
    for group, limit in limits.items():
        (root / "sys/fs/cgroup" / group).mkdir(parents=True, exist_ok=True)
        (root / "sys/fs/cgroup" / group / "cpu.max").write_text(limit + "\n")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("4:memory:/elsewhere\n0::/system/amt\n")
    return root


@LINUX
@pytest.mark.parametrize(
    ("siblings", "limits", "expected"),
    [
        (["0", "1", "2", "3"], {}, 4),
        (["0,2", "1,3", "0,2", "1,3"], {}, 2),
        (["0", "1", "2", "3"], {"system/amt": "max 100000"}, 4),
        (["0", "1", "2", "3"], {"system/amt": "250000 100000"}, 2),
        (["0", "1", "2", "3"], {"system/amt": "max 100000", "system": "300000 100000"}, 3),
        (["0", "1", "2", "3"], {"system/amt": "50000 100000"}, 1),
        (["0", "1", "2", "3"], {"another": "100000 100000"}, 4),
    ],
)
def test_cores_are_counted_as_they_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, siblings: list[str], limits: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    assert usable_cores(machine(tmp_path, siblings, limits)) == expected


def test_recordings_that_run_at_once_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.settings.usable_cores", lambda: 8)
    assert [Settings().threads_each(processes) for processes in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]
    assert Settings(threads=3).threads_each(4) == 3


def test_threads_spin_briefly_unless_the_operator_says_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    spin_briefly()
    assert os.environ["GOMP_SPINCOUNT"] == str(SPIN_ROUNDS)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    spin_briefly()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
