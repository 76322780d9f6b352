"""Stopping gracefully and rolling restarts, under load."""

import contextlib
import http.client
import itertools
import json
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.app.faults.breakpoints import NETWORK
from tests.app.faults.stack import PATIENCE, Files, Stack, assert_one_result_each
from tests.app.service import Service, upload, wait_for


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


class HalfAnUpload:
    """An upload whose first half has reached an API."""

    def __init__(self, api: Service, data: bytes) -> None:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="tune.wav"\r\n\r\n'
        body = head + data + b"\r\n--x--\r\n"
        self._rest = body[len(body) // 2 :]
        self._connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=PATIENCE)
        self._connection.putrequest("POST", "/v1/transcriptions")
        self._connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body[: len(body) // 2])

    def send_the_rest(self) -> None:
        self._connection.send(self._rest)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        with contextlib.closing(self._connection), self._connection.getresponse() as response:
            return response.status, dict(response.headers), json.loads(response.read())


def takes_no_more(api: Service) -> bool:
    try:
        httpx.get(f"{api.url}/healthz", timeout=60)
    except httpx.TransportError:
        return True
    return False


def test_an_api_that_stops_finishes_uploads_and_lets_go_who_only_waits(
    stack: Stack, client: httpx.Client, tune: bytes, expected: Files
) -> None:
    api = stack.api()
    assert api.process is not None
    stack.arm(NETWORK)
    running = upload(client, tune)
    stack.wait_reached(NETWORK)
    under_way = HalfAnUpload(api, tune)
    with api.client() as listener, listener.stream("GET", running["links"]["events"]) as events:
        api.process.terminate()
        wait_for(lambda: takes_no_more(api), what="the end of the intake")
        told = [line for line in events.iter_lines() if line.startswith("event:")]  # a stream that is cut raises
    assert set(told) == {"event: progress"}
    assert api.process.poll() is None
    under_way.send_the_rest()
    status, _, job = under_way.answer()
    assert status == 202
    assert api.process.wait(timeout=PATIENCE) in (0, -signal.SIGTERM)
    stack.release(NETWORK)
    assert_one_result_each(stack, [running, job], expected)


def test_what_an_api_that_stops_cannot_wait_for_is_told_so(stack: Stack, tune: bytes) -> None:
    api = stack.api()
    assert api.process is not None
    for_ever = HalfAnUpload(api, tune)
    api.process.terminate()
    status, headers, problem = for_ever.answer()
    assert status == 503
    assert headers["content-type"] == "application/problem+json"
    assert headers["retry-after"] == "5"
    assert "The service is stopping" in problem["detail"]
    assert stack.rows() == []
    assert api.process.wait(timeout=PATIENCE) in (0, -signal.SIGTERM)
