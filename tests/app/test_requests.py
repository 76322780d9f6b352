"""Every refusal of the API is a problem document that says what was wrong."""

import asyncio
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine

from app.api.problems import EXAMPLES, add_problem_handlers
from app.clock import utc_now
from app.errors import ALL_PROBLEMS
from app.jobs.states import Status
from tests.app.service import Service, read, repository, running, short_folder, upload
from tests.app.test_jobs import make_job

UNKNOWN = "AAAAAAAAAAAAAAAAAAAAAA"


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"urn:amt:problem:{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["instance"] == answer.request.url.path
    return document


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("onset_threshold", "1"),
        ("onset_threshold", "nan"),
        ("onset_threshold", "high"),
        ("frame_threshold", "0"),
        ("frame_threshold", "inf"),
        ("min_note_ms", "-1"),
        ("min_note_ms", "1001"),
        ("lowest_pitch", "20"),
        ("lowest_pitch", "60.5"),
        ("highest_pitch", "109"),
        ("tempo", "19"),
        ("tempo", "401"),
        ("model", "nobody's"),
        ("colour", "blue"),
    ],
)
def test_a_wrong_field_is_named(idle: httpx.Client, field: str, value: str) -> None:
    answer = idle.post("/v1/transcriptions", files={"file": ("a.wav", b"x")}, data={field: value})
    errors = problem(answer, 422, "invalid-request")["errors"]
    assert [error["field"] for error in errors] == [field]


def test_pitches_must_be_in_order(idle: httpx.Client) -> None:
    data = {"lowest_pitch": "70", "highest_pitch": "60"}
    answer = idle.post("/v1/transcriptions", files={"file": ("a.wav", b"x")}, data=data)
    assert "lowest_pitch must not lie above highest_pitch" in problem(answer, 422, "invalid-request")["detail"]


@pytest.mark.parametrize(
    "form",
    [
        {"data": {"tempo": "100"}},
        {"data": {"file": "not a file"}},
        {"files": {"file": ("empty.wav", b"")}},
        {"files": [("file", ("a.wav", b"x")), ("file", ("b.wav", b"y"))]},
        {"json": {"file": "x"}},
        {},
    ],
)
def test_exactly_one_file_is_needed(idle: httpx.Client, form: dict[str, Any]) -> None:
    errors = problem(idle.post("/v1/transcriptions", **form), 422, "invalid-request")["errors"]
    assert "file" in [error["field"] for error in errors]


