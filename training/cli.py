"""The command line of the training package."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from model.errors import ModelError
from training import prepare

app = typer.Typer(no_args_is_help=True, help="From recordings to a checkpoint.", pretty_exceptions_enable=False)
app.add_typer(prepare.app, name="prepare")


@app.callback()
def callback() -> None:
    """From recordings to a checkpoint: prepare, fit, evaluate, tune, publish."""


@app.command()
def fit(
    config: Annotated[Path, typer.Option(help="Configuration of the run, a JSON file (training/config.py).")],
    data: Annotated[Path, typer.Option(help="Folder of prepared sets.")],
    run: Annotated[Path, typer.Option(help="Run folder; a run that was stopped goes on in its folder.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare samples.", min=0)] = 1,
) -> None:
    """Train the network, or go on with a run that was stopped.

    Example: python -m training fit --config configs/default.json --data data --run runs/first
    """
    # torch takes seconds to import, which `prepare` and `--help` need not wait for.
    from model.transcriber import choose_device
    from training.config import FitConfig
    from training.fit import fit as run_fit

    run_fit(FitConfig.read(config), data=data, run=run, device=choose_device(device), workers=workers)


def main() -> None:
    """Run the command line; a fault of the data ends it with its sentence, not with a traceback."""
    try:
        app()
    except ModelError as error:
        sys.exit(f"error: {error.message}")
