"""Upgrades and the way back, on both databases, with jobs in the tables."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, MetaData, inspect, text

from app.database import is_current, open_database
from app.schema import MigrationError, known_revisions, migrate
from tests.app.service import repository
from tests.app.test_jobs import make_job

REVISIONS = sorted(known_revisions())


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = open_database(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def rows(url: str) -> dict[str, list[dict[str, object]]]:
    """Everything in all tables but the revision itself."""
    with connected(url) as connection:
        tables = MetaData()
        tables.reflect(connection)
        return {
            name: [dict(row) for row in connection.execute(table.select()).mappings()]
            for name, table in tables.tables.items()
            if name != "alembic_version"
        }


def test_jobs_go_all_the_way_back_and_come_forward_again(database_url: str) -> None:
    """Revision by revision; what each one knows of a job stays as it is."""
    migrate(database_url)
    with repository(database_url) as jobs:
        jobs.add(make_job(file_name="Étude 🎹.flac"))
    newest = rows(database_url)["jobs"][0]
    for revision in [*reversed(REVISIONS[:-1]), *REVISIONS[1:]]:
        migrate(database_url, revision)
        (job,) = rows(database_url)["jobs"]
        assert job == {name: newest[name] for name in job} | {
            name: value for name, value in job.items() if value in (None, "[]", [], 0)
        }, revision
    with repository(database_url) as jobs:
        again = jobs.get("a")
        assert again is not None
        assert (again.file_name, again.status) == ("Étude 🎹.flac", "queued")


def test_the_version_before_goes_on_beside_the_new_tables(database_url: str) -> None:
    """A rolling upgrade: for a while the old code writes what it knows into the tables of the new one."""
    migrate(database_url, REVISIONS[0])
    with repository_of_first_version(database_url) as known:
        migrate(database_url)
        with connected(database_url) as connection:
            names = ", ".join(known)
            values = ", ".join(f":{name}" for name in known)
            connection.execute(text(f"INSERT INTO jobs ({names}) VALUES ({values})"), known)
    with repository(database_url) as jobs:
        job = jobs.get("old")
        assert job is not None
        assert job.status == "queued"
        assert jobs.claim("old", holder="a new worker", seconds=60) is not None


@contextmanager
def repository_of_first_version(url: str) -> Iterator[dict[str, object]]:
    """The values of a job's row as the first version would write it."""
    with connected(url) as connection:
        columns = {column["name"]: column for column in inspect(connection).get_columns("jobs")}
    job = make_job("old")
    values = {name: getattr(job, name) for name in columns}
    needed = {name: value for name, value in values.items() if value is not None}
    for name in ("options",):
        if name in needed:
            needed[name] = "{}"
    yield needed


def test_newer_tables_are_refused_in_words(database_url: str) -> None:
    migrate(database_url)
    with connected(database_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(MigrationError, match="revision 9999, which is newer"):
        migrate(database_url)
    engine = open_database(database_url)
    assert not is_current(engine)
    engine.dispose()


def test_an_unknown_revision_is_refused(database_url: str) -> None:
    with pytest.raises(MigrationError, match="there is no revision '12'; there are 0001, "):
        migrate(database_url, "12")
