"""Train the network: ``python -m training fit``.

A run folder holds ``config.json``, ``last.pt`` (everything that a resumed run needs), ``average.safetensors`` and
``best.safetensors`` (the averaged weights, last and best, as `publish` takes them), ``metrics.csv``, ``validation.csv``
and TensorBoard's events.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from model.checkpoint import save_checkpoint
from model.instruments import N_INSTRUMENTS
from model.labels import seconds_played
from training.averaging import average_into
from training.checks import Sets, check_disk, check_memory, open_sets
from training.config import FitConfig
from training.crops import CropDataset
from training.engine import AfterFrontEnd, Engine
from training.errors import FitError
from training.locks import locked
from training.logs import RunLog
from training.parts import PARTS
from training.state import BEST, CONFIG, LAST, RunState, check_same_run, fresh_state, last_save
from training.validation import look


def fit(
    config: FitConfig, *, data: Path, run: Path, engine: Engine | None = None, init: Path | None = None
) -> RunState:
    """Train, or go on with a run that was stopped.

    Parameters
    ----------
    config : FitConfig
    data : Path
        Folder that holds the prepared sets.
    run : Path
        Run folder; made when missing, continued when it holds a state.
    engine : Engine, optional
        Devices and processes.
    init : Path, optional
        A checkpoint to take the first weights from; a run that goes on has its own.

    Returns
    -------
    RunState
        After the last step.

    Raises
    ------
    DataError
        If the data is not as it should be.
    FitError
        If the run cannot start, go on or end well.
    """
    engine = engine or Engine()
    check_run(config, run, engine)  # before the sets, which take longer
    return fit_on(open_sets(config, data), config, run=run, engine=engine, init=init)


def fit_on(sets: Sets, config: FitConfig, *, run: Path, engine: Engine, init: Path | None = None) -> RunState:
    """As `fit`, with sets that are open."""
    config = with_shares(config, sets)
    check_run(config, run, engine)
    fabric = engine.launch(config.precision)
    check_memory(config, engine, fabric.device)
    with alone_in(run, fabric):
        state = fresh_state(config, fabric.device, init)
        if (run / LAST).exists():
            state.load(run)
        state.train_on(sets.digests, run)
        state.look_at(config)
        if fabric.is_global_zero:
            config.write(run / CONFIG)
        with RunLog(run, step=state.step, total_steps=config.total_steps, enabled=fabric.is_global_zero) as log:
            Fit(config, sets, run, engine, fabric, state, log).go_on()
    return state


@contextmanager
def alone_in(run: Path, fabric: Fabric) -> Iterator[None]:
    """Hold the run folder against other runs; the first process does it for all of this one's.

    Raises
    ------
    FitError
        In every process, if another run holds it.
    """
    with locked(run, wait=False) if fabric.is_global_zero else nullcontext(False) as held:
        if not fabric.broadcast(held):
            raise FitError(f"another process is training in {run}: wait for it to end, or take another folder")
        yield


def with_shares(config: FitConfig, sets: Sets) -> FitConfig:
    """The settings with the instruments' shares in the sets, where these are trained and no shares are given."""
    if config.part != "instruments" or config.loss.instrument_shares:
        return config
    seconds = np.zeros(N_INSTRUMENTS)
    for name, share in config.sets.items():
        recordings = sets.train[name]
        played = np.sum([seconds_played(recording.notes) for recording in recordings], axis=0)
        seconds += share * played / sum(recording.seconds for recording in recordings)
    shares = tuple(float(value) for value in np.round(seconds / max(seconds.sum(), 1e-9), 4))
    return replace(config, loss=replace(config.loss, instrument_shares=shares))


def check_run(config: FitConfig, run: Path, engine: Engine) -> None:
    """See that the run folder and the devices suit the configuration."""
    if config.batch_size % engine.total:
        raise FitError(f"batch_size {config.batch_size} must be a multiple of the {engine.total} devices")
    check_disk(config, run)
    if (run / LAST).exists():
        check_same_run(config, run)


