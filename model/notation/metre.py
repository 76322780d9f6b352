"""The time signature and the downbeats, by what music does at strong and weak places of a bar.

The tracker's beats may be the beats of the bar, halves or thirds of them, or two or three of them. Each reading - a
time signature, a length of its beat and a place where a bar begins - gives every attack and every empty place of the
grid a level: downbeat, strong beat, beat, its parts. Levels differ in how often notes begin there, how long those
last, how low they reach, how full the chords are and how much the harmony changes (Temperley 2009; Whiteley, Cemgil
and Godsill 2006). How much, was counted in scores and is kept in profile.json: ``python -m benchmarks.notation fit``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from model.notation.beats import Pattern
from model.notation.events import Events
from model.notation.grid import PARTS
from model.notation.types import Metre
from model.note import Note

DOWNBEAT, STRONG, BEAT, PART, SMALL_PART, FINER = range(6)
N_LEVELS = 6
# Of an attack, in medians of the piece: the time to the next, the longest note, the notes of a chord.
EDGES: Final[dict[str, tuple[float, ...]]] = {
    "gap": (0.75, 1.5, 3.0),
    "length": (0.75, 1.5, 3.0),
    "fullness": (0.75, 1.4, 2.4),
    "height": (0.5, 4.5, 9.5),  # semitones over the lowest attack around
    "harmony": (0.15, 0.3, 0.5, 0.75),  # cosine distance of what sounds before and after
}
BASS_SECONDS = 1.0  # each way
CHROMA_FRAME = 0.05
CHROMA_FRAMES = 16
# The features of one bar and the next are not independent: many attacks count for no more than this number.
ENOUGH_ATTACKS = 200
# How full a level is differs from piece to piece (some have no eighths): its probability is drawn from a beta
# distribution of the counted mean and this concentration.
PIECES_ALIKE = 6.0


@dataclass(frozen=True)
class Profile:
    """What was counted, by name of the time signature.

    Parameters
    ----------
    prior : dict of str to float
        Log probability of each time signature.
    occupied : dict of str to ndarray, shape (levels,)
        Probability that a place of a level has an attack.
    features : dict of str to dict of str to ndarray, shape (levels, bins)
        Probability of each feature's bin at a level, by time signature.
    """

    prior: dict[str, float]
    occupied: dict[str, NDArray[np.float64]]
    features: dict[str, dict[str, NDArray[np.float64]]]


@lru_cache(maxsize=1)
def load_profile() -> Profile:
    """The profile of this package."""
    kept = json.loads(files("model.notation").joinpath("profile.json").read_text(encoding="utf-8"))
    return Profile(
        kept["prior"],
        {name: np.array(values) for name, values in kept["occupied"].items()},
        {name: {k: np.array(v) for k, v in by.items()} for name, by in kept["features"].items()},
    )


@dataclass(frozen=True)
class Reading:
    """One way to bar a piece.

    Parameters
    ----------
    metre : Metre
    beat : int
        Length of its beat, in `PARTS` of the tracker's beat.
    start : int
        Where a bar begins, in the same unit, at least 0 and less than a bar.
    """

    metre: Metre
    beat: int
    start: int

    @property
    def bar(self) -> int:
        """Length of a bar, in `PARTS` of the tracker's beat."""
        return self.beat * self.metre.beats


def features(notes: list[Note], events: Events) -> dict[str, NDArray[np.int64]]:
    """Bins of each attack's features, shape (attacks,) each."""
    times = events.times
    gaps = np.append(np.diff(times), np.inf)
    lengths = np.array([max(notes[i].offset - notes[i].onset for i in group) for group in events.members])
    sizes = np.array([len(group) for group in events.members], dtype=np.float64)
    lowest = np.array([min(notes[i].pitch for i in group) for group in events.members], dtype=np.float64)
    first = np.searchsorted(times, times - BASS_SECONDS)
    stop = np.searchsorted(times, times + BASS_SECONDS, side="right")
    around = np.array([lowest[a:b].min() for a, b in zip(first, stop, strict=True)])
    values = {
        "gap": gaps / max(float(np.median(gaps)), 1e-3) if len(times) > 1 else gaps,
        "length": lengths / np.median(lengths),
        "fullness": sizes / sizes.mean(),
        "height": lowest - around,
        "harmony": harmonic_change(notes, times),
    }
    return {name: np.searchsorted(EDGES[name], values[name]) for name in EDGES}


