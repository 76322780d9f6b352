"""The job table on both databases: each change happens once, for one caller."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.clock import utc_now
from app.database import is_current, open_database
from app.jobs.lease_watch import LeaseWatch
from app.jobs.repository import JobRepository, Lease, ResultFiles
from app.jobs.states import ErrorCode, Status
from app.jobs.table import SCHEMA_REVISION, Base, Job
from app.options import Options
from app.schema import migrate, migration_config

AUDIO = {"duration": 3.0, "sr": 16000, "channels": 1, "codec": "flac", "container": "flac"}


def make_job(name: str = "a", **values: Any) -> Job:
    now = utc_now()
    columns = {
        "id": name,
        "status": Status.QUEUED,
        "created_at": now,
        "queued_at": now,
        "expires_at": now + timedelta(days=7),
        "file_name": "x.wav",
        "file_bytes": 3_000_000_000,  # more than 31 bits
        "file_sha256": "0" * 64,
        "model_name": "default",
        "model_sha256": "0" * 64,
        "options": Options(onset_threshold=0.5, frame_threshold=0.5, min_note_ms=30.0).model_dump(),
        "seconds_done": 0.0,
        "attempts": 0,
        "files_gone": False,
    }
    return Job(**(columns | values))


def revision(name: str) -> ResultFiles:
    return ResultFiles(name, {"notes.mid": {"sha256": "1" * 64, "size": 9}}, {"n_notes": 1, "warnings": []})


def claim(jobs: JobRepository, job_id: str = "a", *, seconds: float = 60) -> Lease:
    lease = jobs.claim(job_id, holder="me", seconds=seconds)
    assert lease is not None
    return lease


def stored(jobs: JobRepository, job_id: str = "a") -> Job:
    job = jobs.get(job_id)
    assert job is not None
    return job


def test_migrations_make_the_tables_that_the_code_declares(database_url: str) -> None:
    migrate(database_url)
    engine = open_database(database_url)
    assert is_current(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_the_code_knows_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(migration_config()).get_current_head() == SCHEMA_REVISION


def test_migrations_go_back(database_url: str) -> None:
    migrate(database_url)
    engine = open_database(database_url)
    with engine.begin() as connection:
        config = migration_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert not is_current(engine)
    migrate(database_url)
    assert is_current(engine)
    engine.dispose()


def test_a_job_comes_back_as_it_was(jobs: JobRepository) -> None:
    job = make_job(file_name="Étude 🎹.flac")
    jobs.add(job)
    again = stored(jobs)
    assert (again.file_name, again.file_bytes) == (job.file_name, job.file_bytes)
    assert again.created_at == job.created_at
    assert again.created_at.tzinfo is not None
    assert jobs.get("b") is None


def test_one_of_many_claims_succeeds(jobs: JobRepository) -> None:
    jobs.add(make_job())
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda _: jobs.claim("a", holder="me", seconds=60), range(8)))
    assert sum(lease is not None for lease in leases) == 1
    job = stored(jobs)
    assert (job.status, job.attempts) == (Status.RUNNING, 1)


def test_only_the_leases_holder_ends_the_run(jobs: JobRepository) -> None:
    jobs.add(make_job())
    lease = claim(jobs)
    stranger = Lease("a", "another token")
    assert not jobs.renew(stranger, seconds=60)
    assert not jobs.succeed(stranger, revision("r"), audio=AUDIO, model_name="default", model_sha256="2" * 64)
    assert not jobs.fail(stranger, ErrorCode.INTERNAL, "no")
    assert not jobs.hand_back(stranger)
    assert jobs.renew(lease, seconds=60, stage="transcribing", seconds_done=1.5, seconds_total=3.0)
    assert stored(jobs).seconds_done == 1.5
    assert jobs.succeed(lease, revision("r"), audio=AUDIO, model_name="default", model_sha256="2" * 64)
    assert not jobs.succeed(lease, revision("s"), audio=AUDIO, model_name="default", model_sha256="2" * 64)
    job = stored(jobs)
    assert (job.status, job.revision, job.lease_token) == (Status.SUCCEEDED, "r", None)


def test_failure_is_kept(jobs: JobRepository) -> None:
    jobs.add(make_job())
    assert jobs.fail(claim(jobs), ErrorCode.DECODE_FAILED, "damaged " * 1000)
    job = stored(jobs)
    assert (job.status, job.error_code) == (Status.FAILED, ErrorCode.DECODE_FAILED)
    assert jobs.claim("a", holder="me", seconds=1) is None


def test_a_job_handed_back_has_lost_no_attempt(jobs: JobRepository) -> None:
    jobs.add(make_job())
    for _ in range(5):
        assert jobs.hand_back(claim(jobs))
    job = stored(jobs)
    assert (job.status, job.attempts) == (Status.QUEUED, 0)


def test_three_lost_workers_poison_a_job(jobs: JobRepository) -> None:
    jobs.add(make_job())
    for attempt in (1, 2, 3):
        claim(jobs)
        (lost,) = jobs.running()
        assert lost.attempts == attempt
        assert jobs.recover(lost, max_attempts=3)
        assert not jobs.recover(lost, max_attempts=3)
    job = stored(jobs)
    assert (job.status, job.error_code) == (Status.FAILED, ErrorCode.POISONED)


def test_a_lease_is_lost_when_it_is_not_renewed_for_its_whole_length(jobs: JobRepository) -> None:
    """Measured by the watcher's own clock alone: what the rows say of the time of day does not matter."""
    clock = [0.0]
    watch = LeaseWatch(seconds=10, monotonic=lambda: clock[0])
    jobs.add(make_job())
    lease = claim(jobs, seconds=-3600)  # by a worker whose clock is an hour late
    assert watch.silent(jobs.running()) == []
    clock[0] = 9.0
    assert jobs.renew(lease, seconds=-3600)
    assert watch.silent(jobs.running()) == []
    clock[0] = 18.0
    assert watch.silent(jobs.running()) == []
    clock[0] = 19.5
    assert [job.id for job in watch.silent(jobs.running())] == ["a"]


