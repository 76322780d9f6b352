"""The `amt` command with places at which a test can hold it, kill it, or make it misbehave.

    python -m tests.app.faults.breakpoints worker --queue transcribe

A test arms a place with a file in the folder that BREAKPOINTS names; its content is what happens to every process that
comes there. Everything but these places is the service's own code.
"""

import contextlib
import ctypes
import functools
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

DECODING = "decoding"  # after the first block of audio
NETWORK = "network"  # before a window is heard
WRITING = "writing"  # one file of the results is in its place, the others are not
STORED = "stored"  # all files are in their places, the job's row does not say so yet
ENDED = "ended"  # the row says so; the event is not published, the message not acknowledged
RECEIVED = "received"  # the API has stored an upload, its row is not written yet
ACCEPTED = "accepted"  # the row is written; there is no message and no answer yet

HOLD = "hold"
KILL = "kill"
CRASH = "crash"
LOOP = "loop"

FOLDER = Path(os.environ.get("BREAKPOINTS", "/nowhere"))


def reach(place: str) -> None:
    """Do what the test wants at a place; nothing where it is not armed."""
    armed = FOLDER / place
    with contextlib.suppress(FileNotFoundError):
        action = armed.read_text()
        (FOLDER / f"{place}.reached").write_text(str(os.getpid()))
        if action == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == CRASH:
            ctypes.string_at(0)
        elif action == LOOP:
            while True:
                sum(range(1000))
        while armed.exists():
            time.sleep(0.01)


def after_each(place: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which reaches the place after it has done its work."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        reach(place)
        return value

    return wrapped


def before_each(place: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, before whose work the place is reached."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        reach(place)
        return function(*args, **kwargs)

    return wrapped


def after_every_block(place: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The generator, which reaches the place after every item."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for item in function(*args, **kwargs):
            reach(place)
            yield item

    return wrapped


def put_into_a_worker(**_: Any) -> None:
    """In a worker's child, which alone has torch. Celery would only log that a place is not there any more."""
    try:
        _put_into_a_worker()
    except Exception:
        traceback.print_exc()
        os.kill(os.getppid(), signal.SIGKILL)


def _put_into_a_worker() -> None:
    from app.worker import results, watch
    from app.worker.confined.reader import ConfinedReader
    from model.transcriber import Transcriber

    ConfinedReader.blocks = after_every_block(DECODING, ConfinedReader.blocks)  # type: ignore[method-assign]
    Transcriber.hear = before_each(NETWORK, Transcriber.hear)  # type: ignore[method-assign]
    results.put_file = after_each(WRITING, results.put_file)
    watch.STUCK_SECONDS = float(os.environ.get("STUCK_SECONDS", watch.STUCK_SECONDS))


def put_into_every_part() -> None:
    """In any process."""
    from app.jobs.repository import JobRepository

    JobRepository.succeed = after_each(ENDED, before_each(STORED, JobRepository.succeed))  # type: ignore[method-assign]
    JobRepository.add = after_each(ACCEPTED, before_each(RECEIVED, JobRepository.add))  # type: ignore[method-assign]


def set_the_clock(seconds: float) -> None:
    """Make this process's clock wrong. To be called before the service's own modules are loaded."""
    from app import clock

    right = time.time
    time.time = lambda: right() + seconds
    clock.utc_now = lambda: datetime.now(UTC) + timedelta(seconds=seconds)


def main() -> None:
    """Run the command."""
    set_the_clock(float(os.environ.get("CLOCK_OFFSET", "0")))
    from celery import signals

    put_into_every_part()
    signals.worker_process_init.connect(put_into_a_worker, weak=False)
    from app.cli import main as amt

    amt()


if __name__ == "__main__":
    main()
