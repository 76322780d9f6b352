"""Every statement on the job table.

A change of state is one UPDATE whose WHERE names the state it starts from: whoever comes second changes no row, and
learns so. No method reads first and writes later.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, delete, func, or_, select, text, true, update
from sqlalchemy.orm import Session, sessionmaker

from app.clock import utc_now
from app.jobs.locks import begin_alone
from app.jobs.states import ACTIVE, ErrorCode, Status
from app.jobs.table import Job, is_value
from app.jobs.webhook_tables import write_deliveries

ALL_JOBS: ColumnElement[bool] = true()
# What a row says that says nothing any more of its recording.
NOTHING: dict[str, Any] = {
    **dict.fromkeys(("owner", "request_key", "request_sha256", "request_id", "traceparent")),
    **dict.fromkeys(("audio", "revision", "files", "result", "error_code", "error_message")),
    "file_name": "",
    "file_bytes": 0,
    "file_sha256": "",
    "options": {},
    "versions": [],
    "n_versions": 0,
    "files_gone": True,
}
NO_LEASE: dict[str, Any] = {"lease_token": None, "lease_holder": None, "lease_expires_at": None}


@dataclass(frozen=True)
class Lease:
    """The right to run a job and to end it."""

    job_id: str
    token: str


@dataclass(frozen=True)
class ResultFiles:
    """One revision of a job's results: its folder's name, its files with sha256 and size, and what is said of it."""

    revision: str
    files: dict[str, dict[str, Any]]
    result: dict[str, Any]


@dataclass(frozen=True)
class Waiting:
    """The jobs that wait: their number, and the age of the oldest in seconds."""

    number: int
    age: float


class JobRepository:
    """The job table, for the API, the workers and the sweeper alike."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    # Reading -----------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job | None:
        """The job of this id."""
        with self._sessions() as session:
            return session.get(Job, job_id)

    def page(self, *, size: int, after: tuple[datetime, str] | None, owner: str | None = None) -> Sequence[Job]:
        """Up to `size` jobs of one owner, newest first, from behind `after` (the last one seen) on."""
        query = select(Job).where(Job.status != Status.DELETED, is_value(Job.owner, owner))
        if after is not None:
            created, job_id = after
            query = query.where(or_(Job.created_at < created, and_(Job.created_at == created, Job.id < job_id)))
        with self._sessions() as session:
            return session.scalars(query.order_by(Job.created_at.desc(), Job.id.desc()).limit(size)).all()

    def by_request_key(self, request_key: str) -> Job | None:
        """The job that a request with this key has made."""
        with self._sessions() as session:
            return session.scalar(select(Job).where(Job.request_key == request_key))

    def count_by_state(self) -> Sequence[tuple[str, str | None, int]]:
        """How many jobs there are of each status and error code."""
        query = select(Job.status, Job.error_code, func.count()).where(Job.status != Status.DELETED)
        with self._sessions() as session:
            return [
                (str(status), code, number)
                for status, code, number in session.execute(query.group_by(Job.status, Job.error_code))
            ]

    def waiting(self, among: ColumnElement[bool] = ALL_JOBS) -> Waiting:
        """How long the queue is, and how old."""
        waiting = and_(Job.status == Status.QUEUED, among)
        with self._sessions() as session:
            number = session.scalar(select(func.count()).where(waiting)) or 0
            oldest = session.scalar(select(Job.queued_at).where(waiting).order_by(Job.queued_at).limit(1))
        return Waiting(number, 0.0 if oldest is None else max(0.0, (utc_now() - oldest).total_seconds()))

    # The caller's changes ----------------------------------------------------------------------------------------

    def add(self, job: Job, *, admit: Callable[[Session], None] | None = None) -> None:
        """Make a job durable, unless `admit` raises; what that reads still holds when the job is there."""
        with self._sessions.begin() as session:
            if admit is not None:
                admit(session)
            session.add(job)

    def cancel(self, job_id: str) -> bool:
        """End a queued or running job. Its worker learns it by its lost lease."""
        values = NO_LEASE | {
            "status": Status.CANCELLED,
            "finished_at": utc_now(),
            "error_code": ErrorCode.CANCELLED,
            "error_message": "The job was cancelled.",
        }
        return self._end(job_id, [Job.id == job_id, Job.status.in_(ACTIVE)], values)

    def change_owner(self, former: str | None, owner: str) -> int:
        """Give all jobs of one owner to another; tells how many. Whose turn they take changes with it."""
        with self._sessions.begin() as session:
            statement = update(Job).where(is_value(Job.owner, former), Job.status != Status.DELETED)
            return _count(session.execute(statement.values(owner=owner, submitter=owner)))

    def mark_deleted(self, job_id: str) -> bool:
        """Hide a finished job. Its row goes when its files are gone."""
        return self._update(
            [Job.id == job_id, Job.status.not_in((*ACTIVE, Status.DELETED))], {"status": Status.DELETED}
        )

    def remove(self, job_id: str) -> bool:
        """Remove all that a deleted job's row says, but for whose turn it had and when, which outlives it a while."""
        deleted = (Job.id == job_id, Job.status == Status.DELETED)
        with self._sessions.begin() as session:
            never_ran = delete(Job).where(*deleted, Job.started_at.is_(None))
            emptied = update(Job).where(*deleted).values(**NOTHING)
            return _changed(session.execute(never_ran)) or _changed(session.execute(emptied))

    def forget_turns(self, before: datetime) -> None:
        """Remove what is left of deleted jobs that were started before a moment."""
        with self._sessions.begin() as session:
            gone = (Job.status == Status.DELETED, Job.files_gone.is_(True), Job.started_at < before)
            session.execute(delete(Job).where(*gone))

    def replace_results(self, job_id: str, *, replaced: str | None, new: ResultFiles, options: dict[str, Any]) -> bool:
        """Put a new revision in the place of the one named `replaced`, all or nothing."""
        where = [Job.id == job_id, Job.status == Status.SUCCEEDED, Job.revision == replaced]
        values = {"revision": new.revision, "files": new.files, "result": new.result, "options": options}
        return self._update(where, values)

    def add_version(self, job: Job, version: dict[str, Any]) -> bool:
        """Append an edited note list to those that `job` has; False where another came first or the job is gone."""
        where = [Job.id == job.id, Job.status == Status.SUCCEEDED, Job.n_versions == job.n_versions]
        return self._update(where, {"versions": [*job.versions, version], "n_versions": job.n_versions + 1})

    # The worker's changes ----------------------------------------------------------------------------------------

    def claim(self, job_id: str, *, holder: str, seconds: float) -> Lease | None:
        """Start a queued job: the lease of the one caller that gets it, None for all others."""
        lease = Lease(job_id, secrets.token_urlsafe(16))
        now = utc_now()
        values = {
            "status": Status.RUNNING,
            "started_at": now,
            "attempts": Job.attempts + 1,
            "lease_token": lease.token,
            "lease_holder": holder,
            "lease_expires_at": now + timedelta(seconds=seconds),
            "stage": "starting",
            "seconds_done": 0.0,
        }
        return lease if self._update([Job.id == job_id, Job.status == Status.QUEUED], values) else None

    def renew(self, lease: Lease, *, seconds: float, **progress: Any) -> bool:
        """Keep a lease and note the progress. False when the job is no longer this worker's."""
        values = {"lease_expires_at": utc_now() + timedelta(seconds=seconds), **progress}
        return self._update(_held(lease), values)

    def succeed(
        self, lease: Lease, new: ResultFiles, *, audio: dict[str, Any], model_name: str, model_sha256: str
    ) -> bool:
        """End a run with results."""
        values = NO_LEASE | {
            "status": Status.SUCCEEDED,
            "finished_at": utc_now(),
            "revision": new.revision,
            "files": new.files,
            "result": new.result,
            "audio": audio,
            "model_name": model_name,
            "model_sha256": model_sha256,
            "seconds_done": audio["duration"],
            "seconds_total": audio["duration"],
        }
        return self._end(lease.job_id, _held(lease), values)

    def fail(self, lease: Lease, code: ErrorCode, message: str) -> bool:
        """End a run without results."""
        return self._end(lease.job_id, _held(lease), _failure(code, message))

    def hand_back(self, lease: Lease, *, counted: bool = False) -> bool:
        """Put a running job back on the queue. The run does not count as an attempt, unless the job may be to blame."""
        values = NO_LEASE | {"status": Status.QUEUED, "stage": None}
        return self._update(_held(lease), values if counted else values | {"attempts": Job.attempts - 1})

    # The sweeper's changes ---------------------------------------------------------------------------------------

    def running(self) -> Sequence[Job]:
        """Jobs that a worker has claimed."""
        return self._select([Job.status == Status.RUNNING])

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Those of these ids that a row has, whatever became of the job."""
        with self._sessions() as session:
            return set(session.scalars(select(Job.id).where(Job.id.in_(job_ids))))

    def held_by(self, holder: str) -> Sequence[Job]:
        """Running jobs of one worker."""
        return self._select([Job.status == Status.RUNNING, Job.lease_holder == holder])

    def recover(self, job: Job, *, max_attempts: int) -> bool:
        """Queue a job again whose worker was lost, or give it up."""
        # A renewal may have come since the row was read.
        lost = [*_held(Lease(job.id, job.lease_token or "")), Job.lease_expires_at == job.lease_expires_at]
        if job.attempts >= max_attempts:
            message = f"The job was given up: {job.attempts} workers were lost while running it."
            return self._end(job.id, lost, _failure(ErrorCode.POISONED, message))
        return self._update(lost, NO_LEASE | {"status": Status.QUEUED, "stage": None})

    def count_queued_before(self, moment: datetime, among: ColumnElement[bool] = ALL_JOBS) -> int:
        """How many jobs wait since before `moment`."""
        query = select(func.count()).where(Job.status == Status.QUEUED, Job.queued_at < moment, among)
        with self._sessions() as session:
            return session.scalar(query) or 0

    def queued_before(self, moment: datetime, among: ColumnElement[bool] = ALL_JOBS) -> Sequence[str]:
        """Ids of the jobs that wait since before `moment`, oldest first."""
        query = select(Job.id).where(Job.status == Status.QUEUED, Job.queued_at < moment, among)
        with self._sessions() as session:
            return session.scalars(query.order_by(Job.queued_at, Job.id)).all()

    def expire(self, now: datetime) -> int:
        """Mark every finished job whose time is over."""
        kept = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
        with self._sessions.begin() as session:
            statement = update(Job).where(Job.expires_at < now, Job.status.in_(kept))
            return _count(session.execute(statement.values(status=Status.EXPIRED, files_gone=False)))

    def with_files_to_remove(self) -> Sequence[Job]:
        """Jobs that are over for good and whose files may still be there."""
        over = (Status.CANCELLED, Status.EXPIRED, Status.DELETED)
        return self._select([Job.status.in_(over), Job.files_gone.is_(False)])

    def files_removed(self, job_id: str) -> None:
        """Note that nothing of a job lies in the store any more."""
        self._update([Job.id == job_id], {"files_gone": True, "files": None, "revision": None})

    def forget_expired(self, before: datetime) -> int:
        """Remove the rows of jobs that expired long ago."""
        where = (Job.status == Status.EXPIRED, Job.files_gone.is_(True), Job.expires_at < before)
        with self._sessions.begin() as session:
            return _count(session.execute(delete(Job).where(*where)))

    def await_turn_to_write(self) -> None:
        """Return once something could be written. SQLite has one writer at a time; others have no such turns."""
        with self._sessions() as session:
            begin_alone(session)

    def empty_log(self) -> None:
        """Empty SQLite's write-ahead log, which still holds removed rows. Does nothing while somebody reads it."""
        with self._sessions() as session:
            if session.get_bind().dialect.name != "sqlite":
                return
            (patience,) = session.execute(text("PRAGMA busy_timeout")).one()
            session.execute(text("PRAGMA busy_timeout=0"))  # it would keep all writers waiting while it waits
            try:
                session.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            finally:
                session.execute(text(f"PRAGMA busy_timeout={patience}"))

    def _select(self, where: Iterable[ColumnElement[bool]]) -> Sequence[Job]:
        with self._sessions() as session:
            return session.scalars(select(Job).where(*where).order_by(Job.created_at).limit(1000)).all()

    def _end(self, job_id: str, where: Iterable[ColumnElement[bool]], values: dict[str, Any]) -> bool:
        """An update that ends a job, and in the same transaction the messages that say so."""
        with self._sessions.begin() as session:
            changed = _changed(session.execute(update(Job).where(*where).values(**values)))
            if changed:
                write_deliveries(session, job_id, values["status"], values.get("error_code"), values["finished_at"])
            return changed

    def _update(self, where: Iterable[ColumnElement[bool]], values: dict[str, Any]) -> bool:
        with self._sessions.begin() as session:
            return _changed(session.execute(update(Job).where(*where).values(**values)))


def _held(lease: Lease) -> list[ColumnElement[bool]]:
    return [Job.id == lease.job_id, Job.status == Status.RUNNING, Job.lease_token == lease.token]


def _failure(code: ErrorCode, message: str) -> dict[str, Any]:
    return NO_LEASE | {
        "status": Status.FAILED,
        "finished_at": utc_now(),
        "error_code": code,
        "error_message": message[:1000],
    }


def _count(result: Any) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0


def _changed(result: Any) -> bool:
    return _count(result) > 0
