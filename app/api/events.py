"""Progress as server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse
from redis import RedisError
from starlette.status import HTTP_204_NO_CONTENT

from app.api.caller import Caller, InCaller
from app.api.context import STREAM_WAIT_SECONDS, Context, InContext
from app.api.lookup import FoundJob
from app.api.problems import documented
from app.api.views import event_of, job_event
from app.errors import Gone, NotFound
from app.events import AFTER_ALL, BEFORE_ALL, Event, after, is_terminal, newest
from app.jobs.states import TERMINAL, Status
from app.jobs.table import Job

router = APIRouter(prefix="/v1/transcriptions/{job_id}", tags=["transcriptions"])

# Proxies cut connections that are silent for long.
COMMENT_SECONDS = 15.0
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EXAMPLE = (
    "id: 1772357402123-0\nevent: progress\n"
    'data: {"id":"q3fX0mI0R2uVJm4s9o3f7Q","status":"running","progress":{"stage":"transcribing","percent":41.7,'
    '"seconds_done":75.1,"seconds_total":180.2,"eta_seconds":1.9,"queue_position":null},"error":null}\n\n'
)


@router.get(
    "/events",
    response_class=Response,
    responses=documented(NotFound, Gone)
    | {
        200: {
            "description": "Events until the job has ended.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": EXAMPLE}},
        },
        204: {"description": "The job has ended and the caller has seen it; an EventSource stops asking."},
    },
)
async def events(
    job: FoundJob,
    context: InContext,
    caller: InCaller,
    last_event_id: Annotated[
        str | None, Header(description="Id of the last event seen; the stream goes on behind it.")
    ] = None,
) -> Response:
    """Follow a job: `progress` events with its present state first, and one `finished` event at the end."""
    if job.status in TERMINAL and await _has_seen_all(context, job, last_event_id):
        return Response(status_code=HTTP_204_NO_CONTENT, headers=HEADERS)
    context.streams.refuse_more(caller.submitter)
    return StreamingResponse(_counted(context, caller, job, last_event_id), media_type=MEDIA_TYPE, headers=HEADERS)


async def _has_seen_all(context: Context, job: Job, last_id: str | None) -> bool:
    if last_id is None or last_id == AFTER_ALL:
        return last_id is not None
    try:
        last = await newest(context.async_redis, job.id)
    except RedisError:
        return False
    return last is not None and last[0] == last_id and is_terminal(last[1])


async def _counted(context: Context, caller: Caller, job: Job, last_id: str | None) -> AsyncIterator[str]:
    with context.streams.one(caller.submitter):
        async for message in _stream(context, caller, job, last_id):
            yield message


async def _stream(context: Context, caller: Caller, job: Job, last_id: str | None) -> AsyncIterator[str]:
    """All events behind `last_id` (or the present state), then new ones, until one is terminal.

    What Redis has lost is taken from the job table: it is looked at whenever nothing comes for a while. The stream
    does not outlive the key that it was opened with, nor the process: another one goes on behind the last event.
    """
    quiet = 0.0
    key_seen = time.monotonic()
    if last_id is None or not _is_stream_id(last_id):
        last_id, event = await _present(context, job)
        yield await _message(context, job, last_id, event)
        if is_terminal(event):
            return
    while not context.stopping.is_set():
        news = await _next(context, job.id, last_id)
        if time.monotonic() - key_seen >= STREAM_WAIT_SECONDS:
            if not await run_in_threadpool(_may_listen, context, caller):
                return
            key_seen = time.monotonic()
        for event_id, event in news:
            last_id = event_id
            quiet = 0.0
            yield await _message(context, job, last_id, event)
            if is_terminal(event):
                return
        fresh = await run_in_threadpool(context.jobs.get, job.id)
        if fresh is None or fresh.status == Status.DELETED:
            return
        if fresh.status in TERMINAL and not await _terminal_event_waits(context, job.id, last_id):
            yield await _message(context, fresh, AFTER_ALL, event_of(fresh))
            return
        job = fresh
        quiet += STREAM_WAIT_SECONDS
        if quiet >= COMMENT_SECONDS:
            quiet = 0.0
            yield ": still here\n\n"


def _may_listen(context: Context, caller: Caller) -> bool:
    return caller.key is None or context.keys.is_valid(caller.key.id)


async def _present(context: Context, job: Job) -> tuple[str, Event]:
    """The present state: the table's where the job has ended or Redis knows nothing."""
    try:
        last = await newest(context.async_redis, job.id)
    except RedisError:
        last = None
    if job.status in TERMINAL:
        return (last[0] if last and is_terminal(last[1]) else AFTER_ALL), event_of(job)
    return last or (BEFORE_ALL, event_of(job))


async def _next(context: Context, job_id: str, last_id: str) -> list[tuple[str, Event]]:
    """New events; an empty list after a while, also when Redis is away."""
    try:
        return list(await after(context.async_redis, job_id, last_id, wait_ms=int(STREAM_WAIT_SECONDS * 1000)))
    except RedisError:
        await asyncio.sleep(STREAM_WAIT_SECONDS)
        return []


async def _terminal_event_waits(context: Context, job_id: str, last_id: str) -> bool:
    """Whether the stream itself will still give the end, behind what was given so far."""
    try:
        last = await newest(context.async_redis, job_id)
    except RedisError:
        return False
    return last is not None and is_terminal(last[1]) and _place(last[0]) > _place(last_id)


async def _message(context: Context, job: Job, event_id: str, event: Event) -> str:
    position = await run_in_threadpool(context.sharing.position, job) if event["status"] == Status.QUEUED else None
    started: datetime | None = job.started_at
    data = job_event(job.id, event, started_at=started, queue_position=position).model_dump_json()
    name = "finished" if is_terminal(event) else "progress"
    return f"id: {event_id}\nevent: {name}\ndata: {data}\n\n"


def _place(stream_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in stream_id.split("-"))


def _is_stream_id(text: str) -> bool:
    milliseconds, dash, counter = text.partition("-")
    return bool(dash) and all(part.isascii() and part.isdigit() and len(part) < 20 for part in (milliseconds, counter))
