"""The whole service under its supervisor: what dies comes back by itself, what is stopped goes on at the next start."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.faults.measured import MEASURED
from tests.app.faults.stack import QUICK
from tests.app.service import Service, finished, read, running, running_job, short_folder, upload, wait_for


@pytest.fixture(scope="module")
def quick() -> Iterator[Service]:
    """A service that notices losses soon, for those tests that leave it standing."""
    with running(Service(short_folder() / "var", settings=QUICK)) as service:
        yield service


def assert_all_succeed(client: httpx.Client, jobs: list[dict[str, Any]]) -> None:
    start = time.monotonic()
    ended = [finished(client, job) for job in jobs]
    MEASURED.note(len(ended), time.monotonic() - start)
    assert [job["status"] for job in ended] == ["succeeded"] * len(jobs), [job["error"] for job in ended]
    # The same recording gives the same notes, however often it was begun.
    tags = {(job["file"]["name"], client.get(job["links"]["notes_csv"]).headers["ETag"]) for job in ended}
    assert len(tags) == len({job["file"]["name"] for job in ended})


def test_a_running_job_can_be_cancelled(quick: Service, long_tune: bytes) -> None:
    with quick.client() as client:
        job = running_job(client, long_tune)
        assert client.delete(job["links"]["self"]).status_code == 204
        assert read(client, job)["status"] == "cancelled"
        wait_for(lambda: f"job {job['id']}: lost" in quick.log, what="the worker's notice")
        assert not (quick.var / "storage" / "jobs" / job["id"]).exists()
        assert read(client, job)["status"] == "cancelled"
        assert client.delete(job["links"]["self"]).status_code == 204


def test_decoding_does_not_wait_for_a_transcription(quick: Service, long_tune: bytes, tune: bytes) -> None:
    with quick.client() as client:
        short = finished(client, upload(client, tune))
        long = running_job(client, long_tune)
        answer = client.post(short["links"]["decode"], json={"onset_threshold": 0.8})
        assert answer.status_code == 200
        assert read(client, long)["status"] == "running"
        client.delete(long["links"]["self"])


def test_a_killed_worker_is_restarted_and_goes_on(quick: Service, long_tune: bytes) -> None:
    with quick.client() as client:
        job = running_job(client, long_tune)
        os.kill(quick.child("worker", "--queue transcribe"), signal.SIGKILL)
        assert_all_succeed(client, [job])
    assert "transcribe died (signal SIGKILL)" in quick.log


def test_a_worker_that_consumes_nothing_is_replaced(tune: bytes) -> None:
    """Its process lives, and a job waits: the service is not ready, until the supervisor has put a new one there."""
    service = Service(short_folder() / "var", settings=QUICK | {"consumer_seconds": "4"})
    with running(service), service.client() as client:
        finished(client, upload(client, tune))
        os.kill(service.child("worker", "--queue transcribe"), signal.SIGSTOP)
        job = upload(client, tune)
        wait_for(lambda: _unready_for(client, "transcribe worker"), what="notice of the deaf worker")
        assert finished(client, job)["status"] == "succeeded"
        wait_for(lambda: client.get("/readyz").status_code == 200, what="readiness")
    assert "transcribe lives but consumes nothing" in service.log


def _unready_for(client: httpx.Client, part: str) -> bool:
    """Whether the service is not ready, and this among its reasons. On a busy machine others may be late as well."""
    answer = client.get("/readyz")
    return answer.status_code == 503 and part in answer.text


def test_redis_killed_under_a_running_job(quick: Service, long_tune: bytes, tune: bytes) -> None:
    with quick.client() as client, quick.redis() as redis:
        jobs = [running_job(client, long_tune), upload(client, tune)]
        os.kill(int(redis.info("server")["process_id"]), signal.SIGKILL)
        assert read(client, jobs[0])["status"] in ("running", "queued")
        assert_all_succeed(client, jobs)


def test_sigterm_hands_the_job_back_and_the_next_start_goes_on(long_tune: bytes, tune: bytes) -> None:
    service = Service(short_folder() / "var")
    with running(service), service.client() as client:
        jobs = [running_job(client, long_tune), upload(client, tune)]
        assert service.stop() == 0
        assert service.processes() == {}
        # On a machine that is busy enough the next window comes after the grace time.
        assert "handed back" in service.log or "transcribe does not stop and is killed" in service.log
    with running(service), service.client() as client:
        assert_all_succeed(client, jobs)
        assert len(client.get("/v1/transcriptions").json()["transcriptions"]) == 2


def test_sigkill_of_everything_loses_nothing(long_tune: bytes, tune: bytes) -> None:
    service = Service(short_folder() / "var")
    with running(service), service.client() as client:
        jobs = [running_job(client, long_tune), upload(client, tune), upload(client, tune)]
        assert service.stop(signal.SIGKILL) == -signal.SIGKILL
        wait_for(lambda: not service.processes(), seconds=60, what="the end of all children")
    with running(service), service.client() as client:
        assert_all_succeed(client, jobs)
        assert len(client.get("/v1/transcriptions").json()["transcriptions"]) == 3


def test_postgresql_serves_as_well(postgresql: str, tune: bytes) -> None:
    service = Service(short_folder() / "var", settings={"database_url": postgresql})
    with running(service), service.client() as client:
        job = finished(client, upload(client, tune, "Étude.wav"))
        assert job["status"] == "succeeded"
        assert client.delete(job["links"]["self"]).status_code == 204
        assert not Path(service.var / "jobs.sqlite3").exists()
