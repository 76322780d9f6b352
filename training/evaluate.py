"""``python -m training evaluate``: what a checkpoint, or any system's MIDI files, score on a prepared set."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pretty_midi

from model.activations import Activations
from model.cqt import CqtConfig
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from training.errors import DataError
from training.musicnet import read_parts
from training.prepared import SAMPLE_RATE, Json, Recording, Waveform, read_audio, read_manifest, read_notes
from training.scores import Tally, bootstrap, means, pooled, tally


@dataclass(frozen=True, slots=True)
class Heard:
    """What a system says of a recording: its notes, and its activations if it gives any."""

    notes: list[Note]
    activations: Activations | None


@dataclass(frozen=True, slots=True)
class Scored:
    """One recording's outcome."""

    recording: Recording
    seconds: float
    tally: Tally


# A system is asked with a recording and its audio (mono at the prepared rate).
System = Callable[[Recording, Waveform], Heard]


def open_system(
    checkpoint: Path | None, midi_folder: Path | None, options: DecodingOptions, *, device: str, threads: int
) -> tuple[System, float]:
    """A checkpoint or a folder of MIDI files as a system, and the frame rate to compare it on (frames per second).

    MIDI files are compared on the frames of the network that is served, so that all systems' figures are of one kind.
    """
    if checkpoint is not None:
        transcriber = Transcriber.load(checkpoint, device=device, threads=threads or None)
        return checkpoint_system(transcriber, options), transcriber.frame_rate
    if midi_folder is None or not midi_folder.is_dir():
        raise DataError(f"no such folder of MIDI files: {midi_folder}")
    return midi_system(midi_folder), CqtConfig().frame_rate


def checkpoint_system(transcriber: Transcriber, options: DecodingOptions) -> System:
    """The network at work as it is when serving."""

    def hear(_: Recording, waveform: Waveform) -> Heard:
        activations = transcriber.activations(waveform)
        return Heard(decode_notes(activations, options), activations)

    return hear


def midi_system(folder: Path) -> System:
    """Another system's work: ``<id>.mid`` for each recording.

    Raises
    ------
    DataError
        When asked for a recording that has no file. A file without notes counts as a system that found none.
    """

    def hear(recording: Recording, _: Waveform) -> Heard:
        path = next(
            (path for path in (folder / f"{recording.id}{end}" for end in (".mid", ".midi")) if path.exists()), None
        )
        if path is None:
            raise DataError(f"{folder}: no MIDI file {recording.id}.mid for this recording")
        return Heard(read_midi_notes(path), None)

    return hear


def read_midi_notes(path: Path) -> list[Note]:
    """Read a system's notes; a file that holds none is a valid answer."""
    try:
        midi = pretty_midi.PrettyMIDI(str(path))
    except (OSError, ValueError, EOFError, KeyError, IndexError) as error:
        raise DataError(f"{path}: not a MIDI file: {error}") from error
    if not any(instrument.notes for instrument in midi.instruments if not instrument.is_drum):
        return []
    return [note for part in read_parts(path) for note in part.notes]


def score_set(
    folder: Path, system: System, *, first_seconds: float, frame_rate: float, report: Callable[[str], None]
) -> list[Scored]:
    """Let a system hear a prepared set and score it.

    Parameters
    ----------
    folder : Path
        ``PREPARED/<set>``.
    system : callable
    first_seconds : float
        Take no more than this of each recording; infinity takes all.
    frame_rate : float
        Of the grid that frames are compared on, frames per second.
    report : callable
        Gets a line for each recording.

    Returns
    -------
    list of Scored

    Raises
    ------
    DataError
        If the set is empty or a file cannot be read.
    """
    recordings = read_manifest(folder)
    if not recordings:
        raise DataError(f"{folder}: no prepared recordings; see python -m training prepare --help")
    return [score_recording(folder, r, system, first_seconds, frame_rate, report) for r in recordings]


def score_recording(
    folder: Path,
    recording: Recording,
    system: System,
    first_seconds: float,
    frame_rate: float,
    report: Callable[[str], None],
) -> Scored:
    """Score one recording and say a line about it."""
    seconds = min(first_seconds, recording.seconds)
    waveform = read_audio(folder / f"{recording.id}.wav", n_samples=round(seconds * SAMPLE_RATE))
    reference = read_notes(folder / f"{recording.id}.tsv")
    begun = time.perf_counter()
    heard = system(recording, waveform)
    speed = seconds / (time.perf_counter() - begun)
    counted = tally(reference, heard.notes, seconds=seconds, frame_rate=frame_rate, activations=heard.activations)
    scores = counted.scores()
    report(
        f"{recording.id:40.40s} note {scores['note_f1']:.3f}  with offset {scores['note_offset_f1']:.3f}"
        f"  frame {scores['frame_f1']:.3f}  {speed:6.0f} x real time"
    )
    return Scored(recording, seconds, counted)


def summary(scored: Sequence[Scored]) -> dict[str, Json]:
    """Everything measured, for a JSON file: means with intervals, pooled, and each recording."""
    tallies = [one.tally for one in scored]
    return {
        "mean": dict(means(tallies)),
        "mean_interval_95": bootstrap(tallies),
        "pooled": dict(pooled(tallies)),
        "split": ", ".join(sorted({one.recording.split for one in scored})),
        "n_recordings": len(scored),
        "seconds": sum(one.seconds for one in scored),
        "recordings": [
            {
                "id": one.recording.id,
                "seconds": one.seconds,
                "scores": dict(one.tally.scores()),
                "notes_in_reference": one.tally.notes.hits + one.tally.notes.misses,
                "notes_found": one.tally.notes.hits + one.tally.notes.false_alarms,
            }
            for one in scored
        ],
    }


def table(scored: Sequence[Scored]) -> str:
    """Means with their intervals, and pooled scores, as lines for a terminal."""
    tallies = [one.tally for one in scored]
    together = pooled(tallies)
    rows = []
    for name, interval in bootstrap(tallies).items():
        low, high = interval if isinstance(interval, list) else (0.0, 0.0)
        mean = means(tallies)[name]
        rows.append(f"{name:26s} {mean:.4f}  ({low:.4f} to {high:.4f})  {together.get(name, float('nan')):.4f}")
    return "\n".join([f"{'score':26s} mean     (95 % interval)      pooled", *rows])


def write_report(path: Path, results: dict[str, Json]) -> None:
    """Write results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
