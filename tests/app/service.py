"""Starting the service's real parts for tests."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from redis import Redis

from app.connections import open_redis
from app.database import open_database, session_factory
from app.jobs.repository import JobRepository
from app.settings import Settings

TERMINAL = {"succeeded", "failed", "cancelled", "expired"}
START_SECONDS = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(condition: Callable[[], Any], *, seconds: float = 60.0, what: str = "condition") -> Any:
    """Poll until the condition holds; gives its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true within {seconds} s")


@dataclass
class Service:
    """A process of the `amt` command with a folder and a port of its own."""

    var: Path
    words: tuple[str, ...] = ("serve",)
    settings: dict[str, str] = field(default_factory=dict)
    module: str = "app.cli"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    @property
    def _log_path(self) -> Path:
        return self.var.with_name(self.var.name + ".log")

    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AMT_")}
        own = {"AMT_VAR": str(self.var), "AMT_PORT": str(self.port), "AMT_THREADS": "1", "AMT_DECODE_SECONDS": "60"}
        return clean | own | {f"AMT_{name.upper()}": value for name, value in self.settings.items()}

    def configuration(self) -> Settings:
        """The settings that the process sees."""
        values = {
            name.removeprefix("AMT_").lower(): v for name, v in self.environment().items() if name.startswith("AMT_")
        }
        return Settings.model_validate(values)

    def spawn(self) -> Self:
        self.var.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self.words], env=self.environment(), stdout=log, stderr=log
            )
        return self

    def start(self) -> Self:
        self.spawn()
        try:
            wait_for(self._answers, seconds=START_SECONDS, what=f"readiness of {self.words}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.words} ended with {self.process.returncode}\n{self.log}"
        with contextlib.suppress(httpx.TransportError):
            path = "/readyz" if self.words == ("serve",) else "/healthz"
            return httpx.get(self.url + path).status_code == 200
        return False

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 60.0) -> int:
        """Send a signal and wait for the end; gives the exit status. What does not end is killed, and its log shown."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.words} did not stop within {seconds} s\n{self.log}") from None

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60)

    def redis(self) -> Redis:
        return open_redis(self.configuration())

    def processes(self) -> dict[int, str]:
        """Every process that belongs to this folder: id -> command line."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environment = (folder / "environ").read_bytes().split(b"\0")
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                # Redis writes its title over its environment; its socket's path stands in the title.
                if f"AMT_VAR={self.var}".encode() in environment or str(self.var) in line:
                    found[int(folder.name)] = line
        return found

    def child(self, *words: str) -> int:
        """Process id of the part whose command line holds these words."""
        ids = {pid for pid, line in self.processes().items() if all(word in line for word in words)}
        # Not the lowest one: a worker's own children are called the same, and ids begin anew at some time.
        first = [pid for pid in ids if _parent_of(pid) not in ids]
        assert first, f"no process {words} in {self.processes()}"
        return first[0]


def _parent_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


@contextlib.contextmanager
def running(service: Service) -> Iterator[Service]:
    """A started service; whatever happens, none of its processes is left."""
    try:
        yield service.start()
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()


@contextlib.contextmanager
def repository(url: str) -> Iterator[JobRepository]:
    """The job table behind a URL."""
    engine = open_database(url)
    try:
        yield JobRepository(session_factory(engine))
    finally:
        engine.dispose()


def short_folder() -> Path:
    """A folder whose path is short enough for a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="amt-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def upload(client: httpx.Client, data: bytes, name: str = "tune.wav", **options: Any) -> dict[str, Any]:
    """POST a recording; gives the accepted job."""
    answer = client.post("/v1/transcriptions", files={"file": (name, data)}, data=options)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def read(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(job["links"]["self"])
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def finished(client: httpx.Client, job: dict[str, Any], *, seconds: float = 120.0) -> dict[str, Any]:
    """The job once it is in a terminal state."""

    def terminal() -> dict[str, Any] | None:
        document = read(client, job)
        return document if document["status"] in TERMINAL else None

    document: dict[str, Any] = wait_for(terminal, seconds=seconds, what=f"end of job {job['id']}")
    return document


def running_job(client: httpx.Client, data: bytes) -> dict[str, Any]:
    """Upload a recording, and wait until a worker is in the middle of it."""
    job = upload(client, data, "long.flac")
    wait_for(lambda: read(client, job)["progress"]["seconds_done"] > 0, what="a job in the middle")
    return job
