"""Asking a decoding worker for something that a request waits for."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi.concurrency import run_in_threadpool
from kombu.exceptions import KombuError
from redis import RedisError

from app.api.context import Context
from app.errors import Unavailable
from app.replies import reply_key


async def outcome_of(
    context: Context,
    request_id: str,
    send: Callable[..., None],
    *args: Any,
    seconds: float | None = None,
    tries: int = 1,
) -> str:
    """Send a message by `send(*args, expires=...)` and wait for the worker's word on it, as long as for a decoding.

    Within that time it is sent so many times, evenly spread: a worker may have died with it. More than once only what
    harms nothing when it is done twice.

    Raises
    ------
    Unavailable
        If the queue is away, or no worker answers in time.
    """
    seconds = seconds or context.settings.decode_seconds
    for number in range(tries):
        left = seconds * (tries - number) / tries
        try:
            await run_in_threadpool(partial(send, *args, expires=left))
        except (KombuError, RedisError, OSError) as error:
            raise Unavailable("The queue does not answer; the job is unchanged.") from error
        try:
            answer = await context.replies.blpop([reply_key(request_id)], timeout=seconds / tries)
        except (RedisError, OSError) as error:
            raise Unavailable("The queue does not answer any more; look at the job, it may be changed.") from error
        if answer is not None:
            return str(json.loads(answer[1])["outcome"])
    raise Unavailable("No worker answered in time; try again.")