def test_a_broken_form_is_malformed(idle: httpx.Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    problem(idle.post("/v1/transcriptions", content=b"nonsense", headers=headers), 400, "malformed-request")


@pytest.mark.parametrize("path", ["", "/events", "/midi", "/piano-roll", "/notes.csv", "/audio"])
@pytest.mark.parametrize("job_id", [UNKNOWN, "x", "..%2f..%2fetc", "%00", "é" * 22])
def test_an_unknown_job_is_not_found(idle: httpx.Client, job_id: str, path: str) -> None:
    problem(idle.get(f"/v1/transcriptions/{job_id}{path}"), 404, "not-found")


def test_unknown_jobs_cannot_be_changed(idle: httpx.Client) -> None:
    problem(idle.delete(f"/v1/transcriptions/{UNKNOWN}"), 404, "not-found")
    problem(idle.post(f"/v1/transcriptions/{UNKNOWN}/decode"), 404, "not-found")


@pytest.mark.parametrize("path", ["/midi", "/piano-roll", "/notes.csv"])
def test_a_result_that_is_not_there_yet(idle: httpx.Client, path: str) -> None:
    job = upload(idle, b"x")
    assert "queued" in problem(idle.get(job["links"]["self"] + path), 409, "not-ready")["detail"]
    problem(idle.post(job["links"]["decode"]), 409, "not-ready")


def test_a_queued_job_can_be_cancelled_and_then_deleted(idle: httpx.Client, idle_service: Service) -> None:
    job = upload(idle, b"x")
    assert idle.delete(job["links"]["self"]).status_code == 204
    cancelled = read(idle, job)
    assert (cancelled["status"], cancelled["error"]["code"]) == ("cancelled", "cancelled")
    assert not (idle_service.var / "storage" / "jobs" / job["id"]).exists()
    assert "cancelled" in problem(idle.get(job["links"]["midi"]), 409, "not-ready")["detail"]
    problem(idle.get(job["links"]["audio"]), 409, "not-ready")
    assert idle.delete(job["links"]["self"]).status_code == 204
    problem(idle.get(job["links"]["self"]), 404, "not-found")


def test_an_expired_job_is_gone(idle: httpx.Client, idle_service: Service) -> None:
    job = make_job(secrets.token_urlsafe(16), status=Status.SUCCEEDED, expires_at=utc_now() - timedelta(days=1))
    with repository(idle_service.configuration().database) as jobs:
        jobs.add(job)
        jobs.expire(utc_now())
    for path in ("", "/events", "/midi", "/audio"):
        problem(idle.get(f"/v1/transcriptions/{job.id}{path}"), 410, "expired")
    problem(idle.delete(f"/v1/transcriptions/{job.id}"), 410, "expired")


def test_without_a_database_nothing_is_stored(redis_url: str) -> None:
    settings = {"redis_url": redis_url, "database_url": "postgresql://nobody@127.0.0.1:1/nothing"}
    with running(Service(short_folder() / "var", words=("api",), settings=settings)) as api, api.client() as client:
        for answer in (
            client.get("/v1/transcriptions"),
            client.get(f"/v1/transcriptions/{UNKNOWN}"),
            client.post("/v1/transcriptions", files={"file": ("a.wav", b"x")}),
        ):
            problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert "database" in client.get("/readyz").json()["detail"]
        assert [path for path in (api.var / "storage").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/v1/", "/v1/transcriptions/", "/docs/nowhere", "/favicon.ico"])
def test_an_unknown_address(idle: httpx.Client, path: str) -> None:
    problem(idle.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/transcriptions", {"GET", "POST"}),
        ("DELETE", "/v1/transcriptions", {"GET", "POST"}),
        ("POST", f"/v1/transcriptions/{UNKNOWN}", {"GET", "DELETE"}),
        ("POST", f"/v1/transcriptions/{UNKNOWN}/midi", {"GET", "HEAD"}),
        ("GET", f"/v1/transcriptions/{UNKNOWN}/decode", {"POST"}),
        ("POST", "/healthz", {"GET"}),
    ],
)
def test_a_method_that_an_address_does_not_know(idle: httpx.Client, method: str, path: str, allowed: set[str]) -> None:
    answer = idle.request(method, path)
    problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/small.sqlite3")
    app = FastAPI()
    add_problem_handlers(app)

    @app.delete("/job")
    def write() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 3")
            connection.exec_driver_sql("CREATE TABLE full AS SELECT randomblob(100000)")

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            return await client.delete("/job")

    problem(asyncio.run(ask()), 507, "out-of-space")


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": "0"},
        {"page_size": "many"},
        {"page_token": "guess"},
        {"page_token": "MjAyNnxh"},
        {"page_token": "MDAwMS0wMS0wMVQwMDowMDowMCsyMzo1OXxh"},
        {"status": "failed"},
    ],
)
def test_a_wrong_page_is_refused(idle: httpx.Client, query: dict[str, str]) -> None:
    errors = problem(idle.get("/v1/transcriptions", params=query), 422, "invalid-request")["errors"]
    assert [error["field"] for error in errors] == list(query)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"colour": 1}', b'{"tempo": "fast"}', b'{"onset_threshold": 2}'])
def test_wrong_decoding_options_are_refused(client: httpx.Client, tune_job: dict[str, Any], body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post(tune_job["links"]["decode"], content=body, headers=headers)
    assert problem(answer, 422, "invalid-request")["errors"]
    assert read(client, tune_job)["result"] == tune_job["result"]


def test_without_workers_the_service_says_so(idle: httpx.Client) -> None:
    answer = idle.get("/readyz")
    errors = {error["field"]: error["message"] for error in problem(answer, 503, "unavailable")["errors"]}
    assert set(errors) == {"transcribe worker", "decode worker", "score worker"}
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/v1/models", "/nowhere", "/docs"])
def test_every_answer_carries_the_security_headers(idle: httpx.Client, path: str) -> None:
    headers = idle.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-eval" not in headers["Content-Security-Policy"]
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


def test_the_docs_page_asks_nobody_else(idle: httpx.Client) -> None:
    page = idle.get("/docs").text
    assert "http" not in page.replace("http-equiv", "")
    for path in ("/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/start.js", "/docs/favicon.png"):
        assert path in page
        assert idle.get(path).status_code == 200
    assert "<script>" not in page


def test_every_problem_has_an_example() -> None:
    assert set(EXAMPLES) == {kind.code for kind in ALL_PROBLEMS}
