"""What is known of a piece once its notes have been read as music: the types between analysis and engraving.

Positions are counted in quarter notes from a downbeat, as exact fractions: position 0 is `Rhythm.first_downbeat`, what
lies before it (an upbeat) is negative, and a bar begins at every multiple of `Metre.bar`. Times are seconds.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import OptionError
from model.midi import MAX_TEMPO, MIN_TEMPO

Mode = Literal["major", "minor"]
Detail = Literal["full", "readable", "melody"]
DETAILS: tuple[Detail, ...] = ("full", "readable", "melody")
MAX_NUMERATOR = 16
DENOMINATORS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class TimeMap:
    """Where each beat lies in time; straight lines between beats, and beyond the first and last at their slopes.

    Parameters
    ----------
    seconds : tuple of float
        Strictly rising, at least two. May begin below zero: a grid does not care when the recording begins.
    quarters : tuple of Fraction
        As many, strictly rising. ``quarters[i]`` is played at ``seconds[i]``.

    Raises
    ------
    ValueError
        If there are fewer than two points, or they do not rise.
    """

    seconds: tuple[float, ...]
    quarters: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        if len(self.seconds) != len(self.quarters) or len(self.seconds) < 2:
            raise ValueError(f"a time map needs two points or more, got {len(self.seconds)} and {len(self.quarters)}")
        points = pairwise(zip(self.seconds, self.quarters, strict=True))
        if any(later[0] <= earlier[0] or later[1] <= earlier[1] for earlier, later in points):
            raise ValueError("the seconds and quarters of a time map must rise strictly")

    def to_quarters(self, seconds: float) -> float:
        """Position of a time."""
        return _interpolate(seconds, *self._points)

    def to_seconds(self, quarters: float | Fraction) -> float:
        """Time of a position: the inverse of `to_quarters`."""
        return _interpolate(float(quarters), *reversed(self._points))

    @cached_property
    def _points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The map's points as arrays: seconds and quarters."""
        return np.array(self.seconds), np.array([float(quarter) for quarter in self.quarters])


def _interpolate(x: float, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> float:
    """Piecewise linear, straight on beyond both ends."""
    i = min(max(int(np.searchsorted(xs, x, side="right")), 1), len(xs) - 1)
    return float(ys[i - 1] + (x - xs[i - 1]) * (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1]))


@dataclass(frozen=True)
class Metre:
    """A time signature.

    Parameters
    ----------
    numerator : int
        1 to `MAX_NUMERATOR`.
    denominator : int
        One of `DENOMINATORS`.

    Raises
    ------
    ValueError
        If either lies outside.
    """

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= MAX_NUMERATOR or self.denominator not in DENOMINATORS:
            allowed = f"1..{MAX_NUMERATOR} over {', '.join(map(str, DENOMINATORS))}"
            raise ValueError(f"a time signature must be {allowed}, got {self.numerator}/{self.denominator}")

    @property
    def bar(self) -> Fraction:
        """Quarters in a bar."""
        return Fraction(4 * self.numerator, self.denominator)

    @property
    def compound(self) -> bool:
        """Whether a beat has three parts: 6/8, 9/8, 12/8 and the like."""
        return self.numerator > 3 and self.numerator % 3 == 0 and self.denominator >= 8

    @property
    def beat(self) -> Fraction:
        """Quarters in a beat: what a listener taps. A dotted quarter in 6/8, a quarter in 3/4, an eighth in 5/8."""
        return Fraction(4 * (3 if self.compound else 1), self.denominator)

    @property
    def beats(self) -> int:
        """Beats in a bar."""
        return self.numerator // 3 if self.compound else self.numerator


# By circle of fifths, from seven flats to seven sharps.
MAJOR_TONICS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
MINOR_TONICS = ("ab", "eb", "bb", "f", "c", "g", "d", "a", "e", "b", "f#", "c#", "g#", "d#", "a#")


@dataclass(frozen=True)
class Key:
    """A key.

    Parameters
    ----------
    tonic : int
        Pitch class, 0 is C.
    mode : str
        ``major`` or ``minor``.
    fifths : int
        Sharps of the key signature, -7 to 7; flats are negative.

    Raises
    ------
    ValueError
        If no such key is written.
    """

    tonic: int
    mode: Mode
    fifths: int

    def __post_init__(self) -> None:
        if not -7 <= self.fifths <= 7 or (7 * self.fifths + (9 if self.mode == "minor" else 0)) % 12 != self.tonic:
            raise ValueError(f"no {self.mode} key on {self.tonic} has {self.fifths} sharps")

    @classmethod
    def of(cls, tonic: int, mode: Mode) -> "Key":
        """The key on a pitch class as it is mostly written: six sharps or flats at most, Gb rather than F#."""
        fifths = (7 * (tonic - (9 if mode == "minor" else 0)) + 6) % 12 - 6
        return cls(tonic, mode, fifths)

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read a key as people write it: ``C``, ``f#``, ``Bb``, ``Bb major``, ``c minor``, ``C# minor``.

        Raises
        ------
        OptionError
            If it is no key.
        """
        match = re.fullmatch(r"\s*([A-Ga-g][#b]?)\s*(major|minor)?\s*", text)
        letter, word = match.groups() if match else ("", None)
        mode: Mode = "minor" if word == "minor" or (word is None and letter[:1].islower()) else "major"
        name = letter[:1].lower() + letter[1:] if mode == "minor" else letter[:1].upper() + letter[1:]
        names = MINOR_TONICS if mode == "minor" else MAJOR_TONICS
        if name not in names:
            raise OptionError(
                f"no key {text!r}: write major keys with a capital letter ({', '.join(MAJOR_TONICS)}) "
                f"and minor keys with a small one ({', '.join(MINOR_TONICS)})"
            )
        fifths = names.index(name) - 7
        return cls((7 * fifths + (9 if mode == "minor" else 0)) % 12, mode, fifths)

    @property
    def name(self) -> str:
        """As `parse` reads it: ``Bb`` is major, ``f#`` is minor."""
        return (MINOR_TONICS if self.mode == "minor" else MAJOR_TONICS)[self.fifths + 7]


