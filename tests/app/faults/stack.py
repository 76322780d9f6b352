"""The service's parts as separate processes, as containers run them: a test breaks one and starts it again itself."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from redis import Redis, RedisError

from app.connections import open_redis
from app.heartbeats import silence
from app.jobs.repository import JobRepository
from app.jobs.states import TERMINAL, Status
from app.jobs.table import Job
from app.queue import TRANSCRIBE
from app.schema import migrate
from app.settings import Settings
from app.supervisor.redis_server import prepare_redis
from tests.app.faults.breakpoints import HOLD
from tests.app.faults.measured import MEASURED
from tests.app.service import Service, repository, short_folder, wait_for

# Leases and rounds are short here, so that a loss is seen within seconds.
QUICK = {
    "lease_seconds": "3",
    "sweep_seconds": "0.3",
    "message_grace_seconds": "0.5",
    "canary_seconds": "0.5",
    "job_base_seconds": "60",
}
Files = dict[str, dict[str, Any]]
# Far above what a machine needs that has nothing else to do; nothing is measured here.
PATIENCE = 240.0


@dataclass
class Stack:
    """Redis, and whatever parts a test starts. All share one folder, one database and one Redis."""

    settings: dict[str, str] = field(default_factory=dict)
    folder: Path = field(default_factory=short_folder)
    parts: list[Service] = field(default_factory=list)
    redis_process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.breakpoints.mkdir()
        migrate(self.configuration.database)
        self.start_redis()

    @property
    def breakpoints(self) -> Path:
        return self.folder / "breakpoints"

    @property
    def configuration(self) -> Settings:
        return Service(self.folder / "var", settings=QUICK | self.settings).configuration()

    @property
    def storage(self) -> Path:
        return Path(self.configuration.storage.removeprefix("file://"))

    # Parts -------------------------------------------------------------------------------------------------------

    def part(self, *words: str, environment: dict[str, str] | None = None, **settings: str) -> Service:
        """Start a part, and wait until it serves."""
        part = BrokenService(
            self.folder / "var",
            words=words,
            settings=QUICK | self.settings | settings,
            module="tests.app.faults.breakpoints",
            extra={"BREAKPOINTS": str(self.breakpoints)} | (environment or {}),
        )
        self.parts.append(part)
        return self.start(part)

    def start(self, part: Service) -> Service:
        """Start a part (again), and wait until it serves."""
        if part.words == ("api",):
            return part.start()
        part.spawn()
        if part.words[0] == "worker":
            wait_for(lambda: self._has_children(part), seconds=PATIENCE, what=f"a child of {part.words}")
        return part

    def api(self, **settings: str) -> Service:
        return self.part("api", **settings)

    def worker(self, *, environment: dict[str, str] | None = None, **settings: str) -> Service:
        return self.part("worker", "--queue", TRANSCRIBE, environment=environment, **settings)

    def sweeper(self, *, environment: dict[str, str] | None = None) -> Service:
        return self.part("sweeper", environment=environment)

    def kill(self, part: Service) -> None:
        """SIGKILL; what it started dies with it."""
        assert part.process is not None
        children = children_of(part.process.pid)
        part.stop(signal.SIGKILL)
        wait_for(lambda: not any(is_alive(child) for child in children), what="the end of the children")

    def keep(self, number: int) -> None:
        """End all parts but the first ones, which are started where a test has left them dead."""
        for part in self.parts[number:]:
            if part.process is not None and part.process.poll() is None:
                self.kill(part)
        del self.parts[number:]
        for part in self.parts:
            if part.process is None or part.process.poll() is not None:
                self.start(part)

    def close(self) -> None:
        for part in self.parts:
            if part.process is not None and part.process.poll() is None:
                part.process.kill()
                part.process.wait()
        if self.redis_process is not None:
            self.redis_process.kill()
            self.redis_process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _has_children(self, worker: Service) -> bool:
        assert worker.process is not None
        assert worker.process.poll() is None, worker.log
        return bool(children_of(worker.process.pid))

    # Redis -------------------------------------------------------------------------------------------------------

    def start_redis(self) -> None:
        """Redis as the service itself configures it, with whatever its file holds."""
        self.configuration.run.mkdir(parents=True, exist_ok=True)
        command, _ = prepare_redis(self.configuration)
        self.redis_process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with self.redis() as redis:
            wait_for(lambda: _answers(redis), what="Redis")

    def stop_redis(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.redis_process is not None
        self.redis_process.send_signal(number)
        self.redis_process.wait()

    def redis(self) -> Redis:
        return open_redis(self.configuration)

    # Breakpoints -------------------------------------------------------------------------------------------------

    def arm(self, place: str, action: str = HOLD) -> None:
        """Have `action` happen to whoever comes to a place."""
        (self.breakpoints / f"{place}.reached").unlink(missing_ok=True)
        (self.breakpoints / place).write_text(action)

    def wait_reached(self, place: str) -> int:
        """Wait until a process comes to an armed place; gives its id."""
        reached = self.breakpoints / f"{place}.reached"
        pid = wait_for(lambda: reached.exists() and reached.read_text(), seconds=PATIENCE, what=f"somebody at {place}")
        return int(pid)

    def release(self, place: str) -> None:
        """Let everybody pass."""
        (self.breakpoints / place).unlink(missing_ok=True)

    # Counting ----------------------------------------------------------------------------------------------------

    def rows(self) -> list[Job]:
        """All jobs of the table."""
        with repository(self.configuration.database) as jobs:
            return list(jobs.page(owner=None, size=10_000, after=None))

    def settle(self) -> dict[str, Job]:
        """Wait until every job has ended; gives them by id."""

        def ended() -> list[Job]:
            rows = self.rows()
            return rows if all(row.status in TERMINAL for row in rows) else []

        start = time.monotonic()
        try:
            rows = {row.id: row for row in wait_for(ended, seconds=PATIENCE, what="the end of all jobs")}
            MEASURED.note(len(rows), time.monotonic() - start)
            return rows
        except AssertionError as error:
            states = [(row.id, str(row.status), row.attempts, row.stage) for row in self.rows()]
            raise AssertionError(f"{error}\n{states}\n{self.parts[0].log[-6000:]}") from None

    def messages(self, jobs: list[dict[str, Any]]) -> list[str]:
        """The messages about some jobs that wait or are given out. Those of workers long dead are in Redis, too."""
        with self.redis() as redis:
            messages = [*redis.lrange(TRANSCRIBE, 0, -1), *redis.hvals("unacked")]
        return [message for message in messages if any(job["id"] in message for job in jobs)]

    def consumes(self) -> bool:
        """Whether the transcription queue was consumed just now."""
        with self.redis() as redis:
            quiet = silence(redis, TRANSCRIBE)
            return quiet is not None and quiet < 2


@dataclass
class BrokenService(Service):
    """A part with further variables in its environment."""

    extra: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return super().environment() | self.extra


def assert_one_result_each(stack: Stack, accepted: list[dict[str, Any]], expected: Files) -> None:
    """Every accepted job, and no other, has ended well, once, with the files of an undisturbed run and no more."""
    rows = stack.settle()
    assert set(rows) == {job["id"] for job in accepted}
    for row in rows.values():
        assert row.status == Status.SUCCEEDED, (row.error_code, row.error_message)
        assert row.files == expected
        assert [path.name for path in (stack.storage / "jobs" / row.id / "results").iterdir()] == [row.revision]
    assert {path.name for path in (stack.storage / "jobs").iterdir()} == set(rows)
    assert list((stack.storage / ".unfinished").iterdir()) == []


def expected_files(stack: Stack, job: dict[str, Any]) -> Files:
    """The files of a job that nobody disturbed."""
    row = stack.settle()[job["id"]]
    assert row.status == Status.SUCCEEDED, row.error_message
    assert row.files is not None
    return row.files


def clear(stack: Stack) -> None:
    """Forget all jobs, for the next test on the same parts."""
    for place in stack.breakpoints.iterdir():
        place.unlink()
    with repository(stack.configuration.database) as jobs:
        _clear_table(jobs)
    shutil.rmtree(stack.storage / "jobs", ignore_errors=True)


def _clear_table(jobs: JobRepository) -> None:
    for row in jobs.page(owner=None, size=10_000, after=None):
        jobs.cancel(row.id)
        jobs.mark_deleted(row.id)
        jobs.remove(row.id)


def children_of(pid: int) -> list[int]:
    """Process ids of the direct children."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not merely unburied."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def kill(pid: int) -> None:
    """SIGKILL for any process, and wait for its end."""
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(pid), what=f"the end of {pid}")


def post(client: httpx.Client, data: bytes) -> httpx.Response:
    """POST a recording under the name that all jobs of this suite have: it stands in the results."""
    return client.post("/v1/transcriptions", files={"file": ("tune.wav", data)})


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False
