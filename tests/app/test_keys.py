"""API keys as they are kept, made and revoked, and what a start without any does."""

import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

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
from tests.app.keyed import as_key, new_key
from tests.app.service import START_SECONDS, Service, repository, running, short_folder, upload
from tests.app.test_jobs import make_job, stored
from tests.app.test_requests import problem


@pytest.fixture
def keys(database_url: str) -> Iterator[KeyRepository]:
    """An empty key table on each database."""
    migrate(database_url)
    engine = open_database(database_url)
    yield KeyRepository(session_factory(engine))
    engine.dispose()


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
