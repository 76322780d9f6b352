"""The command line of the training package."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from model.errors import ModelError
from model.note_events import DecodingOptions
from training import prepare
from training.errors import DataError
from training.prepared import Json

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


@app.command()
def evaluate(
    data: Annotated[list[Path], typer.Option(help="A prepared set, such as data/maps_validation. Repeat for more.")],
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint, .safetensors.")] = None,
    midi_folder: Annotated[Path | None, typer.Option(help="Another system's notes, ID.mid for each recording.")] = None,
    seconds: Annotated[float, typer.Option(help="Take no more than this of each recording; 0 takes all.", min=0)] = 0,
    onset_threshold: Annotated[float, typer.Option(help="0.01 to 0.99.")] = DecodingOptions.onset_threshold,
    frame_threshold: Annotated[float, typer.Option(help="0.01 to 0.99.")] = DecodingOptions.frame_threshold,
    min_note_ms: Annotated[float, typer.Option(help="0 to 1000.")] = DecodingOptions.min_note_ms,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 leaves the choice to PyTorch.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
    quiet: Annotated[bool, typer.Option(help="Say only the sums, not each recording.")] = False,
) -> None:
    """Score a checkpoint, or the MIDI files of any other system by the same code.

    Example: python -m training evaluate --checkpoint runs/first/average.safetensors --data data/maps_validation
    --seconds 60
    """
    from training import evaluate as evaluation

    if (checkpoint is None) == (midi_folder is None):
        raise DataError("give either --checkpoint or --midi-folder")
    options = DecodingOptions(onset_threshold, frame_threshold, min_note_ms)
    system, frame_rate = evaluation.open_system(checkpoint, midi_folder, options, device=device, threads=threads)
    results: dict[str, Json] = {}
    for folder in data:
        scored = evaluation.score_set(
            folder,
            system,
            first_seconds=seconds or float("inf"),
            frame_rate=frame_rate,
            report=(lambda _: None) if quiet else typer.echo,
        )
        typer.echo(f"{folder.name}\n{evaluation.table(scored)}")
        results[folder.name] = evaluation.summary(scored)
    if out is not None:
        settings: dict[str, Json] = {
            "system": str(checkpoint or midi_folder),
            "first_seconds": seconds or None,
            "decoding": dict(asdict(options)) if checkpoint else None,
            "frame_rate": frame_rate,
        }
        evaluation.write_report(out, {**settings, "sets": results})


def main() -> None:
    """Run the command line; a fault of the data ends it with its sentence, not with a traceback."""
    try:
        app()
    except ModelError as error:
        sys.exit(f"error: {error.message}")
