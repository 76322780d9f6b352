"""Precision against recall: of frames as the frame activation's level moves, of notes as the onset threshold does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model.activations import Activations
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from training.report.note_errors import match_onsets
from training.scores import LEVELS, Counts, within

ONSET_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


@dataclass(frozen=True, slots=True)
class Point:
    """Precision and recall at one threshold."""

    threshold: float
    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, threshold: float, counts: Counts) -> "Point":
        """From what was counted there."""
        return cls(threshold, counts.precision, counts.recall, counts.f1)


def notes_by_threshold(
    true: Sequence[Note], activations: Activations, options: DecodingOptions, *, seconds: float
) -> list[Counts]:
    """Decode with each of `ONSET_THRESHOLDS`, everything else as in `options`, and count notes (onset, pitch).

    Parameters
    ----------
    true : sequence of Note
        Reference within the first `seconds`.
    activations : Activations
    options : DecodingOptions
    seconds : float
        Length of the audio.

    Returns
    -------
    list of Counts
        One for each threshold.
    """
    counted = []
    for threshold in ONSET_THRESHOLDS:
        found = within(decode_notes(activations, replace(options, onset_threshold=threshold)), seconds)
        hits = len(match_onsets(true, found))
        counted.append(Counts(hits, len(found) - hits, len(true) - hits))
    return counted


def note_curve(counted: Sequence[Counts]) -> list[Point]:
    """Points out of pooled `notes_by_threshold`."""
    return [Point.of(threshold, counts) for threshold, counts in zip(ONSET_THRESHOLDS, counted, strict=True)]


def frame_curve(posteriors: npt.NDArray[np.int64]) -> list[Point]:
    """Points out of a histogram of activations.

    Parameters
    ----------
    posteriors : ndarray, shape (2, 256), int64
        As in `training.scores.Tally`.

    Returns
    -------
    list of Point
        One for each level from 1 on: frames of that activation or more count as sounding.
    """
    false_alarms, hits = np.cumsum(posteriors[:, ::-1], axis=1)[:, ::-1].tolist()
    return [
        Point.of(round(level / (LEVELS - 1), 4), Counts(hits[level], false_alarms[level], hits[0] - hits[level]))
        for level in range(1, LEVELS)
    ]


def best(points: Sequence[Point]) -> Point:
    """The point of the highest F1."""
    return max(points, key=lambda point: point.f1)
