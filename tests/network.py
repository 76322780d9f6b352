"""Taking turns at the machine's network, over all test processes.

A browser drops whatever it is fetching when an interface comes or goes: no test may watch one meanwhile.
"""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# Chromium says so up to 2 s after it hears of the change.
SETTLING_SECONDS = 3.0


@contextlib.contextmanager
def unchanged_network() -> Iterator[None]:
    """As long as this lasts, the machine's network stays as it is."""
    with _turn(fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def changing_network() -> Iterator[None]:
    """Wait until nobody needs the network unchanged, and let nobody go on before it has settled."""
    with _turn(fcntl.LOCK_EX):
        yield
        time.sleep(SETTLING_SECONDS)


@contextlib.contextmanager
def _turn(kind: int) -> Iterator[None]:
    with (Path(tempfile.gettempdir()) / f"amt-network-{os.getuid()}").open("w") as lock:
        fcntl.flock(lock, kind)
        yield
