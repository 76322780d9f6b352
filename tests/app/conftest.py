"""Real parts, shared by all tests of the service."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from redis import Redis, RedisError

from app.database import open_database
from app.jobs.repository import JobRepository
from app.schema import migrate
from app.supervisor.redis_server import find_redis_server
from tests.app.postgresql import Cluster
from tests.app.s3 import S3Server
from tests.app.service import Service, finished, repository, running, short_folder, upload
from tests.model.files import encode
from tests.model.signals import TUNE, TUNE_SECONDS, melody


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """The whole service with the project's own checkpoint, as `amt serve` runs it."""
    folder = short_folder()
    with running(Service(folder / "var")) as whole:
        yield whole
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as http:
        yield http


@pytest.fixture(scope="session")
def long_tune(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four minutes: long enough to be caught in the middle."""
    wave = np.tile(melody(TUNE, TUNE_SECONDS, sr=16000), 20)
    return encode(tmp_path_factory.mktemp("long") / "long.flac", wave, sr=16000, kind="flac").read_bytes()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis with nothing around it."""
    folder = short_folder()
    path = folder / "redis.sock"
    command = [str(find_redis_server()), "--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"unix://{path}"
    with Redis.from_url(url) as redis:
        while True:
            try:
                redis.ping()
                break
            except RedisError:
                time.sleep(0.02)
    yield url
    process.terminate()
    process.wait()
    shutil.rmtree(folder)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """An empty Redis."""
    with Redis.from_url(redis_url, decode_responses=True) as connection:
        connection.flushall()
        yield connection


@pytest.fixture(scope="session")
def idle_service(redis_url: str) -> Iterator[Service]:
    """An API with a small upload limit and nobody who works: jobs stay queued."""
    folder = short_folder()
    settings = {"redis_url": redis_url, "max_upload_bytes": "100000", "decode_seconds": "0.5", "score_seconds": "0.5"}
    migrate(f"sqlite:///{folder / 'var' / 'jobs.sqlite3'}")
    with running(Service(folder / "var", words=("api",), settings=settings)) as api:
        yield api
    shutil.rmtree(folder)


@pytest.fixture
def idle(idle_service: Service) -> Iterator[httpx.Client]:
    with idle_service.client() as http:
        yield http


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a private PostgreSQL cluster."""
    cluster = Cluster()
    yield cluster.url
    cluster.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 service without buckets."""
    server = S3Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.sqlite3'}"
    url: str = request.getfixturevalue("postgresql")
    name = f"test_{abs(hash(str(tmp_path)))}"
    engine = open_database(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def jobs(database_url: str) -> Iterator[JobRepository]:
    """An empty job table on each database."""
    migrate(database_url)
    with repository(database_url) as table:
        yield table


@pytest.fixture(scope="session")
def tune(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Twelve seconds of music as wav."""
    path = tmp_path_factory.mktemp("sounds") / "tune.wav"
    return encode(path, melody(TUNE, TUNE_SECONDS, sr=16000), sr=16000, kind="wav").read_bytes()


@pytest.fixture(scope="session")
def tune_job(client: httpx.Client, tune: bytes) -> dict[str, Any]:
    """A finished job of the tune, to be read only."""
    job = finished(client, upload(client, tune, "tune.wav"))
    assert job["status"] == "succeeded", job["error"]
    return job
