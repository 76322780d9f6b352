"""The messages between the parts: hints that there is work. What is true stands in the job table.

Which queues there are stands in app.lanes.
"""

import contextlib
import json
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError
from redis import Redis, RedisError

from app.lanes import DECODE, SCORE, Lane
from app.logs import present_request_id
from app.settings import Settings

TRANSCRIBE = "transcribe"  # the task on every lane, and the lane of those that are not long
EDIT = "edit"  # on the queue of decodings, which are as short
CANARY = "canary"
CHECK_MODELS = "check_models"
# Above the wall clock that the job itself keeps (app.worker.watch), which is the one that normally ends it.
HARD_LIMIT_MARGIN = 120
# Redis serves nobody else while it gives out a range.
MESSAGES_AT_ONCE = 1000


def build_celery(settings: Settings) -> Celery:
    """The Celery application, for those who send and those who work."""
    app = Celery("amt", broker=settings.broker, set_as_current=False)
    hard_limit = settings.longest_job_seconds + HARD_LIMIT_MARGIN
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_default_queue=TRANSCRIBE,
        # The default acknowledges before the work; a killed worker would take the job with it.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_time_limit=hard_limit,
        worker_prefetch_multiplier=1,
        # Redis gives a message out again once it is this old, even while its task still runs.
        visibility_timeout=2 * hard_limit,
        broker_transport_options={"visibility_timeout": 2 * hard_limit},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A job's lease keeps a second worker off it, so a run need not be killed because Redis was away for a moment.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_prefetch_count_reduction=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_concurrency=settings.concurrency,
        # The child loads torch before it says that it is up; the default of 4 s would kill it on a busy machine.
        worker_proc_alive_timeout=180,
    )
    return app


def warm_up(celery: Celery) -> None:
    """Load and connect what the first message would have to wait for. Redis may be away."""
    with contextlib.suppress(KombuError, RedisError, OSError), celery.producer_or_acquire() as producer:
        producer.connection.ensure_connection(max_retries=1, timeout=2)


def send_transcription(celery: Celery, job_id: str, attempt: int, lane: Lane = Lane.USUAL) -> None:
    """Say that a job waits in a lane. Which one a worker of that lane then takes, whose turn it is decides."""
    celery.send_task(TRANSCRIBE, args=[job_id], task_id=f"{job_id}.{attempt}", queue=lane.value, retry=False)


def send_decoding(celery: Celery, job_id: str, request_id: str, options: dict[str, Any], *, expires: float) -> None:
    """Ask for a new decoding of a job's activations."""
    celery.send_task(
        DECODE,
        args=[job_id, request_id, options],
        task_id=request_id,
        queue=DECODE,
        headers={"request_id": present_request_id()},
        expires=expires,
        retry=False,
    )


def send_edit(celery: Celery, job_id: str, request_id: str, base: int, *, expires: float) -> None:
    """Ask for the files of an edited note list, which lies in the store, as the version after `base`."""
    celery.send_task(
        EDIT, args=[job_id, request_id, base], task_id=request_id, queue=DECODE, expires=expires, retry=False
    )


def send_score(
    celery: Celery, job_id: str, request_id: str, revision: str, notation: dict[str, Any], *, expires: float
) -> None:
    """Ask for the score of a revision's notes."""
    celery.send_task(
        SCORE,
        args=[job_id, request_id, revision, notation],
        task_id=request_id,
        queue=SCORE,
        expires=expires,
        retry=False,
    )


def send_canary(celery: Celery, queue: str) -> None:
    """Send an empty task, to see that somebody consumes.

    It does not expire: a worker whose clock is ahead would discard it, and look as if it did nothing.
    """
    celery.send_task(CANARY, args=[queue], queue=queue, retry=False)


def messages_waiting(redis: Redis, queue: str) -> int:
    """How many messages lie in a queue, canaries included."""
    return int(redis.llen(queue))


def send_model_check(celery: Celery) -> None:
    """Say that an added model waits to be loaded. Workers also look by themselves."""
    celery.send_task(CHECK_MODELS, queue=TRANSCRIBE, retry=False)


def announced_jobs(redis: Redis, lane: Lane = Lane.USUAL) -> set[str]:
    """Ids of the jobs whose message lies in a lane's queue.

    What was given out does not count: a worker takes no more messages than it runs, so a job that still waits though
    its message was given out has lost it with that worker. (Redis would give it out again, but only after hours.)
    """
    found: set[str] = set()
    start = 0  # new messages come in here, old ones leave at the other end: none is passed over
    while messages := redis.lrange(lane.value, start, start + MESSAGES_AT_ONCE - 1):
        found |= {job for message in messages if (job := _job_of(str(message))) is not None}
        start += MESSAGES_AT_ONCE
    return found


def _job_of(message: str) -> str | None:
    headers = json.loads(message).get("headers", {})
    return str(headers["id"]).rpartition(".")[0] if headers.get("task") == TRANSCRIBE else None
