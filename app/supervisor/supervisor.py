"""Starting, watching and stopping all parts.

Every part waits for the imports of this module, so it loads SQLAlchemy and Celery only where it has to.
"""

import contextlib
import hashlib
import json
import signal
import socket
import sqlite3
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from redis import Redis, RedisError

from app.connections import open_redis
from app.heartbeats import forget_consumption
from app.lanes import DECODE, SCORE
from app.settings import Settings, child_environment
from app.stop_signals import TICK, StopSignals
from app.supervisor.deafness import Deafness
from app.supervisor.lock import StartError, only_one
from app.supervisor.part import Part, say
from app.supervisor.redis_server import prepare_redis

SQLITE = "sqlite:///"
REDIS_START_SECONDS = 30.0
MOST_DEATHS = 5
DEATHS_WINDOW = 60.0
# A killed predecessor's children die with it, but not in the same instant.
PORT_PATIENCE = 3.0


class Supervisor:
    """All parts of the service on this machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts: list[Part] = []
        self._redis: Part | None = None
        self._stop_signals = StopSignals()
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)

    def run(self) -> int:
        """Serve until told to stop; gives the exit status."""
        self._stop_signals.listen()
        with only_one(self._settings.run):
            _require_free_port(self._settings)
            try:
                return self._watch(self._start())
            finally:
                self._stop()

    def _start(self) -> Deafness:
        _bring_up_to_date(self._settings.database)
        _require_keys(self._settings)
        url = self._settings.redis
        if not self._settings.redis_url:
            command, url = prepare_redis(self._settings)
            self._redis = Part("redis", command, child_environment(), grace=10)
            self._redis.start()
        redis = open_redis(self._settings.model_copy(update={"redis_url": url}))
        self._wait_for_redis(redis)
        environment = child_environment(
            redis_url=url,
            worker_name=self._settings.worker_name or _stable_name(self._settings),
            threads=str(_threads_each(self._settings)),
        )
        self._parts = [_part(name, words, environment, grace) for name, words, grace in parts(self._settings)]
        for part in self._parts:
            if not self._stop_signals.received:
                part.start()
        return Deafness(redis, patience=self._settings.consumer_seconds)

    def _wait_for_redis(self, redis: Redis) -> None:
        deadline = time.monotonic() + REDIS_START_SECONDS
        while not self._stop_signals.received:
            try:
                for queue in self._settings.queues:
                    forget_consumption(redis, queue)
            except RedisError as error:
                if time.monotonic() > deadline or (self._redis and self._redis.death() is not None):
                    raise StartError(f"Redis does not start: {error}") from error
                time.sleep(0.02)
            else:
                break

    def _watch(self, deafness: Deafness) -> int:
        """Until told to stop: start again what dies, and give up when too much does."""
        threading.Thread(target=self._announce, daemon=True).start()
        workers = [part for part in self._parts if part.name in self._settings.queues]
        while not self._stop_signals.wait(TICK):
            deafness.cure(workers)
            for part in self._all():
                status = part.death()
                if status is not None and self._too_many_deaths(part, status):
                    return 1
                part.start_if_due()
        say("stopping; once more to kill")
        return 0

    def _too_many_deaths(self, part: Part, status: int) -> bool:
        say(f"{part.name} died ({_manner(status)})")
        self._deaths.append(time.monotonic())
        if len(self._deaths) == MOST_DEATHS and self._deaths[-1] - self._deaths[0] < DEATHS_WINDOW:
            say(f"{MOST_DEATHS} deaths within a minute: giving up")
            return True
        say(f"{part.name} is started again")
        return False

    def _stop(self) -> None:
        """In the order in which nobody misses another: API, workers, sweeper, Redis."""
        waiting: list[Part] = []
        for group in (("api",), self._settings.queues, ("sweeper",)):
            waiting = [part for part in self._parts if part.name in group]
            for part in waiting:
                part.ask_to_stop()
            for part in waiting:
                part.wait_stopped(self._asked_to_kill)
        if self._redis is not None:
            self._redis.ask_to_stop()
            self._redis.wait_stopped(self._asked_to_kill)

    def _asked_to_kill(self) -> bool:
        return self._stop_signals.received > 1

    def _all(self) -> Iterator[Part]:
        if self._redis is not None:
            yield self._redis
        yield from self._parts

    def _announce(self) -> None:
        """Say so once a recording sent now would be transcribed."""
        address = f"http://{_for_url(self._settings.host)}:{self._settings.port}"
        while not self._stop_signals.wait(TICK):
            if _is_ready(address):
                print(f"ready at {address}   API description: {address}/docs", flush=True)
                print(f"try: curl -F file=@recording.mp3 {address}/v1/transcriptions", flush=True)
                return


def serve(settings: Settings) -> int:
    """Run the whole service on this machine; gives the exit status."""
    try:
        return Supervisor(settings).run()
    except StartError as error:
        print(f"amt serve: {error}", file=sys.stderr)
        return 1


def _bring_up_to_date(url: str) -> None:
    """Migrate where there is something to migrate; mostly there is not, and nobody need wait for Alembic."""
    if url.startswith(SQLITE) and _sqlite_revision(Path(url.removeprefix(SQLITE))) == _newest_revision():
        return
    from app.schema import MigrationError, migrate

    try:
        migrate(url)
    except MigrationError as error:
        raise StartError(str(error)) from error


def _sqlite_revision(path: Path) -> str | None:
    """What `alembic_version` says, or None where there are no tables yet."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return None if row is None else str(row[0])


