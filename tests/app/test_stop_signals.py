"""A process that is asked to stop hears it, whatever it is doing at that moment."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

LISTEN = """
from app.stop_signals import StopSignals
asked = StopSignals()
asked.listen()
print("listening", flush=True)
"""

WAIT_OFTEN = """
for _ in range(1000):
    asked.received = 0
    print("waiting", flush=True)
    while not asked.wait(0.0001):
        pass
"""


@contextlib.contextmanager
def listening(program: str) -> Iterator[subprocess.Popen[str]]:
    """A process that counts signals and runs the program."""
    with subprocess.Popen([sys.executable, "-c", LISTEN + program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        try:
            yield process
        finally:
            process.kill()


def test_no_moment_is_a_bad_one_to_be_asked() -> None:
    """Asked in the midst of waiting, a thousand times; a handler that took a lock would soon wait for itself."""
    with listening(WAIT_OFTEN) as process:
        assert process.stdout is not None
        for _ in process.stdout:
            process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_long_wait_ends_soon(number: signal.Signals) -> None:
    with listening("print(asked.wait(60), asked.wait(60), asked.received)") as process:
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
        assert said == "True True 1\n"


def test_a_wait_in_peace_ends_by_itself() -> None:
    with listening("print(asked.wait(0.05), asked.received)") as process:
        said, _ = process.communicate(timeout=30)
        assert said == "False 0\n"
