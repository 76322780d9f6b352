"""Breaking the real parts while jobs are in flight, and counting the jobs afterwards."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.app.service import Service, finished, read, running, short_folder, upload, wait_for
from tests.model.files import encode
from tests.model.signals import TUNE, TUNE_SECONDS, melody

# Leases and rounds are short here, so that a loss is seen within seconds.
QUICK = {"lease_seconds": "3", "sweep_seconds": "0.3", "message_grace_seconds": "1"}


@pytest.fixture(scope="module")
def long_tune(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four minutes: long enough to be caught in the middle."""
    wave = np.tile(melody(TUNE, TUNE_SECONDS, sr=16000), 20)
    return encode(tmp_path_factory.mktemp("long") / "long.flac", wave, sr=16000, kind="flac").read_bytes()


@pytest.fixture(scope="module")
def quick() -> Iterator[Service]:
    """A service that notices losses soon, for those tests that leave it standing."""
    with running(Service(short_folder() / "var", settings=QUICK)) as service:
        yield service


def running_job(client: httpx.Client, data: bytes) -> dict[str, Any]:
    job = upload(client, data, "long.flac")
    wait_for(lambda: read(client, job)["progress"]["seconds_done"] > 0, what="a job in the middle")
    return job


def assert_all_succeed(client: httpx.Client, jobs: list[dict[str, Any]]) -> None:
    ended = [finished(client, job) for job in jobs]
    assert [job["status"] for job in ended] == ["succeeded"] * len(jobs), [job["error"] for job in ended]
    # The same recording gives the same notes, however often it was begun.
    tags = {client.get(job["links"]["notes_csv"]).headers["ETag"] for job in ended}
    assert len(tags) == 1


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


def test_a_killed_child_costs_an_attempt_and_no_job(quick: Service, long_tune: bytes) -> None:
    with quick.client() as client:
        jobs = [running_job(client, long_tune), upload(client, long_tune)]
        parent = quick.child("worker", "--queue transcribe")
        child = next(pid for pid, line in quick.processes().items() if "transcribe" in line and pid != parent)
        os.kill(child, signal.SIGKILL)
        assert_all_succeed(client, jobs)


def test_a_killed_worker_is_restarted_and_goes_on(quick: Service, long_tune: bytes) -> None:
    with quick.client() as client:
        job = running_job(client, long_tune)
        os.kill(quick.child("worker", "--queue transcribe"), signal.SIGKILL)
        assert_all_succeed(client, [job])
    assert "transcribe died (signal SIGKILL)" in quick.log


def test_flushed_messages_are_sent_again(quick: Service, long_tune: bytes) -> None:
    with quick.client() as client, quick.redis() as redis:
        jobs = [running_job(client, long_tune), upload(client, long_tune), upload(client, long_tune)]
        redis.flushall()
        assert_all_succeed(client, jobs)


def test_redis_killed_under_a_running_job(quick: Service, long_tune: bytes) -> None:
    with quick.client() as client, quick.redis() as redis:
        jobs = [running_job(client, long_tune), upload(client, long_tune)]
        os.kill(int(redis.info("server")["process_id"]), signal.SIGKILL)
        assert read(client, jobs[0])["status"] in ("running", "queued")
        assert_all_succeed(client, jobs)


def test_a_job_that_kills_its_worker_is_given_up(quick: Service, long_tune: bytes) -> None:
    """Every time it runs, its process is killed; after three times it is poisoned, and the next job runs."""
    with quick.client() as client:
        job = upload(client, long_tune, "killer.flac")
        killed: set[int] = set()

        def poisoned() -> bool:
            document = read(client, job)
            if document["progress"]["seconds_done"] > 0 and document["status"] == "running":
                parent = quick.child("worker", "--queue transcribe")
                for pid, line in quick.processes().items():
                    if "transcribe" in line and pid != parent and pid not in killed:
                        killed.add(pid)
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
            return bool(document["status"] == "failed")

        wait_for(poisoned, seconds=120, what="the end of the killer")
        error = read(client, job)["error"]
        assert (error["code"], error["retryable"]) == ("poisoned", False)
        assert len(killed) >= 3
        wait_for(lambda: client.get("/readyz").status_code == 200, what="readiness")


def test_sigterm_hands_the_job_back_and_the_next_start_goes_on(long_tune: bytes) -> None:
    service = Service(short_folder() / "var")
    with running(service), service.client() as client:
        jobs = [running_job(client, long_tune), upload(client, long_tune)]
        start = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - start < 30
        assert service.processes() == {}
        assert "handed back" in service.log
    with running(service), service.client() as client:
        assert_all_succeed(client, jobs)
        assert len(client.get("/v1/transcriptions").json()["transcriptions"]) == 2


def test_sigkill_of_everything_loses_nothing(long_tune: bytes) -> None:
    service = Service(short_folder() / "var")
    with running(service), service.client() as client:
        jobs = [running_job(client, long_tune), upload(client, long_tune), upload(client, long_tune)]
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
