"""Watching over a run: its lease, its cancellation, its wall clock, its progress.

A thread keeps the lease while the main thread computes. The run itself learns at its next window that it has to stop.
"""

import logging
import os
import signal
import threading
import time
from types import TracebackType
from typing import Self

from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.events import make_event, publish
from app.heartbeats import note_consumption
from app.jobs.repository import Lease
from app.jobs.states import ErrorCode, Status
from app.metrics import note_memory
from app.worker.runtime import Runtime

log = logging.getLogger(__name__)

LONGEST_BEAT = 2.0  # seconds until a cancellation is seen
PUBLISH_EVERY = 0.25  # seconds between two events; nobody sees more
# A run that is past its time and has not come back to its next window after so long is stuck in native code.
STUCK_SECONDS = 60.0


class StopRunError(Exception):
    """The run has to end now."""


class LeaseLostError(StopRunError):
    """The job is not ours any more: cancelled, deleted, or given to another worker."""


class HandBackError(StopRunError):
    """The worker stops; the job goes back on the queue."""


class TimedOutError(StopRunError):
    """The run took longer than its recording allows."""


class Watch:
    """A context around one run of a job."""

    def __init__(self, runtime: Runtime, lease: Lease) -> None:
        self._runtime = runtime
        self._lease = lease
        self._started = time.monotonic()
        self._published = float("-inf")
        self._budget = runtime.settings.longest_job_seconds
        self._stage, self._done = "starting", 0.0
        self._total: float | None = None
        self._lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def progress(self, stage: str, done: float, total: float | None) -> None:
        """Note how far the run is. Raises `StopRunError` when it has to end."""
        self._stage, self._done, self._total = stage, done, total
        settings = self._runtime.settings
        longest = settings.max_seconds if total is None else min(total, settings.max_seconds)
        self._budget = settings.job_base_seconds + settings.job_seconds_per_second * max(done, longest)
        self._raise_if_over()
        if time.monotonic() - self._published >= PUBLISH_EVERY:
            self._published = time.monotonic()
            self._publish()

    def _raise_if_over(self) -> None:
        if self._lost:
            raise LeaseLostError
        if self._runtime.stop.is_set():
            raise HandBackError
        if self._overtime() > 0:
            raise TimedOutError

    def _overtime(self) -> float:
        return time.monotonic() - self._started - self._budget

    def _publish(self) -> None:
        event = make_event(Status.RUNNING, stage=self._stage, seconds_done=self._done, seconds_total=self._total)
        publish(self._runtime.redis, self._lease.job_id, event)

    def _keep(self) -> None:
        """The thread: renew the lease until the run is over."""
        beat = min(LONGEST_BEAT, self._runtime.settings.lease_seconds / 4)
        while not self._over.wait(beat):
            if self._overtime() > STUCK_SECONDS:
                self._end_stuck_process()
            self._renew()

    def _renew(self) -> None:
        progress = {"stage": self._stage, "seconds_done": self._done, "seconds_total": self._total}
        try:
            kept = self._runtime.jobs.renew(self._lease, seconds=self._runtime.settings.lease_seconds, **progress)
            self._lost = self._lost or not kept
        except SQLAlchemyError as error:  # the lease may outlive a short absence of the database
            log.warning("lease of job %s not renewed: %s", self._lease.job_id, error)
        note_memory(self._runtime.redis, self._runtime.worker)
        try:
            note_consumption(self._runtime.redis, self._runtime.queue)
        except RedisError as error:
            log.warning("Redis does not answer: %s", error)

    def _end_stuck_process(self) -> None:
        """The main thread does not come back from native code: fail the job, and let the worker fork anew."""
        log.error("job %s is stuck; its process is ended", self._lease.job_id)
        self._runtime.jobs.fail(self._lease, ErrorCode.TIMED_OUT, "The recording took too long to transcribe.")
        os.kill(os.getpid(), signal.SIGKILL)
