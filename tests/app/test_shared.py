"""One network for several recordings: gathering windows, and the process that hears them."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from app.worker.shared.batching import Batcher
from app.worker.shared.client import SharedListener, SharedLostError, SharedServer
from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from model.errors import CheckpointError
from model.transcriber import Transcriber
from tests.app.faults.stack import QUICK
from tests.app.service import Service, finished, repository, running, running_job, short_folder, upload, wait_for
from tests.model.signals import SR, TUNE, TUNE_SECONDS, melody


class Doubler:
    """A network that doubles its windows, and notes how many it heard at once."""

    def __init__(self) -> None:
        self.passes: list[int] = []

    def hear(self, factor: int, samples: NDArray[np.float32], cents: list[int]) -> list[float]:
        self.passes.append(len(samples))
        if np.isnan(samples).any():
            raise ValueError("no number")
        return [factor * float(row.sum()) + sharp for row, sharp in zip(samples, cents, strict=True)]


def window(value: float, length: int = 3) -> NDArray[np.float32]:
    return np.full(length, value, dtype=np.float32)


def test_windows_of_one_kind_are_heard_together() -> None:
    network = Doubler()
    batcher = Batcher(network.hear, most=3)
    asked = [(2, window(1)), (2, window(2)), (5, window(3)), (2, window(4, 7)), (2, window(5)), (2, window(6))]
    answers = [batcher.ask(factor, samples, 100 * place) for place, (factor, samples) in enumerate(asked)]
    for _ in range(4):
        batcher.step()
    assert [answer.result(timeout=0) for answer in answers] == [6, 112, 245, 356, 430, 536]
    assert network.passes == [3, 1, 1, 1]  # the first kind; the other network; the other length; what was too many


def test_the_next_windows_gather_while_one_is_heard() -> None:
    network = Doubler()
    inside, go_on = threading.Event(), threading.Event()

    def slow(factor: int, samples: NDArray[np.float32], cents: list[int]) -> list[float]:
        inside.set()
        go_on.wait()
        return network.hear(factor, samples, cents)

    batcher = Batcher(slow, most=8)
    threading.Thread(target=batcher.run, daemon=True).start()
    first = batcher.ask(2, window(1), 0)
    inside.wait()
    others = [batcher.ask(2, window(value), 0) for value in (2, 3, 4)]
    go_on.set()
    assert [answer.result(timeout=10) for answer in (first, *others)] == [6, 12, 18, 24]
    assert network.passes == [1, 3]


def test_a_window_that_cannot_be_heard_harms_no_other() -> None:
    network = Doubler()
    batcher = Batcher(network.hear, most=8)
    answers = [batcher.ask(2, window(value), 0) for value in (1, float("nan"), 3)]
    batcher.step()
    assert (answers[0].result(timeout=0), answers[2].result(timeout=0)) == (6, 18)
    with pytest.raises(ValueError, match="no number"):
        answers[1].result(timeout=0)


@pytest.fixture(scope="module")
def server() -> Iterator[SharedServer]:
    shared = SharedServer(device="cpu", threads=2, most=4, on_end=lambda: None)
    yield shared
    shared.close()


def test_another_process_hears_the_same(server: SharedServer) -> None:
    wave = melody(TUNE, TUNE_SECONDS, sr=round(SR * 1.02))  # played at SR it is 34 cents flat
    here = Transcriber.load(DEFAULT_CHECKPOINT, device="cpu", threads=2).activations(wave)
    there = SharedListener(server.socket, DEFAULT_CHECKPOINT, ENTRY["sha256"]).activations(wave)
    assert there.frame_rate == here.frame_rate
    np.testing.assert_array_equal(there.values, here.values)
    assert here.instruments is not None
    np.testing.assert_array_equal(there.instruments, here.instruments)


def test_a_changed_checkpoint_is_refused_and_the_server_goes_on(server: SharedServer, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="SHA-256"):
        SharedListener(server.socket, DEFAULT_CHECKPOINT, "0" * 64)
    assert SharedListener(server.socket, DEFAULT_CHECKPOINT, ENTRY["sha256"]).sr == 16000


def test_a_server_that_dies_is_noticed_on_both_sides() -> None:
    ended = threading.Event()
    server = SharedServer(device="cpu", threads=1, most=4, on_end=ended.set)
    listener = SharedListener(server.socket, DEFAULT_CHECKPOINT, ENTRY["sha256"])
    os.kill(server.pid, signal.SIGKILL)
    assert ended.wait(timeout=30)
    with pytest.raises(SharedLostError, match="is gone"):
        listener.hear(np.zeros(16000, dtype=np.float32))
    server.close()


def test_the_service_hears_several_recordings_in_one_process(tune: bytes, long_tune: bytes) -> None:
    """And when that process dies under a job, the worker is started anew and hears this job, the suspect, alone."""
    service = Service(short_folder() / "var", settings=QUICK | {"batch": "4", "concurrency": "2"})
    with running(service), service.client() as client:
        ended = [finished(client, job) for job in [upload(client, tune) for _ in range(4)]]
        assert [job["status"] for job in ended] == ["succeeded"] * 4
        assert len({client.get(job["links"]["notes_csv"]).headers["ETag"] for job in ended}) == 1
        job = running_job(client, long_tune)
        os.kill(shared_process(service), signal.SIGKILL)
        assert finished(client, job)["status"] == "succeeded"
        with repository(service.configuration().database) as jobs:
            row = jobs.get(job["id"])
        assert row is not None
        assert row.attempts == 2
        wait_for(lambda: ready(client), what="readiness")
    assert "the process that holds the network has ended" in service.log
    assert service.log.count("for one recording alone") == 1


def shared_process(service: Service) -> int:
    """Process id of the one that hears, among all of this machine, by who started it."""
    worker = service.child("worker", "--queue transcribe")
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == worker and "app.worker.shared.server" in (entry / "cmdline").read_text(errors="replace"):
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError("nobody hears for the worker")


def ready(client: httpx.Client) -> bool:
    return client.get("/readyz").status_code == 200
