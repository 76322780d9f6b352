"""One process at a time in a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"
OPEN_TO_ALL = 0o666  # it holds nothing, and others may publish into a folder that is shared


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
    with os.fdopen(os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, OPEN_TO_ALL), "r+") as file:
        with suppress(OSError):  # another's
            os.fchmod(file.fileno(), OPEN_TO_ALL)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except (BlockingIOError, PermissionError):  # either, by POSIX
            held = False
        except OSError:  # some network disks know no locks, and many people work alone
            held = True
        yield held
