"""``python -m training prepare ...``: bring every source into the one layout of `training.prepared`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, get_args

import typer

from training.errors import DataError
from training.jobs import Job, run_jobs
from training.maps import maps_jobs
from training.musicnet import midi_ids
from training.plan import SynthConfig
from training.prepared import Split, read_manifest
from training.published import published_jobs
from training.recorded import RecordedConfig, recorded_jobs
from training.replay import ReplayConfig, replay_jobs
from training.samples import instrument_names
from training.synth import synth_jobs

app = typer.Typer(no_args_is_help=True, help=__doc__)

Out = Annotated[Path, typer.Option(help="Folder of prepared sets; each set becomes a folder in it.")]
Workers = Annotated[int, typer.Option(help="Processes; 0 takes one per core.", min=0)]
Seed = Annotated[int, typer.Option(help="Of all random choices; the same seed makes the same set.")]


@app.command()
def maps(
    root: Annotated[Path, typer.Option(help="Folder with the folders train and validation of audio and .tsv pairs.")],
    out: Out,
    workers: Workers = 0,
) -> None:
    """MAPS-style recordings: sets maps_train and maps_validation.

    Example: python -m training prepare maps --root DATA/maps --out data
    """
    splits: tuple[Split, Split] = ("train", "validation")
    for split in splits:
        make_set(out / f"maps_{split}", maps_jobs(root / split, split), workers)


@app.command()
def musicnet(
    root: Annotated[Path, typer.Option(help="Folder with train_data, train_labels, test_data and test_labels.")],
    out: Out,
    workers: Workers = 0,
) -> None:
    """MusicNet as it is published: sets musicnet_train, musicnet_validation and musicnet_test.

    Example: python -m training prepare musicnet --root MUSICNET --out data
    """
    splits: tuple[Split, ...] = get_args(Split)
    for split in splits:
        make_set(out / f"musicnet_{split}", published_jobs(root, split), workers)


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
    which = parse_split(split)
    chosen = [
        n for n in instrument_names(samples) if n not in keep_out.split(",") and (not only or n in only.split(","))
    ]
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
    config = ReplayConfig(samples=str(piano.resolve()))
    make_set(out / name, replay_jobs(source, config, seed=seed), workers)


def synth_config(soundfonts: Sequence[str], *, plain: bool, first_seconds: float) -> SynthConfig:
    """Build the settings of a rendering from the command line."""
    pairs = [text.rpartition(":") if ":" in text else (text, "", "1") for text in soundfonts]
    paths = tuple(str(Path(path).resolve()) for path, _, _ in pairs)
    missing = [path for path in paths if not Path(path).is_file()]
    if missing:
        raise DataError(f"no such soundfont: {', '.join(missing)}")
    config = SynthConfig(
        soundfonts=paths,
        soundfont_weights=tuple(float(weight) for _, _, weight in pairs),
        first_seconds=first_seconds or float("inf"),
    )
    return replace(config, keep_program=1.0, guitar_solo=0.0, split_solo=0.0, scale_tempo=0.0) if plain else config


def parse_split(name: str) -> Split:
    """Check the name of a split."""
    splits: tuple[Split, ...] = get_args(Split)
    for split in splits:
        if split == name:
            return split
    raise DataError(f"split must be one of {', '.join(splits)}, got {name}")


def make_set(folder: Path, jobs: Sequence[Job], workers: int) -> None:
    """Run jobs into a set, say what came of it, and leave with status 1 if any failed."""
    outcome = run_jobs(folder, jobs, workers=workers or os.cpu_count() or 1)
    recordings = read_manifest(folder)
    hours = sum(recording.seconds for recording in recordings) / 3600
    notes = sum(recording.n_notes for recording in recordings)
    typer.echo(f"{folder}: {outcome.summary()}; holds {len(recordings)} recordings, {hours:.2f} h, {notes} notes")
    if outcome.failed:
        raise typer.Exit(1)
