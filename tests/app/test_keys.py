"""API keys: who has none gets nothing, who has one gets what is its own."""

import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command
from sqlalchemy import create_engine, text
from typer.testing import CliRunner, Result

from app.cli import cli
from app.clock import utc_now
from app.database import open_database, session_factory
from app.jobs.repository import JobRepository
from app.keys.repository import SESSION_LIFE, KeyRepository
from app.keys.secret import digest
from app.keys.table import Scope, Session
from app.schema import migrate, migration_config
from tests.app.service import START_SECONDS, Service, repository, running, short_folder, upload
from tests.app.test_jobs import make_job, stored
from tests.app.test_requests import UNKNOWN, problem

ALL = frozenset(Scope)


@pytest.fixture
def keys(database_url: str) -> Iterator[KeyRepository]:
    """An empty key table on each database."""
    migrate(database_url)
    engine = open_database(database_url)
    yield KeyRepository(session_factory(engine))
    engine.dispose()


@pytest.fixture(scope="module")
def locked(redis_url: str) -> Iterator[Service]:
    """An API that others may reach, with keys."""
    service = Service(short_folder() / "var", words=("api",), settings={"redis_url": redis_url, "host": "0.0.0.0"})
    migrate(service.configuration().database)
    new_key(service)
    with running(service):
        yield service


def new_key(service: Service, scopes: frozenset[Scope] = ALL) -> str:
    engine = open_database(service.configuration().database)
    _, secret = KeyRepository(session_factory(engine)).create("a test", scopes)
    engine.dispose()
    return secret


