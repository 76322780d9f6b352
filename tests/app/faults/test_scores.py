"""Scores whose worker takes its time, or dies."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.lanes import SCORE
from app.supervisor.deafness import LOOK_EVERY, Deafness
from app.supervisor.part import Part
from tests.app.faults.breakpoints import KILL, WRITING
from tests.app.faults.stack import Stack
from tests.app.service import finished, upload

PATIENCE_WITH_QUEUES = 4.0


@pytest.fixture
def engraver(stack: Stack) -> Iterator[Part]:
    """A worker of scores, as the supervisor keeps one."""
    command = [sys.executable, "-m", "tests.app.faults.breakpoints", "worker", "--queue", SCORE]
    part = Part(SCORE, command, stack.parts[0].environment(), grace=10)
    part.start()
    yield part
    part.kill()


def test_a_score_that_takes_long_is_not_deafness(
    stack: Stack, client: httpx.Client, engraver: Part, tune: bytes
) -> None:
    """It takes longer than a queue may be silent, and canaries wait behind it."""
    job = finished(client, upload(client, tune))
    with stack.redis() as redis, ThreadPoolExecutor() as pool:
        deafness = Deafness(redis, patience=PATIENCE_WITH_QUEUES)
        stack.arm(WRITING)
        answer = pool.submit(client.get, job["links"]["score"])
        stack.wait_reached(WRITING)
        until = time.monotonic() + 2 * PATIENCE_WITH_QUEUES
        while time.monotonic() < until:
            deafness.cure([engraver])
            assert engraver.death() is None
            time.sleep(LOOK_EVERY / 2)
        stack.release(WRITING)
        assert answer.result().status_code == 200


def test_a_score_whose_worker_dies_is_written_by_the_next(stack: Stack, engraver: Part, tune: bytes) -> None:
    with stack.api(score_seconds="30").client() as client, ThreadPoolExecutor() as pool:
        job = finished(client, upload(client, tune))
        stack.arm(WRITING, KILL)
        answer = pool.submit(client.get, job["links"]["score"])
        stack.wait_reached(WRITING)
        stack.release(WRITING)
        assert answer.result().status_code == 200
        assert engraver.death() is None
