"""Numbers of the workers and the sweeper, kept in Redis until Prometheus asks the API for them.

Workers have no port of their own: they need no way in, come and go with their children, and may run on other machines;
Redis is there already. What it loses starts again at zero, which Prometheus takes for the restart that it is. A Redis
that is away costs the number and nothing else.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from redis import Redis, RedisError

log = logging.getLogger(__name__)

COUNTERS = "amt:metrics"
MEMORY = "amt:memory"
# A process that has not said anything for so long is gone.
FORGOTTEN_AFTER = 120.0
STAGE_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)

JOBS_ENDED = "amt_jobs_ended_total"
AUDIO_SECONDS = "amt_audio_seconds_total"
COMPUTING_SECONDS = "amt_computing_seconds_total"
STAGE_SECONDS = "amt_stage_seconds"
SWEEPER_ACTIONS = "amt_sweeper_actions_total"
WEBHOOK_TRIES = "amt_webhook_tries_total"


@dataclass(frozen=True)
class Sample:
    """One number as it stands in Redis."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


def count(redis: Redis, name: str, by: float = 1.0, **labels: str) -> None:
    """Raise a counter."""
    _add(redis, {_field(name, labels): by})


def observe_stages(redis: Redis, seconds: Mapping[str, float]) -> None:
    """Note how long the stages of a job took, in a histogram."""
    changes: dict[str, float] = {}
    for stage, spent in seconds.items():
        bucket = next((str(edge) for edge in STAGE_BUCKETS if spent <= edge), "+Inf")
        changes[_field(f"{STAGE_SECONDS}_bucket", {"stage": stage, "le": bucket})] = 1
        changes[_field(f"{STAGE_SECONDS}_sum", {"stage": stage})] = spent
    _add(redis, changes)


def samples(redis: Redis) -> Iterator[Sample]:
    """Every counter. Raises `RedisError`."""
    for field, value in redis.hgetall(COUNTERS).items():
        name, labels = json.loads(field)
        yield Sample(name, tuple((key, text) for key, text in labels), float(value))


def note_memory(redis: Redis, worker: str) -> None:
    """Say how much memory this process holds."""
    text = json.dumps({"bytes": resident_bytes(), "at": time.time()})
    try:
        redis.hset(MEMORY, f"{worker}:{os.getpid()}", text)
    except RedisError as error:
        log.debug("memory not noted: %s", error)


def memory(redis: Redis) -> dict[str, float]:
    """Resident bytes of every working process that has spoken lately. Raises `RedisError`."""
    noted = {str(name): json.loads(text) for name, text in redis.hgetall(MEMORY).items()}
    gone = [name for name, one in noted.items() if time.time() - one["at"] > FORGOTTEN_AFTER]
    if gone:
        redis.hdel(MEMORY, *gone)
    return {name: float(one["bytes"]) for name, one in noted.items() if name not in gone}


def resident_bytes() -> int:
    """Memory that this process holds; 0 where the system does not say it."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123  no path object for a file that is read every second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _add(redis: Redis, changes: Mapping[str, float]) -> None:
    try:
        with redis.pipeline() as pipe:
            for field, by in changes.items():
                pipe.hincrbyfloat(COUNTERS, field, by)
            pipe.execute()
    except RedisError as error:
        log.debug("numbers not noted: %s", error)


def _field(name: str, labels: Mapping[str, str]) -> str:
    return json.dumps([name, sorted(labels.items())])
