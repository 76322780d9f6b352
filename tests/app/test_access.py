"""Who has no key gets nothing, who has one gets what is its own."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from app.database import open_database, session_factory
from app.keys.repository import KeyRepository
from app.keys.table import Scope
from app.schema import migrate
from tests.app.keyed import as_key, new_key
from tests.app.service import Service, running, short_folder, upload
from tests.app.test_requests import UNKNOWN, problem


@pytest.fixture(scope="module")
def locked(redis_url: str) -> Iterator[Service]:
    """An API that others may reach, with keys."""
    service = Service(short_folder() / "var", words=("api",), settings={"redis_url": redis_url, "host": "0.0.0.0"})
    migrate(service.configuration().database)
    new_key(service)
    with running(service):
        yield service


@pytest.fixture
def anna(locked: Service) -> Iterator[httpx.Client]:
    with as_key(locked, new_key(locked)) as client:
        yield client


@pytest.fixture
def ben(locked: Service) -> Iterator[httpx.Client]:
    with as_key(locked, new_key(locked)) as client:
        yield client


# Every address -----------------------------------------------------------------------------------------------------


def operations(service: Service) -> list[tuple[str, str]]:
    """Method and path of every operation below /v1, and of those that answer HEAD beside GET."""
    with service.client() as client:
        document = client.get("/openapi.json").json()
    found = [
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item
        if path.startswith("/v1/") and path != "/v1/session"
    ]
    assert ("POST", "/v1/transcriptions/{job_id}/decode") in found
    return found + [
        ("HEAD", path) for _, path in found if path.endswith(("/midi", "/audio", "/piano-roll", "/notes.csv"))
    ]


def test_no_address_answers_without_a_key(locked: Service) -> None:
    with locked.client() as nobody:
        for method, path in operations(locked):
            for headers in ({}, {"Authorization": "Bearer amt_" + "A" * 43}, {"Authorization": "Basic eDp5"}):
                answer = nobody.request(method, path.format_map(_Filled()), headers=headers)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
        for path in ("/v1/nowhere", "/v1/", "/v1/transcriptions/"):
            assert nobody.get(path).status_code == 401
        for path in ("/", "/healthz", "/docs", "/openapi.json", "/page/main.js", "/v1/session"):
            assert nobody.get(path).status_code == 200, path


def test_no_address_shows_a_job_to_another_key(locked: Service, anna: httpx.Client, ben: httpx.Client) -> None:
    job = upload(anna, b"x", "secret.wav")
    touched = 0
    for method, path in operations(locked):
        if "{job_id}" not in path:
            continue
        answer = ben.request(method, path.format_map(_Filled(job_id=job["id"])))
        assert answer.status_code == 404, (method, path, answer.text)
        unknown = ben.request(method, path.format_map(_Filled(job_id=UNKNOWN)))
        assert answer.text == unknown.text.replace(UNKNOWN, job["id"]), "the two must not be told apart"
        touched += 1
    assert touched > 10
    assert ben.get("/v1/transcriptions").json()["transcriptions"] == []
    assert [one["id"] for one in anna.get("/v1/transcriptions").json()["transcriptions"]] == [job["id"]]
    assert anna.get(job["links"]["self"]).json()["status"] == "queued"


class _Filled(dict[str, str]):
    """Values for the parts of an address; what no test knows stays what it is called."""

    def __missing__(self, name: str) -> str:
        return name


@pytest.mark.parametrize(
    ("scope", "method", "path", "allowed"),
    [
        (Scope.READ, "GET", "/v1/transcriptions", True),
        (Scope.READ, "POST", "/v1/transcriptions", False),
        (Scope.READ, "DELETE", f"/v1/transcriptions/{UNKNOWN}", False),
        (Scope.TRANSCRIBE, "GET", "/v1/transcriptions", False),
        (Scope.TRANSCRIBE, "DELETE", f"/v1/transcriptions/{UNKNOWN}", True),
        (Scope.TRANSCRIBE, "POST", "/v1/models", False),
        (Scope.READ, "GET", "/v1/models", True),
        (Scope.ADMIN, "POST", "/v1/models", True),
        (Scope.ADMIN, "POST", "/v1/transcriptions", False),
    ],
)
def test_a_key_does_what_its_scopes_say(locked: Service, scope: Scope, method: str, path: str, allowed: bool) -> None:
    with as_key(locked, new_key(locked, frozenset({scope}))) as client:
        answer = client.request(method, path)
    assert (answer.status_code != 403) is allowed, answer.text
    if not allowed:
        assert "; amt_" in problem(answer, 403, "forbidden")["detail"]


def test_an_upload_without_a_key_is_turned_away_before_it_is_read(locked: Service) -> None:
    """The answer comes while the body, of which a declared half gigabyte, is still being sent."""
    with socket.create_connection(("127.0.0.1", locked.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000000\r\n"
            b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n--edge\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 401")
    assert not [path for path in (locked.var / "tmp").rglob("*") if path.is_file()]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "[", ""])
def test_a_name_that_leads_a_browser_here_gets_nothing(idle_service: Service, host: str) -> None:
    """DNS rebinding: to the browser both are one site, so that neither Origin nor Sec-Fetch-Site gives it away."""
    with idle_service.client() as client:
        for method, path in (("GET", "/v1/transcriptions"), ("DELETE", f"/v1/transcriptions/{UNKNOWN}")):
            answer = client.request(method, path, headers={"Host": host, "Sec-Fetch-Site": "same-origin"})
            assert "answers to localhost alone" in problem(answer, 403, "forbidden")["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
def test_this_machine_under_its_own_names_is_let_in(idle_service: Service, host: str) -> None:
    with idle_service.client() as client:
        assert client.get("/v1/transcriptions", headers={"Host": host}).status_code == 200


def test_with_keys_every_name_is_as_good(locked: Service, anna: httpx.Client) -> None:
    assert anna.get("/v1/transcriptions", headers={"Host": "amt.example.org"}).status_code == 200
    with locked.client() as nobody:
        assert nobody.get("/v1/transcriptions", headers={"Host": "amt.example.org"}).status_code == 401


def test_without_its_database_it_lets_nobody_in(redis_url: str) -> None:
    settings = {"redis_url": redis_url, "database_url": "postgresql://nobody@127.0.0.1:1/nothing", "host": "0.0.0.0"}
    with running(Service(short_folder() / "var", words=("api",), settings=settings)) as api, api.client() as client:
        headers = {"Authorization": "Bearer amt_" + "A" * 43}
        problem(client.get("/v1/transcriptions", headers=headers), 503, "unavailable")
        problem(client.get("/v1/transcriptions"), 401, "unauthorized")


# The page's session ------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(locked: Service) -> Iterator[httpx.Client]:
    """A client that sends what a browser sends for a page of the service's own."""
    with httpx.Client(base_url=locked.url, timeout=60, headers={"Sec-Fetch-Site": "same-origin"}) as client:
        yield client


