"""Putting the API together."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI

from app.api import decode, docs, events, health, metrics, models, notes, page, results, scores, session, transcriptions
from app.api.context import Context, build_context
from app.api.gate import Gate
from app.api.headers import SecurityHeaders, add_cors
from app.api.problems import add_problem_handlers, tidy_openapi
from app.api.request_id import RequestId
from app.api.stopping import CutOff
from app.api.upload_limit import UploadLimit
from app.queue import warm_up
from app.settings import Settings

DESCRIPTION = """Upload a recording, get its notes: as MIDI, as a piano roll in JSON, as CSV.

`POST` a file to `/v1/transcriptions`, follow the job under its `links.self` or `links.events`, download its results.
Every error is an RFC 9457 problem (`application/problem+json`); programs compare its `type`."""


def create_app(settings: Settings) -> FastAPI:
    """The application, ready to be served. Connects to nothing yet."""
    app = FastAPI(
        title="Music transcription",
        version=_version(),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_open_and_close,
    )
    context = build_context(settings)
    app.state.context = context
    for part in (transcriptions, events, results, scores, decode, notes, models, session, health, metrics, docs):
        app.include_router(part.router)
    page.add_page(app)
    add_problem_handlers(app)
    app.add_middleware(
        UploadLimit, max_upload_bytes=settings.max_upload_bytes, max_model_bytes=settings.max_model_bytes
    )
    app.add_middleware(Gate, settings=settings, keys=context.keys, sharing=context.sharing)
    app.add_middleware(CutOff)
    add_cors(app, settings)
    app.add_middleware(SecurityHeaders)
    app.state.metrics, requests = metrics.build_registry(context)
    app.add_middleware(metrics.RequestTimes, histogram=requests)
    app.add_middleware(RequestId)
    context.tracing.trace_requests(app)
    context.tracing.trace_messages()
    _tidy_description(app)
    return app


def _tidy_description(app: FastAPI) -> None:
    make = app.openapi

    def openapi() -> dict[str, Any]:
        return app.openapi_schema or tidy_openapi(make())

    app.openapi = openapi  # type: ignore[method-assign]


@asynccontextmanager
async def _open_and_close(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    threading.Thread(target=warm_up, args=(context.celery,), daemon=True).start()
    yield
    context.tracing.flush()
    await context.async_redis.aclose()
    await context.replies.aclose()
    context.redis.close()
    context.engine.dispose()


def _version() -> str:
    try:
        return version("amt-service")
    except PackageNotFoundError:
        return "0"
