"""One process at a time in a folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".lock"


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a folder for this process; made when missing. The lock goes with the process, however that ends.

    Of record locks, not `flock`: a process that was forked from this one and outlives it for a moment holds none.

    Parameters
    ----------
    folder : Path
    wait : bool
        Until another process lets go of it.

    Yields
    ------
    bool
        Whether it is held; false only without `wait`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # either, by POSIX
            yield False
        else:
            yield True
