"""How near what was written is to what was played, each from 0 to 1.

beat, downbeat
    mir_eval's F-measure, 70 ms; from the whole recording (mir_eval would leave out the first 5 s).
key
    mir_eval's weighted score; only where the reference's mode is known.
metre
    The time signature, numerator and denominator.
value
    Of the played notes that were found (onset within 50 ms, the same pitch), the share with the written value exactly.
voice
    F-measure of pairs of notes that follow each other in a voice, over the notes that were found. A reference pair counts once
    for each note of the next chord, on either side.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction

import mir_eval
import numpy as np
from numpy.typing import NDArray

from benchmarks.notation.playing import Performance
from model.notation.types import Key, Metre
from model.note import Note

NAMES = ("beat", "downbeat", "key", "metre", "value", "voice")
BEAT_SECONDS, ONSET_SECONDS = 0.07, 0.05


@dataclass(frozen=True)
class Written:
    """A reading of a performance, by whatever made it. A note is (index of the heard note, value in quarters, voice)."""

    beats: NDArray[np.float64]
    downbeats: NDArray[np.float64]
    key: Key | None
    metre: Metre
    notes: list[tuple[int, Fraction, Fraction, Hashable]]


def measure(played: Performance, heard: list[Note], written: Written) -> dict[str, float]:
    """All of `NAMES`; NaN where the reference has no answer."""
    pairs = matched(played, heard)
    values = {index: (onset, value, voice) for index, onset, value, voice in written.notes}
    found = {i: values[j] for i, j in pairs if j in values}
    right = [found[i][1] == played.played[i][1].duration for i in found]
    key = played.score.key
    return {
        "beat": mir_eval.beat.f_measure(played.beats, written.beats, BEAT_SECONDS),
        "downbeat": mir_eval.beat.f_measure(played.downbeats, written.downbeats, BEAT_SECONDS),
        "key": np.nan
        if key is None or written.key is None
        else mir_eval.key.weighted_score(spoken(key), spoken(written.key)),
        "metre": float(written.metre == played.score.metre),
        "value": float(np.mean(right)) if right else 0.0,
        "voice": voice_f1(played, found),
    }


def spoken(key: Key) -> str:
    """A key as mir_eval reads it."""
    return f"{('C', 'C#', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B')[key.tonic]} {key.mode}"


def matched(played: Performance, heard: list[Note]) -> list[tuple[int, int]]:
    """Pairs of a played and a heard note."""
    reference = [note for note, _ in played.played]
    return list(
        mir_eval.transcription.match_notes(
            *_arrays(reference), *_arrays(heard), onset_tolerance=ONSET_SECONDS, offset_ratio=None
        )
    )


def _arrays(notes: list[Note]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intervals and frequencies as mir_eval takes them."""
    intervals = np.array([(note.onset, note.offset) for note in notes]).reshape(-1, 2)
    return intervals, np.array([440 * 2 ** ((note.pitch - 69) / 12) for note in notes])


def voice_f1(played: Performance, found: dict[int, tuple[Fraction, Fraction, Hashable]]) -> float:
    """F-measure of pairs that follow each other."""
    reference = links((i, played.played[i][1].onset, played.played[i][1].voice) for i in found)
    estimate = links((i, onset, voice) for i, (onset, _, voice) in found.items())
    if not reference or not estimate:
        return float(reference == estimate)
    return 2 * len(reference & estimate) / (len(reference) + len(estimate))


def links(notes: Iterable[tuple[int, Fraction, Hashable]]) -> set[tuple[int, int]]:
    """Pairs of a note and one of the next place in its voice."""
    voices: dict[Hashable, dict[Fraction, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, onset, voice in notes:
        voices[voice][onset].append(i)
    pairs = set()
    for places in voices.values():
        ordered = [places[onset] for onset in sorted(places)]
        for now, after in zip(ordered, ordered[1:], strict=False):
            pairs.update((a, b) for a in now for b in after)
    return pairs
