"""Repairing what got lost: messages, workers, files; and seeing that the queues are consumed.

Any number of sweepers may run: each step is one that harms nothing when it is done twice.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from celery import Celery
from kombu.exceptions import KombuError
from redis import Redis, RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.clock import utc_now
from app.connections import open_redis
from app.database import open_database, session_factory
from app.events import error_document, forget, make_event, publish
from app.heartbeats import SWEEPER, begin_canary, note_consumption, silence
from app.jobs.lanes import Lanes
from app.jobs.lease_watch import LeaseWatch
from app.jobs.repository import JobRepository
from app.jobs.states import ErrorCode, Status
from app.jobs.table import Job
from app.lanes import Lane
from app.metrics import JOBS_ENDED, SWEEPER_ACTIONS, count
from app.queue import (
    announced_jobs,
    build_celery,
    messages_waiting,
    send_canary,
    send_transcription,
)
from app.settings import Settings
from app.stop_signals import StopSignals
from app.storage import open_storage
from app.storage.interface import JOBS, Storage, job_prefix
from app.webhooks.deliver import Deliverer
from app.webhooks.repository import WebhookRepository

log = logging.getLogger(__name__)

CANARY_SECONDS = 30
# An unfinished file so old belongs to a process that was killed.
ABANDONED_SECONDS = 86_400
HOUSEKEEPING_SECONDS = 60.0
WALK_SECONDS = 3600.0  # from one walk through the whole store to the next; a bucket counts each request
LOOKED_UP_AT_ONCE = 500
TURN_SECONDS = 3600.0  # who had a turn and no other for so long comes first all the same
# Messages sent again in one round; a flushed queue of thousands must not keep a round from its other steps.
RESENT_AT_ONCE = 500


class Sweeper:
    """One round after another over the job table, the queues and the store."""

    def __init__(
        self,
        settings: Settings,
        jobs: JobRepository,
        webhooks: WebhookRepository,
        storage: Storage,
        redis: Redis,
        celery: Celery,
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._webhooks = webhooks
        self._storage = storage
        self._redis = redis
        self._celery = celery
        self._kept_house = self._walked = float("-inf")
        self._lanes = Lanes(settings.long_seconds)
        self._leases = LeaseWatch(seconds=settings.lease_seconds)

    def sweep(self) -> None:
        """One round. A step whose part of the service is away is left for the next round."""
        steps: list[Callable[[], None]] = [self.recover_lost_jobs, self.announce_waiting_jobs, self.send_canaries]
        if time.monotonic() - self._kept_house >= HOUSEKEEPING_SECONDS:
            self._kept_house = time.monotonic()
            steps += [
                self.expire_jobs,
                self.remove_files,
                self.remove_abandoned_files,
                self._jobs.empty_log,
            ]
        if time.monotonic() - self._walked >= WALK_SECONDS:
            self._walked = time.monotonic()
            steps.append(self.remove_files_without_job)
        steps.append(lambda: note_consumption(self._redis, SWEEPER))
        for step in steps:
            try:
                step()
            except (SQLAlchemyError, RedisError, KombuError, OSError) as error:
                log.warning("%s: %s", step.__name__, error)

    def recover_lost_jobs(self) -> None:
        """Queue again what a lost worker ran, or give it up after too many of them.

        A lease that was not renewed while the table was away or locked says nothing of its worker.
        """
        begun = time.monotonic()
        try:
            self._jobs.await_turn_to_write()
            running = self._jobs.running()
        except SQLAlchemyError:
            self._leases.begin_anew()
            raise
        if time.monotonic() - begun > self._settings.lease_seconds / 3:
            self._leases.begin_anew()
        for job in self._leases.silent(running):
            if self._jobs.recover(job, max_attempts=self._settings.max_attempts):
                self._say_recovered(job.id)

    def announce_waiting_jobs(self) -> None:
        """Send messages until every lane has as many as waiting jobs; a message brings the job whose turn it is.

        Two counts tell whether any is missing, so that a long queue is read only then. Messages of jobs that do not
        wait any more may hide a missing one for a while; they are consumed first, and then it shows.

        The table is read before the messages: a job that is taken in between has left both, and gets one message
        too many, which does no harm.
        """
        moment = utc_now() - timedelta(seconds=self._settings.message_grace_seconds)
        for lane in self._lanes.all:
            if self._jobs.count_queued_before(moment, self._lanes.holds(lane)) > messages_waiting(self._redis, lane):
                self._announce_missing(lane, moment)

    def _announce_missing(self, lane: Lane, moment: datetime) -> None:
        waiting = self._jobs.queued_before(moment, self._lanes.holds(lane))
        announced = announced_jobs(self._redis, lane)
        missing = min(max(0, len(waiting) - len(announced)), RESENT_AT_ONCE)
        for job_id in [one for one in waiting if one not in announced][:missing]:
            log.info("job %s waits and has no message; sent again", job_id)
            send_transcription(self._celery, job_id, 0, lane)
            self._count("sent again")

    def send_canaries(self) -> None:
        """Try every queue that was not consumed of late."""
        for queue in self._settings.queues:
            quiet = silence(self._redis, queue)
            is_quiet = quiet is None or quiet > self._settings.canary_seconds
            if is_quiet and begin_canary(self._redis, queue, seconds=CANARY_SECONDS):
                send_canary(self._celery, queue)
                self._count("canary")

    def expire_jobs(self) -> None:
        """Mark the jobs whose time is over, and forget those that were marked long ago."""
        now = utc_now()
        expired = self._jobs.expire(now)
        if expired:
            log.info("%d jobs expired", expired)
            self._count("expired", expired)
        long_ago = now - timedelta(days=self._settings.retention_days)
        self._jobs.forget_expired(long_ago)
        self._jobs.forget_turns(now - timedelta(seconds=TURN_SECONDS))
        self._webhooks.forget(long_ago)

    def remove_files(self) -> None:
        """Remove the files of jobs that are over for good, unless a worker may still be writing some."""
        settled = utc_now() - timedelta(seconds=self._settings.lease_seconds)
        for job in self._jobs.with_files_to_remove():
            if job.status == Status.CANCELLED and job.finished_at is not None and job.finished_at > settled:
                continue
            try:
                self._storage.delete(job_prefix(job.id))
            except OSError as error:  # the others' may go all the same
                log.warning("files of job %s: %s", job.id, error)
                continue
            forget(self._redis, job.id)
            self._jobs.files_removed(job.id)
            self._count("files removed")
            if job.status == Status.DELETED:
                self._jobs.remove(job.id)

    def remove_abandoned_files(self) -> None:
        """Remove unfinished files that nobody will finish."""
        before = time.time() - ABANDONED_SECONDS
        for path in self._settings.temporary.glob("*"):
            if path.stat().st_mtime < before:
                _remove(path)

    def remove_files_without_job(self) -> None:
        """Remove what was uploaded by a request that was cut off between storing the file and noting the job."""
        self._storage.remove_unfinished(untouched_seconds=ABANDONED_SECONDS)
        folders = self._storage.folders(JOBS)
        while job_ids := set(islice(folders, LOOKED_UP_AT_ONCE)):
            note_consumption(self._redis, SWEEPER)  # a walk through a large bucket takes minutes
            for job_id in job_ids - self._jobs.known(job_ids):
                if self._storage.is_untouched(job_prefix(job_id), seconds=ABANDONED_SECONDS):
                    log.info("files of an unknown job %s removed", job_id)
                    self._storage.delete(job_prefix(job_id))

    def _say_recovered(self, job_id: str) -> None:
        job = self._jobs.get(job_id)
        if job is None:
            return
        log.warning("job %s lost its worker in attempt %d; now %s", job.id, job.attempts, job.status)
        publish(self._redis, job.id, _recovery_event(job))
        if job.status == Status.QUEUED:
            self._count("recovered")
            send_transcription(self._celery, job.id, job.attempts, self._lanes.of(job))
        elif job.status == Status.FAILED:
            self._count("given up")
            count(self._redis, JOBS_ENDED, status=Status.FAILED, error_code=ErrorCode.POISONED)

    def _count(self, action: str, by: float = 1.0) -> None:
        count(self._redis, SWEEPER_ACTIONS, by, action=action)


def run_sweeper(settings: Settings) -> None:
    """Sweep until told to stop."""
    stop_signals, over = StopSignals(), threading.Event()
    stop_signals.listen()
    sessions = session_factory(open_database(settings.database))
    jobs = JobRepository(sessions)
    webhooks = WebhookRepository(sessions)
    storage, redis, celery = open_storage(settings), open_redis(settings), build_celery(settings)
    sweeper = Sweeper(settings, jobs, webhooks, storage, redis, celery)
    deliverer = Deliverer(settings, webhooks, redis)
    sending = threading.Thread(target=deliverer.run, args=(over,), kwargs={"pause": settings.sweep_seconds})
    sending.start()
    while not stop_signals.received:
        sweeper.sweep()
        stop_signals.wait(settings.sweep_seconds)
    over.set()
    sending.join()


def _recovery_event(job: Job) -> dict[str, object]:
    if job.status == Status.FAILED:
        return make_event(Status.FAILED, error=error_document(ErrorCode.POISONED, job.error_message or ""))
    return make_event(job.status)


def _remove(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _remove(child)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
