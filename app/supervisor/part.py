"""One process of the service."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.process import tied_command

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
# A part that lived so long has recovered: its next death starts with the shortest pause again.
RECOVERED_SECONDS = 30.0


@dataclass
class Part:
    """A named command that is kept running.

    It gets a session of its own, so that Ctrl-C reaches the supervisor alone, which then stops all parts in order.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    grace: float
    _process: subprocess.Popen[bytes] | None = None
    _log: threading.Thread | None = None
    _deaths: int = 0
    _started: float = 0.0
    _start_again: float = field(default=0.0)

    def start(self) -> None:
        """Start it."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603  our own commands
            tied_command(self.command),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._log = threading.Thread(target=_copy_lines, args=(self.name, self._process), daemon=True)
        self._log.start()

    def death(self) -> int | None:
        """The exit status of a part that has died since the last call; it is started again after a pause."""
        if self._process is None or self._process.poll() is None:
            return None
        status = self._process.returncode
        self.kill()
        self._process = None
        self._deaths = 1 if time.monotonic() - self._started > RECOVERED_SECONDS else self._deaths + 1
        self._start_again = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._deaths - 1))
        return status

    def start_if_due(self) -> None:
        """Start it again once its pause is over."""
        if self._process is None and time.monotonic() >= self._start_again:
            self.start()

    @property
    def uptime(self) -> float:
        """Seconds since its last start; 0 while it is down."""
        return 0.0 if self._process is None else time.monotonic() - self._started

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self._signal(signal.SIGTERM)

    def wait_stopped(self, asked_to_kill: Callable[[], bool]) -> None:
        """Wait for its end; kill it, and what it started, after its grace time or when asked to."""
        if self._process is None:
            return
        deadline = time.monotonic() + self.grace
        while self._process.poll() is None and time.monotonic() < deadline and not asked_to_kill():
            time.sleep(0.02)
        if self._process.poll() is None:
            say(f"{self.name} does not stop and is killed")
        self.kill()

    def kill(self) -> None:
        """Kill it and every process of its session that is left."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._log is not None:
            self._log.join(timeout=1)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


def say(text: str) -> None:
    """A line of the supervisor's own."""
    print(f"serve      | {text}", file=sys.stderr, flush=True)


def _copy_lines(name: str, process: subprocess.Popen[bytes]) -> None:
    if process.stdout is None:
        return
    with process.stdout:
        for line in process.stdout:
            text = line.decode("utf-8", "replace")
            sys.stderr.write(text if text.startswith("{") else f"{name:10} | {text}")  # JSON lines stay as they are
            sys.stderr.flush()
