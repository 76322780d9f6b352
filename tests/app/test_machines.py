"""Parts on machines of their own: API and workers share Redis, PostgreSQL and a bucket, and nothing else.

The workers live in a network namespace where this may be made (root on Linux), elsewhere in folders of their own.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from redis import Redis, RedisError

from app.schema import migrate
from app.supervisor.redis_server import find_redis_server
from tests.app.postgresql import Cluster
from tests.app.s3 import S3Server, bucket_name
from tests.app.service import Service, finished, free_port, short_folder, upload, wait_for
from tests.network import changing_network

# A network of its own for each run: one that was killed leaves its cable behind.
SUBNET = f"10.207.{secrets.randbelow(256)}"
HERE, THERE = f"{SUBNET}.1", f"{SUBNET}.2"


@dataclass
class OtherMachine:
    """A network namespace behind a cable: it sees `HERE` and nothing more, no internet and no loopback of ours."""

    name: str = field(default_factory=lambda: f"amt-{secrets.token_hex(3)}")
    is_real: bool = False

    def __enter__(self) -> Self:
        cable = self.name[-6:]
        with changing_network(), contextlib.suppress(OSError, subprocess.CalledProcessError):
            _ip("netns", "add", self.name)
            _ip("link", "add", f"h{cable}", "type", "veth", "peer", "name", f"t{cable}", "netns", self.name)
            _ip("address", "add", f"{HERE}/30", "dev", f"h{cable}")
            _ip("link", "set", f"h{cable}", "up")
            _ip("-n", self.name, "address", "add", f"{THERE}/30", "dev", f"t{cable}")
            _ip("-n", self.name, "link", "set", f"t{cable}", "up")
            _ip("-n", self.name, "link", "set", "lo", "up")
            self.is_real = True
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_real:
            with changing_network():
                _ip("netns", "delete", self.name)

    @property
    def address_of_ours(self) -> str:
        return HERE if self.is_real else "127.0.0.1"

    @property
    def enter(self) -> list[str]:
        return ["ip", "netns", "exec", self.name] if self.is_real else []


@dataclass
class RemotePart(Service):
    """A part on another machine."""

    enter: list[str] = field(default_factory=list)

    def spawn(self) -> Self:
        self.var.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.enter, sys.executable, "-m", self.module, *self.words],
                env=self.environment(), stdout=log, stderr=log,
            )  # fmt: skip
        return self


@dataclass
class Shared:
    """What the machines share."""

    settings: dict[str, str]
    s3: S3Server
    bucket: str


@pytest.fixture(scope="module")
def machine() -> Iterator[OtherMachine]:
    with OtherMachine() as other:
        yield other


@pytest.fixture(scope="module")
def shared(machine: OtherMachine) -> Iterator[Shared]:
    with contextlib.ExitStack() as over:
        cluster = Cluster(machine.address_of_ours)
        over.callback(cluster.close)
        s3 = S3Server(machine.address_of_ours)
        s3.start()
        over.callback(s3.stop)
        bucket = bucket_name()
        settings = s3.settings(bucket) | {
            "database_url": cluster.network_url,
            "redis_url": over.enter_context(_redis(machine.address_of_ours)),
            "canary_seconds": "0.5",
            "sweep_seconds": "0.3",
        }
        migrate(cluster.url)
        yield Shared(settings, s3, bucket)


@pytest.fixture(scope="module")
def workers(machine: OtherMachine, shared: Shared) -> Iterator[list[Service]]:
    with contextlib.ExitStack() as over:
        yield [
            over.enter_context(
                _started(RemotePart, words=("worker", "--queue", queue), settings=shared.settings, enter=machine.enter)
            )
            for queue in ("transcribe", "decode", "score")
        ]


@pytest.fixture(scope="module")
def api(shared: Shared) -> Iterator[Service]:
    redirected = shared.settings | {"redirect_seconds": "60"}
    with (
        _started(Service, words=("api",), settings=redirected) as api,
        _started(Service, words=("sweeper",), settings=shared.settings),
    ):
        yield api


@pytest.fixture
def client(api: Service) -> Iterator[httpx.Client]:
    with api.client() as http:
        yield http


def test_a_job_waits_while_the_store_is_away(client: httpx.Client, shared: Shared, tune: bytes) -> None:
    """One worker cannot reach the bucket: it gives the job back, which is not counted, and the next one does it."""
    nowhere = shared.settings | {"s3_endpoint": "http://127.0.0.1:9", "lease_seconds": "3"}
    job = upload(client, tune)
    with _started(Service, words=("worker", "--queue", "transcribe"), settings=nowhere) as worker:
        wait_for(lambda: "it waits again" in worker.log, seconds=240, what="a job given back")
    with _started(Service, words=("worker", "--queue", "transcribe"), settings=shared.settings):
        assert finished(client, job, seconds=240)["status"] == "succeeded"
    assert client.delete(job["links"]["self"]).status_code == 204


def test_an_api_whose_store_is_away_says_so(shared: Shared, tune: bytes) -> None:
    nowhere = shared.settings | {"s3_endpoint": "http://127.0.0.1:9"}
    with _started(Service, words=("api",), settings=nowhere) as api, api.client() as http:
        answer = http.post("/v1/transcriptions", files={"file": ("tune.wav", tune)})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["detail"] == "The store does not answer. Nothing was lost; try again."
        assert "cannot be written to (the bucket cannot be reached" in http.get("/readyz").text


def test_a_worker_elsewhere_does_a_whole_job(
    client: httpx.Client, shared: Shared, workers: list[Service], machine: OtherMachine, tune: bytes
) -> None:
    if machine.is_real:
        assert workers[0].process is not None
        assert Path(f"/proc/{workers[0].process.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    wait_for(lambda: client.get("/readyz").status_code == 200, seconds=240, what="readiness")
    job = finished(client, upload(client, tune, "my tune.wav"), seconds=240)
    assert job["status"] == "succeeded", job["error"]

    moved = client.get(job["links"]["midi"])
    assert (moved.status_code, moved.headers["cache-control"]) == (307, "no-store")
    midi = httpx.get(moved.headers["location"], timeout=60)
    assert midi.content[:4] == b"MThd"
    assert midi.headers["content-type"] == "audio/midi"
    assert "my tune.mid" in midi.headers["content-disposition"]
    page = client.get(job["links"]["midi"], headers={"Sec-Fetch-Dest": "empty"})
    assert (page.status_code, page.content) == (200, midi.content)
    assert client.get(job["links"]["midi"], headers={"If-None-Match": page.headers["etag"]}).status_code == 304

    again = client.post(f"{job['links']['self']}/decode", json={"onset_threshold": 0.9})
    assert again.status_code == 200, again.text
    assert client.get(job["links"]["audio"], headers={"Sec-Fetch-Dest": "audio"}).content == tune
    for part in workers:
        assert [path for path in part.var.rglob("*") if path.is_file()] == []

    assert client.delete(job["links"]["self"]).status_code == 204
    assert shared.s3.keys(shared.bucket) == set()


@contextlib.contextmanager
def _started(kind: type[Any], **of: Any) -> Iterator[Any]:
    folder = short_folder()
    part = kind(folder / "var", **of)
    try:
        yield part.start() if part.words == ("api",) else part.spawn()
    finally:
        if part.process is not None and part.process.poll() is None:
            part.stop()
        shutil.rmtree(folder)


@contextlib.contextmanager
def _redis(host: str) -> Iterator[str]:
    folder, port, password = short_folder(), free_port(), secrets.token_hex(16)
    options = {"bind": host, "port": str(port), "requirepass": password, "dir": str(folder), "save": ""}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen([str(find_redis_server()), *words], stdout=subprocess.DEVNULL)
    url = f"redis://:{password}@{host}:{port}/0"
    with Redis.from_url(url) as redis:

        def answers() -> bool:
            with contextlib.suppress(RedisError):
                return bool(redis.ping())
            return False

        wait_for(answers, what="Redis")
    try:
        yield url
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, env=os.environ)
