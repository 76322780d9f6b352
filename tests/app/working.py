"""What a working process has, in a test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.queue import build_celery
from app.settings import Settings
from app.tracing import open_tracing
from app.worker.runtime import Runtime, build_runtime
from app.worker.stopping import StopFlag


@contextmanager
def working_process(settings: Settings, queue: str) -> Iterator[Runtime]:
    """The runtime of one more process that works for `queue`."""
    runtime = build_runtime(settings, queue, build_celery(settings), StopFlag(), open_tracing(queue))
    try:
        yield runtime
    finally:
        runtime.redis.close()
        runtime.jobs._sessions.kw["bind"].dispose()
