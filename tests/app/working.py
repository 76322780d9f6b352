"""What a working process has, in a test's own process."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from app.jobs.repository import JobRepository
from app.queue import build_celery
from app.replies import reply_key
from app.schema import migrate
from app.settings import Settings
from app.storage.interface import activations_key
from app.tracing import open_tracing
from app.worker.runtime import Runtime, build_runtime
from app.worker.stopping import StopFlag
from tests.app.test_jobs import AUDIO, claim, make_job, revision


@contextmanager
def working_process(settings: Settings, queue: str) -> Iterator[Runtime]:
    """The runtime of one more process that works for `queue`."""
    runtime = build_runtime(settings, queue, build_celery(settings), StopFlag(), open_tracing(queue))
    try:
        yield runtime
    finally:
        runtime.redis.close()
        runtime.jobs._sessions.kw["bind"].dispose()


@contextmanager
def working_with_a_result(settings: Settings) -> Iterator[Runtime]:
    """A decoding process, on tables of its own in which the job ``a`` has the result ``found``."""
    migrate(settings.database)
    with working_process(settings, "decode") as runtime:
        runtime.jobs.add(make_job("a"))
        assert runtime.jobs.succeed(
            claim(runtime.jobs, "a"), revision("found"), audio=AUDIO, model_name="m", model_sha256="2" * 64
        )
        runtime.storage.put(activations_key("a"), io.BytesIO(b"heard"))
        yield runtime


def outcome_told(runtime: Runtime, request_id: str) -> str:
    """What the request that waits is told."""
    outcome: str = json.loads(cast(bytes, runtime.redis.lpop(reply_key(request_id))))["outcome"]
    return outcome


@contextmanager
def unacknowledged(name: str, *, noted: bool) -> Iterator[None]:
    """A statement of the job table's ends with a lost connection, carried out or not."""
    real = getattr(JobRepository, name)

    def lose(*arguments: Any, **named: Any) -> None:
        if noted:
            real(*arguments, **named)
        raise OperationalError("COMMIT", {}, Exception("the connection was cut"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JobRepository, name, lose)
        yield
