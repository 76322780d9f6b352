"""A worker that lives but consumes nothing is killed, so that it is started again.

Celery's consumers have stopped consuming after a reconnect while their process lived on (celery #8030, #10205). The
sweeper's canaries keep every healthy queue consumed, so silence means deafness.
"""

import time

from redis import Redis, RedisError

from app.heartbeats import canary_waits, silence
from app.supervisor.part import Part, say

LOOK_EVERY = 1.0
# A worker that has not consumed anything yet may still be loading its network.
LONGEST_LOAD_SECONDS = 240.0


class Deafness:
    """Looks after the workers of the queues that are named like them."""

    def __init__(self, redis: Redis, *, patience: float) -> None:
        self._redis = redis
        self._patience = patience
        self._looked = time.monotonic()
        self._redis_was_away = float("-inf")

    def cure(self, workers: list[Part]) -> None:
        """Kill the workers that have been deaf for too long. Cheap to call often."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        for worker in workers:
            if self._is_deaf(worker):
                say(f"{worker.name} lives but consumes nothing")
                worker.kill()

    def _is_deaf(self, worker: Part) -> bool:
        """Whether a canary waits for it in vain: it consumed once and then no more, or never did since its start."""
        try:
            quiet, is_called = silence(self._redis, worker.name), canary_waits(self._redis, worker.name)
        except RedisError:  # it cannot hear anything now, and may take a while to come back
            self._redis_was_away = time.monotonic()
            return False
        if not is_called or time.monotonic() - self._redis_was_away < self._patience:
            return False
        if quiet is not None and quiet < worker.uptime:
            return quiet > self._patience
        return worker.uptime > max(LONGEST_LOAD_SECONDS, self._patience)
