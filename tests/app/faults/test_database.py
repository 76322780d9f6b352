"""The job table is locked, cut off, restarted, or has no room: what was promised is kept, the rest is refused."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from app.database import BUSY_SECONDS, open_database
from tests.app.faults.breakpoints import NETWORK, STORED
from tests.app.faults.disk import SmallDisk
from tests.app.faults.stack import Files, Stack, assert_one_result_each, post
from tests.app.postgresql import Cluster
from tests.app.service import upload, wait_for


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    server = Cluster()
    yield server
    server.close()


@pytest.fixture(scope="module")
def on_postgresql(cluster: Cluster) -> Iterator[Stack]:
    stack = Stack(settings={"database_url": cluster.url})
    stack.api()
    stack.worker()
    stack.sweeper()
    yield stack
    stack.close()


@pytest.mark.parametrize("place", [NETWORK, STORED])
def test_a_restart_of_postgresql(
    on_postgresql: Stack, cluster: Cluster, tune: bytes, expected: Files, place: str
) -> None:
    """Away while a job is in the middle, and, for the other place, when it has to be noted that it is done."""
    before = {row.id for row in on_postgresql.rows()}
    with on_postgresql.parts[0].client() as client:
        on_postgresql.arm(place)
        jobs = [upload(client, tune), upload(client, tune)]
        on_postgresql.wait_reached(place)
        cluster.stop()
        on_postgresql.release(place)
        refused = post(client, tune)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert client.get(jobs[0]["links"]["self"]).status_code == 503
        cluster.start()
        jobs.append(upload(client, tune))
        rows = on_postgresql.settle()
        assert set(rows) - before == {job["id"] for job in jobs}
        assert [rows[job["id"]].files for job in jobs] == [expected] * 3
        assert {path.name for path in (on_postgresql.storage / "jobs").iterdir()} == set(rows)


def test_connections_that_postgresql_cuts(on_postgresql: Stack, cluster: Cluster, tune: bytes, expected: Files) -> None:
    engine = open_database(cluster.url)
    with on_postgresql.parts[0].client() as client:
        on_postgresql.arm(NETWORK)
        job = upload(client, tune)
        on_postgresql.wait_reached(NETWORK)
        with engine.begin() as connection:
            others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
            cut = connection.scalars(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
            assert len(cut.all()) >= 2
        on_postgresql.release(NETWORK)
        jobs = [job, upload(client, tune)]
        rows = on_postgresql.settle()
        assert [rows[job["id"]].files for job in jobs] == [expected] * 2
    engine.dispose()


@pytest.mark.parametrize("seconds", [2.0, 6.0 * BUSY_SECONDS], ids=["shortly", "for longer than anybody waits"])
def test_a_locked_sqlite(stack: Stack, client: httpx.Client, tune: bytes, expected: Files, seconds: float) -> None:
    """A short lock is waited for. A long one refuses uploads, and costs the running job nothing but time.

    The lock is let go when the upload is answered, at the latest.
    """
    stack.arm(NETWORK)
    jobs = [upload(client, tune), upload(client, tune)]
    stack.wait_reached(NETWORK)
    lock = sqlite3.connect(stack.configuration.database.removeprefix("sqlite:///"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    stack.release(NETWORK)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, client, tune)
        wait([answer], timeout=seconds)
        lock.execute("ROLLBACK")
        lock.close()
    if seconds < BUSY_SECONDS:
        jobs.append(answer.result().raise_for_status().json())
    else:
        assert answer.result().status_code == 503
        assert answer.result().headers["Retry-After"]
    assert_one_result_each(stack, jobs, expected)


def test_a_disk_without_room_for_the_table(tmp_path: Path, tune: bytes, expected: Files) -> None:
    """SQLite cannot write: uploads are refused and not stored, the running job ends once there is room."""
    disk = SmallDisk(tmp_path / "small", megabytes=1)
    stack = Stack(settings={"database_url": f"sqlite:///{disk.folder / 'jobs.sqlite3'}"})
    try:
        with stack.api().client() as client:
            stack.worker()
            stack.sweeper()
            stack.arm(STORED)
            job = upload(client, tune)
            stack.wait_reached(STORED)
            disk.fill()
            refused = wait_for(lambda: _refusal(client, tune), what="a refusal")
            assert refused.status_code == 507, refused.text
            accepted = {path.name for path in (stack.storage / "jobs").iterdir()}
            stack.release(STORED)
            disk.free()
            rows = stack.settle()
            assert job["id"] in rows
            assert set(rows) == accepted
            assert [row.files for row in rows.values()] == [expected] * len(rows)
    finally:
        stack.close()
        disk.close()


def _refusal(client: httpx.Client, data: bytes) -> httpx.Response | None:
    """The answer once the table has no room; its log takes a few more rows before."""
    answer = post(client, data)
    return None if answer.status_code == 202 else answer
