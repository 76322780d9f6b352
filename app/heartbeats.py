"""When each queue was last consumed, kept in Redis: a worker's process may live and yet do nothing."""

import time

from redis import Redis

FORGOTTEN_AFTER = 86_400


def note_consumption(redis: Redis, queue: str) -> None:
    """Say that `queue` is being worked on just now."""
    redis.set(f"amt:consumed:{queue}", time.time(), ex=FORGOTTEN_AFTER)


def silence(redis: Redis, queue: str) -> float | None:
    """Seconds since `queue` was last worked on, or None if it never was."""
    noted = redis.get(f"amt:consumed:{queue}")
    return None if noted is None else max(0.0, time.time() - float(noted))


def begin_canary(redis: Redis, queue: str, *, seconds: int) -> bool:
    """Whether a new canary may be sent: at most one is on its way."""
    return bool(redis.set(f"amt:canary:{queue}", 1, nx=True, ex=seconds))


def end_canary(redis: Redis, queue: str) -> None:
    """The canary came through."""
    redis.delete(f"amt:canary:{queue}")


def forget_consumption(redis: Redis, queue: str) -> None:
    """A new start: what former workers did says nothing about the present ones."""
    redis.delete(f"amt:consumed:{queue}", f"amt:canary:{queue}")
