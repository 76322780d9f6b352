"""How much one caller may take up: requests in a minute, open streams, waiting jobs, minutes of audio, bytes.

Requests are counted in Redis, so that several API processes count together; where it is away, nobody is refused for it.
The rest is read from the job table.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from app.clock import utc_now
from app.connections import ANSWER_SECONDS, CONNECT_SECONDS
from app.errors import TooManyRequests
from app.jobs.sharing import Usage
from app.settings import Settings

log = logging.getLogger(__name__)

REQUESTS = "requests"
WINDOW_SECONDS = 60
# While Redis is away it is not asked for every request.
PAUSE_SECONDS = 5.0
# A job of the queue is done about so often; nobody knows better.
QUEUE_RETRY_SECONDS = 30
STREAM_RETRY_SECONDS = 5


@dataclass(frozen=True)
class Standing:
    """How a caller stands with its requests (draft-ietf-httpapi-ratelimit-headers)."""

    quota: int
    remaining: int
    reset_seconds: int
    is_over: bool

    def headers(self) -> dict[str, str]:
        """What every answer says of it."""
        return {
            "RateLimit-Policy": f'"{REQUESTS}";q={self.quota};w={WINDOW_SECONDS}',
            "RateLimit": f'"{REQUESTS}";r={self.remaining};t={self.reset_seconds}',
        }

    def watch(self, send: Send) -> Send:
        """Add the headers to an answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers())
            await send(message)

        return send_with_headers


class RequestLimiter:
    """Counts requests of each caller in a window that slides."""

    def __init__(self, settings: Settings) -> None:
        self._item = RateLimitItemPerMinute(settings.limit_requests) if settings.limit_requests else None
        storage = RedisStorage(
            _url(settings.redis),
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix="amt:limits",
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
        )
        self._strategy = SlidingWindowCounterRateLimiter(storage)
        self._ask_again = 0.0

    async def count(self, submitter: str | None) -> Standing | None:
        """Count a request; None where this caller is not counted, or Redis is away."""
        if self._item is None or submitter is None or time.monotonic() < self._ask_again:
            return None
        try:
            is_allowed = await self._strategy.hit(self._item, submitter)
            window = await self._strategy.get_window_stats(self._item, submitter)
        except StorageError as error:
            self._ask_again = time.monotonic() + PAUSE_SECONDS
            log.warning("requests are not counted, Redis does not answer: %s", error)
            return None
        reset = max(1, math.ceil(window.reset_time - time.time()))
        return Standing(self._item.amount, max(0, window.remaining), min(reset, WINDOW_SECONDS), not is_allowed)


def too_many_requests(standing: Standing) -> TooManyRequests:
    """The refusal of a caller that asks too often."""
    detail = f"More than {standing.quota} requests within {WINDOW_SECONDS} s; wait {standing.reset_seconds} s."
    return TooManyRequests(detail, policy=REQUESTS, retry_after=standing.reset_seconds)


class OpenStreams:
    """Counts the event streams that this process holds open for each caller."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str | None] = Counter()

    def refuse_more(self, submitter: str | None) -> None:
        """See that a caller may open another. Raises TooManyRequests."""
        if self._most and submitter is not None and self._open[submitter] >= self._most:
            detail = f"{self._most} event streams of yours are open, which is as many as may be; end some first."
            raise TooManyRequests(detail, policy="streams", retry_after=STREAM_RETRY_SECONDS)

    @contextmanager
    def one(self, submitter: str | None) -> Iterator[None]:
        """Count one for as long as it is open."""
        self._open[submitter] += 1
        try:
            yield
        finally:
            self._open[submitter] -= 1
            if not self._open[submitter]:
                del self._open[submitter]


def refuse_beyond(settings: Settings, usage: Usage) -> None:
    """See that a caller may add a job.

    Raises
    ------
    TooManyRequests
        If it has taken up what a caller may; names which limit, and how much that is.
    """
    if settings.limit_jobs and usage.active_jobs >= settings.limit_jobs:
        raise TooManyRequests(
            f"{usage.active_jobs} of your jobs wait or run, {settings.limit_jobs} are allowed at once.",
            policy="jobs",
            retry_after=QUEUE_RETRY_SECONDS,
        )
    minutes = usage.queued_seconds / 60
    if settings.limit_queued_minutes and minutes >= settings.limit_queued_minutes:
        raise TooManyRequests(
            f"About {minutes:.0f} minutes of your audio wait, {settings.limit_queued_minutes:g} are allowed at once.",
            policy="queued-minutes",
            retry_after=QUEUE_RETRY_SECONDS,
        )
    refuse_more_bytes(settings, usage)


def refuse_more_bytes(settings: Settings, usage: Usage) -> None:
    """See that a caller may have something kept. Raises as `refuse_beyond` does."""
    if settings.limit_stored_bytes and usage.stored_bytes >= settings.limit_stored_bytes:
        raise TooManyRequests(
            f"Your recordings and edits take {usage.stored_bytes} bytes, {settings.limit_stored_bytes} are allowed; "
            "delete some, or wait until they expire.",
            policy="stored-bytes",
            retry_after=_until_expiry(usage),
        )


def _until_expiry(usage: Usage) -> int:
    seconds = (usage.next_expiry - utc_now()).total_seconds() if usage.next_expiry else 0.0
    return max(QUEUE_RETRY_SECONDS, math.ceil(seconds))


def _url(redis: str) -> str:
    return "async+" + ("redis+" + redis if redis.startswith("unix://") else redis)
