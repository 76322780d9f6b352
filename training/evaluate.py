"""``python -m training evaluate``: what a checkpoint, or any system's MIDI files, score on a prepared set."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.activations import Activations
from model.cqt import CqtConfig
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from training.digest import digest_of
from training.errors import DataError
from training.intervals import mean_intervals, pooled_intervals
from training.musicnet import open_midi, read_parts
from training.prepared import SAMPLE_RATE, Json, Recording, Waveform, in_range, read_audio, read_labels, read_manifest
from training.scores import Tally, means, pooled, tally

MIDI_ENDINGS = (".mid", ".midi", ".MID", ".MIDI")


@dataclass(frozen=True, slots=True)
class Transcription:
    """What a system says of a recording: its notes, and its activations if it gives any."""

    notes: list[Note]
    activations: Activations | None


@dataclass(frozen=True, slots=True)
class Scored:
    """One recording's outcome."""

    recording: Recording
    seconds: float
    tally: Tally


@dataclass(frozen=True, slots=True)
class Outcome:
    """A set's outcome.

    Parameters
    ----------
    scored : list of Scored
        At least one.
    failed : dict of str to str
        Ids of recordings that could not be scored, with the cause of each. They count in no score.
    """

    scored: list[Scored]
    failed: dict[str, str]


# A system is asked with a recording and its audio (mono at the prepared rate).
System = Callable[[Recording, Waveform], Transcription]
# Somebody who wants to see more than the scores: a recording, its seconds, its reference, and what was heard.
Observer = Callable[[Recording, float, list[Note], Transcription], None]


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

    def hear(_: Recording, waveform: Waveform) -> Transcription:
        activations = transcriber.activations(waveform)
        return Transcription(decode_notes(activations, options), activations)

    return hear


def midi_system(folder: Path) -> System:
    """Another system's work: ``<id>.mid`` for each recording.

    Raises
    ------
    DataError
        When asked for a recording that has no file. A file without notes counts as a system that found none.
    """

    def hear(recording: Recording, _: Waveform) -> Transcription:
        paths = (folder / f"{recording.id}{end}" for end in MIDI_ENDINGS)
        path = next((path for path in paths if path.exists()), None)
        if path is None:
            raise DataError(f"{folder}: no MIDI file {recording.id}.mid for this recording")
        return Transcription(read_midi_notes(path), None)

    return hear


def read_midi_notes(path: Path) -> list[Note]:
    """Read a system's notes; a file that holds none of the keyboard is a valid answer."""
    midi = open_midi(path)
    pitched = (note for instrument in midi.instruments if not instrument.is_drum for note in instrument.notes)
    if not any(in_range(note.pitch) and note.end > note.start for note in pitched):
        return []
    return [note for part in read_parts(path) for note in part.notes]


def score_set(
    folder: Path,
    system: System,
    *,
    first_seconds: float,
    frame_rate: float,
    report: Callable[[str], None],
    observe: Observer | None = None,
) -> Outcome:
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
    observe : callable, optional
        Called with each recording that was scored.

    Returns
    -------
    Outcome
        A recording whose files cannot be read, or that the system has no notes for, is named there and does not keep
        the others from being scored.

    Raises
    ------
    DataError
        If the set is empty, or nothing in it can be scored.
    """
    recordings = read_manifest(folder)
    if not recordings:
        raise DataError(f"{folder}: no prepared recordings; see python -m training prepare --help")
    outcome = Outcome([], {})
    for recording in recordings:
        try:
            scored = score_recording(folder, recording, system, first_seconds, frame_rate, report, observe)
            outcome.scored.append(scored)
        except DataError as error:
            outcome.failed[recording.id] = error.message
            report(f"{recording.id:40.40s} not scored: {error.message}")
    if not outcome.scored:
        cause = next(iter(outcome.failed.values()))
        raise DataError(f"{folder}: none of {len(recordings)} recordings could be scored; the first: {cause}")
    return outcome


def score_recording(
    folder: Path,
    recording: Recording,
    system: System,
    first_seconds: float,
    frame_rate: float,
    report: Callable[[str], None],
    observe: Observer | None,
) -> Scored:
    """Score one recording and say a line about it."""
    seconds = min(first_seconds, recording.seconds)
    waveform = read_audio(folder / f"{recording.id}.wav", n_samples=round(seconds * SAMPLE_RATE))
    reference = read_labels(folder, recording)
    begun = time.perf_counter()
    heard = system(recording, waveform)
    speed = seconds / (time.perf_counter() - begun)
    counted = tally(reference, heard.notes, seconds=seconds, frame_rate=frame_rate, activations=heard.activations)
    scores = counted.scores()
    report(
        f"{recording.id:40.40s} note {scores['note_f1']:.3f}  with offset {scores['note_offset_f1']:.3f}"
        f"  frame {scores['frame_f1']:.3f}  {speed:6.0f} x real time"
    )
    if observe is not None:
        observe(recording, seconds, reference, heard)
    return Scored(recording, seconds, counted)


def summary(outcome: Outcome) -> dict[str, Json]:
    """Everything measured, for a JSON file: means and pooled scores with intervals, and each recording."""
    scored = outcome.scored
    tallies = [one.tally for one in scored]
    return {
        "mean": dict(means(tallies)),
        "mean_interval_95": mean_intervals(tallies),
        "pooled": dict(pooled(tallies)),
        "pooled_interval_95": pooled_intervals(tallies),
        "split": ", ".join(sorted({one.recording.split for one in scored})),
        "n_recordings": len(scored),
        "recordings_sha256": digest_of(one.recording for one in scored),
        "n_failed": len(outcome.failed),
        "failed": dict(outcome.failed),
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


def table(outcome: Outcome) -> str:
    """Means with their intervals, and pooled scores, as lines for a terminal; then what could not be scored."""
    tallies = [one.tally for one in outcome.scored]
    together = pooled(tallies)
    rows = []
    for name, interval in mean_intervals(tallies).items():
        low, high = interval if isinstance(interval, list) else (0.0, 0.0)
        mean = means(tallies)[name]
        rows.append(f"{name:26s} {mean:.4f}  ({low:.4f} to {high:.4f})  {together.get(name, float('nan')):.4f}")
    lines = [f"{'score':26s} mean     (95 % interval)      pooled", *rows]
    if outcome.failed:
        n_all = len(outcome.scored) + len(outcome.failed)
        lines.append(f"{len(outcome.failed)} of {n_all} recordings could not be scored and count in none of these:")
        lines.extend(f"  {name}: {why}" for name, why in outcome.failed.items())
    return "\n".join(lines)


def write_report(path: Path, results: dict[str, Json]) -> None:
    """Write results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
