"""SIGKILL at every stage of a job's life."""

import socket

import httpx
import pytest

from app.jobs.states import ErrorCode, Status
from tests.app.faults.breakpoints import (
    ACCEPTED,
    CRASH,
    DECODING,
    ENDED,
    KILL,
    LOOP,
    NETWORK,
    RECEIVED,
    STORED,
    WRITING,
)
from tests.app.faults.stack import Files, Stack, assert_one_result_each, kill, post
from tests.app.service import Service, upload, wait_for

IN_THE_WORKER = [DECODING, NETWORK, WRITING, STORED, ENDED]


@pytest.mark.parametrize("place", IN_THE_WORKER)
def test_a_killed_child(stack: Stack, client: httpx.Client, tune: bytes, expected: Files, place: str) -> None:
    stack.arm(place)
    jobs = [upload(client, tune), upload(client, tune)]
    child = stack.wait_reached(place)
    stack.release(place)
    kill(child)
    assert_one_result_each(stack, jobs, expected)


def test_a_child_killed_while_it_writes_one_job_and_hears_the_next(
    stack: Stack, client: httpx.Client, tune: bytes, expected: Files
) -> None:
    stack.arm(WRITING)
    jobs = [upload(client, tune), upload(client, tune)]
    child = stack.wait_reached(WRITING)
    wait_for(lambda: [job.status for job in stack.rows()] == [Status.RUNNING] * 2, what="the second job's start")
    stack.release(WRITING)
    kill(child)
    assert_one_result_each(stack, jobs, expected)
    assert [job.attempts for job in stack.rows()] == [2, 2]


@pytest.mark.parametrize("place", [DECODING, WRITING, STORED])
def test_a_killed_worker(
    stack: Stack, worker: Service, client: httpx.Client, tune: bytes, expected: Files, place: str
) -> None:
    stack.arm(place)
    jobs = [upload(client, tune), upload(client, tune)]
    stack.wait_reached(place)
    stack.kill(worker)
    stack.release(place)
    stack.start(worker)
    assert_one_result_each(stack, jobs, expected)


@pytest.mark.parametrize("place", [NETWORK, STORED])
def test_a_killed_api(
    stack: Stack, api: Service, client: httpx.Client, tune: bytes, expected: Files, place: str
) -> None:
    """The worker does not even notice."""
    stack.arm(place)
    jobs = [upload(client, tune), upload(client, tune)]
    stack.wait_reached(place)
    stack.kill(api)
    stack.release(place)
    assert_one_result_each(stack, jobs, expected)
    stack.start(api)
    with api.client() as fresh:
        for job in jobs:
            assert fresh.get(job["links"]["self"]).json()["status"] == "succeeded"


def test_an_api_killed_in_the_middle_of_an_upload(
    stack: Stack, api: Service, client: httpx.Client, tune: bytes, expected: Files
) -> None:
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="x.wav"\r\n\r\n'
        connection.sendall(
            b"POST /v1/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n"
            b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n" + head + tune[:100_000]
        )
        stack.kill(api)
    stack.start(api)
    assert stack.rows() == []
    assert_one_result_each(stack, [upload(client, tune)], expected)


@pytest.mark.parametrize(("place", "jobs_left"), [(RECEIVED, 0), (ACCEPTED, 1)])
def test_an_api_killed_before_its_answer(
    stack: Stack, api: Service, client: httpx.Client, tune: bytes, expected: Files, place: str, jobs_left: int
) -> None:
    """Nobody was told of a job; there is either a whole one, which runs without its message, or none."""
    stack.arm(place, KILL)
    with pytest.raises(httpx.TransportError):
        post(client, tune)
    stack.release(place)
    wait_for(lambda: api.process is not None and api.process.poll() is not None, what="the end of the API")
    stack.start(api)
    rows = stack.settle() if jobs_left else {}
    assert len(stack.rows()) == jobs_left
    assert [(row.status, row.files) for row in rows.values()] == [(Status.SUCCEEDED, expected)] * jobs_left


@pytest.mark.parametrize(("place", "action"), [(NETWORK, KILL), (DECODING, CRASH)])
def test_a_job_that_kills_its_worker_every_time_is_given_up(
    stack: Stack, client: httpx.Client, tune: bytes, expected: Files, place: str, action: str
) -> None:
    """As the kernel's memory killer does, and as a broken decoder does. The jobs behind it are unharmed."""
    stack.arm(place, action)
    killer = upload(client, tune)
    poisoned = stack.settle()[killer["id"]]
    stack.release(place)
    assert (poisoned.status, poisoned.error_code, poisoned.attempts) == (Status.FAILED, ErrorCode.POISONED, 3)
    error = client.get(killer["links"]["self"]).json()["error"]
    assert (error["code"], error["retryable"]) == ("poisoned", False)
    assert client.delete(killer["links"]["self"]).status_code == 204
    assert_one_result_each(stack, [upload(client, tune), upload(client, tune)], expected)


def test_an_endless_decode_is_ended_by_the_wall_clock(
    stack: Stack, worker: Service, client: httpx.Client, tune: bytes, expected: Files
) -> None:
    """Its process is stuck and does not look at any clock itself."""
    stack.kill(worker)
    impatient = stack.worker(
        environment={"STUCK_SECONDS": "1"}, job_base_seconds="1", job_seconds_per_second="0.1", max_seconds="100"
    )
    stack.arm(DECODING, LOOP)
    endless = upload(client, tune)
    row = stack.settle()[endless["id"]]
    stack.release(DECODING)
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.TIMED_OUT)
    stack.kill(impatient)
    stack.start(worker)
    assert client.delete(endless["links"]["self"]).status_code == 204
    assert_one_result_each(stack, [upload(client, tune)], expected)
