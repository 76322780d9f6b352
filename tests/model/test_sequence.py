"""The general networks: shapes, checkpoints, windows, and that each can learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import load_checkpoint, save_checkpoint
from model.errors import CheckpointError
from model.features import FEATURES, MelConfig, MfccConfig
from model.note import N_PITCHES
from model.sequence import KINDS, SequenceConfig, SequenceKind, SequenceNetwork
from model.transcriber import Transcriber
from model.windows import WindowConfig
from tests.model.signals import SR, TUNE, melody

SMALL = SequenceConfig(features=MelConfig(n_fft=512, n_mels=24), hidden=16, layers=2, reach=20)


def network(kind: SequenceKind, config: SequenceConfig = SMALL) -> SequenceNetwork:
    torch.manual_seed(0)
    return SequenceNetwork(replace(config, kind=kind)).eval()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("feature", FEATURES)
def test_every_network_hears_every_feature(kind: SequenceKind, feature: str) -> None:
    config = replace(SMALL, features=FEATURES[feature](), neighbours=1)
    with torch.inference_mode():
        outputs = network(kind, config)(torch.zeros(2, 1000))
    assert [part.shape for part in outputs[:3]] == [(2, 3, N_PITCHES)] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_brings_back_the_same_network(tmp_path: Path, kind: SequenceKind) -> None:
    saved = network(kind)
    save_checkpoint(saved, tmp_path / "a.safetensors")
    read = load_checkpoint(tmp_path / "a.safetensors")
    wave = torch.from_numpy(melody(TUNE[:4], 2.0))[None]
    assert read.config == saved.config
    with torch.inference_mode():
        for ours, theirs in zip(read(wave)[:3], saved(wave)[:3], strict=True):
            assert torch.equal(ours, theirs)


def test_a_checkpoint_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    saved = network("lstm")
    object.__setattr__(saved.config, "kind", "gru")
    save_checkpoint(saved, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="kind must be one of dnn, lstm, bilstm, transformer, got 'gru'"):
        load_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_windows_hear_what_one_long_look_hears(kind: SequenceKind) -> None:
    wave = melody(TUNE[:16], 8.0)
    whole, cut = (
        Transcriber(network(kind), torch.device("cpu"), window=window, bfloat16=False).activations(wave).values
        for window in (WindowConfig(2500, 125), WindowConfig(200, 60))
    )
    assert whole.shape == (-(-len(wave) // 384), 3, N_PITCHES)
    assert np.abs(whole.astype(int) - cut.astype(int)).max() <= 1


def test_only_the_networks_that_look_ahead_do() -> None:
    """A change of the last half moves nothing of the first half in a DNN and an LSTM, and something in the others."""
    wave = torch.from_numpy(melody(TUNE[:7], 4.0))[None]
    other = wave.clone()
    other[:, 2 * SR :] = 0
    middle = 2 * SR // 384 - 2
    for kind in KINDS:
        with torch.inference_mode():
            before, after = (network(kind)(heard).frame_logits[:, :middle] for heard in (wave, other))
        assert torch.equal(before, after) == (kind in {"dnn", "lstm"}), kind


def test_attention_depends_on_distances_alone() -> None:
    """What is heard of a sound is the same wherever it lies in the recording."""
    heard = network("transformer")
    tone = torch.from_numpy(melody([(0.2, 0.6, 60)], 1.0))
    early = torch.cat([torch.zeros(50 * 384), tone, torch.zeros(60 * 384)])[None]
    late = torch.cat([torch.zeros(150 * 384), tone, torch.zeros(60 * 384)])[None]
    with torch.inference_mode():
        first, second = (heard(wave).onset_logits[0] for wave in (early, late))
    torch.testing.assert_close(second[150:190], first[50:90], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_each_network_learns_a_tiny_problem(kind: SequenceKind) -> None:
    """Which of two tones sounds: told apart after some steps."""
    heard = network(kind, replace(SMALL, features=MfccConfig(n_fft=512, n_mels=24, n_mfcc=12), layers=1)).train()
    waves = torch.stack([torch.from_numpy(melody([(0.0, 0.5, pitch)], 0.5)) for pitch in (50, 70)])
    truth = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[:, None].expand(2, -(-waves.shape[1] // 384), 2)
    optimizer = torch.optim.Adam(heard.parameters(), lr=0.02)
    frames = heard.to_frames(waves)
    losses = []
    for _ in range(40):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            heard.from_frames(frames).frame_logits[:, :, :2], truth
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hidden": 0}, "at least 1"),
        ({"dropout": 1.0}, "below 1, got 1.0"),
        ({"kind": "transformer", "hidden": 20}, "multiple of 2 \\* heads = 8, got 20"),
    ],
)
def test_sizes_that_cannot_be_are_refused(values: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SequenceConfig(**values)  # type: ignore[arg-type]
