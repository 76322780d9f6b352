"""The sweeper: what Redis or a worker loses comes back, what is over goes away."""

import errno
import io
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from redis import Redis
from sqlalchemy import event, text

from app.clock import utc_now
from app.database import BUSY_SECONDS, open_database, session_factory
from app.heartbeats import end_canary, note_consumption, silence
from app.jobs.repository import JobRepository
from app.jobs.states import ErrorCode, Status
from app.lanes import DECODE
from app.queue import TRANSCRIBE, announced_jobs, build_celery, send_transcription
from app.schema import migrate
from app.settings import Settings
from app.storage import open_storage
from app.storage.interface import Storage, StoreAwayError, audio_key
from app.sweeper import Sweeper
from app.webhooks.repository import WebhookRepository
from tests.app.service import repository, wait_for
from tests.app.test_jobs import make_job, stored

LEASE_SECONDS = 0.6


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(var=tmp_path, redis_url=redis_url, message_grace_seconds=0, lease_seconds=LEASE_SECONDS)


@pytest.fixture
def table(settings: Settings) -> Iterator[JobRepository]:
    migrate(settings.database)
    with repository(settings.database) as jobs:
        yield jobs


@pytest.fixture
def store(settings: Settings) -> Storage:
    return open_storage(settings)


def sweeper_of(settings: Settings, table: JobRepository, store: Storage, redis: Redis, celery: Celery) -> Sweeper:
    webhooks = WebhookRepository(session_factory(open_database(settings.database)))
    return Sweeper(settings, table, webhooks, store, redis, celery)


@pytest.fixture
def sweeper(settings: Settings, table: JobRepository, store: Storage, redis: Redis) -> Iterator[Sweeper]:
    celery = build_celery(settings)
    yield sweeper_of(settings, table, store, redis, celery)
    celery.close()


def without_its_worker(sweeper: Sweeper, table: JobRepository, name: str = "a") -> Status:
    """What becomes of a running job that was seen before, and whose lease nobody renews.

    A round that a busy machine holds up takes nobody for lost, and begins anew: it takes another one then.
    """

    def ended() -> Status | None:
        time.sleep(1.2 * LEASE_SECONDS)
        sweeper.recover_lost_jobs()
        status = Status(stored(table, name).status)
        return None if status == Status.RUNNING else status

    status: Status = wait_for(ended, what="the loss of the worker")
    return status


def test_a_waiting_job_without_a_message_gets_one(sweeper: Sweeper, table: JobRepository, redis: Redis) -> None:
    table.add(make_job("a"))
    table.add(make_job("b"))
    for _ in range(3):
        sweeper.announce_waiting_jobs()
    assert announced_jobs(redis) == {"a", "b"}
    assert redis.llen(TRANSCRIBE) == 2
    redis.flushall()
    sweeper.announce_waiting_jobs()
    assert redis.llen(TRANSCRIBE) == 2


def test_a_long_queue_is_read_only_when_a_message_is_missing(
    sweeper: Sweeper, settings: Settings, table: JobRepository, redis: Redis
) -> None:
    celery = build_celery(settings)
    for number in range(3):
        table.add(make_job(f"j{number}"))
        send_transcription(celery, f"j{number}", 0)
    redis.config_resetstat()
    sweeper.announce_waiting_jobs()
    assert "cmdstat_lrange" not in redis.info("commandstats")
    redis.rpop(TRANSCRIBE)
    sweeper.announce_waiting_jobs()
    assert "cmdstat_lrange" in redis.info("commandstats")
    assert announced_jobs(redis) == {"j0", "j1", "j2"}
    celery.close()


