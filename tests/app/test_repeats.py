"""`Idempotency-Key` and `Prefer: wait`: a request may be sent again, and may wait for its end."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from redis import Redis
from sqlalchemy import update

from app.api.caller import Caller
from app.api.idempotency import request_key
from app.clock import utc_now
from app.database import open_database
from app.jobs.states import ErrorCode, Status
from app.jobs.table import Job
from app.keys.table import ApiKey
from app.schema import migrate
from tests.app.service import Service, read, repository, running, short_folder, upload
from tests.app.test_requests import problem


def post(client: httpx.Client, key: str, data: bytes = b"x", **options: str) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return client.post("/v1/transcriptions", files={"file": ("a.wav", data)}, data=options, headers=headers)


def count(client: httpx.Client) -> int:
    return len(client.get("/v1/transcriptions", params={"page_size": 100}).json()["transcriptions"])


@pytest.fixture
def token() -> str:
    return f"k{time.time_ns()}"


# Idempotency-Key ---------------------------------------------------------------------------------------------------


def test_the_same_request_gives_the_same_job(idle: httpx.Client, idle_service: Service, token: str) -> None:
    first = post(idle, token, tempo="90")
    assert first.status_code == 202
    assert "Idempotency-Replayed" not in first.headers
    before = count(idle)
    for _ in range(3):
        again = post(idle, token, tempo="90")
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers["Location"] == first.headers["Location"]
    assert count(idle) == before
    assert post(idle, token + "x", tempo="90").json()["id"] != first.json()["id"]


@pytest.mark.parametrize("other", [{"data": b"y"}, {"tempo": "91"}, {"model": "default"}])
def test_another_request_under_the_same_key_is_refused(idle: httpx.Client, token: str, other: dict[str, Any]) -> None:
    post(idle, token, tempo="90")
    before = count(idle)
    problem(post(idle, token, **({"tempo": "90"} | other)), 422, "idempotency-key-reused")
    assert count(idle) == before


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_has_a_length(idle: httpx.Client, key: str) -> None:
    errors = problem(post(idle, key), 422, "invalid-request")["errors"]
    assert [error["field"].lower() for error in errors] == ["idempotency-key"]


def test_while_the_first_is_being_stored_the_second_waits(idle: httpx.Client, redis: Redis, token: str) -> None:
    redis.set(f"amt:request:{request_key(Caller(None, ''), token)}", 1, ex=60)
    answer = post(idle, token)
    problem(answer, 409, "request-in-flight")
    assert answer.headers["Retry-After"] == "1"
    redis.flushall()
    assert post(idle, token).status_code == 202
    assert redis.keys("amt:request:*") == []


def test_a_refused_request_leaves_its_key_free(idle: httpx.Client, token: str) -> None:
    problem(post(idle, token, model="nobody's"), 422, "invalid-request")
    assert post(idle, token).status_code == 202


def test_many_at_once_make_one_job_even_without_redis(tmp_path: Any) -> None:
    settings = {"redis_url": f"unix://{tmp_path}/none.sock"}
    service = Service(short_folder() / "var", words=("api",), settings=settings)
    migrate(service.configuration().database)
    with running(service), service.client() as client, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: post(client, "one", b"x" * 100_000), range(6)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == count(client) == 1
        assert len(list((service.var / "storage" / "jobs").iterdir())) == 1, "what lost the race is removed"


def test_a_key_lives_as_long_as_its_job(idle: httpx.Client, idle_service: Service, token: str) -> None:
    job = post(idle, token).json()
    idle.delete(job["links"]["self"])
    assert post(idle, token).json()["status"] == "cancelled"
    engine = open_database(idle_service.configuration().database)
    with engine.begin() as connection:
        connection.execute(update(Job).where(Job.id == job["id"]).values(status=Status.EXPIRED))
    engine.dispose()
    problem(post(idle, token), 410, "expired")
    with repository(idle_service.configuration().database) as jobs:
        jobs.files_removed(job["id"])
        jobs.forget_expired(utc_now() + timedelta(days=30))
    assert post(idle, token).json()["id"] != job["id"]


def test_two_callers_may_choose_the_same_key() -> None:
    anna, ben = (Caller(ApiKey(id=name), "") for name in ("anna", "ben"))
    assert len({request_key(caller, "one") for caller in (anna, ben, Caller(None, ""))}) == 3


# Prefer: wait ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preference", "granted"),
    [
        ("wait=1", "wait=1"),
        ("respond-async, wait=1", "wait=1"),
        ('Wait="1"; x=y', "wait=1"),
        ("wait=0", "wait=0"),
        ("wait=soon", None),
        ("wait=-1", None),
        ("respond-async", None),
    ],
)
def test_what_is_granted_is_said(idle: httpx.Client, preference: str, granted: str | None) -> None:
    answer = idle.post("/v1/transcriptions", files={"file": ("a.wav", b"x")}, headers={"Prefer": preference})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers.get("Preference-Applied") == granted


def test_waiting_ends_with_the_job(idle: httpx.Client, idle_service: Service) -> None:
    """The longest wait is 60 s and more was asked for; the job ends before, and so does the wait."""
    job = upload(idle, b"x")
    cancel = threading.Timer(0.5, lambda: httpx.delete(idle_service.url + job["links"]["self"], timeout=60))
    cancel.start()
    answer = idle.get(job["links"]["self"], headers={"Prefer": "wait=3600"})
    assert answer.json()["status"] == "cancelled"
    assert answer.headers["Preference-Applied"] == "wait=60"
    cancel.join()
    assert idle.get(job["links"]["self"], headers={"Prefer": "wait=60"}).json()["status"] == "cancelled"


def test_waiting_ends_with_the_deletion(idle: httpx.Client, idle_service: Service) -> None:
    job = upload(idle, b"x")

    def delete_twice() -> None:
        with repository(idle_service.configuration().database) as jobs:  # without an event, as if Redis had lost it
            jobs.cancel(job["id"])
            jobs.mark_deleted(job["id"])

    removal = threading.Timer(0.5, delete_twice)
    removal.start()
    problem(idle.get(job["links"]["self"], headers={"Prefer": "wait=30"}), 404, "not-found")
    removal.join()


def test_waiting_sees_an_end_that_redis_has_lost(idle: httpx.Client, idle_service: Service) -> None:
    job = upload(idle, b"x")

    def fail_silently() -> None:
        with repository(idle_service.configuration().database) as jobs:
            lease = jobs.claim(job["id"], holder="me", seconds=60)
            assert lease is not None
            jobs.fail(lease, ErrorCode.INTERNAL, "no")

    failure = threading.Timer(0.5, fail_silently)
    failure.start()
    assert idle.get(job["links"]["self"], headers={"Prefer": "wait=30"}).json()["status"] == "failed"
    failure.join()


def test_a_finished_upload_answers_200(client: httpx.Client, tune: bytes) -> None:
    answer = client.post("/v1/transcriptions", files={"file": ("a.wav", tune)}, headers={"Prefer": "wait=60"})
    job = answer.json()
    assert (answer.status_code, job["status"]) == (200, "succeeded"), job["error"]
    assert "Retry-After" not in answer.headers
    assert answer.headers["Location"] == job["links"]["self"]
    assert read(client, job) == job


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """A thread that a test starts must not reach into the next one."""
    yield
    assert [one for one in threading.enumerate() if isinstance(one, threading.Timer)] == []
