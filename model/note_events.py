"""Activations to notes: the last step that decides what is heard.

Notes may begin at the local maxima of the onset activation, placed between frames by the parabola through the maximum
and its neighbours. Which of them do, and how long each note lasts, is the most likely course of its pitch
(`model.note_path`); a straight line places the end between frames. Needs numpy alone, so that decoding again does not
load the network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.activations import Activations
from model.errors import OptionError
from model.note import HIGHEST_PITCH, LOWEST_PITCH, Note
from model.note_instruments import check_names, name_instruments
from model.note_path import likely_notes

LARGEST_SUPPORT = 0.5  # how far under the threshold, in log odds, a held note may lift an onset over it
# A frame's log odds count for this share of an onset's, and no more than LARGEST_EVIDENCE either way before that.
# More weight was no better on the validation sets.
FRAME_WEIGHT = 0.1
LARGEST_EVIDENCE = 3.0
Choose: TypeAlias = Callable[
    [NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]], tuple[NDArray[np.int64], NDArray[np.int64]]
]
CHUNK_FRAMES = 10_000  # frames searched at once: bounds memory on recordings of hours


@dataclass(frozen=True)
class DecodingOptions:
    """How activations become notes.

    Parameters
    ----------
    onset_threshold, frame_threshold : float
        Activations from which on an onset or a held note is more likely than not, in 0.01 to 0.99. An onset a little
        under its threshold counts if a held note follows.
    min_note_ms : float
        Shorter notes are left out, in milliseconds, 0 to 1000.
    latency_ms : float
        How much later than its note a sound is heard; notes are moved earlier by it, none before 0. In milliseconds,
        -100 to 100.
    lowest_pitch, highest_pitch : int
        MIDI note numbers; notes outside are left out. 21 to 108, in order.
    instruments : tuple of str
        Names of the instruments that may play (`model.instruments`); all if empty.

    Raises
    ------
    OptionError
        If a value lies outside its range.
    """

    onset_threshold: float = 0.4
    frame_threshold: float = 0.4
    min_note_ms: float = 30.0
    latency_ms: float = 0.0
    lowest_pitch: int = LOWEST_PITCH
    highest_pitch: int = HIGHEST_PITCH
    instruments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.instruments)
        for name in ("onset_threshold", "frame_threshold"):
            value = getattr(self, name)
            if not 0.01 <= value <= 0.99:
                raise OptionError(f"{name} must lie in 0.01..0.99, got {value}")
        if not 0 <= self.min_note_ms <= 1000:
            raise OptionError(f"min_note_ms must lie in 0..1000, got {self.min_note_ms}")
        if not -100 <= self.latency_ms <= 100:
            raise OptionError(f"latency_ms must lie in -100..100, got {self.latency_ms}")
        if not LOWEST_PITCH <= self.lowest_pitch <= self.highest_pitch <= HIGHEST_PITCH:
            raise OptionError(
                f"pitches must satisfy {LOWEST_PITCH} <= lowest_pitch <= highest_pitch <= {HIGHEST_PITCH}, "
                f"got {self.lowest_pitch} and {self.highest_pitch}"
            )


def decode_notes(activations: Activations, options: DecodingOptions, *, choose: Choose = likely_notes) -> list[Note]:
    """Find the notes in activations.

    Parameters
    ----------
    activations : Activations
    options : DecodingOptions
    choose : callable, optional
        What makes notes of the candidates of one pitch, with the parameters and results of
        `model.note_path.likely_notes`.

    Returns
    -------
    list of Note
        Sorted by onset, then pitch; no two notes of one pitch overlap.
    """
    candidates, frame = _heard(activations, options)
    chosen, ends = _course(candidates, frame, options, choose)
    begun = candidates[chosen]
    pitches = begun.pitches
    late = options.latency_ms / 1000
    onsets = np.maximum(_between_frames(begun) / activations.frame_rate - late, 0)
    offsets = _crossings(frame, ends, pitches, options.frame_threshold) / activations.frame_rate - late
    offsets = _until_next_onset(onsets, offsets, pitches)
    confidence = begun.onset[1] / 255
    velocity = np.clip(np.rint(begun.velocity / 255 * 127), 1, 127).astype(int)
    programs, certainty = name_instruments(activations, begun.frames, ends, pitches, allowed=options.instruments)
    long_enough = (offsets - onsets) * 1000 >= max(options.min_note_ms, 1.0)
    notes = [
        Note(
            onset=float(onsets[i]),
            pitch=int(pitches[i]) + LOWEST_PITCH,
            offset=float(offsets[i]),
            velocity=int(velocity[i]),
            confidence=round(float(confidence[i]), 4),
            program=int(programs[i]),
            instrument_confidence=round(float(certainty[i]), 4),
        )
        for i in np.flatnonzero(long_enough)
    ]
    return sorted(notes)


@dataclass(frozen=True)
class _Candidates:
    """Local maxima of the onset activation, ordered by pitch column, then frame.

    Parameters
    ----------
    frames, pitches : ndarray, shape (n,), int64
    onset : ndarray, shape (3, n), uint8
        The onset activation of the frame before, there, and of the frame after; its own at the recording's ends.
    velocity : ndarray, shape (n,), uint8
    """

    frames: NDArray[np.int64]
    pitches: NDArray[np.int64]
    onset: NDArray[np.uint8]
    velocity: NDArray[np.uint8]

    def __getitem__(self, which: NDArray[np.int64]) -> "_Candidates":
        return _Candidates(self.frames[which], self.pitches[which], self.onset[:, which], self.velocity[which])


def _heard(activations: Activations, options: DecodingOptions) -> tuple[_Candidates, NDArray[np.uint8]]:
    """All that decoding takes of the activations, in one pass: candidates, and the frames, (frames, N_PITCHES)."""
    threshold = np.searchsorted(LOG_ODDS, _log_odds(options.onset_threshold) - LARGEST_SUPPORT, side="right") - 1
    low, high = options.lowest_pitch - LOWEST_PITCH, options.highest_pitch - LOWEST_PITCH + 1
    n_frames = len(activations.values)
    frame = np.empty(activations.frame.shape, dtype=np.uint8)
    places, onsets, velocities = [np.zeros((0, 2), np.int64)], [np.zeros((3, 0), np.uint8)], [np.zeros(0, np.uint8)]
    for start in range(0, n_frames, CHUNK_FRAMES):
        stop = min(n_frames, start + CHUNK_FRAMES)
        rows = activations.onset[start:stop, low:high]
        # Beyond both ends nothing is heard.
        around = np.zeros((len(rows) + 2, high - low), dtype=np.uint8)
        before, after = max(0, start - 1), min(n_frames, stop + 1)
        around[before - start + 1 : after - start + 1] = activations.onset[before:after, low:high]
        # Of equal neighbours the first counts, so that a flat top is one onset.
        peaks = np.argwhere((rows > threshold) & (rows > around[:-2]) & (rows >= around[2:]))
        row, column = peaks.T
        places.append(peaks + np.array([start, low]))
        nearby = np.clip(start + row + np.array([[-1], [0], [1]]), 0, n_frames - 1)
        onsets.append(activations.onset[nearby, column + low])
        velocities.append(activations.velocity[start:stop][row, column + low])
        frame[start:stop] = activations.frame[start:stop]
        activations.release()
    frames, pitches = np.concatenate(places).T
    candidates = _Candidates(frames, pitches, np.concatenate(onsets, axis=1), np.concatenate(velocities))
    return candidates[np.lexsort((frames, pitches))], frame


def _course(
    candidates: _Candidates, frame: NDArray[np.uint8], options: DecodingOptions, choose: Choose
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the candidates that begin notes, and the frame after the last of each note."""
    gains = LOG_ODDS[candidates.onset[1]] - _log_odds(options.onset_threshold)
    level = np.clip(LOG_ODDS - _log_odds(options.frame_threshold), -LARGEST_EVIDENCE, LARGEST_EVIDENCE) * FRAME_WEIGHT
    found = [np.zeros((2, 0), dtype=np.int64)]
    for pitch in np.unique(candidates.pitches):
        mine = np.flatnonzero(candidates.pitches == pitch)
        chosen, ends = choose(candidates.frames[mine], gains[mine], level[frame[:, pitch]])
        found.append(np.stack([mine[chosen], ends]))
    which, end = np.concatenate(found, axis=1)
    return which, end


