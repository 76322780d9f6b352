"""Webhooks against a real receiver: signed, tried again, logged, and kept out of private networks."""

import ipaddress
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker
from standardwebhooks import Webhook

from app.clock import utc_now
from app.database import open_database, session_factory
from app.jobs.repository import JobRepository
from app.jobs.states import ErrorCode
from app.jobs.webhook_tables import Endpoint
from app.schema import migrate
from app.settings import Settings
from app.webhooks.address import is_allowed
from app.webhooks.deliver import Deliverer
from app.webhooks.repository import PAUSES, WebhookRepository
from app.webhooks.send import send, trial_message
from tests.app.service import Service, finished, running, short_folder, upload, wait_for
from tests.app.test_jobs import AUDIO, claim, make_job, revision

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Receiver(ThreadingHTTPServer):
    """Keeps what it gets, and answers with the statuses it was told, then with 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def sessions(database_url: str) -> Iterator[sessionmaker[Session]]:
    migrate(database_url)
    engine = open_database(database_url)
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def jobs(sessions: sessionmaker[Session]) -> JobRepository:
    return JobRepository(sessions)


@pytest.fixture
def webhooks(sessions: sessionmaker[Session]) -> WebhookRepository:
    return WebhookRepository(sessions)


@pytest.fixture
def deliverer(webhooks: WebhookRepository, redis: Redis) -> Deliverer:
    return Deliverer(Settings(webhook_networks="127.0.0.0/8"), webhooks, redis)


def deliver(deliverer: Deliverer, endpoint: Endpoint) -> None:
    deliverer.deliver(endpoint, threading.Event())


def pending(sessions: sessionmaker[Session]) -> list[tuple[str, str, int]]:
    with sessions() as session:
        query = "SELECT id, state, attempts FROM webhook_deliveries ORDER BY id"
        return [tuple(row) for row in session.execute(text(query))]


def make_due(sessions: sessionmaker[Session]) -> None:
    """Let the pause before the next try be over."""
    with sessions.begin() as session:
        session.execute(
            text("UPDATE webhook_deliveries SET next_at = occurred_at"),
        )


def test_the_end_of_a_job_is_told_signed(
    jobs: JobRepository, webhooks: WebhookRepository, deliverer: Deliverer, receiver: Receiver
) -> None:
    endpoint = webhooks.add_endpoint(receiver.url, owner=None)
    jobs.add(make_job("a"))
    lease = claim(jobs)
    assert list(webhooks.endpoints_with_due(utc_now())) == []
    assert jobs.succeed(lease, revision("r"), audio=AUDIO, model_name="m", model_sha256="2" * 64)
    deliver(deliverer, endpoint)
    deliver(deliverer, endpoint)
    ((path, headers, body),) = receiver.requests
    message = Webhook(endpoint.secret).verify(body, headers)
    assert path == "/hook"
    assert headers["content-type"] == "application/json"
    assert message["type"] == "transcription.succeeded"
    assert message["data"]["id"] == "a"
    assert message["data"]["error"] is None
    assert message["data"]["links"]["midi"] == "/v1/transcriptions/a/midi"
    assert len(body) < 20_000
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(webhooks.add_endpoint(receiver.url, owner=None).secret).verify(body, headers)


def test_each_way_to_end_is_told_once(
    jobs: JobRepository, webhooks: WebhookRepository, deliverer: Deliverer, receiver: Receiver
) -> None:
    endpoint = webhooks.add_endpoint(receiver.url, owner=None)
    for name in ("cancelled", "failed", "poisoned"):
        jobs.add(make_job(name))
    assert jobs.cancel("cancelled")
    assert not jobs.cancel("cancelled")
    lease = claim(jobs, "failed")
    assert jobs.fail(lease, ErrorCode.DECODE_FAILED, "damaged")
    assert not jobs.fail(lease, ErrorCode.INTERNAL, "again")
    claim(jobs, "poisoned")
    (lost,) = jobs.running()
    assert jobs.recover(lost, max_attempts=1)
    deliver(deliverer, endpoint)
    told = [json.loads(body) for _, _, body in receiver.requests]
    assert sorted((one["data"]["id"], one["type"], one["data"]["error"]["code"]) for one in told) == [
        ("cancelled", "transcription.cancelled", "cancelled"),
        ("failed", "transcription.failed", "decode_failed"),
        ("poisoned", "transcription.failed", "poisoned"),
    ]


def test_an_owner_is_told_of_its_own_jobs(
    jobs: JobRepository, webhooks: WebhookRepository, sessions: sessionmaker[Session], receiver: Receiver
) -> None:
    mine = webhooks.add_endpoint(receiver.url, owner="me")
    everything = webhooks.add_endpoint(receiver.url, owner=None)
    jobs.add(make_job("a", owner="me"))
    jobs.add(make_job("b", owner="you"))
    jobs.add(make_job("c"))
    for name in "abc":
        jobs.cancel(name)
    assert {delivery for delivery, _, _ in pending(sessions)} == {
        f"msg_a_{mine.id}",
        *(f"msg_{name}_{everything.id}" for name in "abc"),
    }


def test_a_failed_try_comes_again_under_the_same_id(
    jobs: JobRepository,
    webhooks: WebhookRepository,
    deliverer: Deliverer,
    sessions: sessionmaker[Session],
    receiver: Receiver,
) -> None:
    endpoint = webhooks.add_endpoint(receiver.url, owner=None)
    receiver.statuses = [500, 307]
    jobs.add(make_job("a"))
    jobs.cancel("a")
    deliver(deliverer, endpoint)
    deliver(deliverer, endpoint)  # its pause is not over
    assert len(receiver.requests) == 1
    for _ in range(3):
        make_due(sessions)
        deliver(deliverer, endpoint)
    assert [path for path, _, _ in receiver.requests] == ["/hook"] * 3  # no redirect is followed
    assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1
    assert len({body for _, _, body in receiver.requests}) == 1
    assert pending(sessions) == [(f"msg_a_{endpoint.id}", "delivered", 3)]
    assert [attempt.http_status for attempt, _ in webhooks.log(limit=10)] == [204, 307, 500]


def test_it_is_tried_for_days_and_then_given_up(
    jobs: JobRepository,
    webhooks: WebhookRepository,
    deliverer: Deliverer,
    sessions: sessionmaker[Session],
    receiver: Receiver,
) -> None:
    endpoint = webhooks.add_endpoint(receiver.url, owner=None)
    receiver.statuses = [503] * 100
    jobs.add(make_job("a"))
    jobs.cancel("a")
    for _ in range(len(PAUSES) + 3):
        deliver(deliverer, endpoint)
        make_due(sessions)
    assert len(receiver.requests) == len(PAUSES) + 1
    assert pending(sessions)[0][1] == "failed"
    assert sum(PAUSES, timedelta()) > timedelta(days=3)


def test_410_disables_an_endpoint(
    jobs: JobRepository,
    webhooks: WebhookRepository,
    deliverer: Deliverer,
    sessions: sessionmaker[Session],
    receiver: Receiver,
) -> None:
    endpoint = webhooks.add_endpoint(receiver.url, owner=None)
    receiver.statuses = [410]
    for name in "ab":
        jobs.add(make_job(name))
        jobs.cancel(name)
    deliver(deliverer, endpoint)
    make_due(sessions)
    deliver(deliverer, endpoint)
    jobs.add(make_job("c"))
    jobs.cancel("c")
    assert len(receiver.requests) == 1
    assert [state for _, state, _ in pending(sessions)] == ["failed", "failed"]
    assert webhooks.endpoints()[0].disabled_at is not None


def test_one_of_several_senders_sends(jobs: JobRepository, webhooks: WebhookRepository, receiver: Receiver) -> None:
    endpoint = webhooks.add_endpoint(receiver.url, owner=None)
    jobs.add(make_job("a"))
    jobs.cancel("a")
    (delivery,) = webhooks.due(endpoint.id, utc_now(), limit=10)
    assert webhooks.claim(delivery)
    assert not webhooks.claim(delivery)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_only_public_addresses_are_allowed(address: str, allowed: bool) -> None:
    assert is_allowed(ipaddress.ip_address(address), []) is allowed


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_no_request_reaches_a_private_address(receiver: Receiver, host: str) -> None:
    """However its address is written, and whatever its name resolves to."""
    endpoint = Endpoint(id="e", url=receiver.url.replace("127.0.0.1", host), secret="whsec_c2VjcmV0")
    outcome = send(endpoint, "msg_x", trial_message(), [])
    assert outcome.error is not None
    assert "not a public address" in outcome.error
    assert receiver.requests == []


def test_an_operator_allows_a_private_network(receiver: Receiver) -> None:
    endpoint = Endpoint(id="e", url=receiver.url, secret="whsec_c2VjcmV0")
    assert send(endpoint, "msg_x", trial_message(), LOOPBACK).is_delivered
    assert len(receiver.requests) == 1


def test_a_receiver_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """It sends a byte of its answer now and then: each wait is short, all of them together are not."""
    monkeypatch.setattr("app.webhooks.send.TIMEOUT_SECONDS", 0.5)

    def drip(handler: _Handler) -> None:
        while not over.wait(0.05):
            handler.wfile.write(b"H")

    over = threading.Event()
    monkeypatch.setattr(_Handler, "do_POST", drip)
    endpoint = Endpoint(id="e", url=receiver.url, secret="whsec_c2VjcmV0")
    outcome = send(endpoint, "msg_x", trial_message(), LOOPBACK)
    over.set()
    assert outcome.http_status is None
    assert outcome.error is not None


def amt(service: Service, *words: str) -> tuple[int, str]:
    """Run a command on a service's folder: its status and what it wrote."""
    command = Service(service.var, words=words, settings=service.settings)
    command._log_path.unlink(missing_ok=True)
    command.spawn()
    assert command.process is not None
    return command.process.wait(timeout=120), command.log