def as_key(service: Service, secret: str) -> httpx.Client:
    return httpx.Client(base_url=service.url, timeout=60, headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def anna(locked: Service) -> Iterator[httpx.Client]:
    with as_key(locked, new_key(locked)) as client:
        yield client


@pytest.fixture
def ben(locked: Service) -> Iterator[httpx.Client]:
    with as_key(locked, new_key(locked)) as client:
        yield client


def amt(*words: str, var: Path) -> Result:
    """The command line, in this process."""
    return CliRunner(env={"AMT_VAR": str(var)}).invoke(cli, words)


# What is kept ------------------------------------------------------------------------------------------------------


def test_a_key_is_random_and_only_its_hash_is_kept(keys: KeyRepository, database_url: str) -> None:
    key, secret = keys.create("Anna", [Scope.READ, Scope.TRANSCRIBE, Scope.READ])
    assert re.fullmatch(r"amt_[A-Za-z0-9_-]{43}", secret)
    assert secret != keys.create("Anna", [Scope.READ])[1]
    assert (key.id, key.sha256) == (secret[:12], digest(secret))
    engine = open_database(database_url)
    with engine.connect() as connection:
        rows = str(connection.execute(text("SELECT * FROM api_keys")).all())
    engine.dispose()
    assert key.id in rows
    assert secret[12:] not in rows


def test_a_key_is_found_until_it_is_revoked(keys: KeyRepository) -> None:
    assert not keys.any()
    key, secret = keys.create("Anna", [Scope.READ, Scope.TRANSCRIBE])
    found = keys.find(secret)
    assert found is not None
    assert (found.id, found.scopes) == (key.id, ["read", "transcribe"])
    for other in (secret[:-1] + ("A" if secret[-1] != "A" else "B"), secret[:12], key.sha256, "", "amt_", "ä" * 47):
        assert keys.find(other) is None
    assert keys.revoke(key.id)
    assert not keys.revoke(key.id)
    assert keys.find(secret) is None
    assert keys.any()


def test_a_session_ends_with_its_key_its_time_or_its_owners_word(keys: KeyRepository, database_url: str) -> None:
    key, _ = keys.create("Anna", [Scope.READ])
    first, second, third = (keys.open_session(key) for _ in range(3))
    assert keys.find_session(first).id == key.id  # type: ignore[union-attr]
    keys.close_session(first)
    assert keys.find_session(first) is None
    engine = open_database(database_url)
    with session_factory(engine).begin() as session:
        late = session.get(Session, digest(second))
        assert late is not None
        assert utc_now() < late.expires_at <= utc_now() + SESSION_LIFE
        late.expires_at = utc_now() - timedelta(seconds=1)
    assert keys.find_session(second) is None
    assert keys.find_session(third) is not None
    keys.revoke(key.id)
    assert keys.find_session(third) is None
    keys.open_session(keys.create("Ben", [Scope.READ])[0])
    with session_factory(engine)() as session:
        assert len(session.query(Session).all()) == 1
    engine.dispose()


def test_migrations_keep_the_jobs_that_are_there(database_url: str) -> None:
    _to(database_url, "0001")
    engine = create_engine(database_url)
    job = make_job("old")
    values = {name: getattr(job, name) for name in ("id", "file_name", "file_sha256", "model_name", "model_sha256")}
    moments = dict.fromkeys(("created_at", "queued_at", "expires_at"), job.created_at)
    rest = {"status": "succeeded", "file_bytes": 3, "options": "{}", "seconds_done": 0.0, "attempts": 1}
    row = values | moments | rest | {"files_gone": False}
    names = ", ".join(row)
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO jobs ({names}) VALUES (:{names.replace(', ', ', :')})"), row)
    _to(database_url, "head")
    with repository(database_url) as jobs:
        assert stored(jobs, "old").file_name == job.file_name
        assert stored(jobs, "old").submitter is None
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO api_keys VALUES ('k', 'x', 'n', '[]', :now, NULL)"), {"now": utc_now()})
    _to(database_url, "0001")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, attempts FROM jobs")).all() == [("old", 1)]
    _to(database_url, "head")
    with repository(database_url) as jobs:
        assert stored(jobs, "old").attempts == 1
    engine.dispose()


def _to(url: str, revision: str) -> None:
    engine = open_database(url)
    with engine.begin() as connection:
        config = migration_config()
        config.attributes["connection"] = connection
        move = command.downgrade if revision == "0001" and _has_tables(connection) else command.upgrade
        move(config, revision)
    engine.dispose()


def _has_tables(connection: Any) -> bool:
    return bool(connection.dialect.has_table(connection, "alembic_version"))


def test_jobs_can_be_given_to_another_key(jobs: JobRepository) -> None:
    for name, owner in (("a", None), ("b", "anna"), ("c", "ben")):
        jobs.add(make_job(name, owner=owner))
    assert jobs.change_owner(None, "anna") == 1
    assert jobs.change_owner("ben", "cleo") == 1
    assert {job.id for job in jobs.page(owner="anna", size=9, after=None)} == {"a", "b"}
    assert {job.id for job in jobs.page(owner="cleo", size=9, after=None)} == {"c"}
    assert list(jobs.page(owner=None, size=9, after=None)) == []


# The command line --------------------------------------------------------------------------------------------------


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    var = tmp_path
    assert "there are no keys" in amt("keys", "list", var=var).stdout
    made = amt("keys", "create", "Anna's laptop", var=var)
    secret = made.stdout.strip()
    assert (made.exit_code, len(secret)) == (0, 47)
    admin = amt("keys", "create", "Ben", "--scopes", "admin, read", var=var).stdout.strip()
    listed = amt("keys", "list", var=var).stdout
    assert re.search(rf"{secret[:12]} +Anna's laptop +read,transcribe", listed)
    assert re.search(rf"{admin[:12]} +Ben +admin,read", listed)
    assert secret[12:] not in listed
    assert amt("keys", "revoke", secret[:12], var=var).exit_code == 0
    again = amt("keys", "revoke", secret[:12], var=var)
    assert (again.exit_code, "was revoked before" in again.stderr) == (1, True)
    assert "is not known" in amt("keys", "revoke", "amt_nothing0", var=var).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Anna", "--scopes", "write"], "there are transcribe, read, admin"),
        (["Anna", "--scopes", ","], "unknown scope"),
        ([" "], "1 to 100 printable characters"),
        (["a\nb"], "1 to 100 printable characters"),
        (["Anna", "--adopt", "amt_nothing0"], "there is no key 'amt_nothing0'"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(tmp_path: Path, words: list[str], said: str) -> None:
    run = amt("keys", "create", *words, var=tmp_path)
    assert (run.exit_code, run.stdout) == (2, "")
    assert said in run.stderr
    assert "there are no keys" in amt("keys", "list", var=tmp_path).stdout


def test_a_new_key_can_adopt_the_jobs_of_nobody(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.sqlite3"
    migrate(url)
    with repository(url) as jobs:
        jobs.add(make_job("a"))
        run = amt("keys", "create", "Anna", "--adopt", "nobody", var=tmp_path)
        assert "1 jobs are its own now" in run.stderr
        assert stored(jobs, "a").owner == run.stdout[:12]


# The start ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("serve",), ("api",)])
def test_a_public_address_is_refused_without_keys(redis_url: str, words: tuple[str, ...]) -> None:
    service = Service(short_folder() / "var", words=words, settings={"redis_url": redis_url, "host": "0.0.0.0"})
    migrate(service.configuration().database)
    process = service.spawn().process
    assert process is not None
    assert process.wait(timeout=START_SECONDS) == 1
    assert "there are no API keys; make one with `amt keys create NAME`" in service.log
    assert "Traceback" not in service.log
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", service.port), timeout=1):  # noqa: PT011
        pass


def test_words_open_a_public_address(redis_url: str) -> None:
    settings = {"redis_url": redis_url, "host": "0.0.0.0", "allow_public": "without-keys"}
    service = Service(short_folder() / "var", words=("api",), settings=settings)
    migrate(service.configuration().database)
    with running(service), service.client() as client:
        assert client.get("/v1/transcriptions").status_code == 200
        assert client.get("/v1/session").json() == {"required": False, "key": None}


def test_the_first_key_closes_a_running_service_and_the_last_does_not_open_it(redis_url: str) -> None:
    service = Service(short_folder() / "var", words=("api",), settings={"redis_url": redis_url})
    migrate(service.configuration().database)
    with running(service), service.client() as anybody:
        job = upload(anybody, b"x")
        secret = new_key(service)
        problem(anybody.get(job["links"]["self"]), 401, "unauthorized")
        with as_key(service, secret) as key:
            problem(key.get(job["links"]["self"]), 404, "not-found")
            amt("keys", "revoke", secret[:12], var=service.var)
            problem(key.get("/v1/transcriptions"), 401, "unauthorized")
        problem(anybody.get("/v1/transcriptions"), 401, "unauthorized")


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
            b"POST /v1/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Length: 500000000\r\n"
            b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n--edge\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 401")
    assert not [path for path in (locked.var / "tmp").rglob("*") if path.is_file()]


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
    again = httpx.get(f"{locked.url}/v1/transcriptions", headers={"Cookie": f"amt_session={stolen}"})
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
        answer = httpx.post(f"{locked.url}/v1/session", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 422
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("key", ["", "amt_", "amt_" + "A" * 43, "x" * 200])
def test_a_wrong_key_opens_no_session(browser: httpx.Client, key: str) -> None:
    answer = browser.post("/v1/session", json={"key": key})
    problem(answer, 401, "unauthorized")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("cookie", ["amt_session=", "amt_session=x", "amt_session", 'amt_session="\\', "a=b; ;=;"])
def test_a_broken_cookie_is_no_key(locked: Service, cookie: str) -> None:
    problem(httpx.get(f"{locked.url}/v1/transcriptions", headers={"Cookie": cookie}), 401, "unauthorized")


def test_keys_stand_in_no_log(locked: Service, anna: httpx.Client) -> None:
    anna.get("/v1/transcriptions")
    anna.get(f"/v1/transcriptions/{UNKNOWN}")
    secret = anna.headers["Authorization"].removeprefix("Bearer ")
    assert secret[12:] not in locked.log
