"""Progress of a job: a Redis Stream with all events, and the last one beside it.

Redis may lose all of it; the job table keeps the state itself.
"""

import json
import logging
from collections.abc import Sequence
from typing import Any

from redis import Redis, RedisError
from redis.asyncio import Redis as AsyncRedis

from app.clock import utc_now
from app.jobs.states import RETRYABLE, TERMINAL, ErrorCode, Status

log = logging.getLogger(__name__)

KEPT_EVENTS = 1000
KEPT_SECONDS = 86_400
# After the last event: who comes later is told by the job table. A busy service ends a hundred thousand jobs a day.
ENDED_KEPT_SECONDS = 900
# Stands in for a stream's id when Redis has lost the stream: before everything, and after everything.
BEFORE_ALL = "0-0"
AFTER_ALL = "end"

Event = dict[str, Any]


def stream_key(job_id: str) -> str:
    """Redis key of a job's events."""
    return f"amt:job:{job_id}:events"


def last_key(job_id: str) -> str:
    """Redis key of a job's last event."""
    return f"amt:job:{job_id}:last"


def make_event(
    status: Status,
    *,
    stage: str | None = None,
    seconds_done: float = 0.0,
    seconds_total: float | None = None,
    error: dict[str, Any] | None = None,
) -> Event:
    """The content of one event."""
    return {
        "status": status,
        "stage": stage,
        "seconds_done": seconds_done,
        "seconds_total": seconds_total,
        "error": error,
        "at": utc_now().isoformat(),
    }


def error_document(code: ErrorCode, message: str) -> dict[str, Any]:
    """A job's error as it stands in events and answers."""
    return {"code": code, "message": message, "retryable": code in RETRYABLE}


def is_terminal(event: Event) -> bool:
    """Whether nothing comes after this event."""
    return event["status"] in TERMINAL


def publish(redis: Redis, job_id: str, event: Event) -> None:
    """Append an event. A Redis that is away costs the event and nothing else."""
    text = json.dumps(event)
    seconds = ENDED_KEPT_SECONDS if is_terminal(event) else KEPT_SECONDS
    try:
        with redis.pipeline() as pipe:
            pipe.xadd(stream_key(job_id), {"event": text}, maxlen=KEPT_EVENTS, approximate=True)
            pipe.expire(stream_key(job_id), seconds)
            pipe.set(last_key(job_id), text, ex=seconds)
            pipe.execute()
    except RedisError as error:
        log.warning("progress of job %s not published: %s", job_id, error)


def last_event(redis: Redis, job_id: str) -> Event | None:
    """The newest event, or None where Redis has none or is away."""
    try:
        text = redis.get(last_key(job_id))
    except RedisError:
        return None
    return None if text is None else json.loads(text)


def forget(redis: Redis, job_id: str) -> None:
    """Remove a job's events."""
    try:
        redis.delete(stream_key(job_id), last_key(job_id))
    except RedisError as error:
        log.warning("events of job %s not removed: %s", job_id, error)


async def newest(redis: AsyncRedis, job_id: str) -> tuple[str, Event] | None:
    """The newest event with its id."""
    entries = await redis.xrevrange(stream_key(job_id), count=1)
    return _unpack(entries[0]) if entries else None


async def after(redis: AsyncRedis, job_id: str, last_id: str, *, wait_ms: int) -> Sequence[tuple[str, Event]]:
    """The events behind `last_id`; waits up to `wait_ms` for the first one."""
    answer = await redis.xread({stream_key(job_id): last_id}, block=wait_ms)
    if not answer:
        return []
    return [_unpack(entry) for entry in _entries(answer)]


def _entries(answer: Any) -> Any:
    """XREAD's answer is a list of streams in RESP2 and a mapping in RESP3."""
    return next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]


def _unpack(entry: Any) -> tuple[str, Event]:
    entry_id, fields = entry
    return str(entry_id), json.loads(fields["event"])
