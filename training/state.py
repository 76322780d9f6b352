"""Everything that changes while a run goes on, and how it is kept.

Nothing random is kept: sample ``i`` and what dropout drops in step ``s`` are functions of the seed and of ``i`` and
``s`` alone (`training.crops`, `training.fit`), so weights, averages, the optimizer and a few counters are the whole
state, and a run that goes on computes what it would have computed.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from model.checkpoint import load_checkpoint, save_checkpoint
from model.errors import CheckpointError
from model.networks import AnyNetwork, build_network
from training.averaging import averaged_copy
from training.config import FitConfig
from training.errors import FitError
from training.parts import PARTS

CONFIG = "config.json"
LAST = "last.pt"  # everything that a resumed run needs
AVERAGE = "average.safetensors"  # the averaged weights of the last save, as `publish` takes them
BEST = "best.safetensors"  # the averaged weights that had the lowest validation loss
# What may differ when a run goes on: its end, and how often it looks at itself.
MAY_CHANGE = {
    "total_steps",
    "decay_steps",
    "report_every",
    "validate_every",
    "save_every",
    "validation_sets",
    "validation_batches",
    "patience",
}


@dataclass
class RunState:
    """The state of a run.

    Parameters
    ----------
    network, average : TranscriptionNetwork or SequenceNetwork
        The weights that are trained and their moving average.
    optimizer : torch.optim.Optimizer
    step : int
        Steps done.
    seconds : float
        Time spent on them, over all resumed parts.
    best_loss : float
        Lowest mean validation loss of the average so far.
    looks_since_best : int
        Looks at the validation sets since then.
    looked_at : dict
        What those looks were at: a loss on other recordings says nothing of the lowest one.
    trained_on : dict of str to str
        `training.digest` of each set that the steps were taken on.
    scaler : dict
        State of float16's loss scaling; empty in other precisions.
    """

    network: AnyNetwork
    average: AnyNetwork
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    looks_since_best: int = 0
    looked_at: dict[str, Any] = field(default_factory=dict)
    trained_on: dict[str, str] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)

    def save(self, run: Path) -> None:
        """Write state and averaged weights, each under a temporary name first: a kill leaves the last whole one.

        Raises
        ------
        FitError
            If a weight is not finite, or the disk is full; what was saved before stays.
        """
        if not all(bool(value.isfinite().all()) for value in self.network.parameters()):
            raise FitError(
                f"weights are no longer finite at step {self.step}; {last_save(run)}. "
                "Lower learning_rate, or set precision to 32-true"
            )
        partial = run / (LAST + ".partial")
        try:
            torch.save(self._content(), partial)
            partial.replace(run / LAST)
            save_checkpoint(self.average, run / AVERAGE)
        except (OSError, RuntimeError, CheckpointError) as error:  # torch reports a full disk as RuntimeError
            partial.unlink(missing_ok=True)
            raise FitError(f"cannot save to {run}: {error}; {last_save(run)}") from error

    def _content(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "best_loss": self.best_loss,
            "looks_since_best": self.looks_since_best,
            "looked_at": self.looked_at,
            "trained_on": self.trained_on,
            "scaler": self.scaler,
        }

    def load(self, run: Path) -> None:
        """Go on where `save` stopped.

        Raises
        ------
        FitError
            If the file is damaged or of another network.
        """
        try:
            saved = torch.load(run / LAST, map_location="cpu", weights_only=True)
            self.network.load_state_dict(saved["network"])
            self.average.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.step = saved["step"]
        except Exception as error:  # torch.load of damaged bytes raises nearly anything
            raise FitError(f"{run / LAST} does not hold a state of this network: {error}") from error
        # Earlier states lack some of them.
        for name in ("seconds", "best_loss", "looks_since_best", "looked_at", "trained_on", "scaler"):
            setattr(self, name, saved.get(name, getattr(self, name)))

    def train_on(self, digests: dict[str, str], run: Path) -> None:
        """Refuse to go on with other recordings than the steps before were taken on.

        Raises
        ------
        FitError
            Names their sets.
        """
        others = sorted(name for name, digest in digests.items() if self.trained_on.get(name, digest) != digest)
        if others:
            raise FitError(
                f"{run} was trained on other recordings of {', '.join(others)} than there are now: take a new folder, "
                f"and --init {run / AVERAGE} to begin from its weights"
            )
        self.trained_on = digests

    def look_at(self, config: FitConfig) -> None:
        """Begin to look for the lowest validation loss anew where a run goes on with other validation recordings."""
        now = {"validation_sets": list(config.validation_sets), "validation_batches": config.validation_batches}
        if self.looked_at not in ({}, now):
            self.best_loss, self.looks_since_best = math.inf, 0
        self.looked_at = now


def last_save(run: Path) -> str:
    """What there is to go back to, as a part of a sentence."""
    return f"{run} holds the last save from before" if (run / LAST).exists() else "nothing was saved before"


def fresh_state(config: FitConfig, device: torch.device, init: Path | None = None) -> RunState:
    """Weights drawn from the configuration's seed, or those of a checkpoint.

    Parameters
    ----------
    config : FitConfig
    device : torch.device
    init : Path, optional
        A checkpoint of the same network, or of the same without an instrument head. Its weights alone are taken.

    Raises
    ------
    FitError
        If the checkpoint's network is another one; names what differs.
    CheckpointError
        If it cannot be read.
    """
    torch.manual_seed(config.seed)
    network = build_network(config.network)
    if init is not None:
        begin_from(network, init)
    network.to(device)
    trained = PARTS[config.part].trained(network)
    network.requires_grad_(False)
    trained.requires_grad_(True)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    return RunState(network, averaged_copy(network), optimizer)


def begin_from(network: AnyNetwork, init: Path) -> None:
    """Take the weights of a checkpoint; one without an instrument head leaves the network's own as it was drawn."""
    other = load_checkpoint(init)
    has, wanted = other.config.to_dict(), network.config.to_dict()
    if has.get("instrument_channels") == 0 and "instrument_channels" in wanted:
        has["instrument_channels"] = wanted["instrument_channels"]
    if has != wanted:
        raise FitError(f"{init} holds another network than the configuration: {difference(has, wanted)}")
    network.load_state_dict(network.state_dict() | other.state_dict())


def difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Settings in which two configurations differ, as ``name first / second``."""
    first, second = flat(one), flat(other)
    names = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    return ", ".join(f"{name} {first.get(name, 'absent')} / {second.get(name, 'absent')}" for name in names)


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def check_same_run(config: FitConfig, run: Path) -> None:
    """Refuse to go on with a run whose samples or network would be others from here on.

    Raises
    ------
    FitError
        Names the settings that differ.
    """
    old, new = (
        {name: value for name, value in one.to_dict().items() if name not in MAY_CHANGE}
        for one in (FitConfig.read(run / CONFIG), config)
    )
    if not config.loss.instrument_shares:  # they are counted once the sets are open
        new["loss"] = new["loss"] | {"instrument_shares": old["loss"]["instrument_shares"]}
    if old != new:
        raise FitError(
            f"{run} holds a run with other settings (there / now): {difference(old, new)}. It can go on with other "
            f"{', '.join(sorted(MAY_CHANGE))}; for anything else take a new folder, and --init "
            f"{run / AVERAGE} to begin from its weights"
        )
