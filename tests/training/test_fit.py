"""Training runs: exact after a kill, ended early, begun from a checkpoint."""

import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model.checkpoint import load_checkpoint, save_checkpoint
from model.network import NetworkConfig, Outputs, TranscriptionNetwork
from model.sequence import SequenceConfig
from tests.training.conftest import SMALL, small_checkpoint
from tests.training.material import write_tune_set
from tests.training.runs import HERE, LSTM, settings
from training import fit, parts, validation
from training.averaging import blend
from training.config import FitConfig
from training.crops import CropDataset, read_set
from training.errors import FitError
from training.fit import fit as run_fit
from training.logs import read_rows
from training.parts import PARTS
from training.state import AVERAGE, BEST, CONFIG, LAST, RunState


def losses(run: Path) -> list[dict[str, str]]:
    """What is logged of each step but the time."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_rows(run / "metrics.csv")]


@pytest.mark.parametrize("network", [LSTM, SMALL], ids=["lstm with dropout", "convolution"])
def test_a_killed_run_goes_on_as_if_it_had_not_been(
    tmp_path: Path, data: Path, network: SequenceConfig | NetworkConfig
) -> None:
    """Killed between saves, in the middle of step 6; bit for bit the same losses, weights, averages and moments."""
    config = settings(network=network, mix_probability=0.5)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_fit(config, data=data, run=whole, engine=HERE)
    (tmp_path / "config.json").write_text((whole / CONFIG).read_text())
    kill_at_step_6 = (
        "import os, signal, sys\n"
        "from training.cli import main\n"
        "from training.fit import Fit\n"
        "clip = Fit._clip\n"
        "Fit._clip = lambda self: os.kill(os.getpid(), signal.SIGKILL) if self.state.step == 5 else clip(self)\n"
        "main()\n"
    )
    arguments = ["fit", "--config", tmp_path / "config.json", "--data", data, "--run", killed]
    # Sums are rounded otherwise on another number of threads, and other tests may have set that of this process.
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    ended = subprocess.run(
        [sys.executable, "-c", kill_at_step_6, *arguments, "--device", "cpu", "--workers", "0"],
        capture_output=True,
        env={**os.environ, **threads},
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert torch.load(killed / LAST)["step"] == 3
    assert [row["step"] for row in losses(killed)] == ["1", "2", "3", "4", "5"]

    run_fit(config, data=data, run=killed, engine=HERE)
    assert losses(killed) == losses(whole)
    assert read_rows(killed / "validation.csv") == read_rows(whole / "validation.csv")
    for name in (AVERAGE, BEST):
        assert differing(*(load_checkpoint(run / name).state_dict() for run in (killed, whole))) == []
    assert differing(*(torch.load(run / LAST) for run in (killed, whole))) == ["seconds"]


def differing(one: object, other: object) -> list[str]:
    """Names in which two saved states differ."""
    ours, theirs = flat(one), flat(other)
    assert ours.keys() == theirs.keys()
    return [name for name in ours if not same(ours[name], theirs[name])]


def flat(content: object, name: str = "") -> dict[str, object]:
    """All leaves of a saved state by their paths."""
    if not isinstance(content, dict):
        return {name: content}
    return {
        key: leaf for part, value in content.items() for key, leaf in flat(value, f"{name}.{part}".lstrip(".")).items()
    }


def same(one: object, other: object) -> bool:
    return (
        torch.equal(one, other) if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) else one == other
    )


def test_what_a_run_logs_is_in_tensorboard_too(tmp_path: Path, data: Path) -> None:
    run_fit(settings(), data=data, run=tmp_path / "run", engine=HERE)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    logged = {event.step: event.value for event in events.Scalars("train/total")}
    expected = {int(row["step"]): float(row["total"]) for row in losses(tmp_path / "run")}
    assert logged == pytest.approx(expected)
    assert [event.step for event in events.Scalars("check/f1")] == [2, 4, 6, 8]


def test_the_loss_falls(tmp_path: Path, data: Path) -> None:
    config = settings(total_steps=60, learning_rate=0.02, network=replace(LSTM, dropout=0.0))
    run_fit(replace(config, save_every=60, validate_every=60), data=data, run=tmp_path / "run", engine=HERE)
    totals = [float(row["total"]) for row in losses(tmp_path / "run")]
    assert sum(totals[-10:]) < 0.8 * sum(totals[:10])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_front_end_stays_in_float32(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """A sample reaches the network bit for bit as a request does."""
    seen: list[torch.Tensor] = []

    class Listening(fit.AfterFrontEnd):
        def forward(self, frames: torch.Tensor) -> Outputs:
            seen.append(frames.detach().clone())
            return super().forward(frames)

    monkeypatch.setattr(fit, "AfterFrontEnd", Listening)
    config = settings(total_steps=1, precision=precision)
    run_fit(config, data=data, run=tmp_path / "run", engine=HERE)
    cuts = CropDataset(config, {"tunes": read_set(data / "tunes", "train")}, count=2)
    waves = torch.from_numpy(np.stack([cuts[0][0], cuts[1][0]]))
    assert seen[0].dtype == torch.float32
    assert torch.equal(seen[0], load_checkpoint(tmp_path / "run" / AVERAGE).to_frames(waves))


def test_a_run_that_no_longer_improves_stops_early_and_keeps_the_best(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([3.0, 2.0, 2.5, 2.1, 1.0])
    looks: list[dict[str, torch.Tensor]] = []

    def look(network: torch.nn.Module, *_: object) -> dict[str, dict[str, float]]:
        looks.append({name: value.clone() for name, value in network.state_dict().items()})
        return {"check": {"loss": next(found)}}

    monkeypatch.setattr(fit, "look", look)
    state = run_fit(settings(total_steps=100, patience=2), data=data, run=tmp_path / "run", engine=HERE)
    assert (state.step, state.best_loss, len(looks)) == (8, 2.0, 4)
    best = load_checkpoint(tmp_path / "run" / BEST).state_dict()
    assert all(torch.equal(best[name], looks[1][name]) for name in best)
    assert torch.load(tmp_path / "run" / LAST)["step"] == 8

    again = run_fit(settings(total_steps=100, patience=2), data=data, run=tmp_path / "run", engine=HERE)
    assert again.step == 8
    more = run_fit(settings(total_steps=10, patience=3), data=data, run=tmp_path / "run", engine=HERE)
    assert more.best_loss == 1.0


def test_other_validation_recordings_have_a_lowest_loss_of_their_own(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tune_set(tmp_path / "data" / "harder", split="validation")
    found = iter([1.0, 1.5, 2.5, 3.0])

    def look(_: torch.nn.Module, __: object, config: FitConfig, ___: object) -> dict[str, dict[str, float]]:
        return {name: {"loss": next(found)} for name in config.validation_sets}

    monkeypatch.setattr(fit, "look", look)
    state = run_fit(settings(total_steps=4), data=data, run=tmp_path / "run", engine=HERE)
    assert (state.best_loss, state.looks_since_best) == (1.0, 1)
    harder = settings(total_steps=8, validation_sets=("harder",))
    state = run_fit(harder, data=data, run=tmp_path / "run", engine=HERE)
    assert (state.best_loss, state.looks_since_best) == (2.5, 1)


def test_frame_scores_are_those_of_hand() -> None:
    truth = torch.tensor([1, 1, 1, 0, 0]).bool()
    found = torch.tensor([1, 1, 0, 1, 0]).bool()
    assert parts.frame_counts(found, truth).tolist() == [2, 1, 1]
    assert validation.frame_scores(2, 1, 1) == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "accuracy": 0.5}
    )


def test_a_run_begins_from_a_checkpoint_of_the_same_network(tmp_path: Path, data: Path) -> None:
    first = small_checkpoint(tmp_path / "first.safetensors")
    config = settings(network=SMALL, total_steps=1, learning_rate=1e-12, weight_decay=0.0)
    state = run_fit(config, data=data, run=tmp_path / "run", engine=HERE, init=first)
    before = load_checkpoint(first)
    for ours, theirs in zip(state.network.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-8, rtol=0)


def test_a_blend_lies_between_two_checkpoints(tmp_path: Path) -> None:
    first, second = (small_checkpoint(tmp_path / f"{seed}.safetensors", seed=seed) for seed in (1, 2))
    blend(first, second, tmp_path / "blend.safetensors", share=0.25)
    one, other, between = (
        load_checkpoint(path).state_dict() for path in (first, second, tmp_path / "blend.safetensors")
    )
    assert between.keys() == one.keys()
    for name, value in between.items():
        torch.testing.assert_close(value, one[name] * 0.75 + other[name] * 0.25 if value.is_floating_point() else value)
    third = tmp_path / "third.safetensors"
    save_checkpoint(TranscriptionNetwork(replace(SMALL, pitch_hidden=9)), third)
    with pytest.raises(FitError, match="different networks"):
        blend(first, third, tmp_path / "blend.safetensors", share=0.5)


def test_states_of_earlier_versions_are_read(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "run"
    run_fit(settings(total_steps=2), data=data, run=run, engine=HERE)
    saved = torch.load(run / LAST)
    torch.save({name: saved[name] for name in ("network", "average", "optimizer", "step")}, run / LAST)
    assert run_fit(settings(total_steps=3), data=data, run=run, engine=HERE).step == 3


def test_a_gradient_that_is_not_finite_ends_the_run_before_it_reaches_the_weights(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fit.fresh_state

    def spoiled(config: FitConfig, device: torch.device, init: Path | None) -> RunState:
        state = plain(config, device, init)
        next(state.network.parameters()).register_hook(lambda gradient: gradient * math.nan)
        return state

    monkeypatch.setattr(fit, "fresh_state", spoiled)
    with pytest.raises(FitError, match="gradient of step 0 is not finite; nothing was saved before"):
        run_fit(settings(), data=data, run=tmp_path / "run", engine=HERE)
    assert not (tmp_path / "run" / LAST).exists()


def test_what_there_is_to_go_back_to_is_said_as_it_is(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "run"
    state = fit.fresh_state(settings(), torch.device("cpu"))
    next(state.network.parameters()).data.fill_(math.nan)
    with pytest.raises(FitError, match="no longer finite at step 0; nothing was saved before"):
        state.save(run)
    run_fit(settings(total_steps=1), data=data, run=run, engine=HERE)
    with pytest.raises(FitError, match="run holds the last save from before"):
        state.save(run)


def test_two_processes_share_each_batch(tmp_path: Path, data: Path) -> None:
    """The same command with --devices 2; the losses are those of one process but for each half's own normalisation."""
    config = settings(total_steps=3, network=replace(LSTM, dropout=0.0), batch_size=4)
    alone, together = tmp_path / "alone", tmp_path / "together"
    run_fit(config, data=data, run=alone, engine=HERE)
    arguments = ["--config", alone / CONFIG, "--data", data, "--run", together, "--device", "cpu", "--workers", "0"]
    ended = subprocess.run(
        [sys.executable, "-m", "training", "fit", *arguments, "--devices", "2"],
        capture_output=True,
        timeout=250,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # two processes of two threads each would wait for each other
    )
    assert ended.returncode == 0, ended.stderr.decode()
    ours, theirs = ([float(row["total"]) for row in losses(run)] for run in (together, alone))
    assert ours == pytest.approx(theirs, rel=0.1)
    assert load_checkpoint(together / AVERAGE).config == config.network


