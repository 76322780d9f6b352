"""Configurations: what is read, and what a person is told about what is not."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common import DEFAULT_CHECKPOINT
from model.checkpoint import load_checkpoint
from model.features import MelConfig
from model.network import NetworkConfig
from model.sequence import SequenceConfig
from training.config import FitConfig
from training.errors import ConfigError
from training.record import MUSICNET

SETS = {"sets": {"a": 1.0}}


def test_the_served_configuration_reads_and_means_what_it_did() -> None:
    config = FitConfig.read(Path("training/configs/served.json"))
    assert config.sets == {"maps_train": 0.4, "musicnet_synth": 0.4, "recorded": 0.2}
    assert (config.total_steps, config.decay_steps, config.precision) == (5000, 2200, "bf16-mixed")
    assert config.network == NetworkConfig(pitch_hidden=24)


def test_who_names_no_sizes_trains_the_network_that_is_served() -> None:
    assert FitConfig(sets={"a": 1.0}).network == NetworkConfig()
    assert load_checkpoint(DEFAULT_CHECKPOINT).config == NetworkConfig(instrument_channels=48)


@pytest.mark.parametrize("path", sorted({*MUSICNET.parent.glob("*.json")} - {MUSICNET}), ids=lambda path: path.stem)
def test_every_configuration_that_comes_along_reads(path: Path) -> None:
    assert FitConfig.from_dict(FitConfig.read(path).to_dict()) == FitConfig.read(path)


@pytest.mark.parametrize(("bfloat16", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_bfloat16_of_earlier_configurations_is_a_precision(bfloat16: bool, precision: str) -> None:
    assert FitConfig.from_dict({**SETS, "bfloat16": bfloat16}).precision == precision


def test_the_page_on_settings_names_them_all_and_their_defaults() -> None:
    page = Path("docs/fit-settings.md").read_text()
    assert [one.name for one in fields(FitConfig) if f"`{one.name}`" not in page] == []
    config = FitConfig(sets={"a": 1.0})
    for row in ("segment_seconds, batch_size", "total_steps, warmup_steps, decay_steps", "average_decay", "patience"):
        names = row.split(", ")
        values = ", ".join(f"{getattr(config, name):g}" for name in names)
        assert f"| {', '.join(f'`{name}`' for name in names)} | {values} |" in page


def test_a_network_of_any_kind_comes_back_from_its_file(tmp_path: Path) -> None:
    config = FitConfig.from_dict(
        {**SETS, "network": {"kind": "lstm", "hidden": 64, "features": {"kind": "mel", "n_mels": 80}}}
    )
    assert config.network == SequenceConfig(kind="lstm", hidden=64, features=MelConfig(n_mels=80))
    config.write(tmp_path / "config.json")
    assert FitConfig.read(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "sets: must be given"),
        ({"sets": {}}, "sets: .*at least 1 item"),
        ({"sets": {"a": 0}}, "sets.a: should be greater than 0, got 0"),
        ({**SETS, "batch_sice": 8}, "batch_sice: there is no such setting; allowed here: sets, .*batch_size"),
        ({**SETS, "batch_size": 2.5}, "batch_size: should be a valid integer"),
        ({**SETS, "batch_size": "8"}, "batch_size: should be a valid integer, got '8'"),
        ({**SETS, "precision": "16"}, "precision: should be '32-true', 'bf16-mixed' or '16-mixed', got '16'"),
        ({**SETS, "bfloat16": 1}, "bfloat16: true or false"),
        ({**SETS, "patience": 3}, "patience needs validation_sets"),
        ({**SETS, "loss": {"kind": "hinge"}}, "loss.kind: should be 'bce', 'focal' or 'mse', got 'hinge'"),
        ({**SETS, "augment": {"snr": 3}}, "augment.snr: there is no such setting; allowed here: room, .*snr_db"),
        ({**SETS, "augment": {"room": 5}}, "augment.room: should be less than or equal to 1, got 5"),
        ({**SETS, "augment": {"room": -1}}, "augment.room: should be greater than or equal to 0, got -1"),
        ({**SETS, "augment": {"room": float("nan")}}, "augment.room: should be a finite number, got nan"),
        ({**SETS, "augment": {"snr_db": [60, 12]}}, r"augment.snr_db: the lower end comes first, got \[60.0, 12.0\]"),
        ({**SETS, "augment": {"level_db": [0, -40]}}, "augment.level_db: the lower end comes first"),
        ({**SETS, "augment": {"level_db": [200, 300]}}, "augment.level_db.0: should be less than or equal to 0, got"),
        ({**SETS, "augment": {"low_pass_hz": [0, 10]}}, "augment.low_pass_hz.0: should be greater than 0, got 0"),
        ({**SETS, "augment": {"high_pass_hz": [9, 8]}}, "augment.high_pass_hz: the lower end comes first"),
        ({**SETS, "augment": {"equaliser_db": -8}}, "augment.equaliser_db: should be greater than or equal to 0"),
        ({**SETS, "augment": {"rooms_seed": -1}}, "augment.rooms_seed: should be greater than or equal to 0"),
        ({**SETS, "seed": 2**70}, "seed: should be less than 9223372036854775808"),
        ({**SETS, "segment_seconds": 1e-5}, "segment_seconds: should be greater than or equal to 0.1"),
        ({**SETS, "average_decay": 1.0}, "average_decay: should be less than 1"),
        ({**SETS, "detune_semitones": 50}, "detune_semitones: should be less than or equal to 1"),
        ({**SETS, "loss": {"instrument_shares": [0.1]}}, "loss.instrument_shares: one for each of the 11 instr.*got 1"),
        (
            {**SETS, "network": {"cqt": {"hop_length": 0}}},
            "network.cqt: sr, hop_length, .* must be at least 1, got .*0",
        ),
        ({**SETS, "network": {"cqt": {"fmin": -1}}}, "network.cqt: fmin must be positive .*, got -1"),
        ({**SETS, "network": {"cqt": {"gamma": -50}}}, "network.cqt: fmin must be .* gamma not negative, got .* -50"),
        ({**SETS, "network": {"kind": "gru"}}, "network.kind: must be one of convolution, dnn, .*, got 'gru'"),
        ({**SETS, "network": {"fine_channels": 0}}, "network: sizes must be at least 1.*fine_channels 0"),
        ({**SETS, "network": {"cqt": {"hop": 2}}}, "network.cqt.hop: there is no such setting; .*hop_length"),
        ({**SETS, "network": {"kind": "dnn", "pitch_hidden": 8}}, "network.pitch_hidden: there is no such setting"),
        ({**SETS, "network": {"kind": "dnn", "features": {"kind": "chroma"}}}, "network.features.kind: .*got 'chroma'"),
        ({**SETS, "network": {"kind": "dnn", "features": {"kind": "mel", "n_mels": 0}}}, "network.features: n_mels"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=rf"wrong\.json: {said}"):
        FitConfig.read(path)


@pytest.mark.parametrize(("text", "said"), [("{", "not JSON"), ("[1]", "expected an object"), (None, "cannot be read")])
def test_what_is_no_object_is_said_to_be_none(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "wrong.json").write_text(text)
    with pytest.raises(ConfigError, match=said):
        FitConfig.read(tmp_path / "wrong.json")