def harmonic_change(notes: list[Note], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine distance of the pitch classes that sound before and after each time, 0 to 1, shape (times,)."""
    begin = notes[0].onset
    frames = int((max(note.offset for note in notes) - begin) / CHROMA_FRAME) + 2
    changes = np.zeros((frames + 1, 12))
    for note in notes:
        first = int((note.onset - begin) / CHROMA_FRAME)
        changes[first, note.pitch % 12] += 1
        changes[max(first + 1, int((note.offset - begin) / CHROMA_FRAME)), note.pitch % 12] -= 1
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(np.cumsum(changes, axis=0), axis=0)])
    at = np.round((times - begin) / CHROMA_FRAME).astype(np.int64)
    before = total[at] - total[np.maximum(at - CHROMA_FRAMES, 0)]
    after = total[np.minimum(at + CHROMA_FRAMES, len(total) - 1)] - total[at]
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return np.asarray(1 - (before * after).sum(axis=1) / np.maximum(norms, 1e-9))


def levels(places: NDArray[np.int64], reading: Reading) -> NDArray[np.int64]:
    """Level of each place in the bar."""
    k = (places - reading.start) % reading.bar
    halves = 3 if reading.metre.compound else 2
    result = np.full(k.shape, FINER)
    if reading.beat % (2 * halves) == 0:
        result[k % (reading.beat // (2 * halves)) == 0] = SMALL_PART
    if reading.beat % halves == 0:
        result[k % (reading.beat // halves) == 0] = PART
    result[k % reading.beat == 0] = BEAT
    if reading.metre.beats == 4:
        result[k % (2 * reading.beat) == 0] = STRONG
    result[k == 0] = DOWNBEAT
    return result


def explained(
    level: NDArray[np.int64], bins: dict[str, NDArray[np.int64]], tables: dict[str, NDArray[np.float64]]
) -> list[float]:
    """What the levels explain of each feature, over what their mixture explains, in log: equal notes tell nothing."""
    shares = np.bincount(level, minlength=N_LEVELS) / len(level)
    said = []
    for feature, table in tables.items():
        mixture = np.log(table / (shares @ table))
        said.append(float(mixture[level, bins[feature]].sum()))
    return said


def filled(
    places: NDArray[np.int64], reading: Reading, usual: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """Places of each level that have an attack, those that have none, and how usual that is, in log."""
    level = levels(np.unique(places), reading)
    occupied = np.bincount(level, minlength=N_LEVELS)
    bar = np.bincount(levels(np.arange(reading.bar), replace(reading, start=0)), minlength=N_LEVELS)
    empty = np.maximum(bar * (places[-1] - places[0] + 1) / reading.bar - occupied, 0)
    alike = PIECES_ALIKE * usual, PIECES_ALIKE * (1 - usual)
    return occupied, empty, float((betaln(occupied + alike[0], empty + alike[1]) - betaln(*alike)).sum())


def likest(metre: Metre, profile: Profile) -> str:
    """The time signature of the profile that is it, or comes nearest."""

    def distance(name: str) -> tuple[bool, bool, int, int]:
        numerator, denominator = map(int, name.split("/"))
        other = Metre(numerator, denominator)
        return (
            other.compound != metre.compound,
            other.beats % 3 != metre.beats % 3,
            abs(other.beats - metre.beats),
            abs(other.denominator - metre.denominator),
        )

    return min(profile.occupied, key=distance)


def readings(pattern: Pattern, names: list[str]) -> Iterator[Reading]:
    """All ways to bar what the tracker found, in the given time signatures."""
    for name in names:
        numerator, denominator = map(int, name.split("/"))
        metre = Metre(numerator, denominator)
        for beat in beat_lengths(pattern, compound=metre.compound):
            # In a stream of equal notes the tracker cannot tell which are on the beat: a bar may begin at any part of
            # one.
            for start in range(0, beat * metre.beats, PARTS // (4 if pattern == "simple" else 3)):
                yield Reading(metre, beat, start)


def beat_lengths(pattern: Pattern, *, compound: bool) -> tuple[int, ...]:
    """What the beat of a bar may be, in `PARTS` of the tracker's beat."""
    if pattern == "simple":
        return (3 * PARTS,) if compound else (PARTS, 2 * PARTS)
    return (PARTS,) if compound else (PARTS // 3,)


def evidence_weight(attacks: int) -> float:
    """What the log likelihood of so many attacks counts."""
    return min(1.0, ENOUGH_ATTACKS / attacks)
