"""What the handlers work with, made once per process."""

from dataclasses import dataclass
from threading import Event
from typing import Annotated

from celery import Celery
from fastapi import Depends, Request
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from sqlalchemy import Engine

from app.api.limits import OpenStreams
from app.connections import open_async_redis, open_redis
from app.database import open_database, session_factory
from app.jobs.lanes import Lanes
from app.jobs.repository import JobRepository
from app.jobs.sharing import SharingRepository
from app.keys.repository import KeyRepository
from app.queue import build_celery
from app.served.folder import CheckpointFolder
from app.served.models import ServedModels
from app.served.repository import ModelRepository
from app.settings import Settings
from app.storage import open_storage
from app.storage.interface import Storage
from app.tracing import Tracing, open_tracing

# An event stream looks after its key this often, and after the job table in case that Redis has lost what it waits for.
STREAM_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class Context:
    """The parts of the service that a request may need."""

    settings: Settings
    models: ServedModels
    engine: Engine
    jobs: JobRepository
    sharing: SharingRepository
    keys: KeyRepository
    storage: Storage
    redis: Redis
    async_redis: AsyncRedis
    replies: AsyncRedis  # apart from the streams, each of which holds a connection
    streams: OpenStreams
    stopping: Event  # set when this process takes no new requests: what only waits shall end
    celery: Celery
    tracing: Tracing


def build_context(settings: Settings) -> Context:
    """Open everything lazily: no connection is made here."""
    engine = open_database(settings.database)
    sessions = session_factory(engine)
    return Context(
        settings=settings,
        models=ServedModels(CheckpointFolder(settings.checkpoint), ModelRepository(sessions)),
        engine=engine,
        jobs=JobRepository(sessions),
        sharing=SharingRepository(sessions, Lanes(settings.long_seconds)),
        keys=KeyRepository(sessions),
        storage=open_storage(settings),
        redis=open_redis(settings),
        async_redis=open_async_redis(settings, longest_wait=STREAM_WAIT_SECONDS),
        replies=open_async_redis(settings, longest_wait=max(settings.decode_seconds, settings.score_seconds)),
        streams=OpenStreams(settings.limit_streams),
        stopping=Event(),
        celery=build_celery(settings),
        tracing=open_tracing("api"),
    )


def context_of(request: Request) -> Context:
    """The process's context."""
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(context_of)]
