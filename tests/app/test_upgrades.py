"""Upgrades and the way back, on both databases, with jobs in the tables."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, MetaData, event, inspect, text

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


CHANGES = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")


def migrate_until(url: str, changes: int) -> None:
    """Bring tables up to date, and die after so many changes of them."""
    seen = count(1)

    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith(CHANGES) and next(seen) == changes:
            os._exit(9)

    event.listen(Engine, "after_cursor_execute", die)
    migrate(url)


@pytest.mark.parametrize("start", [None, *REVISIONS[:-1]])
def test_a_kill_amid_an_upgrade_leaves_the_tables_as_they_were(tmp_path: Path, start: str | None) -> None:
    forked = multiprocessing.get_context("fork")
    for changes in count(1):
        url = f"sqlite:///{tmp_path / f'{changes}.sqlite3'}"
        if start:
            migrate(url, start)
        process = forked.Process(target=migrate_until, args=(url, changes))
        process.start()
        process.join()
        migrate(url)
        engine = open_database(url)
        assert is_current(engine)
        engine.dispose()
        if process.exitcode == 0:  # there were no more changes
            break
        assert process.exitcode == 9
    assert changes > 1


def test_two_upgrades_at_once_are_one_after_the_other(database_url: str) -> None:
    forked = multiprocessing.get_context("fork")
    both = [forked.Process(target=migrate, args=(database_url,)) for _ in range(4)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0] * 4


def test_a_database_that_does_not_obey_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite3").write_bytes(b"This is no database. " * 100)
    with pytest.raises(MigrationError, match=r"cannot be brought up to date: .*not a database"):
        migrate(f"sqlite:///{tmp_path / 'jobs.sqlite3'}")
