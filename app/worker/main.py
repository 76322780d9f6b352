"""A worker process of one queue."""

import logging
import os
import signal
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import signals
from celery.platforms import SecurityWarning

from app.allocator import keep_one_arena
from app.cores import spin_briefly
from app.database import open_database, session_factory
from app.heartbeats import consuming, end_canary, note_consumption
from app.jobs.repository import JobRepository
from app.lanes import DECODE, SCORE, Lane
from app.logs import begin_work
from app.metrics import note_memory
from app.process import die_with_parent
from app.queue import CANARY, CHECK_MODELS, EDIT, TRANSCRIBE, build_celery
from app.settings import Settings
from app.tracing import open_tracing
from app.worker.runtime import Runtime, build_runtime, worker_name
from app.worker.stopping import StopFlag

if TYPE_CHECKING:
    from app.worker.shared.client import SharedServer

log = logging.getLogger(__name__)

DECODE_LIMIT = 120  # seconds after which a decoding is killed; nobody waits for it any more


class Worker:
    """The tasks of one queue, and what they work with once a child has started."""

    def __init__(self, settings: Settings, queue: str) -> None:
        self.settings = settings
        self.queue = queue
        self.is_lane = queue in set(Lane)
        self.stop = StopFlag()
        self.celery = build_celery(settings)
        self._runtime: Runtime | None = None
        self._shared: SharedServer | None = None
        self._register()
        signals.worker_process_init.connect(partial(self._start_child, os.getpid()), weak=False)
        signals.worker_shutting_down.connect(self._shutting_down, weak=False)
        signals.task_prerun.connect(self._begin_task, weak=False)

    @property
    def runtime(self) -> Runtime:
        """What this child works with."""
        if self._runtime is None:
            raise RuntimeError("tasks run in children, and a child starts with worker_process_init")
        return self._runtime

    def run(self) -> int:
        """Consume until told to stop; gives the exit status."""
        # It warns of running as root for the sake of pickle, which is not accepted here.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        worker = self.celery.Worker(
            hostname=worker_name(self.settings, self.queue),
            queues=[self.queue],
            pool="prefork",
            concurrency=self.settings.concurrency if self.is_lane else 1,
            loglevel=self.settings.log_level.upper(),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        if self.is_lane and self.settings.batch > 1:
            from app.worker.shared.client import SharedServer

            self._shared = SharedServer(
                device=self.settings.device,
                threads=self.settings.threads_each(1),
                most=self.settings.batch,
                on_end=self._end_without_network,
            )
        try:
            worker.start()
        finally:
            if self._shared is not None:
                self._shared.close()
        return int(worker.exitcode or 0)

    def _end_without_network(self) -> None:
        log.error("the process that holds the network has ended; the worker ends, too, to be started again")
        os.kill(os.getpid(), signal.SIGTERM)

    def _register(self) -> None:
        self.celery.task(self._canary, name=CANARY, acks_late=False)
        if self.is_lane:
            self.celery.task(self._transcribe, name=TRANSCRIBE)
            self.celery.task(self._check_models, name=CHECK_MODELS, acks_late=False)
        if self.queue == DECODE:
            # Asked again by its caller if it is lost; given out twice it could undo a later one.
            self.celery.task(self._decode, name=DECODE, acks_late=False, time_limit=DECODE_LIMIT)
            self.celery.task(self._edit, name=EDIT, acks_late=False, time_limit=DECODE_LIMIT)
        if self.queue in (DECODE, SCORE):  # an API of an earlier version sends scores to the queue of decodings
            self.celery.task(self._score, name=SCORE, acks_late=False, time_limit=DECODE_LIMIT)

    def _start_child(self, parent: int, **_: Any) -> None:
        die_with_parent(parent)
        try:
            tracing = open_tracing(self.queue)
            tracing.trace_messages()
            signals.worker_process_shutdown.connect(self._end_child, weak=False)
            shared = self._shared.socket if self._shared is not None else None
            self._runtime = build_runtime(self.settings, self.queue, self.celery, self.stop, tracing, shared=shared)
            if self.is_lane:
                self._runtime.load_default()
                self._runtime.audio.start()  # not before: it would take its time from what readiness waits for
        except Exception:
            # Celery would log this and go on with a child that fails every task; the worker as a whole shall end.
            log.exception("the worker cannot start")
            os.kill(parent, signal.SIGTERM)
            raise SystemExit(1) from None

    def _shutting_down(self, **_: Any) -> None:
        self.stop.set()

    def _end_child(self, exitcode: int, **_: Any) -> None:
        if self._runtime is not None:
            self._runtime.finisher.wait()
            self._runtime.tracing.flush()
        # Its last result was written before this. Celery's pool would have it sleep a second now for its parent to hear
        # that it ends, which the parent, who waits for it, sees anyway.
        os._exit(exitcode)

    def _begin_task(self, task: Any, args: Sequence[Any], **_: Any) -> None:
        """Log lines of a new decoding name its request and its job; a transcription looks both up itself."""
        if task.name == DECODE:
            begin_work(request_id=task.request.get("request_id"), job_id=args[0])
        else:
            begin_work()

    def _canary(self, queue: str) -> None:
        if self.is_lane:
            self._check_models()
        note_memory(self.runtime.redis, self.runtime.worker)
        note_consumption(self.runtime.redis, queue)
        end_canary(self.runtime.redis, queue)

    def _transcribe(self, job_id: str) -> None:
        from app.worker.transcribe import transcribe_next

        self._check_models()  # who adds one does not wait behind all jobs of the queue
        transcribe_next(self.runtime)

    def _check_models(self) -> None:
        from app.worker.check_models import check_models

        check_models(self.runtime)

    def _consuming(self) -> AbstractContextManager[None]:
        """A score of many notes takes longer than a queue may be silent."""
        return consuming(self.runtime.redis, self.queue)

    def _decode(self, job_id: str, request_id: str, options: dict[str, Any]) -> None:
        from app.worker.decode import decode

        with self._consuming():
            decode(self.runtime, job_id, request_id, options)

    def _edit(self, job_id: str, request_id: str, base: int) -> None:
        from app.worker.edit import edit

        with self._consuming():
            edit(self.runtime, job_id, request_id, base)

    def _score(self, job_id: str, request_id: str, revision: str, notation: dict[str, Any]) -> None:
        from app.worker.score import score

        with self._consuming():
            score(self.runtime, job_id, request_id, revision, notation)


def run_worker(settings: Settings, queue: str) -> int:
    """Work on one queue until told to stop; gives the exit status."""
    spin_briefly()
    keep_one_arena()
    if queue in set(Lane):
        _recover_own_jobs(settings, worker_name(settings, queue))
    return Worker(settings, queue).run()


def _recover_own_jobs(settings: Settings, name: str) -> None:
    """What is held under our name was lost by our predecessor: no need to wait until its leases run out."""
    engine = open_database(settings.database)
    jobs = JobRepository(session_factory(engine))
    for job in jobs.held_by(name):
        log.info("job %s was lost by our predecessor", job.id)
        jobs.recover(job, max_attempts=settings.max_attempts)
    engine.dispose()