def test_a_flushed_queue_is_filled_again_round_by_round(
    sweeper: Sweeper, table: JobRepository, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sweeper.RESENT_AT_ONCE", 2)
    monkeypatch.setattr("app.queue.MESSAGES_AT_ONCE", 2)
    for number in range(5):
        table.add(make_job(f"j{number}", queued_at=utc_now() - timedelta(seconds=60 - number)))
    rounds = []
    for _ in range(4):
        sweeper.announce_waiting_jobs()
        rounds.append(sorted(announced_jobs(redis)))
    assert [len(one) for one in rounds] == [2, 4, 5, 5]
    assert rounds[0] == ["j0", "j1"]
    assert redis.llen(TRANSCRIBE) == 5


def test_a_fresh_job_is_left_to_its_request(
    settings: Settings, table: JobRepository, store: Storage, redis: Redis
) -> None:
    patient = settings.model_copy(update={"message_grace_seconds": 60.0})
    table.add(make_job("a"))
    celery = build_celery(patient)
    sweeper_of(patient, table, store, redis, celery).announce_waiting_jobs()
    assert redis.llen(TRANSCRIBE) == 0
    celery.close()


def test_a_message_that_died_with_its_worker_is_sent_again(
    sweeper: Sweeper, settings: Settings, table: JobRepository, redis: Redis
) -> None:
    """A killed worker takes what it was given with it; Redis would give it out again only after hours."""
    celery = build_celery(settings)
    table.add(make_job("a"))
    send_transcription(celery, "a", 0)
    with celery.connection_for_read() as connection, connection.SimpleQueue(TRANSCRIBE) as queue:
        queue.get(timeout=5)
        assert announced_jobs(redis) == set()
        for _ in range(3):
            sweeper.announce_waiting_jobs()
        assert announced_jobs(redis) == {"a"}
        assert redis.llen(TRANSCRIBE) == 1
    celery.close()


def test_a_lost_worker_is_replaced_and_the_third_poisons(sweeper: Sweeper, table: JobRepository, redis: Redis) -> None:
    table.add(make_job("a"))
    for attempt in (1, 2, 3):
        assert table.claim("a", holder="me", seconds=60) is not None
        sweeper.recover_lost_jobs()
        assert stored(table).status == Status.RUNNING
        assert without_its_worker(sweeper, table) == (Status.QUEUED if attempt < 3 else Status.FAILED)
    assert stored(table).error_code == ErrorCode.POISONED
    assert announced_jobs(redis) == {"a"}
    assert "poisoned" in str(redis.get("amt:job:a:last"))


def test_a_silent_queue_gets_one_canary(sweeper: Sweeper, settings: Settings, redis: Redis) -> None:
    for _ in range(3):
        sweeper.send_canaries()
    assert [redis.llen(queue) for queue in settings.queues] == [1, 1, 1]
    assert announced_jobs(redis) == set()
    note_consumption(redis, DECODE)
    end_canary(redis, DECODE)
    end_canary(redis, TRANSCRIBE)
    sweeper.send_canaries()
    assert [redis.llen(queue) for queue in settings.queues] == [2, 1, 1]
    quiet = silence(redis, DECODE)
    assert quiet is not None
    assert quiet < 60
    assert silence(redis, TRANSCRIBE) is None


def test_what_has_expired_is_removed(sweeper: Sweeper, table: JobRepository, store: Storage) -> None:
    past = utc_now() - timedelta(days=1)
    for name, status, expires in (("old", Status.SUCCEEDED, past), ("new", Status.SUCCEEDED, utc_now() + timedelta(1))):
        table.add(make_job(name, status=status, expires_at=expires))
        store.put(audio_key(name), io.BytesIO(b"x"))
    sweeper.expire_jobs()
    sweeper.remove_files()
    assert stored(table, "old").status == Status.EXPIRED
    assert not store.exists(audio_key("old"))
    assert store.exists(audio_key("new"))


def test_an_interrupted_deletion_is_finished(sweeper: Sweeper, table: JobRepository, store: Storage) -> None:
    table.add(make_job("a", status=Status.SUCCEEDED))
    store.put(audio_key("a"), io.BytesIO(b"x"))
    table.mark_deleted("a")
    sweeper.remove_files()
    assert not store.exists(audio_key("a"))
    assert table.get("a") is None


def test_a_cancelled_job_is_cleaned_once_its_worker_must_have_noticed(
    settings: Settings, table: JobRepository, store: Storage, redis: Redis
) -> None:
    for name, finished in (("just", utc_now()), ("settled", utc_now() - timedelta(minutes=5))):
        table.add(make_job(name, status=Status.CANCELLED, finished_at=finished))
        store.put(audio_key(name), io.BytesIO(b"x"))
    patient = settings.model_copy(update={"lease_seconds": 60.0})
    celery = build_celery(patient)
    sweeper_of(patient, table, store, redis, celery).remove_files()
    celery.close()
    assert store.exists(audio_key("just"))
    assert not store.exists(audio_key("settled"))


def test_files_that_cannot_be_removed_do_not_keep_the_others(
    sweeper: Sweeper, table: JobRepository, store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bad", "good"):
        table.add(make_job(name, status=Status.EXPIRED))
        store.put(audio_key(name), io.BytesIO(b"x"))
    delete = type(store).delete

    def unwilling(one: Storage, prefix: str) -> None:
        if "bad" in prefix:
            raise StoreAwayError(errno.EIO, "it stays")
        delete(one, prefix)

    monkeypatch.setattr(type(store), "delete", unwilling)
    sweeper.remove_files()
    assert [store.exists(audio_key(name)) for name in ("bad", "good")] == [True, False]


def test_abandoned_files_go(sweeper: Sweeper, settings: Settings) -> None:
    folder = settings.temporary / "run-x"
    folder.mkdir(parents=True)
    (folder / "activations").write_bytes(b"x")
    (settings.temporary / "fresh").write_bytes(b"x")
    long_ago = time.time() - 200_000
    os.utime(folder, (long_ago, long_ago))
    sweeper.remove_abandoned_files()
    assert [path.name for path in settings.temporary.iterdir()] == ["fresh"]


def test_files_that_no_job_knows_go(
    sweeper: Sweeper, settings: Settings, table: JobRepository, store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sweeper.LOOKED_UP_AT_ONCE", 2)
    table.add(make_job("known"))
    for name in ("known", "unknown", "fresh"):
        store.put(audio_key(name), io.BytesIO(b"x"))
    unfinished = settings.var / "storage" / ".unfinished" / "x"
    unfinished.write_bytes(b"half")
    long_ago = time.time() - 200_000
    for path in (unfinished, *(settings.var / "storage" / "jobs" / name for name in ("known", "unknown"))):
        os.utime(path, (long_ago, long_ago))
    sweeper.remove_files_without_job()
    assert not unfinished.exists()
    assert [store.exists(audio_key(name)) for name in ("known", "unknown", "fresh")] == [True, False, True]


def test_the_store_is_walked_through_now_and_then_alone(
    sweeper: Sweeper, store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[str] = []
    monkeypatch.setattr(type(store), "folders", lambda _, prefix: iter(walks.append(prefix) or ()))
    monkeypatch.setattr("app.sweeper.HOUSEKEEPING_SECONDS", 0.0)
    for _ in range(3):
        sweeper.sweep()
    assert walks == ["jobs"]
    monkeypatch.setattr("app.sweeper.WALK_SECONDS", 0.0)
    sweeper.sweep()
    assert walks == ["jobs", "jobs"]


def test_a_round_survives_the_absence_of_redis(
    settings: Settings, table: JobRepository, store: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    away = settings.model_copy(update={"redis_url": f"unix://{settings.var}/nobody.sock"})
    celery = build_celery(away)
    table.add(make_job("a", status=Status.SUCCEEDED, expires_at=utc_now() - timedelta(1)))
    with Redis.from_url(away.redis) as nobody:
        sweeper_of(away, table, store, nobody, celery).sweep()
    assert stored(table).status == Status.EXPIRED
    assert "send_canaries" in caplog.text
    celery.close()


@contextmanager
def locked(path: Path) -> Iterator[Callable[[float], None]]:
    """SQLite's one writer is somebody else, who lets go so many seconds after he is asked to."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    releases: list[threading.Timer] = []

    def release_after(seconds: float) -> None:
        releases.append(threading.Timer(seconds, connection.execute, ["ROLLBACK"]))
        releases[-1].start()

    yield release_after
    for release in releases:
        release.join()
    connection.close()


def test_a_lock_that_outlasts_a_lease_costs_no_run(
    sweeper: Sweeper, table: JobRepository, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could renew it meanwhile. Not renewed afterwards either, it is lost."""
    table.add(make_job())
    table.claim("a", holder="a worker", seconds=60)
    sweeper.recover_lost_jobs()
    await_turn = table.await_turn_to_write
    with locked(Path(settings.database.removeprefix("sqlite:///"))) as release_after, monkeypatch.context() as patch:

        def await_turn_in_vain() -> None:
            release_after(LEASE_SECONDS)
            await_turn()

        patch.setattr(table, "await_turn_to_write", await_turn_in_vain)
        time.sleep(1.2 * LEASE_SECONDS)
        sweeper.recover_lost_jobs()
    assert stored(table).status == Status.RUNNING
    sweeper.recover_lost_jobs()
    assert without_its_worker(sweeper, table) == Status.QUEUED


def test_the_log_is_not_emptied_while_somebody_reads_and_nobody_waits_for_it(
    table: JobRepository, settings: Settings
) -> None:
    path = Path(settings.database.removeprefix("sqlite:///"))
    reader = sqlite3.connect(path, isolation_level=None)
    table.add(make_job())
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM jobs").fetchone()
    table.add(make_job("b"))
    begun = time.monotonic()
    table.empty_log()
    assert time.monotonic() - begun < BUSY_SECONDS / 2
    log = path.with_name(path.name + "-wal")
    assert log.stat().st_size > 0
    reader.execute("COMMIT")
    table.empty_log()
    assert log.stat().st_size == 0


def test_a_log_that_cannot_be_emptied_leaves_nobody_impatient(settings: Settings) -> None:
    """The connection goes back to the pool: what uses it next waits its turn as ever."""
    migrate(settings.database)
    engine = open_database(settings.database)

    def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "wal_checkpoint" in statement:
            raise OSError("disk I/O error")

    event.listen(engine, "before_cursor_execute", fail)
    with pytest.raises(OSError, match="disk I/O"):
        JobRepository(session_factory(engine)).empty_log()
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA busy_timeout")) == BUSY_SECONDS * 1000
    engine.dispose()
