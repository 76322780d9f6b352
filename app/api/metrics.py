"""`/metrics` for Prometheus: this process's own numbers, the table's, and those that the other parts left in Redis."""

import ipaddress
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.context import Context, InContext
from app.errors import NotFound
from app.heartbeats import silence
from app.jobs.states import ErrorCode, Status
from app.metrics import (
    AUDIO_SECONDS,
    COMPUTING_SECONDS,
    JOBS_ENDED,
    STAGE_BUCKETS,
    STAGE_SECONDS,
    SWEEPER_ACTIONS,
    WEBHOOK_TRIES,
    Sample,
    memory,
    samples,
)
from app.queue import messages_waiting

router = APIRouter(include_in_schema=False)

COUNTERS = {
    JOBS_ENDED: "Jobs that have ended, by status and error code.",
    AUDIO_SECONDS: "Seconds of audio that were transcribed.",
    COMPUTING_SECONDS: "Seconds that transcribing them took; audio over computing is the speed.",
    SWEEPER_ACTIONS: "What the sweeper has repaired or removed.",
    WEBHOOK_TRIES: "Tries to deliver webhooks, by outcome.",
}
# There from the start, for the alarms: Prometheus sees no increase in a series that begins with its first event.
AT_ZERO = [
    *(Sample(JOBS_ENDED, (("error_code", code), ("status", Status.FAILED)), 0) for code in ErrorCode),
    Sample(SWEEPER_ACTIONS, (("action", "recovered"),), 0),
    *(Sample(WEBHOOK_TRIES, (("outcome", outcome),), 0) for outcome in ("delivered", "failed")),
]
# Headers that a proxy adds for somebody who is not on this machine.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


@router.get("/metrics")
def metrics(request: Request, context: InContext) -> Response:
    """Everything there is to measure, in Prometheus's text format."""
    if not _may_see(request, context.settings.metrics):
        raise NotFound("There is nothing at this address.")
    content = generate_latest(request.app.state.metrics)
    return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


def build_registry(context: Context) -> tuple[CollectorRegistry, Histogram]:
    """All numbers of an application, and the histogram of its requests."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Shared(context))
    requests = Histogram(
        "amt_http_request_seconds", "Requests of this process.", ["method", "route", "status"], registry=registry
    )
    return registry, requests


class RequestTimes:
    """Measures every request until its answer begins; a stream of events lasts as long as its job."""

    def __init__(self, app: ASGIApp, *, histogram: Histogram) -> None:
        self._app = app
        self._histogram = histogram

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                # What no route knows has one name: a scanner's addresses and methods must not become series.
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if scope["method"] in METHODS else "other"
                labels = (method, route, str(message["status"]))
                self._histogram.labels(*labels).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, send_and_note)


def _may_see(request: Request, setting: str) -> bool:
    if setting != "local":
        return setting == "open"
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class _Shared:
    """Numbers that every process of the API would give alike. What a part that is away would say is left out."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> Iterable[Metric]:
        """Registering asks for the names, which must not need a connection."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask table and Redis."""
        up = GaugeMetricFamily("amt_part_up", "Whether a part answers.", labels=["part"])
        for part, ask, gone in (("database", self._table, SQLAlchemyError), ("redis", self._redis, RedisError)):
            try:
                found = list(ask())
            except gone:
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
                yield from found
        yield up

    def _table(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("amt_jobs", "Jobs in the table.", labels=["status", "error_code"])
        for status, code, number in self._context.jobs.count_by_state():
            jobs.add_metric([status, code or ""], number)
        yield jobs
        length = GaugeMetricFamily("amt_queue_length", "Jobs that wait.", labels=["queue"])
        age = GaugeMetricFamily("amt_queue_age_seconds", "Age of the oldest job that waits.", labels=["queue"])
        lanes = self._context.sharing.lanes
        for lane in lanes.all:
            waiting = self._context.jobs.waiting(lanes.holds(lane))
            length.add_metric([lane.value], waiting.number)
            age.add_metric([lane.value], waiting.age)
        yield from (length, age)

    def _redis(self) -> Iterator[Metric]:
        redis = self._context.redis
        messages = GaugeMetricFamily("amt_queue_messages", "Messages in Redis.", labels=["queue"])
        quiet = GaugeMetricFamily(
            "amt_queue_silence_seconds", "Time since a queue was last consumed.", labels=["queue"]
        )
        for queue in self._context.settings.queues:
            messages.add_metric([queue], messages_waiting(redis, queue))
            if (seconds := silence(redis, queue)) is not None:
                quiet.add_metric([queue], seconds)
        held = GaugeMetricFamily("amt_worker_memory_bytes", "Resident memory of a process.", labels=["process"])
        for name, number in memory(redis).items():
            held.add_metric([name], number)
        yield from (messages, quiet, held)
        yield from _counters(list(samples(redis)))


def _counters(found: list[Sample]) -> Iterator[Metric]:
    there = {(sample.name, sample.labels) for sample in found}
    found = [*found, *(sample for sample in AT_ZERO if (sample.name, sample.labels) not in there)]
    for name, text in COUNTERS.items():
        mine = [sample for sample in found if sample.name == name]
        labels = [key for key, _ in mine[0].labels] if mine else []
        family = CounterMetricFamily(name, text, labels=labels)
        for sample in mine:
            family.add_metric([value for _, value in sample.labels], sample.value)
        yield family
    yield _stages(found)


def _stages(found: list[Sample]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(STAGE_SECONDS, "Time that jobs spend in their stages.", labels=["stage"])
    filled: dict[str, dict[str, float]] = defaultdict(dict)
    sums: dict[str, float] = {}
    for sample in found:
        labels = dict(sample.labels)
        if sample.name == f"{STAGE_SECONDS}_bucket":
            filled[labels["stage"]][labels["le"]] = sample.value
        elif sample.name == f"{STAGE_SECONDS}_sum":
            sums[labels["stage"]] = sample.value
    for stage, buckets in sorted(filled.items()):
        family.add_metric([stage], _cumulative(buckets), sums.get(stage, 0.0))
    return family


def _cumulative(buckets: dict[str, float]) -> list[tuple[str, float]]:
    total, found = 0.0, []
    for edge in [*map(str, STAGE_BUCKETS), "+Inf"]:
        total += buckets.get(edge, 0.0)
        found.append((edge, total))
    return found
