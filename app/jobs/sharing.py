"""How callers share the service: whose turn it is, and what each has taken up.

Turns go round among submitters: the one whose last job was started longest ago comes next, with its oldest waiting job.
So one with a thousand jobs does not hold up another with one. Nobody's jobs (of this machine itself) are one submitter.
Each lane has turns of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from app.jobs.lanes import Lanes
from app.jobs.states import ACTIVE, Status
from app.jobs.table import Job, is_value
from app.lanes import Lane

NEVER = datetime.min.replace(tzinfo=UTC)
KEPT = (*ACTIVE, Status.SUCCEEDED, Status.FAILED)


@dataclass(frozen=True)
class Usage:
    """What a submitter has taken up."""

    active_jobs: int
    queued_seconds: float
    stored_bytes: int  # of recordings and of edited versions
    next_expiry: datetime | None


@dataclass(frozen=True)
class Turns:
    """How many jobs of each submitter wait, and when one of its jobs was last started."""

    waiting: Mapping[str | None, int]
    last_started: Mapping[str | None, datetime]

    def order(self) -> list[str | None]:
        """Submitters with waiting jobs, in the order of their turns."""
        return sorted(self.waiting, key=lambda one: (self.last_started.get(one, NEVER), one or ""))

    def position(self, submitter: str | None, rank: int) -> int:
        """Place in the queue of a submitter's job of this rank (1 for its oldest)."""
        order = self.order()
        if submitter not in order:
            return 1  # it has been started in between
        mine = order.index(submitter)
        before = sum(min(self.waiting[one], rank) for one in order[:mine])
        after = sum(min(self.waiting[one], rank - 1) for one in order[mine + 1 :])
        return before + rank + after


class SharingRepository:
    """Statements on the job table across the jobs of a submitter."""

    def __init__(self, sessions: sessionmaker[Session], lanes: Lanes) -> None:
        self._sessions = sessions
        self.lanes = lanes

    def usage(self, submitter: str) -> Usage:
        """What this one has taken up now. Of a running job that which is not done yet counts as queued."""
        with self._sessions() as session:
            return usage_of(session, submitter)

    def turns(self, lane: Lane) -> Turns:
        """Whose turn it is in a lane."""
        here = self.lanes.holds(lane)
        with self._sessions() as session:
            counted = select(Job.submitter, func.count().label("jobs")).where(Job.status == Status.QUEUED, here)
            waiting = {row.submitter: row.jobs for row in session.execute(counted.group_by(Job.submitter))}
            named = or_(Job.submitter.in_([one for one in waiting if one is not None]), Job.submitter.is_(None))
            started = select(Job.submitter, func.max(Job.started_at).label("last")).where(named, here)
            rows = session.execute(started.group_by(Job.submitter))
            last = {row.submitter: row.last for row in rows if row.last is not None}
        return Turns(waiting, last)

    def next_job(self, lane: Lane) -> str | None:
        """The waiting job of a lane whose turn it is."""
        order = self.turns(lane).order()
        if not order:
            return None
        mine = (Job.status == Status.QUEUED, is_value(Job.submitter, order[0]), self.lanes.holds(lane))
        with self._sessions() as session:
            return session.scalar(select(Job.id).where(*mine).order_by(Job.queued_at, Job.id).limit(1))

    def position(self, job: Job, turns: Callable[[Lane], Turns] | None = None) -> int:
        """How many jobs of its lane will be started up to and including this one, as things stand."""
        lane = self.lanes.of(job)
        return (turns or self.turns)(lane).position(job.submitter, self._rank(job, lane))

    def _rank(self, job: Job, lane: Lane) -> int:
        """How many of its submitter's jobs wait in this lane up to and including this one."""
        before = or_(Job.queued_at < job.queued_at, (Job.queued_at == job.queued_at) & (Job.id <= job.id))
        mine = (Job.status == Status.QUEUED, is_value(Job.submitter, job.submitter), self.lanes.holds(lane))
        with self._sessions() as session:
            return max(1, session.scalar(select(func.count()).where(*mine, before)) or 0)


def usage_of(session: Session, submitter: str) -> Usage:
    """What a submitter has taken up, as this transaction sees it."""
    length = func.coalesce(Job.seconds_total, Job.seconds_expected, 0.0) - Job.seconds_done
    active = Job.status.in_(ACTIVE)
    mine = (Job.submitter == submitter, Job.status.in_(KEPT))
    query = select(
        func.count().filter(active),
        func.sum(length).filter(active, length > 0),
        func.sum(Job.file_bytes),
        func.min(Job.expires_at),
    ).where(*mine)
    jobs, seconds, size, expiry = session.execute(query).one()
    edited = session.scalars(select(Job.versions).where(*mine, Job.n_versions > 0))
    of_edits = sum(file["size"] for versions in edited for version in versions for file in version["files"].values())
    return Usage(jobs, float(seconds or 0.0), int(size or 0) + of_edits, expiry)
