"""Networks of other sizes that begin where one stands."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.checkpoint import load_checkpoint, save_checkpoint
from model.features import MelConfig
from model.network import NetworkConfig, TranscriptionNetwork
from model.networks import build_network
from model.sequence import SequenceConfig
from tests.training.conftest import SMALL
from training.errors import FitError
from training.resizing import resize

SIZES = {"fine_channels": SMALL.fine_channels + 3, "pitch_channels": SMALL.pitch_channels + 5, "pitch_hidden": 11}


def checkpoint_of(config: NetworkConfig, path: Path) -> Path:
    """Random weights, and statistics of batches that are not those of a new network."""
    torch.manual_seed(4)
    network = TranscriptionNetwork(config)
    network.train()(torch.randn(2, 8000))
    save_checkpoint(network, path)
    return path


@pytest.mark.parametrize("sizes", [SIZES, *({name: size} for name, size in SIZES.items())], ids=str)
def test_a_grown_network_says_what_it_said_before(tmp_path: Path, sizes: dict[str, int]) -> None:
    path, out = checkpoint_of(replace(SMALL, instrument_channels=6), tmp_path / "small.safetensors"), tmp_path / "large"
    resize(path, out, sizes)
    small, large = load_checkpoint(path), load_checkpoint(out)
    assert large.config.to_dict() == small.config.to_dict() | sizes
    with torch.no_grad():
        sound = torch.randn(2, 12000)
        for ours, theirs in zip(large(sound), small(sound), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_every_new_weight_learns(tmp_path: Path) -> None:
    """Nothing new is cut off on both sides: after a step that moves what reads it, it has a gradient."""
    out = tmp_path / "large"
    resize(checkpoint_of(SMALL, tmp_path / "small.safetensors"), out, SIZES)
    network = load_checkpoint(out).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-2)
    for _ in range(4):
        optimizer.zero_grad()
        onset, frame, velocity, _ = network(torch.randn(2, 8000))
        sum(part.square().mean() for part in (onset, frame, velocity)).backward()
        optimizer.step()
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        rows = weights.grad.flatten(1) if weights.dim() > 1 else weights.grad[None]
        assert rows.any(dim=1).all(), name


def test_what_was_added_can_be_taken_away_again(tmp_path: Path) -> None:
    path = checkpoint_of(replace(SMALL, instrument_channels=6), tmp_path / "small.safetensors")
    resize(path, tmp_path / "large", SIZES)
    resize(tmp_path / "large", tmp_path / "back", {name: getattr(SMALL, name) for name in SIZES})
    before, after = load_checkpoint(path), load_checkpoint(tmp_path / "back")
    assert after.config == before.config
    for name, value in before.state_dict().items():
        torch.testing.assert_close(after.state_dict()[name], value, atol=0, rtol=0, msg=name)


def test_another_kind_of_network_is_refused(tmp_path: Path) -> None:
    lstm = SequenceConfig(kind="lstm", features=MelConfig(n_fft=512, n_mels=24), hidden=8, layers=1)
    save_checkpoint(build_network(lstm), tmp_path / "lstm.safetensors")
    with pytest.raises(FitError, match="no network of harmonics"):
        resize(tmp_path / "lstm.safetensors", tmp_path / "out", {"pitch_hidden": 9})
    assert not (tmp_path / "out").exists()
