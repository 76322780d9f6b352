"""Lanes: a recording of two hours does not hold up ten short ones.

Where a length is set, longer jobs wait in a queue of their own, with workers of their own. In which lane a job waits
is not stored: it follows from its expected length and from the setting as it is now, so that every waiting job is in
exactly one lane that somebody works on, whatever the setting was when it came.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, or_, true

from app.jobs.table import Job
from app.lanes import Lane, lanes_above


@dataclass(frozen=True)
class Lanes:
    """How jobs are divided: those above `long_seconds` are long; without it there is one lane for all."""

    long_seconds: float | None = None

    @property
    def all(self) -> tuple[Lane, ...]:
        """The lanes that are worked on."""
        return lanes_above(self.long_seconds)

    def of(self, job: Job) -> Lane:
        """Where a job waits. One of unknown length counts as long."""
        if self.long_seconds is None:
            return Lane.USUAL
        is_short = job.seconds_expected is not None and job.seconds_expected <= self.long_seconds
        return Lane.USUAL if is_short else Lane.LONG

    def holds(self, lane: Lane) -> ColumnElement[bool]:
        """The same as a condition on the job table."""
        if self.long_seconds is None:
            return true() if lane == Lane.USUAL else false()
        if lane == Lane.USUAL:
            return Job.seconds_expected <= self.long_seconds
        return or_(Job.seconds_expected > self.long_seconds, Job.seconds_expected.is_(None))
