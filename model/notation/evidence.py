"""What speaks for a reading and against it, as numbers.

Beside what `model.notation.metre` counts at the levels of the bar, these are what tells a written beat from its half:
the note values that a score would have under this reading, the length of its beat, and how alike one bar is to the
next. What they count for was learned from scores: `model.notation.choice`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.notation.beats import Beats
from model.notation.events import Events
from model.notation.grid import PARTS, place
from model.notation.metre import (
    BEAT,
    DOWNBEAT,
    EDGES,
    N_LEVELS,
    Profile,
    Reading,
    evidence_weight,
    explained,
    filled,
    levels,
    likest,
)
from model.note import Note

# Edges between written values, in log2 of quarters: 32nds, 16ths, dotted or triplet ones, 8ths and so on.
STEP_EDGES: Final = (-2.75, -2.25, -1.75, -1.25, -0.75, -0.25, 0.25, 0.75, 1.25, 1.75, 2.25)
LENGTH_EDGES: Final = (-2.7, -1.7, -0.7, 0.3, 1.3, 2.3)  # as played, which is a little shorter than written
LAG = PARTS // 6  # grid on which bars are compared, in parts of the tracker's beat
METRES: Final = ("4/4", "3/4", "2/4", "2/2", "6/8", "3/8", "9/8", "12/8", "5/4", "3/2")
LARGEST = 6.0


@dataclass(frozen=True)
class OnBeats:
    """A piece on the tracker's beats: what all readings of them share.

    Parameters
    ----------
    beats : Beats
    places : ndarray, shape (attacks,), int64
        In `PARTS` of the tracker's beat.
    starts, ends : ndarray, shape (notes,)
        Of each note, in the same unit; ends as they were played.
    bins : dict of str to ndarray, shape (attacks,)
        As `model.notation.metre.features` gives them.
    alike : ndarray, shape (kinds, lags)
        Autocorrelation of attacks, of long notes, of low notes and of changes of harmony, at multiples of `LAG`.
    behind : float
        What its beats' score is over the best beats' one: 0 or less.
    piece : tuple of float
        What does not depend on the beats: attacks, notes an attack, notes that sound at once, attacks a second.
    """

    beats: Beats
    places: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.float64]
    bins: dict[str, NDArray[np.int64]]
    alike: NDArray[np.float64]
    behind: float
    piece: tuple[float, ...]


def hear(
    notes: list[Note], events: Events, beats: Beats, bins: dict[str, NDArray[np.int64]], *, best: float
) -> OnBeats:
    """Put a piece on the tracker's beats, of which ``best`` is the highest score."""
    places = place(events.times, beats.times, beats.pattern)
    starts = places[events.of_note]
    ends = np.interp([note.offset for note in notes], beats.times, np.arange(len(beats.times)) * PARTS)
    ends = np.maximum(ends, starts + 1)
    duration = max(notes[-1].onset - notes[0].onset, 0.1)
    piece = (
        np.log(len(events.times) / 100),
        len(notes) / len(events.times) - 2,
        sum(note.offset - note.onset for note in notes) / duration - 2,
        np.log(len(events.times) / duration),
    )
    return OnBeats(beats, places, starts, ends, bins, autocorrelations(places, bins), beats.score - best, piece)


def autocorrelations(places: NDArray[np.int64], bins: dict[str, NDArray[np.int64]]) -> NDArray[np.float64]:
    """How alike the piece is to itself some time later, -1 to 1 at each lag, shape (kinds, lags)."""
    at = (places - places[0]) // LAG
    kinds = np.ones(len(at)), bins["length"], bins["height"] == 0, bins["harmony"]
    trains = np.zeros((len(kinds), int(at[-1]) + 1))
    for train, weights in zip(trains, kinds, strict=True):
        np.add.at(train, at, weights)
    trains -= trains.mean(axis=1, keepdims=True)
    size = 2 * trains.shape[1]
    spectrum = np.abs(np.fft.rfft(trains, size, axis=1)) ** 2
    lags = np.fft.irfft(spectrum, size, axis=1)[:, : trains.shape[1]]
    return np.asarray(lags / np.maximum(lags[:, :1], 1e-9))


