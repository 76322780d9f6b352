"""Messages and events that come twice, late or in the wrong order, and clocks that are wrong."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.events import last_event, make_event, publish
from app.jobs.states import Status
from app.queue import build_celery, send_transcription
from tests.app.faults.breakpoints import NETWORK
from tests.app.faults.stack import Files, Stack, assert_one_result_each
from tests.app.service import Service, upload, wait_for
from tests.app.test_events import follow

HOUR = 3600


@pytest.mark.usefixtures("no_sweeper")
def test_every_message_delivered_twice(stack: Stack, client: httpx.Client, tune: bytes, expected: Files) -> None:
    """While its job waits, runs, and has ended."""
    stack.arm(NETWORK)
    jobs = [upload(client, tune) for _ in range(3)]
    stack.wait_reached(NETWORK)
    celery = build_celery(stack.configuration)
    for job in jobs:
        send_transcription(celery, job["id"], 0)
    assert len(stack.messages(jobs)) == 6
    stack.release(NETWORK)
    assert_one_result_each(stack, jobs, expected)
    for job in jobs:
        send_transcription(celery, job["id"], 0)
    wait_for(lambda: not stack.messages(jobs), what="the end of all messages")
    assert_one_result_each(stack, jobs, expected)
    assert [row.attempts for row in stack.rows()] == [1] * 3
    celery.close()


@pytest.mark.usefixtures("no_sweeper")
def test_a_message_given_out_again_while_its_job_runs(
    stack: Stack, client: httpx.Client, tune: bytes, expected: Files
) -> None:
    """As Redis does once the visibility time-out has passed; here the message is made old, and a second worker asks."""
    stack.arm(NETWORK)
    job = upload(client, tune)
    stack.wait_reached(NETWORK)
    with stack.redis() as redis:
        tag = next(tag for tag, message in redis.hgetall("unacked").items() if job["id"] in message)
        redis.zadd("unacked_index", {tag: 1.0})
        stack.worker()
        wait_for(lambda: redis.zscore("unacked_index", tag) is None, what="the second delivery")
        wait_for(lambda: not stack.messages([job]), what="its end")
    stack.release(NETWORK)
    assert_one_result_each(stack, [job], expected)
    assert stack.rows()[0].attempts == 1


def test_events_in_the_wrong_order(stack: Stack, client: httpx.Client, tune: bytes, expected: Files) -> None:
    """A worker that lost its job says late that it is half done."""
    job = upload(client, tune)
    assert_one_result_each(stack, [job], expected)
    with stack.redis() as redis:
        wait_for(lambda: (last_event(redis, job["id"]) or {}).get("status") == "succeeded", what="the last event")
        publish(
            redis, job["id"], make_event(Status.RUNNING, stage="transcribing", seconds_done=6.0, seconds_total=12.0)
        )
    assert client.get(job["links"]["self"]).json()["status"] == "succeeded"
    (event,) = follow(client, job)
    assert (event["event"], event["data"]["status"]) == ("finished", "succeeded")
    events = list(follow(client, job, last_id="0-0"))
    assert [event["event"] for event in events].count("finished") == 1
    assert events[-1]["data"]["status"] == "succeeded"


def test_clocks_that_are_an_hour_off(
    stack: Stack, worker: Service, client: httpx.Client, tune: bytes, expected: Files
) -> None:
    """A sweeper an hour ahead takes no job from a worker an hour late, however long the job runs."""
    stack.kill(worker)
    stack.worker(environment={"CLOCK_OFFSET": str(-HOUR)})
    stack.sweeper(environment={"CLOCK_OFFSET": str(HOUR)})
    stack.arm(NETWORK)
    jobs = [upload(client, tune), upload(client, tune)]
    stack.wait_reached(NETWORK)
    time.sleep(2 * stack.configuration.lease_seconds)
    stack.release(NETWORK)
    assert_one_result_each(stack, jobs, expected)
    assert [row.attempts for row in stack.rows()] == [1, 1]


@pytest.mark.usefixtures("no_sweeper")
def test_two_apis_and_three_workers(stack: Stack, api: Service, tune: bytes, expected: Files) -> None:
    """No request depends on which process answered the one before."""
    urls = [api.url, stack.api().url]
    for _ in range(2):
        stack.worker()

    def one(number: int) -> dict[str, object]:
        with httpx.Client(base_url=urls[number % 2], timeout=60) as here:
            job = upload(here, tune)
        with httpx.Client(base_url=urls[(number + 1) % 2], timeout=60) as there:
            assert [event["data"]["status"] for event in follow(there, job)][-1] == "succeeded"
            assert there.get(job["links"]["midi"]).content.startswith(b"MThd")
        return job

    with ThreadPoolExecutor(6) as pool:
        jobs = list(pool.map(one, range(12)))
    assert_one_result_each(stack, jobs, expected)
    assert [row.attempts for row in stack.rows()] == [1] * 12
