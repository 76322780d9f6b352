"""``python -m training prepare ...``: bring every source into the one layout of `training.prepared`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from training.errors import DataError
from training.fluidsynth import check_soundfont, load_library
from training.instruments import LAST_PROGRAM
from training.intake import add_up, is_refused
from training.jobs import Job, on_one_line, run_jobs
from training.maps import maps_jobs
from training.musicnet import midi_ids
from training.pairs import PairsConfig, forget_moved, pairs_jobs
from training.plan import SynthConfig
from training.prepared import Split, read_manifest
from training.published import published_jobs
from training.samples import instrument_names
from training.splits import SPLITS, parse_split, read_table
from training.synth import synth_jobs

app = typer.Typer(no_args_is_help=True, help=__doc__)

Out = Annotated[Path, typer.Option(help="Folder of prepared sets; each set becomes a folder in it.")]
Workers = Annotated[int, typer.Option(help="Processes; 0 takes one per core.", min=0)]
Seed = Annotated[int, typer.Option(help="Of all random choices; the same seed makes the same set.", min=0)]


@app.command()
def maps(
    root: Annotated[Path, typer.Option(help="Folder with the folders train and validation of audio and .tsv pairs.")],
    out: Out,
    name: Annotated[str, typer.Option(help="The sets become NAME_train and NAME_validation.")] = "maps",
    workers: Workers = 0,
) -> None:
    """MAPS-style recordings: sets maps_train and maps_validation.

    Example: python -m training prepare maps --root DATA/maps --out data
    """
    splits: tuple[Split, Split] = ("train", "validation")
    make_sets({out / f"{name}_{split}": maps_jobs(root / split, split) for split in splits}, workers)


@app.command()
def musicnet(
    root: Annotated[Path, typer.Option(help="Folder with train_data, train_labels, test_data and test_labels.")],
    out: Out,
    workers: Workers = 0,
) -> None:
    """MusicNet as it is published: sets musicnet_train, musicnet_validation and musicnet_test.

    Example: python -m training prepare musicnet --root MUSICNET --out data
    """
    make_sets({out / f"musicnet_{split}": published_jobs(root, split) for split in SPLITS}, workers)


@app.command()
def pairs(
    root: Annotated[Path, typer.Option(help="Folder, with folders in it, of audio and MIDI files of the same names.")],
    out: Out,
    name: Annotated[str, typer.Option(help="The sets become NAME_train, NAME_validation and NAME_test.")] = "pairs",
    validation: Annotated[float, typer.Option(help="Share of the pieces for validation.", min=0, max=1)] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the pieces for testing.", min=0, max=1)] = 0.1,
    seed: Annotated[int, typer.Option(help="Which pieces are drawn.", min=0)] = 0,
    by_folder: Annotated[
        bool, typer.Option("--by-folder", help="ROOT holds folders train, validation and test, which are the splits.")
    ] = False,
    table: Annotated[
        Path | None, typer.Option(help="CSV that gives each recording its split, its piece, or both.")
    ] = None,
    file_column: Annotated[str, typer.Option(help="Column with a file's path from ROOT; any ending.")] = "file",
    split_column: Annotated[str, typer.Option(help="Column with train, validation or test.")] = "split",
    piece_column: Annotated[str, typer.Option(help="Column with the piece; its recordings stay together.")] = "piece",
    pedal: Annotated[bool, typer.Option(help="Let the sustain pedal lengthen notes, as it is heard.")] = True,
    workers: Workers = 0,
) -> None:
    """Your own recordings with their notes as MIDI: sets NAME_train, NAME_validation and NAME_test.

    Without --by-folder and without splits in a table, pieces are drawn; recordings with the same notes are one piece.

    Example: python -m training prepare pairs --root recordings --out data --name mine

    Example: python -m training prepare pairs --root maestro-v3.0.0 --out data --name maestro
    --table maestro-v3.0.0/maestro-v3.0.0.csv --file-column audio_filename
    """
    if out.resolve().is_relative_to(root.resolve()):
        raise DataError(f"--out {out} lies in --root {root}: what is prepared would be taken for recordings next time")
    columns = {"file_column": file_column, "split_column": split_column, "piece_column": piece_column}
    rows = read_table(table, **columns) if table else None
    jobs = pairs_jobs(root, PairsConfig(validation, test, seed, rows, by_folder, pedal))
    for split in SPLITS:
        elsewhere = [job.id for other in SPLITS if other != split for job in jobs[other] if not is_refused(job)]
        for moved in forget_moved(out / f"{name}_{split}", elsewhere):
            typer.echo(on_one_line(f"{moved} is no longer in {name}_{split}: it belongs to another split now"))
    sets = {out / f"{name}_{split}": jobs[split] for split in SPLITS}
    make_sets({folder: wanted for folder, wanted in sets.items() if wanted or read_manifest(folder)}, workers)


@app.command()
def musicnet_synth(
    root: Annotated[Path, typer.Option(help="Folder of MusicNet's pieces as MIDI files, such as 1727.mid.")],
    out: Out,
    soundfont: Annotated[
        list[str], typer.Option(help="A soundfont and how often to draw it, as PATH or PATH:WEIGHT. Repeat for more.")
    ],
    name: Annotated[str, typer.Option(help="Name of the set.")] = "musicnet_synth",
    split: Annotated[str, typer.Option(help="Which pieces: train, validation or test.")] = "train",
    seed: Seed = 0,
    plain: Annotated[bool, typer.Option(help="Written programs, one tempo, mild reverb: for testing.")] = False,
    first_seconds: Annotated[float, typer.Option(help="Render no more than this of each piece; 0 renders all.")] = 0,
    workers: Workers = 0,
) -> None:
    """Synthetic MusicNet: its pieces played by soundfonts through FluidSynth, varied at random.

    Example: python -m training prepare musicnet-synth --root DATA/musicnet_em --out data
    --soundfont /usr/share/sounds/sf2/FluidR3_GM.sf2:40 --soundfont /usr/share/sounds/sf2/sf_GMbank.sf2:15
    """
    config = synth_config(soundfont, plain=plain, first_seconds=first_seconds)
    which = parse_split(split)
    make_set(out / name, synth_jobs(root, midi_ids(root, which), which, config, seed=seed), workers)


@app.command()
def recorded(
    root: Annotated[Path, typer.Option(help="Folder of MusicNet's pieces as MIDI files, such as 1727.mid.")],
    samples: Annotated[Path, typer.Option(help="Folder of recorded single notes with their index.csv.")],
    out: Out,
    name: Annotated[str, typer.Option(help="Name of the set.")] = "recorded",
    split: Annotated[str, typer.Option(help="Which pieces: train, validation or test.")] = "train",
    keep_out: Annotated[str, typer.Option(help="Instruments not to use, with commas between.")] = "",
    only: Annotated[str, typer.Option(help="The only instruments to use, with commas between; empty for all.")] = "",
    takes: Annotated[str, typer.Option(help="Takes to use, digits 0 to 9; 0 is a tenth of all.")] = "123456789",
    most_semitones: Annotated[int, typer.Option(help="How far a recorded note may be moved.", min=0, max=6)] = 2,
    soundfont: Annotated[
        list[str] | None, typer.Option(help="Soundfonts for accompaniment, as PATH or PATH:WEIGHT.")
    ] = None,
    textures: Annotated[int, typer.Option(help="How many recordings of rule-made music besides the pieces.")] = 60,
    excerpt_seconds: Annotated[float, typer.Option(help="Length of each recording.", min=1)] = 80,
    passes: Annotated[int, typer.Option(help="How many different excerpts and casts of each piece.", min=1)] = 1,
    seed: Seed = 0,
    workers: Workers = 0,
) -> None:
    """Pieces and rule-made music played with recorded single notes.

    Example: python -m training prepare recorded --root DATA/musicnet_em --samples DATA/samples --out data --keep-out
    saxophone
    """
    # scipy.signal takes as long to import as all the rest, which the other commands need not wait for.
    from training.recorded import RecordedConfig, recorded_jobs

    which = parse_split(split)
    known = instrument_names(samples)
    kept_out, wanted = parse_names(keep_out, known), parse_names(only, known)
    chosen = [name for name in known if name not in kept_out and (not wanted or name in wanted)]
    if not takes.isdecimal():
        raise DataError(f"--takes are digits, such as 123456789; got {takes}")
    config = RecordedConfig(
        samples=str(samples.resolve()),
        instruments=tuple(chosen),
        takes=tuple(int(digit) for digit in takes),
        most_semitones=most_semitones,
        synth=synth_config(soundfont, plain=False, first_seconds=0) if soundfont else None,
        excerpt_seconds=excerpt_seconds,
    )
    ids = midi_ids(root, which)
    jobs = recorded_jobs(root, ids, which, config, textures=textures, passes=passes, seed=seed)
    make_set(out / name, jobs, workers)


def parse_names(text: str, known: Sequence[str]) -> set[str]:
    """Names of recorded instruments with commas between. One that is not known would be kept out of nothing."""
    names = {name.strip() for name in text.split(",")} - {""}
    if unknown := sorted(names - set(known)):
        raise DataError(f"no such instrument: {', '.join(unknown)}; there are {', '.join(known)}")
    return names


@app.command()
def samples(
    root: Annotated[Path, typer.Option(help="Holds a folder per instrument, with a file per note such as Cs3.mp3.")],
    out: Annotated[Path, typer.Option(help="Folder for the notes and their index.csv, as `recorded` takes it.")],
    instrument: Annotated[
        list[str], typer.Option(help="A folder's name and its General MIDI program from 0, as NAME=42. Repeat.")
    ],
) -> None:
    """Recorded single notes that come as one file each, made ready for `recorded`.

    Example: python -m training prepare samples --root tonejs --out data/more_samples --instrument cello=42
    --instrument guitar-nylon=24
    """
    from training.single_notes import gather_notes  # see recorded

    counts, left_out = gather_notes(root, parse_instruments(instrument), out)
    for name, count in counts.items():
        typer.echo(f"{name}: {count} notes")
    for why in left_out.values():
        typer.echo(on_one_line(f"  left out {why}"))
    if left_out:
        raise typer.Exit(1)


@app.command()
def invented(
    out: Annotated[Path, typer.Option(help="Folder for the notes and their index.csv, as `recorded` takes it.")],
    instruments: Annotated[int, typer.Option(help="How many; half of them are struck, half are held.", min=1)] = 64,
    seed: Seed = 0,
) -> None:
    """Single notes of instruments that do not exist, their timbres drawn at random, made ready for `recorded`.

    Example: python -m training prepare invented --out data/invented_samples
    """
    from training.timbres import invent_instruments  # see recorded

    for name, count in invent_instruments(out, instruments, seed=seed).items():
        typer.echo(f"{name}: {count} notes")


@app.command()
def replayed(
    source: Annotated[Path, typer.Option(help="A prepared set, whose labels are played again.")],
    piano: Annotated[Path, typer.Option(help="Folder of the Salamander Grand Piano's files, such as D#4v10.ogg.")],
    out: Out,
    name: Annotated[str, typer.Option(help="Name of the set.")] = "replayed",
    seed: Seed = 0,
    workers: Workers = 0,
) -> None:
    """The labels of a prepared set, transposed and at other tempos, played on a recorded grand piano.

    Example: python -m training prepare replayed --source data/maps_train --piano samples/salamander --out data
    """
    from training.replay import ReplayConfig, replay_jobs  # see recorded

    config = ReplayConfig(samples=str(piano.resolve()))
    make_set(out / name, replay_jobs(source, config, seed=seed), workers)


def synth_config(soundfonts: Sequence[str], *, plain: bool, first_seconds: float) -> SynthConfig:
    """Build the settings of a rendering from the command line, and check that it can be done at all."""
    load_library()
    pairs = [parse_soundfont(text) for text in soundfonts]
    config = SynthConfig(
        soundfonts=tuple(str(path) for path, _ in pairs),
        soundfont_weights=tuple(weight for _, weight in pairs),
        first_seconds=first_seconds or float("inf"),
    )
    return replace(config, keep_program=1.0, guitar_solo=0.0, split_solo=0.0, scale_tempo=0.0) if plain else config


def parse_soundfont(text: str) -> tuple[Path, float]:
    """Take PATH or PATH:WEIGHT apart."""
    path, _, weight = text.rpartition(":") if ":" in text else (text, "", "1")
    try:
        share = float(weight)
    except ValueError as error:
        raise DataError(f"--soundfont takes PATH or PATH:WEIGHT, with a number for WEIGHT; got {text}") from error
    if not 0 < share < float("inf"):
        raise DataError(f"--soundfont: a weight is greater than 0, got {text}")
    check_soundfont(Path(path))
    return Path(path).resolve(), share


def parse_instruments(texts: Sequence[str]) -> dict[str, int]:
    """Take NAME=PROGRAM apart."""
    pairs = [text.rpartition("=") for text in texts]
    for text, (name, _, program) in zip(texts, pairs, strict=True):
        if not (name and program.isdecimal() and int(program) <= LAST_PROGRAM):
            raise DataError(f"--instrument takes NAME=PROGRAM, 0 to {LAST_PROGRAM}, such as cello=42; got {text}")
    return {name: int(program) for name, _, program in pairs}


def make_set(folder: Path, jobs: Sequence[Job], workers: int) -> None:
    """Run jobs into a set, say what came of it, and leave with status 1 if anything had to be left out."""
    make_sets({folder: jobs}, workers)


def make_sets(sets: Mapping[Path, Sequence[Job]], workers: int) -> None:
    """Make several sets; what is left out of one does not keep the others from being made."""
    left_out = 0
    for folder, jobs in sets.items():
        outcome = run_jobs(folder, jobs, workers=workers or os.cpu_count() or 1)
        left_out += len(outcome.failed)
        recordings = read_manifest(folder)
        hours = sum(recording.seconds for recording in recordings) / 3600
        notes = sum(recording.n_notes for recording in recordings)
        counts, *named = outcome.summary().splitlines()
        typer.echo(f"{folder}: {counts}; holds {len(recordings)} recordings, {hours:.2f} h, {notes} notes")
        for line in named:
            typer.echo(line)
        for what, count in sorted(add_up(recordings).items()):
            typer.echo(f"  {count} {what}")
    if left_out:
        typer.echo(f"{left_out} recordings were left out, each named above and in its set's manifest.json")
        raise typer.Exit(1)