def _newest_revision() -> str:
    """The last of the migrations, whose files are named after their revisions."""
    folder = Path(__file__).parents[1] / "migrations" / "versions"
    return max(path.name.partition("_")[0] for path in folder.glob("[0-9]*.py"))


def _require_keys(settings: Settings) -> None:
    if settings.is_private:
        return
    from app.database import open_database, session_factory
    from app.keys.admission import OpenToAllError, refuse_to_be_open
    from app.keys.repository import KeyRepository

    engine = open_database(settings.database)
    try:
        refuse_to_be_open(settings, KeyRepository(session_factory(engine)))
    except OpenToAllError as error:
        raise StartError(str(error)) from error
    finally:
        engine.dispose()


def _part(name: str, words: list[str], environment: dict[str, str], grace: float) -> Part:
    return Part(name, [sys.executable, "-m", "app.cli", *words], environment, grace)


def parts(settings: Settings) -> list[tuple[str, list[str], float]]:
    """Name, words of the command line, seconds between SIGTERM and SIGKILL. The slowest to start come first.

    Workers are named like the queues that they consume.
    """
    return [
        *((lane.value, ["worker", "--queue", lane.value], 20.0) for lane in settings.lanes),
        *((queue, ["worker", "--queue", queue], 10.0) for queue in (DECODE, SCORE)),
        ("api", ["api"], 25.0),
        ("sweeper", ["sweeper"], 5.0),
    ]


def _threads_each(settings: Settings) -> int:
    """Threads of one network run, so that all recordings that may run at once here share the cores."""
    return settings.threads_each(settings.concurrency * len(settings.lanes))


def _stable_name(settings: Settings) -> str:
    """The same at every start on this folder, so that a start finds the leases that the last one left behind."""
    folder = hashlib.sha256(str(settings.var).encode()).hexdigest()[:8]
    return f"{socket.gethostname()}-{folder}"


def _require_free_port(settings: Settings) -> None:
    deadline = time.monotonic() + PORT_PATIENCE
    while True:
        try:
            family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((settings.host, settings.port))
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise StartError(
                    f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); set AMT_PORT to another port"
                ) from error
            time.sleep(TICK)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:  # noqa: S310  our own address
            return bool(json.load(answer)["status"] == "ready")
    except (OSError, ValueError):  # an HTTPError is an OSError
        return False


def _for_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _manner(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
