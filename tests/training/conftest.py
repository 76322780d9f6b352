from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model.checkpoint import save_checkpoint
from model.network import NetworkConfig, TranscriptionNetwork
from model.transcriber import Transcriber
from tests.training.material import write_tune_set
from tests.training.serving import Server, serving

SMALL = NetworkConfig(
    fine_channels=4, pitch_channels=8, context_projection=1, context_hidden=8, context_channels=1, pitch_hidden=8
)


def small_checkpoint(path: Path, *, seed: int = 0) -> Path:
    """Random weights of a small network."""
    torch.manual_seed(seed)
    save_checkpoint(TranscriptionNetwork(SMALL), path)
    return path


@pytest.fixture
def small_transcriber(tmp_path: Path) -> Transcriber:
    return Transcriber.load(small_checkpoint(tmp_path / "small.safetensors"), device="cpu")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_tune_set(tmp_path / "data" / "tunes", split="train")
    write_tune_set(tmp_path / "data" / "check", split="validation")
    return tmp_path / "data"
