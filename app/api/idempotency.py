"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent again makes no second job.

The job's row carries what the key became, and a unique index lets only one job of a key come to be. So a key lives as
long as its job. That a first request is still being stored is noted in Redis, for a short while.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, BinaryIO

from fastapi import Header
from redis import RedisError

from app.api.caller import Caller
from app.api.context import Context
from app.errors import Gone, IdempotencyKeyReused, RequestInFlight
from app.jobs.states import Status
from app.jobs.table import Job
from app.options import HearingRequest, OptionsRequest

# A process that dies over a request leaves the note behind for so long.
IN_FLIGHT_SECONDS = 60

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="Any text that no other request of yours has, such as a UUID. Sent again with the same file and "
        "options it gives the job of the first time; with others it is refused. It lives as long as its job.",
        examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ),
]


def request_key(caller: Caller, key: str) -> str:
    """What is kept of a caller's key; the same text of two callers is two keys."""
    return hashlib.sha256(json.dumps([caller.owner, key]).encode()).hexdigest()


def fingerprint(file_sha256: str, model: str | None, options: HearingRequest) -> str:
    """What makes two requests the same: the file's bytes, the model and the options as they were sent."""
    chosen = {name: getattr(options, name) for name in OptionsRequest.model_fields}
    if options.a4_hz is not None:  # else as before there was this option: an upgrade comes between two repeats
        chosen["a4_hz"] = options.a4_hz
    return hashlib.sha256(json.dumps([file_sha256, model, chosen], sort_keys=True).encode()).hexdigest()


def file_sha256(file: BinaryIO) -> str:
    """SHA-256 of an upload from its beginning, where it is left."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return digest


def require_same(job: Job, sent: str) -> None:
    """See that a repeated request is the same as the first.

    Raises
    ------
    IdempotencyKeyReused
        If it is another one.
    Gone
        If the first one's job is over for good.
    """
    if job.request_sha256 != sent:
        raise IdempotencyKeyReused("The Idempotency-Key was used for another file or other options; choose a new one.")
    if job.status in (Status.EXPIRED, Status.DELETED):
        raise Gone(f"The job {job.id}, which this Idempotency-Key stands for, is {job.status}.")


@contextmanager
def in_flight(context: Context, key: str) -> Iterator[None]:
    """Hold a key while its request is being stored. Without Redis the job table alone keeps two jobs apart.

    Raises
    ------
    RequestInFlight
        If another request holds it.
    """
    name = f"amt:request:{key}"
    try:
        if not context.redis.set(name, 1, nx=True, ex=IN_FLIGHT_SECONDS):
            raise RequestInFlight("A request with this Idempotency-Key is just being stored; ask again in a second.")
    except RedisError:
        yield
        return
    try:
        yield
    finally:
        _release(context, name)


def _release(context: Context, name: str) -> None:
    try:
        context.redis.delete(name)
    except RedisError:
        return  # it is forgotten by itself
