"""Stopping gracefully and rolling restarts, under load."""

import contextlib
import itertools
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.app.faults.breakpoints import NETWORK
from tests.app.faults.stack import PATIENCE, Files, Stack, assert_one_result_each
from tests.app.service import Service, upload


def test_a_worker_that_stops_hands_back_what_it_runs(
    stack: Stack, worker: Service, client: httpx.Client, tune: bytes, expected: Files
) -> None:
    stack.arm(NETWORK)
    jobs = [upload(client, tune) for _ in range(4)]
    stack.wait_reached(NETWORK)
    assert worker.process is not None
    worker.process.terminate()
    time.sleep(0.5)
    stack.release(NETWORK)
    assert worker.process.wait(timeout=PATIENCE) == 0
    rows = stack.rows()
    assert {str(row.status) for row in rows} <= {"queued", "succeeded"}
    assert sum(row.attempts for row in rows if row.status == "queued") == 0
    stack.start(worker)
    assert_one_result_each(stack, jobs, expected)


@dataclass
class Client:
    """Uploads through whichever API answers, and tries again where one does not."""

    urls: list[str]
    data: bytes
    stop: threading.Event = field(default_factory=threading.Event)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    served: int = 0
    unexpected: list[str] = field(default_factory=list)
    last_has_ended: bool = False

    def run(self) -> None:
        """One job after another, so that no queue grows however slow the machine is."""
        turn = itertools.cycle(self.urls)
        while not self.stop.is_set():
            with contextlib.suppress(httpx.TransportError), httpx.Client(base_url=next(turn), timeout=30) as client:
                self._once(client)

    def _once(self, client: httpx.Client) -> None:
        """The next upload, or a look at the last one."""
        if self.accepted and not self.last_has_ended:
            answer = client.get(self.accepted[-1]["links"]["self"])
            self.last_has_ended = answer.status_code == 200 and answer.json()["status"] == "succeeded"
            self.stop.wait(0.1)
        else:
            answer = client.post("/v1/transcriptions", files={"file": ("tune.wav", self.data)})
            if answer.status_code == 202:
                self.accepted.append(answer.json())
                self.last_has_ended = False
        self.served += answer.is_success
        if not (answer.is_success or (answer.status_code == 503 and "Retry-After" in answer.headers)):
            self.unexpected.append(answer.text)


def test_a_rolling_restart_under_load(
    stack: Stack, api: Service, worker: Service, tune: bytes, expected: Files
) -> None:
    """Each API and each worker in turn; whoever tries again is served all the time, and each answer is kept to."""
    second_api, second_worker = stack.api(), stack.worker()
    callers = [Client([api.url, second_api.url], tune) for _ in range(3)]
    threads = [threading.Thread(target=caller.run) for caller in callers]
    for thread in threads:
        thread.start()
    served = []
    for part in (api, second_api, worker, second_worker):
        before = sum(caller.served for caller in callers)
        assert part.stop() in (0, -signal.SIGTERM)  # uvicorn ends by the signal that it was sent
        stack.start(part)
        served.append(sum(caller.served for caller in callers) - before)
    for caller, thread in zip(callers, threads, strict=True):
        caller.stop.set()
        thread.join()
    assert [caller.unexpected for caller in callers] == [[], [], []]
    assert all(served), served
    jobs = [job for caller in callers for job in caller.accepted]
    # An API that was stopped between the row and the answer leaves a job that its caller does not know of.
    known = {job["id"] for job in jobs}
    unknown = [{"id": row.id} for row in stack.rows() if row.id not in known]
    assert len(unknown) <= len(callers) * 2
    assert_one_result_each(stack, [*jobs, *unknown], expected)
