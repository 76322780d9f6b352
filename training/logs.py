"""What a run says of itself: CSV files for programs, TensorBoard's events, and a line with the time that is left."""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

METRICS = "metrics.csv"  # step, seconds, learning rate, and the parts of the training loss
VALIDATION = "validation.csv"  # step, set, loss, and frame precision, recall, F1 and accuracy


class RunLog:
    """The logs of a run; a context manager.

    Rows of steps after the one that a run goes on from were written before a kill and come again: they are removed.

    Parameters
    ----------
    run : Path
    step, total_steps : int
        Where the run is and where it ends.
    enabled : bool
        False in all processes but the first.
    """

    def __init__(self, run: Path, *, step: int, total_steps: int, enabled: bool) -> None:
        self.run = run
        self.enabled = enabled
        self.progress = tqdm(total=total_steps, initial=step, unit="step", mininterval=5, disable=not enabled)
        self.board: SummaryWriter | None = None
        if enabled:
            for name in (METRICS, VALIDATION):
                keep_rows(run / name, last_step=step)
            self.board = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.close()
        if self.board is not None:
            self.board.close()

    def training(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Log a step's losses."""
        if self.board is None:
            return
        append_row(self.run / METRICS, {"step": step, "seconds": round(seconds, 1), **values})
        for name, value in values.items():
            self.board.add_scalar(f"train/{name}", value, step)
        self.progress.set_postfix({name: f"{values[name]:.4g}" for name in values if name != "learning_rate"})

    def validation(self, step: int, found: Mapping[str, Mapping[str, float]]) -> None:
        """Log what the averaged network comes to on each validation set."""
        if self.board is None:
            return
        for of_set, values in found.items():
            append_row(self.run / VALIDATION, {"step": step, "set": of_set, **values})
            for name, value in values.items():
                self.board.add_scalar(f"{of_set}/{name}", value, step)

    def say(self, sentence: str) -> None:
        """Print above the progress bar."""
        if self.enabled:
            self.progress.write(sentence)


def append_row(path: Path, row: Mapping[str, float | str]) -> None:
    """Append to a CSV file, with a header when it is new; columns follow the first row."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none if it is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def keep_rows(path: Path, *, last_step: int) -> None:
    """Remove the rows of later steps, and a last one that a kill cut short."""
    rows = read_rows(path)
    path.unlink(missing_ok=True)
    for row in rows:
        if None not in row.values() and int(row["step"]) <= last_step:
            append_row(path, row)