def test_a_service_tells_its_endpoints(receiver: Receiver) -> None:
    """Registered, tried and read on the command line; told by the running service."""
    service = Service(short_folder() / "var", settings={"webhook_networks": "127.0.0.1/32"})
    migrate(service.configuration().database)
    status, said = amt(service, "webhooks", "add", receiver.url)
    assert status == 0, said
    endpoint_id, secret = (line.split()[1] for line in said.splitlines()[-2:])
    status, said = amt(service, "webhooks", "test", endpoint_id)
    assert (status, "delivered: HTTP 204" in said) == (0, True), said
    with running(service), service.client() as client:
        job = finished(client, upload(client, b"no music", "x.mp3"))
        wait_for(lambda: len(receiver.requests) == 2, what="the message")
    _, headers, body = receiver.requests[1]
    message = Webhook(secret).verify(body, headers)
    assert (message["type"], message["data"]["id"]) == ("transcription.failed", job["id"])
    _, said = amt(service, "webhooks", "log")
    assert "delivered: HTTP 204" in said
    assert amt(service, "webhooks", "test", "nobody")[0] == 2
    assert amt(service, "webhooks", "add", "ftp://x")[0] == 2
    assert "no password" in amt(service, "webhooks", "add", "https://anna:secret@example.org/")[1]
