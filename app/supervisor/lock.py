"""One service per folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StartError(Exception):
    """The service cannot start. The message says why and what to do."""


@contextmanager
def only_one(run: Path) -> Iterator[None]:
    """Hold the folder for this process. The lock goes with the process, however that ends.

    Raises
    ------
    StartError
        If another process holds it.
    """
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (run / "serve.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise StartError(
                f"another `amt serve` (process {holder}) uses {run.parent}; set AMT_VAR to another folder"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
