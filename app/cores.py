"""How many cores there are for this process, which is fewer than the machine has where it is limited."""

import contextlib
import os
import sys
from pathlib import Path

# Rounds for which OpenMP's threads wait for the next piece of work before they sleep (GNU's, which PyTorch brings).
# Its own 300,000 are some milliseconds, in which they take the core from whoever has work: two networks on the same two
# cores ran ten times slower for it. A twentieth of a millisecond is enough between two layers of the network.
SPIN_ROUNDS = 3000


def spin_briefly() -> None:
    """Have this process, and those that it starts, wait in sleep. To be called before PyTorch is loaded."""
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN_ROUNDS))


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may keep busy: those it may run on, and no more than its control groups give it time for.

    A container that was given two cores of sixty-four sees all of them; as many threads would wait for one another.
    Two threads of one core count once, since a matrix product fills the core by itself.
    """
    if not sys.platform.startswith("linux"):
        return os.cpu_count() or 1
    return max(1, min([_physical(root, os.sched_getaffinity(0)), *_limits(root)]))


def _physical(root: Path, processors: set[int]) -> int:
    """How many cores these logical processors belong to."""
    cores = set()
    for number in processors:
        siblings = root / f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list"
        try:
            cores.add(siblings.read_text().strip())
        except OSError:  # not told: it counts by itself
            cores.add(str(number))
    return len(cores)


def _limits(root: Path) -> list[int]:
    """Whole cores to which the control groups (version 2) of this process are limited; one without a limit has none."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    own = root / "sys/fs/cgroup" / next((line[len("0::/") :] for line in lines if line.startswith("0::/")), "")
    found = []
    for group in (own, *own.parents):
        with contextlib.suppress(OSError, ValueError):  # `max` is no number, and the uppermost group has no such file
            quota, period = map(int, (group / "cpu.max").read_text().split())
            found.append(quota // period)
    return found
