"""The command line of the training package."""

import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from model.errors import ModelError
from model.note_events import DecodingOptions
from training import prepare
from training.errors import ConfigError, DataError
from training.outputs import check_file, check_folder
from training.prepared import Json, distinct_names
from training.record import MUSICNET, read_record

app = typer.Typer(no_args_is_help=True, help="From recordings to a checkpoint.", pretty_exceptions_enable=False)
app.add_typer(prepare.app, name="prepare")


@app.callback()
def callback() -> None:
    """From recordings to a checkpoint: download, prepare, fit, evaluate, tune, publish, and what helps on the way."""


@app.command()
def download(
    out: Annotated[Path, typer.Option(help="Folder for the data set; MusicNet takes 33 GB with its archive.")],
    record: Annotated[Path, typer.Option(help="What to fetch, with checksums; a copy may name a mirror.")] = MUSICNET,
    attempts: Annotated[int, typer.Option(help="Tries with nothing gained before it gives up.", min=1)] = 8,
) -> None:
    """Fetch MusicNet from its public record, 11 GB, and unpack it; a download that was broken off goes on.

    Example: python -m training download --out musicnet
    """
    from training.download import Patience
    from training.download import download as run_download

    for line in run_download(read_record(record), out, Patience(attempts)):
        typer.echo(line)
    typer.echo(f"next: python -m training prepare musicnet --root {out} --out data")


@app.command()
def explore(
    data: Annotated[list[Path], typer.Option(help="A prepared set, such as data/maps_train. Repeat for more.")],
    out: Annotated[Path, typer.Option(help="Folder for pictures and a page, index.html.")],
    metadata: Annotated[
        Path | None, typer.Option(help="musicnet_metadata.csv, to show MusicNet's pieces by composer.")
    ] = None,
) -> None:
    """Draw what there is in prepared sets: notes, pitches, instruments, lengths, polyphony, labels over the audio.

    Example: python -m training explore --data data/musicnet_synth --metadata MUSICNET/musicnet_metadata.csv --out
    runs/explore
    """
    from training.explore.folder import explore as run_explore
    from training.explore.statistics import read_composers

    distinct_names(data)
    check_folder(out)
    failed = run_explore(data, out, None if metadata is None else read_composers(metadata))
    for name, causes in failed.items():
        for recording, why in causes.items():
            typer.echo(f"{name}, {recording} could not be read: {why}")
    typer.echo(f"page: {out / 'index.html'}")
    if any(failed.values()):
        raise typer.Exit(1)


