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
    """Revision by revision; what the first one knows of a job stays as it is."""
    migrate(database_url, REVISIONS[0])
    first = columns(database_url)
    migrate(database_url)
    with repository(database_url) as jobs:
        jobs.add(make_job(file_name="Étude 🎹.flac"))
    (newest,) = rows(database_url)["jobs"]
    for revision in [*reversed(REVISIONS[:-1]), *REVISIONS[1:]]:
        migrate(database_url, revision)
        (job,) = rows(database_url)["jobs"]
        assert {name: job[name] for name in first} == {name: newest[name] for name in first}, revision
    assert set(job) == set(newest)
    with repository(database_url) as jobs:
        assert jobs.claim("a", holder="a worker", seconds=60) is not None


def test_the_version_before_goes_on_beside_the_new_tables(database_url: str) -> None:
    """A rolling upgrade: for a while the old code writes what it knows into the tables of the new one."""
    migrate(database_url, REVISIONS[0])
    job = make_job("old", options={})
    known = {name: getattr(job, name) for name in columns(database_url)} | {"options": "{}"}
    migrate(database_url)
    with connected(database_url) as connection:
        values = ", ".join(f":{name}" for name in known)
        connection.execute(text(f"INSERT INTO jobs ({', '.join(known)}) VALUES ({values})"), known)
    with repository(database_url) as jobs:
        assert jobs.claim("old", holder="a new worker", seconds=60) is not None


def columns(url: str) -> list[str]:
    """Of the job table."""
    with connected(url) as connection:
        return [column["name"] for column in inspect(connection).get_columns("jobs")]


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