@dataclass(frozen=True)
class NotationOptions:
    """What a person knows better than the analysis; None is found out.

    Parameters
    ----------
    tempo : float, optional
        Beats a minute, `model.midi.MIN_TEMPO` to `MAX_TEMPO`: the mean, which the playing may leave.
    metre : (int, int), optional
        Numerator and denominator of the time signature.
    key : str, optional
        As `Key.parse` reads it.
    first_downbeat : float, optional
        Seconds at which a bar begins, 0 or more.
    detail : str
        ``full`` keeps every note and every value the grid can show, ``readable`` prefers plain values and full chords
        over what was literally played, ``melody`` keeps the highest line alone.

    Raises
    ------
    OptionError
        If a value lies outside its range.
    """

    tempo: float | None = None
    metre: tuple[int, int] | None = None
    key: str | None = None
    first_downbeat: float | None = None
    detail: Detail = "readable"

    def __post_init__(self) -> None:
        if self.tempo is not None and not MIN_TEMPO <= self.tempo <= MAX_TEMPO:
            raise OptionError(f"tempo must lie in {MIN_TEMPO:g}..{MAX_TEMPO:g} beats a minute, got {self.tempo}")
        if self.metre is not None:
            try:
                Metre(*self.metre)
            except ValueError as error:
                raise OptionError(str(error)) from error
        if self.key is not None:
            Key.parse(self.key)
        if self.first_downbeat is not None and not 0 <= self.first_downbeat < float("inf"):
            raise OptionError(f"first_downbeat must be a time in seconds, 0 or more, got {self.first_downbeat}")
        if self.detail not in DETAILS:
            raise OptionError(f"detail must be one of {', '.join(DETAILS)}, got {self.detail!r}")


@dataclass(frozen=True, slots=True)
class QuantizedNote:
    """A note on the grid.

    Parameters
    ----------
    onset : Fraction
        Position in quarters; negative before the first downbeat.
    duration : Fraction
        Quarters, over 0.
    pitch, velocity, program : int
        As in `model.note.Note`.
    voice : int
        Counted from 0 at the top, over the whole instrument. Notes of one voice either begin and end together (a chord)
        or do not overlap.
    staff : int
        0 is the upper or only one, 1 the lower. A voice stays on one staff.
    index : int
        The input note that this is.
    """

    onset: Fraction
    duration: Fraction
    pitch: int
    velocity: int
    program: int
    voice: int
    staff: int
    index: int

    @property
    def end(self) -> Fraction:
        """Position at which it ends."""
        return self.onset + self.duration


@dataclass(frozen=True)
class Rhythm:
    """A piece of music as its notes were read.

    Parameters
    ----------
    time_map : TimeMap
        From seconds to quarters and back, with a point at every beat.
    metre : Metre
    key : Key
    notes : tuple of QuantizedNote
        Sorted by onset, then pitch. Not every input note need be here: see `NotationOptions.detail`.
    """

    time_map: TimeMap
    metre: Metre
    key: Key
    notes: tuple[QuantizedNote, ...]

    @property
    def first_downbeat(self) -> float:
        """Seconds of position 0, the first beginning of a bar that a note reaches."""
        return self.time_map.to_seconds(0)

    @property
    def beats(self) -> NDArray[np.float64]:
        """Seconds of the beats from the first onset to the last end, shape (beats,)."""
        return np.array([seconds for seconds, _ in self._music()])

    @property
    def downbeats(self) -> NDArray[np.float64]:
        """Seconds of those beats that begin a bar, shape (bars,)."""
        return np.array([seconds for seconds, quarter in self._music() if quarter % self.metre.bar == 0])

    def _music(self) -> list[tuple[float, Fraction]]:
        """Points of the time map within the music; the map itself reaches on to full bars."""
        if not self.notes:
            return []
        start, end = self.notes[0].onset, max(note.end for note in self.notes)
        pairs = zip(self.time_map.seconds, self.time_map.quarters, strict=True)
        return [(seconds, quarter) for seconds, quarter in pairs if start <= quarter < end]

    @property
    def tempo_curve(self) -> tuple[tuple[float, float], ...]:
        """(seconds, beats a minute) from each beat to the next."""
        seconds, quarters = self.time_map.seconds, self.time_map.quarters
        return tuple(
            (seconds[i], 60 * float((quarters[i + 1] - quarters[i]) / self.metre.beat) / (seconds[i + 1] - seconds[i]))
            for i in range(len(seconds) - 1)
        )

    @property
    def tempo(self) -> float:
        """Beats a minute: the median over the beats in which a note begins. In a long rest nobody hears any."""
        tempi, quarters = [tempo for _, tempo in self.tempo_curve], self.time_map.quarters
        begun = {bisect_right(quarters, note.onset, 1, len(tempi)) - 1 for note in self.notes}
        return float(np.median([tempi[i] for i in begun] or tempi))
