"""The network as it is run is the network that was trained."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from model.cqt import CqtConfig
from model.fused import FusedNetwork
from model.network import NetworkConfig, TranscriptionNetwork
from model.recurrence import BothWays, _single_threads
from model.transcriber import computes_bfloat16

SMALL = NetworkConfig(
    cqt=CqtConfig(n_octaves=8),
    fine_channels=4,
    pitch_channels=6,
    context_hidden=8,
    pitch_hidden=5,
    instrument_channels=7,
)


@pytest.fixture(params=[1, 2, 5])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained() -> TranscriptionNetwork:
    """A network whose batch norms have seen something."""
    torch.manual_seed(1)
    network = TranscriptionNetwork(SMALL)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return network.eval()


@pytest.mark.parametrize("n_frames", [1, 3, 40, 41])
@pytest.mark.parametrize("chunk_frames", [None, 7, 40])
def test_fused_network_is_the_network(trained: TranscriptionNetwork, n_frames: int, chunk_frames: int | None) -> None:
    frames = torch.rand(2, n_frames, SMALL.cqt.n_bins)
    with torch.inference_mode():
        expected = trained.from_frames(frames)
        found = FusedNetwork(trained, chunk_frames=chunk_frames)(frames)
    assert found.instrument_logits is not None
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n_frames", [1, 499, 501])
@pytest.mark.parametrize("batch", [3, 88])
def test_both_directions_at_once_are_the_lstm(threads: int, n_frames: int, batch: int) -> None:
    torch.manual_seed(2)
    lstm = torch.nn.LSTM(6, 4, bidirectional=True)
    sequences = torch.randn(n_frames, batch, 6)
    with torch.inference_mode():
        torch.testing.assert_close(BothWays(lstm)(sequences), lstm(sequences)[0])
    assert torch.get_num_threads() == threads


def test_threads_started_later_compute_with_all(threads: int) -> None:
    """The threads of the LSTM compute alone; a thread that somebody else starts must not take that over."""
    with torch.inference_mode():
        BothWays(torch.nn.LSTM(2, 2, bidirectional=True))(torch.randn(5, 1, 2))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == threads


def test_mixed_precision_reaches_the_threads(threads: int) -> None:
    lstm = torch.nn.LSTM(36, 24, bidirectional=True)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert BothWays(lstm)(torch.randn(5, 88, 36)).dtype == torch.bfloat16


def test_an_lstm_of_one_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        BothWays(torch.nn.LSTM(2, 2))


EVERY_LENGTH = """
import sys, torch
from model.fused import FusedNetwork
from model.network import NetworkConfig, TranscriptionNetwork

config = NetworkConfig(pitch_channels=int(sys.argv[1]))
fused = FusedNetwork(TranscriptionNetwork(config).eval())
for threads in (2, 3, 4, 6):
    torch.set_num_threads(threads)
    for n_frames in (*range(1, 26), 163, 254, 255, 301):
        frames = torch.rand(1, n_frames, config.cqt.n_bins)
        with torch.inference_mode():
            exact = fused(frames)
            with torch.autocast("cpu", torch.bfloat16):
                rough = fused(frames)
        for one, other in zip(exact[:3], rough[:3], strict=True):
            torch.testing.assert_close(one, other, atol=0.1, rtol=0)
"""


# Only what a machine computes itself is worth all of them; emulated, it is never served, and takes two minutes.
WIDTHS = [6, 16, 20, 32, 48] if computes_bfloat16(torch.device("cpu")) else [20]


@pytest.mark.parametrize("channels", WIDTHS)
def test_bfloat16_ends_for_recordings_of_any_length_on_any_number_of_threads(channels: int) -> None:
    """In a process of its own: what goes wrong here is a compiler that never ends. A busy machine takes minutes."""
    subprocess.run([sys.executable, "-c", EVERY_LENGTH, str(channels)], check=True, timeout=280)


def test_each_direction_computes_with_one_thread(threads: int) -> None:
    """Asked by both at the same time: with threads of their own they would wait for each other's for ever longer."""
    pool, meeting = _single_threads(2), threading.Barrier(2)

    def ask() -> int:
        meeting.wait(timeout=10)
        return torch.get_num_threads()

    assert [answer.result() for answer in (pool.submit(ask), pool.submit(ask))] == [1, 1]
    assert torch.get_num_threads() == threads
