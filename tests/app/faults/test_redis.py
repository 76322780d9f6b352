"""Redis is restarted, killed, emptied, away, full: jobs are accepted all the same, and catch up by themselves."""

import signal
import time
from collections.abc import Callable

import httpx
import pytest

from app.queue import TRANSCRIBE
from tests.app.faults.breakpoints import NETWORK
from tests.app.faults.stack import Files, Stack, assert_one_result_each, kill
from tests.app.service import upload, wait_for

AWAY_SECONDS = 4.0  # above the lease


def restart(stack: Stack, meanwhile: Callable[[], None]) -> None:
    """It writes its file and comes back with it."""
    stack.stop_redis()
    meanwhile()
    stack.start_redis()


def sigkill(stack: Stack, meanwhile: Callable[[], None]) -> None:
    """It comes back with what had reached its file."""
    stack.stop_redis(signal.SIGKILL)
    meanwhile()
    stack.start_redis()


def lose_everything(stack: Stack, meanwhile: Callable[[], None]) -> None:
    """It comes back with an empty file."""
    stack.stop_redis(signal.SIGKILL)
    for file in (stack.folder / "var" / "redis").iterdir():
        file.unlink()
    meanwhile()
    stack.start_redis()


def flush(stack: Stack, meanwhile: Callable[[], None]) -> None:
    """It forgets everything and never goes away."""
    with stack.redis() as redis:
        redis.flushall()
    meanwhile()


def be_away(stack: Stack, meanwhile: Callable[[], None]) -> None:
    """Nobody can connect, for longer than a lease."""
    stack.stop_redis()
    meanwhile()
    time.sleep(AWAY_SECONDS)
    stack.start_redis()


def be_full(stack: Stack, meanwhile: Callable[[], None]) -> None:
    """It refuses every write."""
    with stack.redis() as redis:
        redis.config_set("maxmemory", 1)
        meanwhile()
        time.sleep(AWAY_SECONDS)
        redis.config_set("maxmemory", 0)


@pytest.mark.parametrize("fault", [restart, sigkill, lose_everything, flush, be_away, be_full])
def test_no_job_is_lost_with_redis(
    stack: Stack,
    client: httpx.Client,
    tune: bytes,
    expected: Files,
    fault: Callable[[Stack, Callable[[], None]], None],
) -> None:
    """One job runs, one waits, and one is uploaded in the middle of it."""
    stack.arm(NETWORK)
    jobs = [upload(client, tune), upload(client, tune)]
    stack.wait_reached(NETWORK)
    fault(stack, lambda: jobs.append(upload(client, tune)))
    stack.release(NETWORK)
    assert_one_result_each(stack, jobs, expected)
    wait_for(stack.consumes, what="a consumed queue")


def test_a_child_killed_while_redis_is_away(stack: Stack, client: httpx.Client, tune: bytes, expected: Files) -> None:
    stack.arm(NETWORK)
    jobs = [upload(client, tune)]
    child = stack.wait_reached(NETWORK)
    stack.stop_redis(signal.SIGKILL)
    stack.release(NETWORK)
    kill(child)
    jobs.append(upload(client, tune))
    stack.start_redis()
    assert_one_result_each(stack, jobs, expected)


def test_reading_goes_on_without_redis(stack: Stack, client: httpx.Client, tune: bytes, expected: Files) -> None:
    job = upload(client, tune)
    assert_one_result_each(stack, [job], expected)
    stack.stop_redis()
    assert client.get(job["links"]["self"]).json()["status"] == "succeeded"
    assert client.get(job["links"]["midi"]).content.startswith(b"MThd")
    assert client.get("/v1/transcriptions").json()["transcriptions"][0]["id"] == job["id"]
    assert client.get("/readyz").status_code == 503
    stack.start_redis()
    with stack.redis() as redis:
        wait_for(lambda: redis.llen(TRANSCRIBE) == 0 and stack.consumes(), what="a consumed queue")
