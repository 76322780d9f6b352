"""Seen from outside: `/metrics` and log lines of a service at work."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.app.service import Service, finished, running, short_folder, upload, wait_for

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def watched() -> Iterator[Service]:
    """A service with lines in JSON."""
    with running(Service(short_folder() / "var", settings={"log_format": "json", "canary_seconds": "1"})) as service:
        yield service


@pytest.fixture(scope="module")
def ended(watched: Service, tune: bytes) -> dict[str, dict[str, Any]]:
    """One job that went well, one that did not, one that was cancelled."""
    with watched.client() as client:
        good = client.post(
            "/v1/transcriptions", files={"file": ("tune.wav", tune)}, headers={"X-Request-ID": "caller-1"}
        )
        assert good.headers["X-Request-ID"] == "caller-1"
        return {
            "good": finished(client, good.json()),
            "bad": finished(client, upload(client, b"no music", "x.mp3")),
        }


def numbers(client: httpx.Client) -> Numbers:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found: Numbers, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_metrics_count_what_happened(watched: Service, ended: dict[str, Any]) -> None:
    with watched.client() as client:
        # A job is counted a moment after its end stands in the table.
        wait_for(lambda: ("amt_stage_seconds_count", frozenset({("stage", "writing")})) in numbers(client))
        failed = {"status": "failed", "error_code": "unsupported_format"}
        wait_for(lambda: value(numbers(client), "amt_jobs_ended_total", **failed) == 1)
        found = numbers(client)
        assert value(found, "amt_jobs", status="succeeded", error_code="") == 1
        assert value(found, "amt_jobs", status="failed", error_code="unsupported_format") == 1
        assert value(found, "amt_jobs_ended_total", status="succeeded", error_code="") == 1
        assert value(found, "amt_jobs_ended_total", **failed) == 1
        for never in ("poisoned", "internal", "out_of_space", "timed_out"):
            assert value(found, "amt_jobs_ended_total", status="failed", error_code=never) == 0
        assert value(found, "amt_sweeper_actions_total", action="recovered") == 0
        assert value(found, "amt_webhook_tries_total", outcome="failed") == 0
        assert value(found, "amt_queue_length", queue="transcribe") == 0
        assert value(found, "amt_queue_age_seconds", queue="transcribe") == 0
        assert value(found, "amt_audio_seconds_total") == pytest.approx(12.0, abs=0.1)
        assert 0 < value(found, "amt_computing_seconds_total") < 300
        for stage in ("waiting", "transcribing", "writing"):
            assert value(found, "amt_stage_seconds_count", stage=stage) == 1
            assert value(found, "amt_stage_seconds_bucket", stage=stage, le="+Inf") == 1
        assert value(found, "amt_part_up", part="redis") == 1
        assert value(found, "amt_sweeper_actions_total", action="canary") >= 1
        held = [number for (name, _), number in found.items() if name == "amt_worker_memory_bytes"]
        assert max(held) > 100e6  # the network's worker
        assert value(found, "process_resident_memory_bytes") > 10e6
        assert (
            value(found, "amt_http_request_seconds_count", method="POST", route="/v1/transcriptions", status="202") == 2
        )


def test_unknown_addresses_are_one_series(watched: Service) -> None:
    with watched.client() as client:
        for number in range(5):
            client.get(f"/scan/{number}")
            client.request(f"SCAN{number}", "/")
        methods = {dict(labels).get("method") for (name, labels) in numbers(client) if name.startswith("amt_http")}
        assert not any(method and "SCAN" in method for method in methods)
        assert "other" in methods
        routes = {dict(labels).get("route") for (name, labels) in numbers(client) if name.startswith("amt_http")}
        assert not any(route and "scan" in route for route in routes)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_metrics_are_not_for_those_behind_a_proxy(watched: Service, header: str) -> None:
    with watched.client() as client:
        assert client.get("/metrics", headers={header: "203.0.113.9"}).status_code == 404


def test_metrics_can_be_opened_and_closed(redis_url: str) -> None:
    for setting, status in (("open", 200), ("off", 404)):
        service = Service(short_folder() / "var", words=("api",), settings={"metrics": setting, "redis_url": redis_url})
        with running(service), service.client() as client:
            assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == status


def test_metrics_go_on_without_redis_and_table() -> None:
    """What is away says so and takes nothing else with it."""
    service = Service(short_folder() / "var", words=("api",), settings={"redis_url": "unix:///nowhere/redis.sock"})
    with running(service), service.client() as client:
        found = numbers(client)
        assert value(found, "amt_part_up", part="redis") == 0
        assert value(found, "amt_part_up", part="database") == 0
        assert value(found, "process_resident_memory_bytes") > 10e6


def test_a_request_can_be_followed_through_api_queue_and_worker(watched: Service, ended: dict[str, Any]) -> None:
    job_id = ended["good"]["id"]
    lines = [json.loads(line) for line in watched.log.splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("request_id") == "caller-1"]
    assert {line["logger"] for line in mine} == {"app.api.transcriptions", "app.worker.transcribe"}
    assert {line["job_id"] for line in mine} == {job_id}
    assert all({"timestamp", "level", "logger", "event"} <= set(line) for line in lines)
    others = [line for line in lines if line.get("job_id") == ended["bad"]["id"]]
    assert others
    assert all(line["request_id"] != "caller-1" for line in others)


def test_a_request_gets_an_id_and_cannot_write_into_the_log(watched: Service) -> None:
    with watched.client() as client:
        ids = [
            client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]
            for given in ("ok-1.2_3", "has space", "x" * 65, '{"level":"error"}')
        ]
        assert ids[0] == "ok-1.2_3"
        assert all(len(one) == 16 for one in ids[1:])
        assert len(set(ids)) == 4
