"""The command line: `amt`. Every command imports what it needs when it runs, so that `amt --help` is quick."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.allocator import keep_one_arena
from app.cli import keys, webhooks
from app.cli.common import read_settings, refuse
from app.cores import spin_briefly

if TYPE_CHECKING:
    from app.settings import Settings

cli = typer.Typer(
    name="amt",
    help="Turn recordings into notes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(keys.cli, name="keys")
cli.add_typer(webhooks.cli, name="webhooks")


def main() -> None:
    """Run the command line."""
    cli()


@cli.command()
def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(help="Recordings: wav, aiff, flac, mp3, ogg, opus, m4a, webm, mp4.", metavar="FILE..."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if it is not there.")],
    model: Annotated[str | None, typer.Option(help="Name of a checkpoint; the default one if not given.")] = None,
    onset_threshold: Annotated[float | None, typer.Option(help="0.01 to 0.99; higher gives fewer notes.")] = None,
    frame_threshold: Annotated[float | None, typer.Option(help="0.01 to 0.99; higher gives shorter notes.")] = None,
    min_note_ms: Annotated[float | None, typer.Option(help="Shorter notes are left out, 0 to 1000.")] = None,
    lowest_pitch: Annotated[int | None, typer.Option(help="MIDI pitch, 21 to 108.")] = None,
    highest_pitch: Annotated[int | None, typer.Option(help="MIDI pitch, 21 to 108.")] = None,
    tempo: Annotated[float | None, typer.Option(help="Beats per minute of the MIDI file, 20 to 400.")] = None,
    instruments: Annotated[
        str | None, typer.Option(help="Which may play, with commas between them: piano, violin, ...; auto for any.")
    ] = None,
    a4_hz: Annotated[
        str | None, typer.Option(help="Concert pitch of the recordings, 390 to 470 Hz; auto finds it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the results' names.")] = False,
) -> None:
    """Transcribe FILEs into MIDI, JSON and CSV, without a server.

    One bad file does not stop the others. Exit status: 0 all were transcribed, 1 some were not, 2 wrong usage.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a Ctrl-C: what is unfinished is removed
    spin_briefly()
    keep_one_arena()
    from app.cli.transcribe import UsageError, transcribe_files

    options = {
        "onset_threshold": onset_threshold,
        "frame_threshold": frame_threshold,
        "min_note_ms": min_note_ms,
        "lowest_pitch": lowest_pitch,
        "highest_pitch": highest_pitch,
        "tempo": tempo,
        "instruments": instruments,
        "a4_hz": a4_hz,
    }
    try:
        failed = transcribe_files(
            read_settings(private=False), files, output, model=model, options=options, overwrite=overwrite
        )
    except UsageError as error:
        refuse(str(error))
    raise typer.Exit(1 if failed else 0)


@cli.command()
def serve() -> None:
    """Run the whole service on this machine: Redis, API, workers, sweeper."""
    from app.supervisor.supervisor import serve

    settings = read_settings()
    _require_checkpoints(settings)
    raise typer.Exit(serve(settings))


@cli.command()
def api() -> None:
    """Run the API."""
    from app.api.server import serve as serve_api
    from app.keys.admission import OpenToAllError

    settings = read_settings()
    _require_checkpoints(settings)
    try:
        serve_api(settings)
    except OpenToAllError as error:
        refuse(str(error), status=1)


@cli.command()
def worker(
    queue: Annotated[
        Literal["transcribe", "transcribe-long", "decode", "score"], typer.Option(help="What to work on.")
    ] = "transcribe",
) -> None:
    """Run a worker.

    `transcribe` runs the network, `transcribe-long` does so for recordings above AMT_LONG_SECONDS, `decode` decodes
    stored activations again and saves edits, `score` writes and engraves scores.
    """
    from app.worker.main import run_worker

    settings = read_settings()
    if queue not in settings.queues:
        refuse(
            f"nothing comes into the queue {queue}: set AMT_LONG_SECONDS to the length above which a recording is long,"
            " the same here as for the API and the sweeper"
        )
    _require_checkpoints(settings)
    raise typer.Exit(run_worker(settings, queue))


@cli.command()
def sweeper() -> None:
    """Run the sweeper, which repairs what got lost."""
    from app.sweeper import run_sweeper

    run_sweeper(read_settings())


@cli.command()
def migrate(
    revision: Annotated[
        str, typer.Option(help="An older revision takes the tables back to it, and what it does not know with them.")
    ] = "head",
    first_key: Annotated[
        str,
        typer.Option(help="Where there is no API key yet, make one of this name that may do everything, and print it."),
    ] = "",
) -> None:
    """Bring the job table up to date."""
    from app.schema import MigrationError, migrate

    settings = read_settings()
    try:
        migrate(settings.database, revision)
    except MigrationError as error:
        refuse(str(error), status=1)
    if first_key:
        keys.create_first(first_key)


@cli.command()
def preflight() -> None:
    """Say which secrets of the settings are empty, short or known to others. Exit status 1 if one is."""
    from app.cli.preflight import weaknesses

    found = weaknesses(read_settings())
    for line in found:
        print(f"amt preflight: {line}", file=sys.stderr)
    raise typer.Exit(1 if found else 0)


@cli.command()
def health(
    part: Annotated[
        Literal["api", "transcribe", "transcribe-long", "decode", "score", "sweeper"],
        typer.Argument(help="Which part."),
    ],
) -> None:
    """Ask one part whether it works, as a container's health check does.

    Exit status: 0 it does, 1 it does not, 3 messages wait for a worker that takes none and has to be started anew.
    """
    from app.cli.health import health

    raise typer.Exit(health(read_settings(), part))


@cli.command("settings")
def list_settings() -> None:
    """Print all settings with their defaults as a Markdown table: docs/settings.md."""
    from app.cli.settings_table import table

    print(table())


@cli.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder for the backup.")],
) -> None:
    """Copy the job table and all files into FOLDER. The service may run meanwhile."""
    from app.cli.backup import BackupError, backup

    try:
        print(backup(read_settings(), folder))
    except BackupError as error:
        refuse(str(error), status=1)


@cli.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `amt backup` has made.")],
) -> None:
    """Put a backup into an empty database and an empty store, and go on from there. The service must not run."""
    from app.cli.backup import BackupError, restore

    try:
        print(restore(read_settings(), folder))
    except BackupError as error:
        refuse(str(error), status=1)


@cli.command()
def doctor() -> None:
    """Say what is missing or wrong, and what to do about it. Exit status 1 if something is."""
    from app.cli.doctor import examine

    raise typer.Exit(0 if examine(read_settings()) else 1)


def _require_checkpoints(settings: "Settings") -> None:
    """Say at the start what would otherwise fail every job."""
    from app.catalogue import CatalogueError, load_catalogue, require_file

    try:
        for entry in load_catalogue(settings.checkpoint).models:
            require_file(settings.checkpoint, entry)
    except CatalogueError as error:
        refuse(str(error), status=1)
