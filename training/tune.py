"""``python -m training tune``: the decoding thresholds that suit a checkpoint, found on validation sets alone.

The network hears every recording once; its activations are then decoded with many settings. Onset threshold and
shortest note are chosen first, by note F1 (onset alone); then the latency by that and the scores below; then the frame
threshold, which hardly moves note F1, by frame F1 and note F1 with offset. Every set weighs the same, however many
recordings it has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model.activations import Activations
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from training.errors import DataError
from training.prepared import SAMPLE_RATE, Json, read_audio, read_labels, read_manifest
from training.scores import means, tally


@dataclass(frozen=True, slots=True)
class TuneConfig:
    """The settings tried.

    Parameters
    ----------
    onset_thresholds, frame_thresholds : tuple of float
        0.01 to 0.99.
    min_note_ms, latencies_ms : tuple of float
        Milliseconds.
    """

    onset_thresholds: tuple[float, ...] = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
    frame_thresholds: tuple[float, ...] = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
    min_note_ms: tuple[float, ...] = (20.0, 40.0, 60.0)
    latencies_ms: tuple[float, ...] = (0.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0)


@dataclass(frozen=True, slots=True)
class Remembered:
    """One recording as the network heard it."""

    reference: list[Note]
    activations: Activations
    seconds: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What one setting came to: means over the recordings of each set."""

    options: DecodingOptions
    scores: dict[str, dict[str, float]]

    def mean(self, *names: str) -> float:
        """Mean of scores over the sets, each set weighing the same."""
        return float(np.mean([of_set[name] for of_set in self.scores.values() for name in names]))


def hear_set(folder: Path, transcriber: Transcriber, first_seconds: float) -> list[Remembered]:
    """Let the network hear the validation recordings of a set.

    Raises
    ------
    DataError
        If the set is empty or holds a recording that is for training or for testing.
    """
    recordings = read_manifest(folder)
    others = [recording.id for recording in recordings if recording.split != "validation"]
    if others or not recordings:
        raise DataError(f"{folder}: thresholds are tuned on validation recordings alone; others here: {others[:3]}")
    heard = []
    for recording in recordings:
        seconds = min(first_seconds, recording.seconds)
        waveform = read_audio(folder / f"{recording.id}.wav", n_samples=round(seconds * SAMPLE_RATE))
        reference = read_labels(folder, recording)
        heard.append(Remembered(reference, transcriber.activations(waveform), seconds))
    return heard


def tune(
    sets: Mapping[str, Sequence[Remembered]], config: TuneConfig, *, report: Callable[[str], None]
) -> tuple[DecodingOptions, list[Trial]]:
    """Find thresholds.

    Parameters
    ----------
    sets : dict of str to sequence of Remembered
        Validation sets.
    config : TuneConfig
    report : callable
        Gets a line for each setting.

    Returns
    -------
    DecodingOptions
        The best setting.
    list of Trial
        All that were tried, in order.
    """
    starts = [
        DecodingOptions(onset_threshold=onset, min_note_ms=shortest)
        for onset in config.onset_thresholds
        for shortest in config.min_note_ms
    ]
    first = [attempt(sets, options, report) for options in starts]
    best = max(first, key=lambda trial: trial.mean("note_f1")).options
    shifted = [attempt(sets, replace(best, latency_ms=latency), report) for latency in config.latencies_ms]
    best = max(shifted, key=lambda trial: trial.mean("note_f1", "frame_f1", "note_offset_f1")).options
    held = [attempt(sets, replace(best, frame_threshold=frame), report) for frame in config.frame_thresholds]
    chosen = max(held, key=lambda trial: trial.mean("frame_f1", "note_offset_f1")).options
    return chosen, first + shifted + held


def attempt(sets: Mapping[str, Sequence[Remembered]], options: DecodingOptions, report: Callable[[str], None]) -> Trial:
    """Decode and score everything with one setting."""
    trial = Trial(options, {name: score(heard, options) for name, heard in sets.items()})
    each = "  ".join(f"{name} {scores['note_f1']:.4f}" for name, scores in trial.scores.items())
    report(
        f"onset {options.onset_threshold:.2f}  frame {options.frame_threshold:.2f}  "
        f"shortest {options.min_note_ms:3.0f} ms  latency {options.latency_ms:2.0f} ms  "
        f"note {trial.mean('note_f1'):.4f}  with offset {trial.mean('note_offset_f1'):.4f}  "
        f"frame {trial.mean('frame_f1'):.4f}  ({each})"
    )
    return trial


def score(heard: Sequence[Remembered], options: DecodingOptions) -> dict[str, float]:
    """Mean scores of a set with one setting."""
    return means(
        [
            tally(
                one.reference,
                decode_notes(one.activations, options),
                seconds=one.seconds,
                frame_rate=one.activations.frame_rate,
            )
            for one in heard
        ]
    )


def summary(chosen: DecodingOptions, trials: Sequence[Trial]) -> dict[str, Json]:
    """What was tried and chosen, for a JSON file."""
    return {
        "chosen": as_json(chosen),
        "trials": [
            {"options": as_json(t.options), "scores": {k: dict(v) for k, v in t.scores.items()}} for t in trials
        ],
    }


def as_json(options: DecodingOptions) -> dict[str, Json]:
    """The settings that a manifest keeps."""
    return {
        "onset_threshold": options.onset_threshold,
        "frame_threshold": options.frame_threshold,
        "min_note_ms": options.min_note_ms,
        "latency_ms": options.latency_ms,
    }