def evidence(heard: OnBeats, reading: Reading, profile: Profile) -> NDArray[np.float64]:
    """Numbers for one reading, each within `LARGEST` of zero, shape (`len(names())`,)."""
    places, bar = heard.places, reading.bar
    metre = reading.metre
    quarters = float(metre.beat) / reading.beat  # in a part of the tracker's beat
    seconds = float(np.median(np.diff(heard.beats.times))) * reading.beat / PARTS
    name = f"{metre.numerator}/{metre.denominator}"
    level = levels(places, reading)
    said = explained(level, heard.bins, profile.features[likest(metre, profile)])
    occupied, empty, fullness = filled(places, reading, profile.occupied[likest(metre, profile)])
    weight = evidence_weight(len(places))
    tempi = np.log([seconds / 0.6, seconds / float(metre.beat) / 0.6, seconds * metre.beats / 2])
    steps = np.log2(np.maximum(np.diff(np.unique(places)) * quarters, 1e-3))
    lengths = np.log2((heard.ends - heard.starts) * quarters)
    first, last = (places[0] - reading.start) % bar / bar, (places[-1] - reading.start) % bar / bar
    values = [
        *(float(name == other) for other in METRES),
        *tempi,
        *tempi**2,
        weight * heard.behind / 20,
        *(weight * np.array(said) / 5),
        fullness / 5,
        *(occupied / np.maximum(occupied + empty, 1)),
        *(np.bincount(level, minlength=N_LEVELS) / len(level)),
        *(np.bincount(np.searchsorted(STEP_EDGES, steps), minlength=len(STEP_EDGES) + 1) / max(len(steps), 1)),
        *(np.bincount(np.searchsorted(LENGTH_EDGES, lengths), minlength=len(LENGTH_EDGES) + 1) / len(lengths)),
        float(np.median(steps)) if len(steps) else 0.0,
        float(np.median(lengths)),
        np.log(len(places) * reading.beat / (places[-1] - places[0] + 1)),
        float(level[0] == DOWNBEAT),
        float(level[0] <= BEAT),
        first,
        float(level[-1] == DOWNBEAT),
        float(level[-1] <= BEAT),
        last,
        np.log((places[-1] - places[0] + 1) / bar / 16),
        *crossing(heard, reading),
        *np.concatenate([at_lag(heard.alike, lag) for lag in (reading.beat, 2 * reading.beat, bar, 2 * bar, 4 * bar)]),
        float(np.std(np.diff(np.log(np.diff(heard.beats.times))))) * 10 if len(heard.beats.times) > 3 else 0.0,
        float(heard.beats.pattern == "compound"),
        reading.beat / PARTS,
        *heard.piece,
    ]
    return np.clip(np.array(values, dtype=np.float64), -LARGEST, LARGEST)


def at_lag(alike: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    """Autocorrelations at a lag in parts of the tracker's beat; 0 beyond the piece."""
    i = round(lag / LAG)
    return alike[:, i] if i < alike.shape[1] else np.zeros(len(alike))


def crossing(heard: OnBeats, reading: Reading) -> tuple[float, float, float]:
    """Shares of notes that sound on over a barline, over a beat from between two, and that are triplets of the beat."""
    into_bar = (heard.starts - reading.start) % reading.bar
    into_beat = into_bar % reading.beat
    length = 0.9 * (heard.ends - heard.starts)
    thirds = (into_beat * 3) % reading.beat == 0
    return (
        float(np.mean(into_bar + length > reading.bar)),
        float(np.mean((into_beat > 0) & (into_beat + length > reading.beat))),
        float(np.mean(thirds & (into_beat > 0))),
    )


def names() -> list[str]:
    """Of the numbers, in order."""
    levels_ = ("downbeat", "strong", "beat", "part", "small part", "finer")
    kinds = ("attacks", "long", "low", "harmony")
    return [
        *METRES,
        *(f"log {of}" for of in ("beat", "quarter", "bar")),
        *(f"log {of} squared" for of in ("beat", "quarter", "bar")),
        "tracker",
        *(f"explained {feature}" for feature in EDGES),
        "filled",
        *(f"occupied {level}" for level in levels_),
        *(f"attacks {level}" for level in levels_),
        *(f"steps {i}" for i in range(len(STEP_EDGES) + 1)),
        *(f"lengths {i}" for i in range(len(LENGTH_EDGES) + 1)),
        "median step",
        "median length",
        "attacks a beat",
        "first downbeat",
        "first beat",
        "first place",
        "last downbeat",
        "last beat",
        "last place",
        "bars",
        "over bars",
        "over beats",
        "triplets",
        *(f"{kind} after {lag}" for lag in ("beat", "two beats", "bar", "two bars", "four bars") for kind in kinds),
        "uneven",
        "compound",
        "share of beat",
        "number of attacks",
        "notes an attack",
        "notes at once",
        "attacks a second",
    ]