@app.command()
def fit(
    config: Annotated[Path, typer.Option(help="Configuration of the run, a JSON file (training/config.py).")],
    data: Annotated[Path, typer.Option(help="Folder of prepared sets.")],
    run: Annotated[Path, typer.Option(help="Run folder; a run that was stopped goes on in its folder.")],
    init: Annotated[Path | None, typer.Option(help="A checkpoint of the same network to begin from.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(help="GPUs of this machine (or CPU processes).", min=1)] = 1,
    nodes: Annotated[int, typer.Option(help="Machines, each started with torchrun or by SLURM.", min=1)] = 1,
    workers: Annotated[int, typer.Option(help="Processes per device that prepare samples.", min=0)] = 1,
) -> None:
    """Train a network, or go on with a run that was stopped.

    Example: python -m training fit --config training/configs/served.json --data data --run runs/first

    Two GPUs: the same with --devices 2. Two machines of eight: on each, torchrun --nnodes 2 --nproc-per-node 8
    --rdzv-backend c10d --rdzv-endpoint HOST:29500 -m training fit ... --nodes 2 --devices 8. All settings:
    docs/fit-settings.md
    """
    # torch takes seconds to import, which `prepare` and `--help` need not wait for.
    from training.config import FitConfig
    from training.engine import Engine
    from training.fit import fit as run_fit

    engine = Engine(device, devices, nodes, workers)
    run_fit(FitConfig.read(config), data=data, run=run, engine=engine, init=init)


@app.command()
def overlap(
    soundfont: Annotated[Path, typer.Option(help="The soundfont of a test set, .sf2.")],
    other: Annotated[list[Path], typer.Option(help="A soundfont of the training sets. Repeat for more.")],
) -> None:
    """See whether a soundfont for testing holds recordings that others, for training, hold too.

    Example: python -m training overlap --soundfont TimGM6mb.sf2 --other FluidR3_GM.sf2 --other sf_GMbank.sf2
    """
    from training.overlap import shared_samples

    for path in other:
        shared, share = shared_samples(soundfont, path)
        names = f": {', '.join(sorted(shared))}" if shared else ""
        typer.echo(f"{path.name}: {len(shared)} samples, {share:.1%} of the sound of {soundfont.name}{names}")


@app.command()
def blend(
    before: Annotated[Path, typer.Option(help="A checkpoint, .safetensors.")],
    after: Annotated[Path, typer.Option(help="What `fit --init` made of it.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write.")],
    share: Annotated[float, typer.Option(help="How much of the second, 0 to 1.", min=0, max=1)] = 0.5,
) -> None:
    """Write the weights between a checkpoint and what further training made of it: often better than both.

    Example: python -m training blend --before runs/first/average.safetensors
    --after runs/next/average.safetensors --out runs/next/blend.safetensors
    """
    from training.averaging import blend as run_blend

    run_blend(before, after, out, share=share)


@app.command()
def resize(
    checkpoint: Annotated[Path, typer.Option(help="A checkpoint, .safetensors.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write.")],
    fine_channels: Annotated[int | None, typer.Option(help="New size; the same as before if not given.", min=1)] = None,
    pitch_channels: Annotated[int | None, typer.Option(help="The same.", min=1)] = None,
    pitch_hidden: Annotated[int | None, typer.Option(help="The same.", min=1)] = None,
) -> None:
    """Write a network of other sizes with a checkpoint's weights, to train on from there with `fit --init`.

    A larger one says what the checkpoint says; a smaller one has lost its last channels.

    Example: python -m training resize --checkpoint runs/first/average.safetensors --out runs/larger.safetensors
    --pitch-hidden 48
    """
    from training.resizing import resize as run_resize

    given = {"fine_channels": fine_channels, "pitch_channels": pitch_channels, "pitch_hidden": pitch_hidden}
    run_resize(checkpoint, out, {name: size for name, size in given.items() if size is not None})


@app.command()
def evaluate(
    data: Annotated[list[Path], typer.Option(help="A prepared set, such as data/maps_validation. Repeat for more.")],
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint, .safetensors.")] = None,
    midi_folder: Annotated[Path | None, typer.Option(help="Another system's notes, ID.mid for each recording.")] = None,
    seconds: Annotated[float, typer.Option(help="Take no more than this of each recording; 0 takes all.", min=0)] = 0,
    decoding: Annotated[Path | None, typer.Option(help="JSON of `tune`: what it chose is taken.")] = None,
    onset_threshold: Annotated[float | None, typer.Option(help="0.01 to 0.99.")] = None,
    frame_threshold: Annotated[float | None, typer.Option(help="0.01 to 0.99.")] = None,
    min_note_ms: Annotated[float | None, typer.Option(help="0 to 1000.")] = None,
    latency_ms: Annotated[float | None, typer.Option(help="-100 to 100.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 leaves the choice to PyTorch.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for a page with errors by kind, curves, pictures; takes longer.")
    ] = None,
    quiet: Annotated[bool, typer.Option(help="Say only the sums, not each recording.")] = False,
) -> None:
    """Score a checkpoint, or the MIDI files of any other system by the same code.

    Settings of decoding that are not given are those of --decoding, else those that a checkpoint was published with,
    else the defaults.
    Recordings that cannot be scored (a missing or damaged MIDI file) are named, count in no score, and set status 1.

    Example: python -m training evaluate --checkpoint runs/first/average.safetensors --data data/maps_validation
    --seconds 60 --report runs/first/report
    """
    from model.checkpoint import file_sha256
    from training import evaluate as evaluation
    from training.publish import published_decoding, tuned_decoding, tuned_for
    from training.report.study import Studied, Study

    if (checkpoint is None) == (midi_folder is None):
        raise DataError("give either --checkpoint or --midi-folder")
    distinct_names(data)
    check_outputs(out, report)
    given = {
        "onset_threshold": onset_threshold,
        "frame_threshold": frame_threshold,
        "min_note_ms": min_note_ms,
        "latency_ms": latency_ms,
    }
    chosen = (tuned_decoding(decoding) if decoding else {}) | {
        name: value for name, value in given.items() if value is not None
    }
    options = replace((published_decoding(checkpoint) if checkpoint else None) or DecodingOptions(), **chosen)  # type: ignore[arg-type]
    if decoding and checkpoint and tuned_for(decoding) not in (None, file_sha256(checkpoint)):
        typer.echo(f"note: {decoding} was tuned for another checkpoint")
    if checkpoint:
        typer.echo("decoding: " + ", ".join(f"{name} {getattr(options, name):g}" for name in given))
    system, frame_rate = evaluation.open_system(checkpoint, midi_folder, options, device=device, threads=threads)
    studied = []
    for folder in data:
        study = Study(options if checkpoint else None)
        outcome = evaluation.score_set(
            folder,
            system,
            first_seconds=seconds or float("inf"),
            frame_rate=frame_rate,
            report=(lambda _: None) if quiet else typer.echo,
            observe=study.observe if report else None,
        )
        typer.echo(f"{folder.name}\n{evaluation.table(outcome)}")
        studied.append(Studied(folder, outcome, study))
    settings: dict[str, Json] = {
        "system": str(checkpoint or midi_folder),
        "sha256": file_sha256(checkpoint) if checkpoint else None,
        "first_seconds": seconds or None,
        "decoding": dict(asdict(options)) if checkpoint else None,
        "frame_rate": frame_rate,
    }
    if out is not None:
        sets: dict[str, Json] = {one.folder.name: evaluation.summary(one.outcome) for one in studied}
        evaluation.write_report(out, {**settings, "sets": sets})
    if report is not None:
        from training.report.folder import write_report_folder

        write_report_folder(report, settings, studied)
        typer.echo(f"report: {report / 'index.html'}")
    if any(one.outcome.failed for one in studied):
        raise typer.Exit(1)


def check_outputs(file: Path | None, folder: Path | None = None) -> None:
    """See that what was asked for can be written."""
    if file is not None:
        check_file(file)
    if folder is not None:
        check_folder(folder)


@app.command()
def tune(
    checkpoint: Annotated[Path, typer.Option(help="A checkpoint, .safetensors.")],
    data: Annotated[list[Path], typer.Option(help="A prepared validation set. Repeat for more; each weighs the same.")],
    seconds: Annotated[float, typer.Option(help="Take no more than this of each recording; 0 takes all.", min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 leaves the choice to PyTorch.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="JSON file for what was tried and chosen.")] = None,
) -> None:
    """Find the decoding thresholds of a checkpoint, on validation recordings alone.

    Example: python -m training tune --checkpoint runs/first/average.safetensors --data data/maps_validation --seconds
    60
    """
    from model.checkpoint import file_sha256
    from model.transcriber import Transcriber
    from training import tune as tuning
    from training.evaluate import write_report

    distinct_names(data)
    check_outputs(out)
    transcriber = Transcriber.load(checkpoint, device=device, threads=threads or None)
    sets = {folder.name: tuning.hear_set(folder, transcriber, seconds or float("inf")) for folder in data}
    chosen, trials = tuning.tune(sets, tuning.TuneConfig(), report=typer.echo)
    typer.echo(f"chosen: {tuning.as_json(chosen)}")
    if out is not None:
        write_report(out, {"sha256": file_sha256(checkpoint), **tuning.summary(chosen, trials)})


@app.command()
def compare(
    data: Annotated[Path, typer.Option(help="Folder of prepared sets.")],
    out: Annotated[Path, typer.Option(help="Folder for the runs; cells that are finished there are not run again.")],
    page: Annotated[Path, typer.Option(help="Folder for the page, its plots and JSON.")],
    train: Annotated[list[str], typer.Option(help="A prepared set to train on. Repeat for more.")],
    validation: Annotated[str, typer.Option(help="The prepared set to score on.")],
    features: Annotated[
        str, typer.Option(help="Front ends; the first is that of sizes and losses.")
    ] = "cqt,stft,mel,mfcc",
    networks: Annotated[str, typer.Option(help="Networks.")] = "dnn,lstm,bilstm,transformer,convolution",
    losses: Annotated[str, typer.Option(help="Losses; the first is that of sizes.")] = "bce,mse,focal",
    hidden: Annotated[str, typer.Option(help="Hidden sizes; the first is the table's.")] = "128,32,64,256",
    layers: Annotated[str, typer.Option(help="Numbers of layers; the first is the table's.")] = "2,1,3",
    sized: Annotated[str, typer.Option(help="The network whose sizes are varied.")] = "bilstm",
    steps: Annotated[int, typer.Option(help="Steps for each cell.", min=1)] = 1000,
    seconds: Annotated[float, typer.Option(help="Time for each cell instead of steps; 0 counts steps.", min=0)] = 0,
    epochs: Annotated[int, typer.Option(help="Points of each curve.", min=1)] = 10,
    score_seconds: Annotated[float, typer.Option(help="Score notes on so much of each recording.", min=0)] = 20,
    batch_size: Annotated[int, typer.Option(help="Samples in a step.", min=1)] = 8,
    segment_seconds: Annotated[float, typer.Option(help="Length of a sample.", min=0.1)] = 6.0,
    seed: Annotated[int, typer.Option(help="Of weights and samples.", min=0)] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare samples.", min=0)] = 1,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 leaves the choice to PyTorch.", min=0)] = 0,
) -> None:
    """Train features x networks x losses on one budget and write a page with curves.

    Lists are separated by commas. A non-negative matrix factorisation stands in the same table. The page is written
    anew after each cell.

    Example: python -m training compare --data data --train maps_train --validation maps_validation --steps 2000
    --out runs/compare --page runs/compare/page
    """
    import torch

    from training.compare import compare as run_compare
    from training.compare import line
    from training.comparison_page import write_page
    from training.comparison_table import Budget, Table, base_config
    from training.engine import Engine

    if threads:
        torch.set_num_threads(threads)
    names = {"features": features, "networks": networks, "losses": losses}
    table = Table(
        **{name: tuple(text.split(",")) for name, text in names.items()},
        hidden=whole_numbers("hidden", hidden),
        layers=whole_numbers("layers", layers),
        sized=sized,
    )
    budget = Budget(0 if seconds else steps, seconds, epochs, score_seconds)
    base = base_config(train, validation, batch_size=batch_size, segment_seconds=segment_seconds, seed=seed)

    def report(records: list[dict[str, Json]]) -> None:
        typer.echo(line(records[-1]))
        sample = f"{batch_size} samples of {segment_seconds:g} s"
        said = f"Trained on {', '.join(train)} in steps of {sample}, scored on {validation}."
        write_page(page, table, budget, records, sets=said, command=command_line())

    run_compare(table, budget, base, data=data, out=out, engine=Engine(device, workers=workers), report=report)