def test_a_lease_that_was_renewed_since_it_was_read_is_not_lost(jobs: JobRepository) -> None:
    jobs.add(make_job())
    lease = claim(jobs)
    (read,) = jobs.running()
    assert jobs.renew(lease, seconds=120)
    assert not jobs.recover(read, max_attempts=3)
    (read,) = jobs.running()
    assert jobs.recover(read, max_attempts=3)


def test_a_worker_finds_what_its_predecessor_held(jobs: JobRepository) -> None:
    jobs.add(make_job())
    claim(jobs)
    assert [job.id for job in jobs.held_by("me")] == ["a"]
    assert list(jobs.held_by("you")) == []


def test_a_lost_worker_that_comes_back_cannot_end_the_run(jobs: JobRepository) -> None:
    jobs.add(make_job())
    lease = claim(jobs)
    assert jobs.recover(stored(jobs), max_attempts=3)
    second = claim(jobs)
    assert not jobs.succeed(lease, revision("r"), audio=AUDIO, model_name="default", model_sha256="2" * 64)
    assert jobs.succeed(second, revision("s"), audio=AUDIO, model_name="default", model_sha256="2" * 64)
    assert stored(jobs).revision == "s"


def test_cancelling_ends_the_lease(jobs: JobRepository) -> None:
    jobs.add(make_job())
    lease = claim(jobs)
    assert jobs.cancel("a")
    assert not jobs.cancel("a")
    assert not jobs.renew(lease, seconds=60)
    assert not jobs.fail(lease, ErrorCode.INTERNAL, "too late")
    assert stored(jobs).status == Status.CANCELLED


def test_only_a_finished_job_can_be_deleted(jobs: JobRepository) -> None:
    jobs.add(make_job())
    assert not jobs.mark_deleted("a")
    assert not jobs.remove("a")
    jobs.cancel("a")
    assert jobs.mark_deleted("a")
    assert list(jobs.page(size=10, after=None)) == []
    assert jobs.remove("a")
    assert jobs.get("a") is None


def test_results_are_replaced_as_a_whole(jobs: JobRepository) -> None:
    jobs.add(make_job())
    jobs.succeed(claim(jobs), revision("r"), audio=AUDIO, model_name="default", model_sha256="2" * 64)
    assert jobs.replace_results("a", replaced="r", new=revision("s"), options={"tempo": 60.0})
    assert not jobs.replace_results("a", replaced="r", new=revision("t"), options={"tempo": 70.0})
    job = stored(jobs)
    assert (job.revision, job.options) == ("s", {"tempo": 60.0})


def test_pages_and_queue_positions_follow_time(jobs: JobRepository) -> None:
    start = utc_now()
    for number in range(5):
        moment = start + timedelta(seconds=number // 2)  # some at the same instant
        jobs.add(make_job(f"j{number}", created_at=moment, queued_at=moment))
    first = jobs.page(size=2, after=None)
    assert [job.id for job in first] == ["j4", "j3"]
    rest = jobs.page(size=10, after=(first[-1].created_at, first[-1].id))
    assert [job.id for job in rest] == ["j2", "j1", "j0"]
    assert list(jobs.queued_before(start + timedelta(seconds=1))) == ["j0", "j1"]
    assert jobs.count_queued_before(start + timedelta(seconds=1)) == 2


def test_expiry_leaves_active_jobs_alone(jobs: JobRepository) -> None:
    past = utc_now() - timedelta(days=30)
    for name, status in (("q", Status.QUEUED), ("s", Status.SUCCEEDED), ("f", Status.FAILED)):
        jobs.add(make_job(name, status=status, expires_at=past))
    jobs.add(make_job("fresh", status=Status.SUCCEEDED))
    assert jobs.expire(utc_now()) == 2
    assert {job.id for job in jobs.with_files_to_remove()} == {"s", "f"}
    jobs.files_removed("s")
    assert jobs.forget_expired(utc_now()) == 1
    assert {job.id for job in jobs.page(size=10, after=None)} == {"q", "f", "fresh"}


def test_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.sqlite3'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
    engine.dispose()
