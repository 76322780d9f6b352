"""Whether the process lives, and whether the whole service works."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.api.context import Context, InContext
from app.api.problems import documented, problem_response
from app.database import is_current
from app.errors import Unavailable
from app.heartbeats import silence

router = APIRouter(tags=["health"])

READY_EXAMPLE: dict[str, Any] = {
    "status": "ready",
    "checks": {"database": "ok", "redis": "ok", "storage": "ok", "transcribe worker": "ok", "decode worker": "ok"},
}


@router.get(
    "/healthz",
    responses=documented()
    | {200: {"description": "Alive.", "content": {"application/json": {"example": {"status": "ok"}}}}},
)
async def alive() -> dict[str, str]:
    """Whether this process answers. Looks at nothing else."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    responses=documented()
    | {200: {"description": "Ready.", "content": {"application/json": {"example": READY_EXAMPLE}}}},
)
def ready(request: Request, context: InContext) -> Any:
    """Whether a recording sent now would be transcribed: database, Redis, storage, and workers that really consume."""
    checks = {name: check(context) for name, check in CHECKS.items()}
    checks |= {f"{queue} worker": _consumer(context, queue) for queue in context.settings.queues}
    wrong = [{"field": name, "message": answer} for name, answer in checks.items() if answer != "ok"]
    if not wrong:
        return {"status": "ready", "checks": checks}
    detail = "; ".join(f"{one['field']}: {one['message']}" for one in wrong)
    return _with_checks(problem_response(Unavailable(detail, errors=wrong), request.url.path))


def _with_checks(response: JSONResponse) -> JSONResponse:
    response.headers["Cache-Control"] = "no-store"
    return response


def _database(context: Context) -> str:
    try:
        return "ok" if is_current(context.engine) else "its tables are not up to date, run `amt migrate`"
    except SQLAlchemyError:
        return "does not answer"


def _redis(context: Context) -> str:
    try:
        context.redis.ping()
    except RedisError:
        return "does not answer"
    return "ok"


def _storage(context: Context) -> str:
    try:
        context.storage.check()
    except OSError as error:
        return f"cannot be written to ({error.strerror})"
    return "ok"


def _consumer(context: Context, queue: str) -> str:
    try:
        quiet = silence(context.redis, queue)
    except RedisError:
        return "cannot be seen without Redis"
    if quiet is None:
        return "has not consumed anything yet"
    return "ok" if quiet <= context.settings.consumer_seconds else f"has not consumed for {quiet:.0f} s"


CHECKS: dict[str, Callable[[Context], str]] = {
    "database": _database,
    "redis": _redis,
    "storage": _storage,
}
