"""Activations to notes: the last step that decides what is heard.

Onsets are the local maxima of the onset activation over a threshold, placed between frames by the parabola through the
maximum and its neighbours. A note lasts while the frame activation stays over its own threshold (a straight line places
the crossing between frames), and at most until the next onset of its pitch. Needs numpy alone, so that decoding again
does not load the network.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.activations import Activations
from model.errors import OptionError
from model.note import HIGHEST_PITCH, LOWEST_PITCH, Note

# A dip of the frame activation shorter than this does not end a note (one frame is 24 ms with the served network).
MAX_GAP_FRAMES = 1
CHUNK_FRAMES = 20_000  # frames searched at once: bounds memory on recordings of hours


@dataclass(frozen=True)
class DecodingOptions:
    """How activations become notes.

    Parameters
    ----------
    onset_threshold, frame_threshold : float
        Activations over these count, in 0.01 to 0.99.
    min_note_ms : float
        Shorter notes are left out, in milliseconds, 0 to 1000.
    lowest_pitch, highest_pitch : int
        MIDI note numbers; notes outside are left out. 21 to 108, in order.

    Raises
    ------
    OptionError
        If a value lies outside its range.
    """

    onset_threshold: float = 0.4
    frame_threshold: float = 0.4
    min_note_ms: float = 30.0
    lowest_pitch: int = LOWEST_PITCH
    highest_pitch: int = HIGHEST_PITCH

    def __post_init__(self) -> None:
        for name in ("onset_threshold", "frame_threshold"):
            value = getattr(self, name)
            if not 0.01 <= value <= 0.99:
                raise OptionError(f"{name} must lie in 0.01..0.99, got {value}")
        if not 0 <= self.min_note_ms <= 1000:
            raise OptionError(f"min_note_ms must lie in 0..1000, got {self.min_note_ms}")
        if not LOWEST_PITCH <= self.lowest_pitch <= self.highest_pitch <= HIGHEST_PITCH:
            raise OptionError(
                f"pitches must satisfy {LOWEST_PITCH} <= lowest_pitch <= highest_pitch <= {HIGHEST_PITCH}, "
                f"got {self.lowest_pitch} and {self.highest_pitch}"
            )


def decode_notes(activations: Activations, options: DecodingOptions) -> list[Note]:
    """Find the notes in activations.

    Parameters
    ----------
    activations : Activations
    options : DecodingOptions

    Returns
    -------
    list of Note
        Sorted by onset, then pitch; no two notes of one pitch overlap.
    """
    frames, pitches = _onset_peaks(activations.onset, options)
    ends = _note_ends(activations.frame, frames, pitches, options.frame_threshold)
    onsets = _between_frames(activations.onset, frames, pitches) / activations.frame_rate
    offsets = _crossings(activations.frame, ends, pitches, options.frame_threshold) / activations.frame_rate
    offsets = _until_next_onset(onsets, offsets, pitches)
    confidence = activations.onset[frames, pitches] / 255
    velocity = np.clip(np.rint(activations.velocity[frames, pitches] / 255 * 127), 1, 127).astype(int)
    long_enough = (offsets - onsets) * 1000 >= max(options.min_note_ms, 1.0)
    notes = [
        Note(
            onset=float(onsets[i]),
            pitch=int(pitches[i]) + LOWEST_PITCH,
            offset=float(offsets[i]),
            velocity=int(velocity[i]),
            confidence=round(float(confidence[i]), 4),
        )
        for i in np.flatnonzero(long_enough)
    ]
    return sorted(notes)


def _onset_peaks(onset: NDArray[np.uint8], options: DecodingOptions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frames and pitch columns of the onsets' local maxima, ordered by column, then frame."""
    threshold = options.onset_threshold * 255
    low, high = options.lowest_pitch - LOWEST_PITCH, options.highest_pitch - LOWEST_PITCH + 1
    found = []
    for start in range(0, len(onset), CHUNK_FRAMES):
        before, stop = max(0, start - 1), min(len(onset), start + CHUNK_FRAMES)
        part = onset[before : stop + 1, low:high]
        rows = part[start - before : start - before + (stop - start)]
        earlier = part[: len(rows)] if start else np.vstack([np.zeros_like(rows[:1]), part[: len(rows) - 1]])
        later = part[start - before + 1 :]
        if len(later) < len(rows):
            later = np.vstack([later, np.zeros_like(rows[:1])])
        # Of equal neighbours the first counts, so that a flat top is one onset.
        peaks = np.argwhere((rows > threshold) & (rows > earlier) & (rows >= later))
        found.append(peaks + np.array([start, low]))
    peaks = np.concatenate(found) if found else np.zeros((0, 2), dtype=np.int64)
    peaks = peaks[np.lexsort((peaks[:, 0], peaks[:, 1]))]
    return peaks[:, 0], peaks[:, 1]


def _between_frames(
    onset: NDArray[np.uint8], frames: NDArray[np.int64], pitches: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Positions (frames, fractional) of maxima: the vertex of the parabola through each and its neighbours."""
    last = len(onset) - 1
    middle = onset[frames, pitches].astype(np.float64)
    left = onset[np.maximum(frames - 1, 0), pitches].astype(np.float64)
    right = onset[np.minimum(frames + 1, last), pitches].astype(np.float64)
    curvature = 2 * middle - left - right
    shift = np.divide(right - left, 2 * curvature, out=np.zeros_like(middle), where=curvature > 0)
    positions: NDArray[np.float64] = np.clip(frames + np.clip(shift, -0.5, 0.5), 0, None)
    return positions


def _note_ends(
    frame: NDArray[np.uint8], frames: NDArray[np.int64], pitches: NDArray[np.int64], threshold: float
) -> NDArray[np.int64]:
    """First frame at which each note is over: the frame activation stays under the threshold from there."""
    ends = np.empty(len(frames), dtype=np.int64)
    for pitch in np.unique(pitches):
        mine = pitches == pitch
        silent = _silences(frame[:, pitch] <= threshold * 255)
        starts = frames[mine] + 1  # a note lasts one frame at least, whatever the frame activation says
        where = np.searchsorted(silent, starts)
        ends[mine] = np.append(silent, len(frame))[where]
    return np.maximum(ends, frames + 1)


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


def _silences(quiet: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of quiet frames, without the dips of `MAX_GAP_FRAMES` or less between sounding frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    dip = (stops - starts <= MAX_GAP_FRAMES) & (starts > 0) & (stops < len(quiet))
    kept = quiet.copy()
    for start, stop in zip(starts[dip], stops[dip], strict=True):
        kept[start:stop] = False
    return np.flatnonzero(kept)


def _until_next_onset(
    onsets: NDArray[np.float64], offsets: NDArray[np.float64], pitches: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Cut each note at the next onset of its pitch; the arrays are ordered by pitch, then onset."""
    limited = offsets.copy()
    same = pitches[:-1] == pitches[1:]
    limited[:-1][same] = np.minimum(offsets[:-1][same], onsets[1:][same])
    return limited
