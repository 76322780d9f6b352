"""Long recordings wait in a lane of their own: short ones do not wait behind them, and none is forgotten."""

import io
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from redis import Redis

from app.clock import utc_now
from app.cores import usable_cores
from app.database import open_database, session_factory
from app.jobs.lanes import Lanes
from app.jobs.repository import JobRepository
from app.jobs.sharing import SharingRepository
from app.jobs.states import Status
from app.lanes import Lane
from app.queue import announced_jobs, build_celery
from app.schema import migrate
from app.settings import Settings
from app.storage import open_storage
from app.sweeper import Sweeper
from app.webhooks.repository import WebhookRepository
from tests.app.service import Service, finished, read, repository, running, running_job, short_folder, upload
from tests.app.test_jobs import make_job, stored
from tests.app.test_observing import numbers, value
from tests.app.test_sweeper import LEASE_SECONDS, without_its_worker

LENGTHS = {"short": 12.0, "edge": 60.0, "long": 60.1, "unknown": None}
START = utc_now()


@pytest.fixture
def sessions(database_url: str, jobs: JobRepository) -> Iterator[Any]:
    """The same table as `jobs`."""
    engine = open_database(database_url)
    yield session_factory(engine)
    engine.dispose()


def silence(seconds: float) -> bytes:
    """A recording that is small as a file and long to listen to."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(int(seconds * 16000), dtype=np.int16), 16000, format="FLAC")
    return file.getvalue()


def worked_off(jobs: JobRepository, sharing: SharingRepository, lane: Lane) -> list[str]:
    """Ids in the order in which one worker of this lane takes them."""
    taken = []
    while (job_id := sharing.next_job(lane)) is not None:
        assert jobs.claim(job_id, holder="me", seconds=60) is not None
        taken.append(job_id)
    return taken


# The table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("long_seconds", "usual"),
    [
        (None, ["short", "edge", "long", "unknown"]),
        (60.0, ["short", "edge"]),
        (5.0, []),
        (61.0, ["short", "edge", "long"]),
    ],
)
def test_every_job_is_in_exactly_one_lane(
    jobs: JobRepository, sessions: Any, long_seconds: float | None, usual: list[str]
) -> None:
    lanes = Lanes(long_seconds)
    for number, (name, seconds) in enumerate(LENGTHS.items()):
        jobs.add(make_job(name, seconds_expected=seconds, queued_at=START + timedelta(seconds=number)))
    assert [name for name in LENGTHS if lanes.of(stored(jobs, name)) == Lane.USUAL] == usual
    sharing = SharingRepository(sessions, lanes)
    assert worked_off(jobs, sharing, Lane.USUAL) == usual
    assert worked_off(jobs, sharing, Lane.LONG) == [name for name in LENGTHS if name not in usual]


def test_turns_and_places_of_one_lane_know_nothing_of_the_other(jobs: JobRepository, sessions: Any) -> None:
    """Who has short ones started all the time comes to his turn with a long one all the same."""
    sharing = SharingRepository(sessions, Lanes(60.0))
    for number in range(3):
        jobs.add(make_job(f"anna's {number}", submitter="anna", seconds_expected=5.0))
        jobs.add(make_job(f"ben's long {number}", submitter="ben", seconds_expected=3600.0))
    assert sharing.next_job(Lane.LONG) == "ben's long 0"
    jobs.claim("ben's long 0", holder="me", seconds=60)
    jobs.claim("anna's 0", holder="me", seconds=60)
    jobs.add(make_job("anna's long", submitter="anna", seconds_expected=3600.0))
    places = {name: sharing.position(stored(jobs, name)) for name in ("anna's 2", "anna's long", "ben's long 1")}
    assert places == {"anna's 2": 2, "anna's long": 1, "ben's long 1": 2}
    assert worked_off(jobs, sharing, Lane.LONG) == ["anna's long", "ben's long 1", "ben's long 2"]
    assert worked_off(jobs, sharing, Lane.USUAL) == ["anna's 1", "anna's 2"]


# Messages ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(
        var=tmp_path, redis_url=redis_url, message_grace_seconds=0, lease_seconds=LEASE_SECONDS, long_seconds=60
    )


@pytest.fixture
def table(settings: Settings) -> Iterator[JobRepository]:
    migrate(settings.database)
    with repository(settings.database) as jobs:
        yield jobs


def sweeper(settings: Settings, table: JobRepository, redis: Redis) -> Sweeper:
    webhooks = WebhookRepository(session_factory(open_database(settings.database)))
    return Sweeper(settings, table, webhooks, open_storage(settings), redis, build_celery(settings))


def test_every_lane_gets_the_messages_that_it_misses(settings: Settings, table: JobRepository, redis: Redis) -> None:
    for name, seconds in LENGTHS.items():
        table.add(make_job(name, seconds_expected=seconds))
    for _ in range(2):
        sweeper(settings, table, redis).announce_waiting_jobs()
    assert announced_jobs(redis, Lane.USUAL) == {"short", "edge"}
    assert announced_jobs(redis, Lane.LONG) == {"long", "unknown"}
    redis.delete(Lane.LONG.value)
    sweeper(settings, table, redis).announce_waiting_jobs()
    assert announced_jobs(redis, Lane.LONG) == {"long", "unknown"}
    assert redis.llen(Lane.USUAL.value) == 2


def test_jobs_are_announced_in_their_lane_as_the_setting_is_now(
    settings: Settings, table: JobRepository, redis: Redis
) -> None:
    for name, seconds in LENGTHS.items():
        table.add(make_job(name, seconds_expected=seconds))
    sweeper(settings, table, redis).announce_waiting_jobs()
    one_queue = settings.model_copy(update={"long_seconds": None})
    sweeper(one_queue, table, redis).announce_waiting_jobs()
    assert announced_jobs(redis, Lane.USUAL) == set(LENGTHS)
    all_long = settings.model_copy(update={"long_seconds": 1.0})
    sweeper(all_long, table, redis).announce_waiting_jobs()
    assert announced_jobs(redis, Lane.LONG) == set(LENGTHS)


def test_every_queue_is_tried(settings: Settings, table: JobRepository, redis: Redis) -> None:
    sweeper(settings, table, redis).send_canaries()
    assert {queue: redis.llen(queue) for queue in settings.queues} == {
        "transcribe": 1,
        "transcribe-long": 1,
        "decode": 1,
        "score": 1,
    }


def test_a_lost_long_job_is_announced_to_the_workers_of_its_lane(
    settings: Settings, table: JobRepository, redis: Redis
) -> None:
    table.add(make_job("long", seconds_expected=3600.0))
    table.claim("long", holder="me", seconds=60)
    watching = sweeper(settings, table, redis)
    watching.recover_lost_jobs()
    assert without_its_worker(watching, table, "long") == Status.QUEUED
    assert announced_jobs(redis, Lane.LONG) == {"long"}
    assert redis.llen(Lane.USUAL.value) == 0


# The service -------------------------------------------------------------------------------------------------------


def test_uploads_are_announced_and_counted_by_lane(redis_url: str, redis: Redis, tune: bytes) -> None:
    api = Service(short_folder() / "var", words=("api",), settings={"redis_url": redis_url, "long_seconds": "60"})
    migrate(api.configuration().database)
    with running(api), api.client() as client:
        upload(client, tune)
        jobs = [upload(client, silence(90)), upload(client, tune), upload(client, silence(90))]
        assert [job["progress"]["queue_position"] for job in jobs] == [1, 2, 2]
        listed = client.get("/v1/transcriptions").json()["transcriptions"]
        assert sorted(job["progress"]["queue_position"] for job in listed) == [1, 1, 2, 2]
        assert announced_jobs(redis, Lane.LONG) == {jobs[0]["id"], jobs[2]["id"]}
        assert redis.llen(Lane.USUAL.value) == 2
        found = numbers(client)
        for queue in (Lane.USUAL, Lane.LONG):
            assert value(found, "amt_queue_length", queue=queue) == 2
            assert value(found, "amt_queue_age_seconds", queue=queue) > 0
            assert value(found, "amt_queue_messages", queue=queue) == 2
        wrong = client.get("/readyz").json()["errors"]
        queues = ("transcribe", "transcribe-long", "decode", "score")
        assert [one["field"] for one in wrong] == [f"{queue} worker" for queue in queues]


def test_a_worker_of_a_queue_that_nothing_comes_into_does_not_start(redis_url: str) -> None:
    words = ("worker", "--queue", "transcribe-long")
    worker = Service(short_folder() / "var", words=words, settings={"redis_url": redis_url}).spawn()
    assert worker.process is not None
    assert worker.process.wait(timeout=60) == 2
    assert "set AMT_LONG_SECONDS" in worker.log


def test_ten_short_recordings_pass_a_long_one_and_a_changed_setting_loses_none(tune: bytes) -> None:
    service = Service(short_folder() / "var", settings={"long_seconds": "30", "threads": ""})
    with running(service), service.client() as client:
        usual = service.child("app.cli worker --queue transcribe ")
        share = max(1, usable_cores() // 2)
        assert f"AMT_THREADS={share}".encode() in Path(f"/proc/{usual}/environ").read_bytes().split(b"\0")
        long = running_job(client, silence(7000))
        short = [upload(client, tune) for _ in range(10)]
        assert [finished(client, job)["status"] for job in short] == ["succeeded"] * 10
        before = read(client, long)
        os.kill(usual, signal.SIGKILL)
        assert finished(client, upload(client, tune))["status"] == "succeeded"
        after = read(client, long)  # the new worker has not taken the other lane's job for a lost one of its own
        assert (after["status"], after["started_at"]) == ("running", before["started_at"])
        waiting = upload(client, silence(40))
    service.settings["long_seconds"] = ""
    with running(service), service.client() as client:
        client.delete(long["links"]["self"]).raise_for_status()
        assert finished(client, waiting)["status"] == "succeeded"
