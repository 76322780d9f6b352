"""Traces: one from the request through the queue to the worker, sent to whoever collects them, if asked for."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from typer.testing import CliRunner

from app.cli import cli
from app.tracing import is_wanted
from tests.app.faults.stack import Stack
from tests.app.service import upload, wait_for

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"  # the caller's own trace, as W3C's specification writes one


class Collector(ThreadingHTTPServer):
    """Takes what an OTLP exporter sends."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[tuple[dict[str, str], Span]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        address = f"http://127.0.0.1:{self.server_port}"
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def named(self, name: str) -> list[tuple[dict[str, str], Span]]:
        """The spans of this name, with what is said of the process that each comes from."""
        return [(told, span) for told, span in self.spans if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        for sent in request.resource_spans:
            resource = {one.key: one.value.string_value for one in sent.resource.attributes}
            self.server.spans += [(resource, span) for scope in sent.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server
        server.shutdown()


def test_one_trace_from_the_request_to_the_worker(collector: Collector, tune: bytes) -> None:
    """Also where the message is lost, and the sweeper sends another: the trace stands with the job."""
    stack = Stack()
    try:
        api = stack.part("api", environment=collector.environment)
        with api.client() as client:
            headers = {"traceparent": f"00-{CALLER}-00f067aa0ba902b7-01", "Authorization": "Bearer secret"}
            client.headers.update(headers)
            job = upload(client, tune)
            with stack.redis() as redis:
                redis.flushall()
            bad = upload(client, b"no sound", "secret name.wav")
        stack.sweeper()
        stack.worker(environment=collector.environment)
        stack.settle()
        wait_for(lambda: [span.name for _, span in collector.spans].count("transcribe") == 2, what="both runs")
    finally:
        stack.close()
    requests = collector.named("POST /v1/transcriptions")
    assert {span.parent_span_id.hex() for _, span in requests} == {"00f067aa0ba902b7"}
    runs = {_facts(span)["amt.job_id"]: (told, span) for told, span in collector.named("transcribe")}
    assert set(runs) == {job["id"], bad["id"]}
    assert {span.trace_id.hex() for _, span in [*requests, *runs.values()]} == {CALLER}
    for name in ("transcribe", "apply_async/transcribe"):
        assert {span.parent_span_id for _, span in collector.named(name)} == {span.span_id for _, span in requests}
    assert all(len(span.links) == 1 for _, span in runs.values())
    told, run = runs[job["id"]]
    assert (told["service.name"], told["amt.part"], requests[0][0]["amt.part"]) == ("amt", "transcribe", "api")
    parts = [
        name
        for name in ("transcribing", "writing")
        for _, span in collector.named(name)
        if span.parent_span_id == run.span_id
    ]
    assert parts == ["transcribing", "writing"]
    assert run.status.code == Status.STATUS_CODE_UNSET
    assert runs[bad["id"]][1].status.message == "unsupported_format"
    assert not any("healthz" in span.name for _, span in collector.spans)
    assert "secret" not in str(collector.spans)


def _facts(span: Span) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


def test_a_collector_that_is_away_holds_nothing_up(tune: bytes) -> None:
    stack = Stack()
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    try:
        with stack.part("api", environment=nowhere).client() as client:
            job = upload(client, tune)
        stack.worker(environment=nowhere)
        assert stack.settle()[job["id"]].status == "succeeded"
    finally:
        stack.close()


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "notes"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_told_where_the_environment_says_whereto(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wanted: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_wanted() == wanted


def test_without_a_word_nothing_of_it_is_loaded() -> None:
    """But for what redis-py loads by itself where it finds it."""
    program = """
import sys
from app.api.application import create_app
from app.settings import Settings
create_app(Settings())
import app.worker.main, app.sweeper, app.worker.transcribe
print([name for name in sys.modules if name.startswith(("opentelemetry.exporter", "opentelemetry.instrumentation"))])
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


def test_a_protocol_that_is_not_spoken_is_refused() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    answer = CliRunner(env=environment).invoke(cli, ["sweeper"])
    assert answer.exit_code == 2
    assert "traces are sent as http/protobuf, got 'grpc'; unset it" in answer.output


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)  # as where it was never installed
    answer = CliRunner(env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}).invoke(cli, ["sweeper"])
    assert answer.exit_code == 2
    assert "pip install '.[tracing]'" in answer.output
