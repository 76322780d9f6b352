"""Train the network: ``python -m training fit``.

A run folder holds ``config.json``, ``last.pt`` (everything that a resumed run needs), ``average.safetensors`` (the
averaged weights, as `publish` takes them) and ``metrics.csv``.
"""

import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from model.checkpoint import save_checkpoint
from model.network import TranscriptionNetwork
from training.averaging import average_into, averaged_copy
from training.config import FitConfig
from training.crops import CropDataset, read_set
from training.losses import transcription_loss

SAVE_EVERY = 100  # steps between two saves of everything; a kill loses no more
VALIDATE_EVERY = 500
VALIDATION_BATCHES = 12
REPORT_EVERY = 20


@dataclass
class RunState:
    """Everything that changes while a run goes on."""

    network: TranscriptionNetwork
    average: TranscriptionNetwork
    optimizer: torch.optim.Optimizer
    step: int = 0

    def save(self, path: Path) -> None:
        """Write to a temporary name and rename, so that a kill leaves the last whole state."""
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
            },
            partial,
        )
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Go on where `save` stopped."""
        saved = torch.load(path, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]


def start_state(config: FitConfig, device: torch.device) -> RunState:
    """Fresh weights, drawn from the configuration's seed."""
    torch.manual_seed(config.seed)
    network = TranscriptionNetwork(config.network).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    return RunState(network, averaged_copy(network), optimizer)


def listen(network: TranscriptionNetwork, waveform: Tensor, targets: Tensor, config: FitConfig) -> dict[str, Tensor]:
    """Forward pass and loss of a batch, the front end in float32 as when serving."""
    frames = network.cqt.log_magnitudes(waveform)
    with torch.autocast(waveform.device.type, torch.bfloat16, enabled=config.bfloat16):
        outputs = network.from_frames(frames)
    return transcription_loss(outputs, targets, config.loss)


def train_step(state: RunState, batch: list[Tensor], config: FitConfig, device: torch.device) -> dict[str, Tensor]:
    """One step of the optimizer; returns the losses before it."""
    waveform, targets = (part.to(device) for part in batch)
    for group in state.optimizer.param_groups:
        group["lr"] = config.learning_rate_at(state.step)
    losses = listen(state.network, waveform, targets, config)
    state.optimizer.zero_grad()
    losses["total"].backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), config.clip_norm)
    state.optimizer.step()
    state.step += 1
    average_into(state.average, state.network, min(config.average_decay, (1 + state.step) / (10 + state.step)))
    return {name: value.detach() for name, value in losses.items()}


@torch.inference_mode()
def validation_losses(state: RunState, data: Path, config: FitConfig, device: torch.device) -> dict[str, float]:
    """Total loss of the averaged network on fixed cuts of each validation set."""
    state.average.eval()
    found = {}
    for name in config.validation_sets:
        recordings = {name: read_set(data / name, "validation")}
        cuts = CropDataset(config, recordings, count=VALIDATION_BATCHES * config.batch_size, augmented=False)
        totals = [
            listen(state.average, batch[0].to(device), batch[1].to(device), config)["total"].item()
            for batch in DataLoader(cuts, batch_size=config.batch_size)
        ]
        found[name] = sum(totals) / len(totals)
    return found


def training_batches(config: FitConfig, data: Path, first_step: int, workers: int) -> DataLoader[Any]:
    """The run's batches from ``first_step`` on."""
    cuts = CropDataset(
        config,
        {name: read_set(data / name, "train") for name in config.sets},
        first=first_step * config.batch_size,
        count=(config.total_steps - first_step) * config.batch_size,
    )
    return DataLoader(cuts, batch_size=config.batch_size, num_workers=workers, prefetch_factor=4 if workers else None)


def append_row(path: Path, row: dict[str, float]) -> None:
    """Append to a CSV file, with a header when it is new; columns follow the first row."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def fit(config: FitConfig, *, data: Path, run: Path, device: torch.device, workers: int = 1) -> RunState:
    """Train, or go on with a run that was stopped.

    Parameters
    ----------
    config : FitConfig
    data : Path
        Folder that holds the prepared sets.
    run : Path
        Run folder; made when missing, continued when it holds a state.
    device : torch.device
    workers : int
        Processes that prepare samples.

    Returns
    -------
    RunState
        After the last step.
    """
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps(config.to_dict(), indent=1) + "\n")
    state = start_state(config, device)
    if (run / "last.pt").exists():
        state.load(run / "last.pt")
    progress = tqdm(total=config.total_steps, initial=state.step, unit="step", mininterval=5)
    begun = time.monotonic()
    state.network.train()
    for batch in training_batches(config, data, state.step, workers):
        losses = train_step(state, batch, config, device)
        progress.update()
        if state.step % REPORT_EVERY == 0:
            values = {name: round(value.item(), 5) for name, value in losses.items()}
            append_row(
                run / "metrics.csv",
                {"step": state.step, "seconds": round(time.monotonic() - begun, 1), **values},
            )
            progress.set_postfix(values)
        if state.step % VALIDATE_EVERY == 0 or state.step == config.total_steps:
            found = validation_losses(state, data, config, device)
            append_row(run / "validation.csv", {"step": state.step, **found})
        if state.step % SAVE_EVERY == 0 or state.step == config.total_steps:
            state.save(run / "last.pt")
            save_checkpoint(state.average, run / "average.safetensors")
    progress.close()
    return state
