"""What the service tells: headers, answers to other origins' pages, errors and log lines that give nothing away."""

import contextlib
import io
import logging
import re
import shutil
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.logs import PlainLines
from app.schema import migrate
from app.settings import SettingsError, load_settings
from tests.app.service import Service, running, short_folder

ORIGIN = "https://music.example"
# Paths of this machine, Python's own words, and names of our modules have no place in an answer.
GIVEAWAY = re.compile(
    r"Traceback|File \"|line \d+|/(?:tmp|usr|home|root|var|etc|proc)/|\.py\b|app\.|sqlite|sqlalchemy", re.I
)


@pytest.fixture(scope="module")
def open_service(redis_url: str) -> Iterator[Service]:
    """An API that lets one other origin in."""
    folder = short_folder()
    migrate(f"sqlite:///{folder / 'var' / 'jobs.sqlite3'}")
    settings = {"redis_url": redis_url, "max_upload_bytes": "1000", "decode_seconds": "0.2", "cors_origins": ORIGIN}
    with running(Service(folder / "var", words=("api",), settings=settings)) as api:
        yield api


@pytest.fixture
def opened(open_service: Service) -> Iterator[httpx.Client]:
    with open_service.client() as http:
        yield http


def preflight(client: httpx.Client, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, idempotency-key, if-match, if-range, x-request-id",
    }
    return client.options("/v1/transcriptions", headers=headers)


def test_by_default_no_other_origin_is_let_in(idle: httpx.Client) -> None:
    for answer in (preflight(idle, ORIGIN), idle.get("/v1/models", headers={"Origin": ORIGIN})):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_named_origin_may_use_the_api_without_cookies(opened: httpx.Client) -> None:
    asked = preflight(opened, ORIGIN)
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    answer = opened.get("/v1/models", headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    readable = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Location", "Idempotency-Replayed", "X-Request-ID"} <= set(readable)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    refused = opened.post("/v1/transcriptions", headers={"Origin": ORIGIN})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (422, ORIGIN)


def test_another_origin_is_not_let_in(opened: httpx.Client) -> None:
    other = "https://music.example.evil.example"
    assert preflight(opened, other).status_code == 400
    assert "Access-Control-Allow-Origin" not in opened.get("/v1/models", headers={"Origin": other}).headers


@pytest.mark.parametrize("origins", ["music.example", "https://a.example/page", "https://a.example,javascript:x"])
def test_what_is_no_origin_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("AMT_CORS_ORIGINS", origins)
    with pytest.raises(SettingsError, match="AMT_CORS_ORIGINS"):
        load_settings()


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/models", "/nowhere", "/healthz"])
def test_no_answer_can_be_framed_guessed_or_followed(idle: httpx.Client, path: str) -> None:
    headers = idle.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy or ("default-src 'self'" in policy and "object-src 'none'" in policy)
    assert not re.search(r"script-src[^;]*unsafe|unsafe-eval|\*|https?:", policy)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "set-cookie" not in headers


REQUESTS: dict[str, tuple[int, dict[str, Any]]] = {
    "malformed-request": (
        400,
        {
            "method": "POST",
            "url": "/v1/transcriptions",
            "content": b"\xff",
            "headers": {"Content-Type": "multipart/form-data; boundary=x"},
        },
    ),
    "not-found": (404, {"method": "GET", "url": "/v1/transcriptions/..%2f..%2f..%2fetc%2fpasswd"}),
    "method-not-allowed": (405, {"method": "PUT", "url": "/v1/transcriptions"}),
    "too-large": (413, {"method": "POST", "url": "/v1/transcriptions", "files": {"file": ("a.wav", bytes(5000))}}),
    "invalid-request": (
        422,
        {"method": "POST", "url": "/v1/transcriptions", "files": {"file": ("a.wav", b"x")}, "data": {"tempo": "fast"}},
    ),
}


@pytest.mark.parametrize("code", REQUESTS)
def test_a_refusal_gives_nothing_away(opened: httpx.Client, code: str) -> None:
    status, request = REQUESTS[code]
    answer = opened.request(**request)
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == f"urn:amt:problem:{code}"
    told = answer.text.replace(str(answer.json()["instance"]), "")
    assert not GIVEAWAY.search(told), told


def test_a_failure_of_our_own_gives_nothing_away(redis_url: str) -> None:
    """A store that is a file, a table that is away: the log has it all, the answer nothing of it."""
    folder = short_folder()
    database = folder / "var" / "jobs.sqlite3"
    migrate(f"sqlite:///{database}")
    with (
        running(Service(folder / "var", words=("api",), settings={"redis_url": redis_url})) as api,
        api.client() as client,
    ):
        client.get("/healthz")
        shutil.rmtree(folder / "var" / "storage", ignore_errors=True)
        (folder / "var" / "storage").write_text("not a folder")
        broken = client.post("/v1/transcriptions", files={"file": ("a.wav", b"x" * 100)})
        with contextlib.closing(sqlite3.connect(database)) as table:
            table.execute("DROP TABLE jobs")
        away = client.get("/v1/transcriptions")
        assert (broken.status_code, away.status_code) == (500, 503)
        for answer in (broken, away):
            assert not GIVEAWAY.search(answer.text), answer.text
        assert "Traceback" in api.log
        assert str(folder) in api.log


def test_a_log_line_stays_one_line() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(PlainLines("%(levelname)s %(message)s"))
    log = logging.Logger("x")
    log.addHandler(handler)
    log.error("file %s", "a\r\n2026 INFO all is well\x1b[2J\u202e\u2028é")
    assert out.getvalue() == "ERROR file a\\r\\n2026 INFO all is well\\x1b[2J\\u202e\\u2028é\n"