def test_instruments_are_trained_on_top_and_leave_the_notes_as_they_are(data: Path, tmp_path: Path) -> None:
    begun = small_checkpoint(tmp_path / "notes.safetensors")
    config = settings(network=replace(SMALL, instrument_channels=4), part="instruments")
    run_fit(config, data=data, run=tmp_path / "run", engine=HERE, init=begun)
    before, after = load_checkpoint(begun).state_dict(), load_checkpoint(tmp_path / "run" / AVERAGE).state_dict()
    for name, value in before.items():
        assert torch.equal(after[name], value), name
    head = {name for name in after if name not in before}
    assert head
    assert all(name.startswith("instruments.") for name in head)
    losses = [float(row["total"]) for row in read_rows(tmp_path / "run" / "metrics.csv")]
    assert losses[-1] < losses[0]


def test_notes_go_on_being_trained_and_leave_the_instruments_as_they_are(data: Path, tmp_path: Path) -> None:
    network = replace(SMALL, instrument_channels=4)
    begun = tmp_path / "begun.safetensors"
    save_checkpoint(TranscriptionNetwork(network), begun)
    run_fit(settings(network=network), data=data, run=tmp_path / "run", engine=HERE, init=begun)
    before, after = load_checkpoint(begun).state_dict(), load_checkpoint(tmp_path / "run" / AVERAGE).state_dict()
    same = {name for name, value in before.items() if torch.equal(after[name], value)}
    assert {name for name in before if name.startswith("instruments.")} <= same
    assert {name.split(".")[0] for name in before.keys() - same} >= {"partials", "octaves", "context", "lstm", "head"}


def test_instrument_loss_is_lowest_at_the_truth_and_ignores_silence() -> None:
    targets = torch.zeros(1, 2, 11, 88)
    targets[0, 0, 2, 40] = 1  # a violin
    targets[0, 1, [0, 4], 41] = 1  # piano and cello in unison
    right = torch.zeros(1, 2, 11, 88)
    right[0, 0, 2, 40] = right[0, 1, 0, 41] = right[0, 1, 4, 41] = 9
    right[0, 0, 7, 3] = 50  # where nothing sounds it may say what it likes
    loss = PARTS["instruments"].loss
    assert loss(right, targets, settings().loss)["total"] < 0.5
    wrong = right.clone()
    wrong[0, 0, 2, 40], wrong[0, 0, 3, 40] = 0, 9
    assert loss(wrong, targets, settings().loss)["total"] > 2
    assert PARTS["instruments"].count(right, targets).tolist() == [2, 0, 0]
    assert PARTS["instruments"].count(wrong, targets).tolist() == [1, 1, 1]