class Fit:
    """The loop of one process of a run."""

    def __init__(
        self,
        config: FitConfig,
        sets: Sets,
        run: Path,
        engine: Engine,
        fabric: Fabric,
        state: RunState,
        log: RunLog,
    ) -> None:
        self.config, self.sets, self.run, self.engine = config, sets, run, engine
        self.fabric, self.state, self.log = fabric, state, log
        self.module, self.optimizer = fabric.setup(AfterFrontEnd(state.network, PARTS[config.part]), state.optimizer)
        fabric.strategy.precision.load_state_dict(state.scaler)
        self.begun = time.monotonic() - state.seconds

    def go_on(self) -> None:
        """Take the steps that are left, or stop early."""
        if self._is_over():
            return
        self.module.train()
        for batch in self._batches():
            losses = self._step(batch)
            self.log.progress.update()
            if self._is_due(self.config.report_every):
                self._report(losses)
            if self._is_due(self.config.validate_every):
                self._look()
            over = self._is_over()
            if self._is_due(self.config.save_every) or over:
                self._save()
            if over:
                return

    def _batches(self) -> DataLoader[Any]:
        """This process's part of the run's batches, from the next step on."""
        config, fabric = self.config, self.fabric
        cuts = CropDataset(
            config,
            self.sets.train,
            first=self.state.step * config.batch_size,
            count=(config.total_steps - self.state.step) * config.batch_size,
        )
        return DataLoader(
            Subset(cuts, range(fabric.global_rank, len(cuts), fabric.world_size)),
            batch_size=config.batch_size // fabric.world_size,
            num_workers=self.engine.workers,
            prefetch_factor=4 if self.engine.workers else None,
            pin_memory=fabric.device.type == "cuda",
        )

    def _step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """One step of the optimizer; returns the losses before it."""
        config, state = self.config, self.state
        seed_step(config.seed, state.step, self.fabric.global_rank)
        waveform, targets = (part.to(self.fabric.device, non_blocking=True) for part in batch)
        frames = state.network.to_frames(waveform)  # in float32, as when serving
        losses = PARTS[config.part].loss(self.module(frames), targets, config.loss)
        for group in state.optimizer.param_groups:
            group["lr"] = config.learning_rate_at(state.step)
        self.optimizer.zero_grad()
        self.fabric.backward(losses["total"])
        self._clip()
        self.optimizer.step()
        state.step += 1
        average_into(state.average, state.network, min(config.average_decay, (1 + state.step) / (10 + state.step)))
        return {name: value.detach() for name, value in losses.items()}

    def _clip(self) -> None:
        """Bound the gradient; one that is not finite ends the run before it reaches the weights."""
        # In float16 such gradients are expected: the loss scaling skips the step and lowers its scale.
        strict = self.config.precision != "16-mixed"
        try:
            self.fabric.clip_gradients(
                self.module, self.optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=strict
            )
        except RuntimeError as error:
            raise FitError(
                f"the gradient of step {self.state.step} is not finite; {last_save(self.run)}. Take a lower "
                "learning_rate, or precision 32-true, in a new folder, with --init to begin from weights that are saved"
            ) from error

    def _is_due(self, every: int) -> bool:
        """Whether something that is done every so many steps, and at the end, is done now."""
        return self.state.step % every == 0 or self.state.step >= self.config.total_steps

    def _is_over(self) -> bool:
        """Whether the last step is done or validation has long not improved; says so."""
        config, state = self.config, self.state
        if config.patience and state.looks_since_best >= config.patience:
            self.log.say(
                f"stopped early at step {state.step}: {state.looks_since_best} looks at the validation sets without a "
                f"loss under {state.best_loss:.4f}; {BEST} holds the weights that had it"
            )
            return True
        return state.step >= config.total_steps

    def _report(self, losses: dict[str, Tensor]) -> None:
        """Log a step's losses, the mean of all processes."""
        values = {name: cast(Tensor, self.fabric.all_reduce(value)).item() for name, value in losses.items()}
        values["learning_rate"] = self.config.learning_rate_at(self.state.step - 1)
        self.log.training(self.state.step, time.monotonic() - self.begun, values)

    def _look(self) -> None:
        """Hear the validation sets, and keep the averaged weights if they do better than before."""
        state = self.state
        if self.fabric.is_global_zero and self.config.validation_sets:
            found = look(state.average, self.fabric, self.config, self.sets.validation)
            self.log.validation(state.step, found)
            loss = sum(values["loss"] for values in found.values()) / len(found)
            state.looks_since_best += 1
            if loss < state.best_loss:
                state.best_loss, state.looks_since_best = loss, 0
                save_checkpoint(state.average, self.run / BEST)
        state.looks_since_best = self.fabric.broadcast(state.looks_since_best)

    def _save(self) -> None:
        """Keep everything that a resumed run needs."""
        self.state.seconds = time.monotonic() - self.begun
        self.state.scaler = self.fabric.strategy.precision.state_dict()
        if self.fabric.is_global_zero:
            self.state.save(self.run)


def seed_step(seed: int, step: int, rank: int) -> None:
    """Make what dropout drops a function of seed, step and process, so that a resumed run drops the same."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step, rank)).generate_state(1)[0]))
