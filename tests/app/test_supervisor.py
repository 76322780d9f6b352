"""`amt serve`: refuses what cannot work, says what dies, leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import torch
from redis import Redis, RedisError

from app.cli import cli
from app.connections import open_redis
from app.schema import migrate
from app.settings import Settings
from app.supervisor.lock import StartError, only_one
from app.supervisor.part import FIRST_PAUSE, Part
from app.supervisor.redis_server import prepare_redis
from tests.app.service import Service, running, short_folder, wait_for


def output_of(service: Service) -> tuple[int, str]:
    """Exit status and output of a start that is expected to fail."""
    service.spawn()
    assert service.process is not None
    return service.process.wait(timeout=60), service.log


def test_a_taken_port_is_said_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        service = Service(short_folder() / "var", port=taken.getsockname()[1])
        status, log = output_of(service)
    assert status == 1
    assert "AMT_PORT" in log
    assert "redis" not in log
    assert service.processes() == {}


def test_a_second_service_on_the_same_folder_is_refused(service: Service) -> None:
    second = Service(short_folder() / "var", settings={"var": str(service.var)})
    status, log = output_of(second)
    assert status == 1
    assert "another `amt serve`" in log
    assert str(service.process.pid if service.process else None) in log


# Whether there are keys stands in the database, so that an open address is no fault of the settings alone.
@pytest.mark.parametrize(("name", "value", "expected"), [("host", "0.0.0.0", 1), ("prt", "1", 2), ("port", "http", 2)])
def test_settings_that_cannot_work_are_refused_in_words(name: str, value: str, expected: int) -> None:
    service = Service(short_folder() / "var", settings={name: value})
    status, log = output_of(service)
    assert status == expected
    assert "Traceback" not in log
    assert log.startswith(("amt: ", "amt serve: "))


def test_it_says_where_it_is_and_how_to_try_it(service: Service) -> None:
    wait_for(lambda: f"ready at {service.url}" in service.log, seconds=60)
    assert f"try: curl -F file=@recording.mp3 {service.url}/v1/transcriptions" in service.log


def test_a_dead_part_is_named_and_started_again(service: Service) -> None:
    for words, name in ((("api",), "api"), (("sweeper",), "sweeper"), (("--queue decode",), "decode")):
        os.kill(service.child("app.cli", *words), signal.SIGKILL)
        wait_for(lambda name=name: f"{name} died (signal SIGKILL)" in service.log, seconds=60)
        with service.client() as client:
            wait_for(lambda: _is_ready(client), what="readiness")


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_missing_checkpoints_are_said_before_anything_starts(tmp_path: Path) -> None:
    service = Service(short_folder() / "var", settings={"checkpoint": str(tmp_path)})
    status, log = output_of(service)
    assert status == 1
    assert "manifest.json" in log
    assert "redis" not in log


def test_too_many_deaths_end_it_as_a_whole() -> None:
    service = Service(short_folder() / "var")
    with running(service):
        parts = ["--queue transcribe", "--queue decode", "app.cli api", "app.cli sweeper", "redis-server"]
        for pid in [service.child(part) for part in parts]:
            os.kill(pid, signal.SIGKILL)
        assert service.process is not None
        assert service.process.wait(timeout=60) == 1
    assert "giving up" in service.log
    assert service.processes() == {}


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_worker_that_cannot_load_its_network_ends(redis_url: str) -> None:
    settings = {"device": "cuda", "redis_url": redis_url}
    service = Service(short_folder() / "var", words=("worker",), settings=settings)
    migrate(service.configuration().database)
    _, log = output_of(service)
    assert "no CUDA GPU" in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_in_the_middle_of_the_start_leaves_nothing(number: signal.Signals) -> None:
    service = Service(short_folder() / "var").spawn()
    wait_for(lambda: "redis" in service.log, seconds=30)
    assert service.stop(number) == 0
    assert service.processes() == {}


def test_a_second_signal_kills() -> None:
    service = Service(short_folder() / "var")
    with running(service):
        os.kill(service.child("--queue transcribe"), signal.SIGSTOP)  # it will not react to SIGTERM
        assert service.process is not None
        service.process.send_signal(signal.SIGINT)
        wait_for(lambda: "stopping" in service.log)
        start = time.monotonic()
        assert service.stop(signal.SIGINT, seconds=60) == 0
        assert time.monotonic() - start < 15  # its grace time alone is 20
        assert service.processes() == {}


def test_redis_takes_a_port_with_a_password_where_the_path_is_too_long(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / ("x" * 100))
    settings.run.mkdir(parents=True)
    command, url = prepare_redis(settings)
    assert settings.redis == url
    assert url.startswith("redis://:")
    configuration = Path(command[-1])
    assert configuration.stat().st_mode & 0o077 == 0
    assert (settings.run / "redis.url").stat().st_mode & 0o077 == 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with open_redis(settings) as redis:
            wait_for(lambda: _answers(redis), seconds=60)
            assert redis.config_get("requirepass")["requirepass"] in url
            assert redis.config_get("appendonly") == {"appendonly": "yes"}
            assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    finally:
        process.terminate()
        process.wait()


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False


def test_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(StartError, match=str(os.getpid())), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_a_part_dies_with_its_supervisor(tmp_path: Path) -> None:
    """A supervisor that is killed cannot stop anything: the kernel does it."""
    program = (
        "import sys, time\n"
        "from app.supervisor.part import Part\n"
        "import os\n"
        "Part('sleeper', ['sleep', '1000'], dict(os.environ), 1.0).start()\n"
        "print('started', flush=True)\n"
        "time.sleep(1000)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"started\n"
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    wait_for(lambda: "sleep" in Path(f"/proc/{children[0]}/cmdline").read_text(), seconds=60)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not Path(f"/proc/{children[0]}/cmdline").exists(), seconds=60, what="the child's end")


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_pauses_between_starts_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("app.supervisor.part.time", clock)
    part = Part("false", ["false"], dict(os.environ), grace=1.0)
    part.start()
    for pause in (FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE):
        wait_for(lambda: part.death() is not None)
        for passed, is_up in ((0.9, False), (0.2, True)):
            clock.now += passed * pause
            part.start_if_due()
            assert (part._process is not None) is is_up, pause
    part.kill()


def test_every_command_has_help() -> None:
    assert {command.callback.__name__ for command in cli.registered_commands if command.callback} == {
        "transcribe",
        "serve",
        "api",
        "worker",
        "sweeper",
        "migrate",
        "backup",
        "restore",
        "doctor",
        "health",
        "list_settings",
        "preflight",
    }
    assert all(command.callback.__doc__ for command in cli.registered_commands if command.callback)
