"""OpenTelemetry, where its own variables ask for it; otherwise nothing of it is loaded here.

One trace goes from the request through the queue to the worker. A message only says that some job waits, so the trace
of a job's request stands in its row, where the worker finds it that takes the job. New decodings and edits, whose
messages are meant for one job, carry it in the message, as Celery's instrumentation does it.

These variables are the libraries' own, which read them by themselves; here is only asked whether any is set.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from app.settings import SettingsError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

SERVICE = "amt"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
PROTOCOL = "http/protobuf"
# Asked all the time by programs that look after the service.
NOT_TRACED = "healthz,readyz,metrics"
FLUSH_MS = 2000


def is_wanted() -> bool:
    """Whether the environment says where traces go, and does not switch them off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(os.environ.get(name) for name in ENDPOINTS)


def require_if_wanted() -> None:
    """See that what is wanted can be had.

    Raises
    ------
    SettingsError
        If it cannot; says what to do.
    """
    if not is_wanted():
        return
    for name in PROTOCOLS:
        if (given := os.environ.get(name, PROTOCOL)) != PROTOCOL:
            raise SettingsError(f"{name}: traces are sent as {PROTOCOL}, got {given!r}; unset it")
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise SettingsError(f"{' or '.join(ENDPOINTS)} is set; traces need further packages: pip install '.[tracing]'")


@dataclass(frozen=True)
class Tracing:
    """What a process tells of its work; without a provider it tells nothing."""

    provider: "TracerProvider | None" = None

    def trace_requests(self, app: "FastAPI") -> None:
        """Have every request begin a span. What requests carry in headers and bodies is not told."""
        if self.provider is not None:
            from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

            FastAPIInstrumentor.instrument_app(
                app, tracer_provider=self.provider, excluded_urls=NOT_TRACED, exclude_spans=["receive", "send"]
            )

    def trace_messages(self) -> None:
        """Have every message of this process carry the trace that it is sent in."""
        if self.provider is not None:
            from opentelemetry.instrumentation.celery import CeleryInstrumentor

            CeleryInstrumentor().instrument(tracer_provider=self.provider)  # type: ignore[no-untyped-call]

    def present(self) -> str | None:
        """The trace and the span of this moment, as W3C's `traceparent` writes them."""
        if self.provider is None:
            return None
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        return carrier.get("traceparent")

    def span(self, name: str, **facts: str | int) -> AbstractContextManager[Any]:
        """A part of what is being done."""
        if self.provider is None:
            return nullcontext()
        tracer = self.provider.get_tracer(SERVICE)
        return tracer.start_as_current_span(name, attributes=_named(facts))

    def begin_job(self, traceparent: str | None, **facts: str | int) -> "Span | None":
        """Begin the run of a job, in the trace of the request that made it; the message that brought it is a link."""
        if self.provider is None:
            return None
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        message = trace.get_current_span().get_span_context()
        return self.provider.get_tracer(SERVICE).start_span(
            "transcribe",
            context=TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {}),
            kind=trace.SpanKind.CONSUMER,
            attributes=_named(facts),
            links=[trace.Link(message)] if message.is_valid else None,
        )

    def within(self, span: "Span | None") -> AbstractContextManager[Any]:
        """Go on with what was begun, in whichever thread; somebody has to end it."""
        if span is None:
            return nullcontext()
        from opentelemetry.trace import use_span

        return use_span(span, end_on_exit=False)

    def note_failure(self, code: str) -> None:
        """Say that what the present span tells of went wrong."""
        if self.provider is not None:
            from opentelemetry import trace

            trace.get_current_span().set_status(trace.StatusCode.ERROR, code)

    def flush(self) -> None:
        """Send what has not been sent, before the process ends."""
        if self.provider is not None:
            self.provider.force_flush(FLUSH_MS)


def open_tracing(part: str) -> Tracing:
    """What this part of the service uses. To be called in the process that works, as its sending is a thread."""
    if not is_wanted():
        return Tracing()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ours = Resource.create({"service.name": SERVICE, "amt.part": part})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


def _named(facts: dict[str, str | int]) -> dict[str, str | int]:
    return {f"amt.{name}": value for name, value in facts.items()}
