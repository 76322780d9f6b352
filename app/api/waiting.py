"""`Prefer: wait=N` (RFC 7240): answer when the job has ended, or after N seconds as things stand then."""

import asyncio
import time
from typing import Annotated

from fastapi import Depends, Header, Response
from fastapi.concurrency import run_in_threadpool
from redis import RedisError

from app.api.context import STREAM_WAIT_SECONDS, Context
from app.errors import NotFound
from app.events import BEFORE_ALL, after, is_terminal
from app.jobs.states import ACTIVE, Status
from app.jobs.table import Job

LONGEST_WAIT = 60
PAUSE_WITHOUT_REDIS = 1.0


def preferred_wait(
    response: Response,
    prefer: Annotated[
        str | None,
        Header(
            description=f"`wait=N`: answer when the job has ended, at most N seconds later ({LONGEST_WAIT} at most). "
            "`Preference-Applied` repeats what was granted.",
            examples=["wait=30"],
        ),
    ] = None,
) -> int:
    """Seconds that the caller prefers to wait. Other preferences, and those that make no sense, are passed over."""
    for preference in (prefer or "").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        seconds = value.strip().strip('"')
        if name.strip().lower() == "wait" and seconds.isascii() and seconds.isdigit():
            granted = min(int(seconds[:9]), LONGEST_WAIT)
            response.headers["Preference-Applied"] = f"wait={granted}"
            return granted
    return 0


InWait = Annotated[int, Depends(preferred_wait)]


async def wait_for_end(context: Context, job: Job, seconds: float) -> Job:
    """The job once it has ended, or as it is after so long, or when this process ends.

    Raises
    ------
    NotFound
        If it is deleted meanwhile.
    """
    deadline = time.monotonic() + seconds
    last_id = BEFORE_ALL
    while job.status in ACTIVE and (left := deadline - time.monotonic()) > 0 and not context.stopping.is_set():
        last_id, may_have_ended = await _listen(context, job.id, last_id, min(left, STREAM_WAIT_SECONDS))
        if may_have_ended:
            fresh = await run_in_threadpool(context.jobs.get, job.id)
            if fresh is None or fresh.status == Status.DELETED:
                raise NotFound("There is no such job.")
            job = fresh
    return job


async def _listen(context: Context, job_id: str, last_id: str, seconds: float) -> tuple[str, bool]:
    """Wait for events; whether the table is worth a look: something ended the job, or nothing came for a while."""
    try:
        events = await after(context.async_redis, job_id, last_id, wait_ms=max(1, int(seconds * 1000)))
    except RedisError:
        await asyncio.sleep(min(seconds, PAUSE_WITHOUT_REDIS))
        return last_id, True
    if not events:
        return last_id, True
    return events[-1][0], any(is_terminal(event) for _, event in events)