def test_a_cookie_stands_for_the_key_until_logged_out(locked: Service, browser: httpx.Client) -> None:
    assert browser.get("/v1/session").json() == {"required": True, "key": None}
    secret = new_key(locked, frozenset({Scope.READ, Scope.TRANSCRIBE}))
    answer = browser.post("/v1/session", json={"key": f" {secret}\n"})
    assert answer.json()["key"] == {"id": secret[:12], "name": "a test", "scopes": ["read", "transcribe"]}
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert secret not in cookie
    job = upload(browser, b"x")
    assert browser.get(job["links"]["self"]).status_code == 200
    with browser.stream("GET", job["links"]["events"]) as stream:
        assert stream.status_code == 200
        assert next(stream.iter_lines()).startswith("id: ")
    stolen = browser.cookies["amt_session"]
    assert browser.delete("/v1/session").status_code == 204
    assert "amt_session" not in browser.cookies
    assert browser.get("/v1/transcriptions").status_code == 401
    again = httpx.get(f"{locked.url}/v1/transcriptions", headers={"Cookie": f"amt_session={stolen}"}, timeout=60)
    problem(again, 401, "unauthorized")


def test_a_stream_of_events_ends_with_its_key(locked: Service) -> None:
    secret = new_key(locked)
    with as_key(locked, secret) as client:
        job = upload(client, b"x")
        with client.stream("GET", job["links"]["events"]) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("id: ")
            engine = open_database(locked.configuration().database)
            KeyRepository(session_factory(engine)).revoke(secret[:12])
            engine.dispose()
            assert "still here" not in "".join(lines)  # nobody works: it would go on for ever
        assert client.get(job["links"]["events"]).status_code == 401


def test_behind_https_the_cookie_keeps_to_it(locked: Service, browser: httpx.Client) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    answer = browser.post("/v1/session", json={"key": new_key(locked)}, headers=headers)
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": "", "Origin": "http://127.0.0.1:1"},
    ],
)
def test_other_sites_cannot_use_the_cookie(locked: Service, browser: httpx.Client, headers: dict[str, str]) -> None:
    browser.post("/v1/session", json={"key": new_key(locked)})
    job = upload(browser, b"x")
    if not headers["Sec-Fetch-Site"]:
        del browser.headers["Sec-Fetch-Site"]
        headers = {"Origin": headers["Origin"]}
    for method, path in (
        ("POST", "/v1/transcriptions"),
        ("DELETE", job["links"]["self"]),
        ("DELETE", "/v1/session"),
        ("POST", "/v1/session"),
    ):
        problem(browser.request(method, path, headers=headers), 403, "forbidden")
    assert browser.get(job["links"]["self"]).json()["status"] == "queued"


def test_a_form_of_another_site_cannot_log_in(locked: Service) -> None:
    """Without JavaScript's permission a page can send forms and plain text, but no JSON."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        body = '{"key": "' + new_key(locked) + '"}'
        answer = httpx.post(f"{locked.url}/v1/session", content=body, headers={"Content-Type": kind}, timeout=60)
        assert answer.status_code == 422
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("key", ["", "amt_", "amt_" + "A" * 43, "x" * 200])
def test_a_wrong_key_opens_no_session(browser: httpx.Client, key: str) -> None:
    answer = browser.post("/v1/session", json={"key": key})
    problem(answer, 401, "unauthorized")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("cookie", ["amt_session=", "amt_session=x", "amt_session", 'amt_session="\\', "a=b; ;=;"])
def test_a_broken_cookie_is_no_key(locked: Service, cookie: str) -> None:
    problem(httpx.get(f"{locked.url}/v1/transcriptions", headers={"Cookie": cookie}, timeout=60), 401, "unauthorized")


def test_keys_stand_in_no_log(locked: Service, anna: httpx.Client) -> None:
    anna.get("/v1/transcriptions")
    anna.get(f"/v1/transcriptions/{UNKNOWN}")
    secret = anna.headers["Authorization"].removeprefix("Bearer ")
    assert secret[12:] not in locked.log
