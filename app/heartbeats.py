"""When each queue was last consumed, kept in Redis: a worker's process may live and yet do nothing.

The age is what is missing from a key's time to live, so that one clock alone, Redis's own, is asked.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis, RedisError

log = logging.getLogger(__name__)

FORGOTTEN_AFTER = 86_400
BEAT_SECONDS = 0.5  # engraving keeps this thread from its turn for seconds
SWEEPER = "sweeper"  # not a queue: its rounds are noted like the consumption of one


def note_consumption(redis: Redis, queue: str) -> None:
    """Say that `queue` is being worked on just now."""
    redis.set(f"amt:consumed:{queue}", 1, ex=FORGOTTEN_AFTER)


@contextmanager
def consuming(redis: Redis, queue: str) -> Iterator[None]:
    """Say again and again that `queue` is being worked on, for as long as a task takes."""
    over = threading.Event()

    def keep() -> None:
        while True:
            try:
                note_consumption(redis, queue)
            except RedisError as error:
                log.warning("Redis does not answer: %s", error)
            if over.wait(BEAT_SECONDS):
                return

    thread = threading.Thread(target=keep, name="consuming", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def silence(redis: Redis, queue: str) -> float | None:
    """Seconds since `queue` was last worked on, or None if it never was."""
    left_ms = redis.pttl(f"amt:consumed:{queue}")
    return None if left_ms < 0 else max(0.0, FORGOTTEN_AFTER - left_ms / 1000)


def begin_canary(redis: Redis, queue: str, *, seconds: int) -> bool:
    """Whether a new canary may be sent: at most one is on its way."""
    return bool(redis.set(f"amt:canary:{queue}", 1, nx=True, ex=seconds))


def canary_waits(redis: Redis, queue: str) -> bool:
    """Whether a canary is on its way."""
    return bool(redis.exists(f"amt:canary:{queue}"))


def end_canary(redis: Redis, queue: str) -> None:
    """The canary came through."""
    redis.delete(f"amt:canary:{queue}")


def forget_consumption(redis: Redis, queue: str) -> None:
    """A new start: what former workers did says nothing about the present ones."""
    redis.delete(f"amt:consumed:{queue}", f"amt:canary:{queue}")
