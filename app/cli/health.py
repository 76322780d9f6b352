"""`amt health`: what a container's health check asks of one part. No output but the reason for a failure."""

import http.client
import sys
from typing import Literal

from redis import RedisError

from app.connections import open_redis
from app.heartbeats import SWEEPER, canary_waits, silence
from app.settings import Settings

Part = Literal["api", "transcribe", "transcribe-long", "decode", "score", "sweeper"]
HEALTHY, UNHEALTHY = 0, 1
# The part is deaf: messages wait for it, Redis answers, and it takes none. Only a new start cures that.
DEAF = 3
ANSWER_SECONDS = 5.0


def health(settings: Settings, part: Part) -> int:
    """The exit status of the check; says on stderr what is wrong."""
    status, reason = _api(settings) if part == "api" else _consumer(settings, part)
    if reason:
        print(f"amt health {part}: {reason}", file=sys.stderr)
    return status


def _api(settings: Settings) -> tuple[int, str]:
    """The process alone: whether the whole service works is asked of /readyz."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  compared, not bound
    connection = http.client.HTTPConnection(host, settings.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except OSError as error:
        return UNHEALTHY, f"does not answer ({error})"
    finally:
        connection.close()
    return (HEALTHY, "") if status == http.client.OK else (UNHEALTHY, f"answers {status}")


def _consumer(settings: Settings, part: str) -> tuple[int, str]:
    try:
        with open_redis(settings) as redis:
            quiet = silence(redis, part)
            is_called = part != SWEEPER and canary_waits(redis, part)
    except RedisError as error:
        return UNHEALTHY, f"cannot be seen without Redis ({error})"
    if quiet is None:
        return UNHEALTHY, "has not worked yet"
    if quiet <= settings.consumer_seconds:
        return HEALTHY, ""
    return DEAF if is_called else UNHEALTHY, f"has not worked for {quiet:.0f} s"
