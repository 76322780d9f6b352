"""Opening Redis. No connection is made before the first command."""

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.settings import Settings

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0


def open_redis(settings: Settings) -> Redis:
    """For code that waits."""
    return Redis.from_url(
        settings.redis, decode_responses=True, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS
    )


def open_async_redis(settings: Settings, *, longest_wait: float) -> AsyncRedis:
    """For the event loop. `longest_wait` is the longest that a command blocks on purpose."""
    return AsyncRedis.from_url(
        settings.redis,
        decode_responses=True,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=longest_wait + ANSWER_SECONDS,
    )
