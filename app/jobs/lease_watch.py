"""Telling a lost worker from a slow clock.

A worker renews its lease every few seconds, which changes the moment that stands in the job's row. Whoever looks for
lost workers compares that moment with what stood there before, and measures on its own monotonic clock how long it has
stayed the same. No two clocks are compared: neither a clock that jumps nor one that is an hour off costs a job its run.
"""

import time
from collections.abc import Callable, Iterable

from app.jobs.table import Job


class LeaseWatch:
    """Remembers when each lease was last seen to change."""

    def __init__(self, *, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._unchanged_since: dict[tuple[object, ...], float] = {}

    def begin_anew(self) -> None:
        """For some time nobody could have renewed a lease: each has its whole length from now on."""
        self._unchanged_since.clear()

    def silent(self, running: Iterable[Job]) -> list[Job]:
        """Those of the running jobs whose lease has not been renewed for its whole length."""
        now = self._monotonic()
        seen = {(job.id, job.lease_token, job.lease_expires_at): job for job in running}
        self._unchanged_since = {lease: self._unchanged_since.get(lease, now) for lease in seen}
        return [job for lease, job in seen.items() if now - self._unchanged_since[lease] > self._seconds]