def _log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


LOG_ODDS = np.array([_log_odds(np.clip(level, 0.5, 254.5) / 255) for level in range(256)])  # of an activation's byte


def _between_frames(candidates: _Candidates) -> NDArray[np.float64]:
    """Positions (frames, fractional) of maxima: the vertex of the parabola through each and its neighbours."""
    left, middle, right = candidates.onset.astype(np.float64)
    curvature = 2 * middle - left - right
    shift = np.divide(right - left, 2 * curvature, out=np.zeros_like(middle), where=curvature > 0)
    positions: NDArray[np.float64] = np.clip(candidates.frames + np.clip(shift, -0.5, 0.5), 0, None)
    return positions


def _crossings(
    frame: NDArray[np.uint8], ends: NDArray[np.int64], pitches: NDArray[np.int64], threshold: float
) -> NDArray[np.float64]:
    """Positions (frames, fractional) where the frame activation falls through the threshold before each of ``ends``.

    Half a frame before the end where it was not over the threshold, or where the recording ends.
    """
    last = frame[ends - 1, pitches].astype(np.float64)
    first_quiet = frame[np.minimum(ends, len(frame) - 1), pitches].astype(np.float64)
    level = threshold * 255
    falls = (last > level) & (first_quiet <= level)
    fraction = np.divide(last - level, last - first_quiet, out=np.full(len(ends), 0.5), where=falls)
    return np.asarray(ends - 1 + fraction)


def _until_next_onset(
    onsets: NDArray[np.float64], offsets: NDArray[np.float64], pitches: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Cut each note at the next onset of its pitch; the arrays are ordered by pitch, then onset."""
    limited = offsets.copy()
    same = pitches[:-1] == pitches[1:]
    limited[:-1][same] = np.minimum(offsets[:-1][same], onsets[1:][same])
    return limited