def whole_numbers(name: str, text: str) -> tuple[int, ...]:
    """Numbers from a list such as "128,64"."""
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ConfigError(f"{name}: expected whole numbers from 1 up, separated by commas, got {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))


def command_line() -> str:
    """How this was called, as a person types it."""
    return "python -m training " + " ".join(shlex.quote(argument) for argument in sys.argv[1:])


@app.command()
def publish(
    checkpoint: Annotated[Path, typer.Option(help="A checkpoint, .safetensors.")],
    evaluation: Annotated[
        Path,
        typer.Option(help="JSON of `evaluate --checkpoint` of it, on validation sets, with the settings to publish."),
    ],
    trained_on: Annotated[list[str], typer.Option(help="The data that it was trained on, in words. Repeat for more.")],
    command: Annotated[str, typer.Option(help="The command that trained it.")],
    licence: Annotated[str, typer.Option(help="Of the weights, as the data's: CC BY-NC-SA 4.0 with MAPS.")],
    name: Annotated[str, typer.Option(help="What a job asks for.")] = "default",
    description: Annotated[str, typer.Option(help="A line on what it is.")] = "",
    folder: Annotated[Path, typer.Option(help="Where the service finds checkpoints.")] = Path("model/checkpoints"),
    force: Annotated[bool, typer.Option(help="Publish even if it is not better.")] = False,
) -> None:
    """Put a checkpoint where the service finds it, if it is better there than the one that is served.

    Example: python -m training publish --checkpoint runs/first/average.safetensors --evaluation runs/first/scores.json
    --trained-on MAPS --command "python -m training fit ..." --licence
    "CC BY-NC-SA 4.0"
    """
    from training.publish import Release
    from training.publish import publish as run_publish

    release = Release(name, tuple(trained_on), description, command, licence, evaluation)
    typer.echo(f"published {run_publish(checkpoint, folder, release, force=force)}")


def main() -> None:
    """Run the command line; a fault of the data or the disk ends it with its sentence, not with a traceback."""
    try:
        app()
    except ModelError as error:
        sys.exit(f"error: {error.message}")
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        sys.exit(f"error: {where}{error.strerror or error}")
