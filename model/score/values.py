"""Durations as they are written: note values with dots, tied where one is not enough, and tuplets."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm

from model.score.grid import WEAKEST, BarGrid

# Quarters of each value by its MusicXML name.
KINDS = {
    "breve": Fraction(8),
    "whole": Fraction(4),
    "half": Fraction(2),
    "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    "16th": Fraction(1, 4),
    "32nd": Fraction(1, 8),
    "64th": Fraction(1, 16),
    "128th": Fraction(1, 32),
    "256th": Fraction(1, 64),
}
KIND_OF = {quarters: kind for kind, quarters in KINDS.items()}
SMALLEST = min(KIND_OF)
DOT = Fraction(3, 2)


@dataclass(frozen=True)
class Tuplet:
    """`actual` notes in the time of `normal`, from `start` to `end` of the bar (quarters)."""

    actual: int
    normal: int
    start: Fraction
    end: Fraction

    @property
    def stretch(self) -> Fraction:
        """How much longer its notes are written than they sound."""
        return Fraction(self.actual, self.normal)


@dataclass(frozen=True)
class Piece:
    """A written value.

    Parameters
    ----------
    start, length : Fraction
        As it sounds, in quarters; the start counts from the bar line.
    kind : str
        One of `KINDS`.
    dotted : bool
    tuplet : Tuplet, optional
    """

    start: Fraction
    length: Fraction
    kind: str
    dotted: bool
    tuplet: Tuplet | None = None


def tuplets_of(boundaries: Iterable[Fraction], grid: BarGrid) -> list[Tuplet]:
    """The tuplets that a voice needs in one bar.

    Parameters
    ----------
    boundaries : iterable of Fraction
        Where its notes and rests begin and end, in quarters from the bar line.
    grid : BarGrid
    """
    edges = sorted(set(boundaries))
    found: list[Tuplet] = []
    beats = grid.beats
    i = 0
    while i < len(beats):
        two = _across_two_beats(edges, grid, i)
        found += [two] if two else _within(edges, beats[i].start, beats[i].end)
        i += 2 if two else 1
    return found


def _across_two_beats(edges: list[Fraction], grid: BarGrid, i: int) -> Tuplet | None:
    """Three quarters in the time of two, where nothing shorter stands."""
    if grid.strict or i + 1 >= len(grid.beats) or i % 2:
        return None
    start = grid.beats[i].start
    inside = {edge - start for edge in edges if start < edge < start + 2}
    fits = inside and inside <= {Fraction(2, 3), Fraction(4, 3)}
    return Tuplet(3, 2, start, start + 2) if fits else None


def _within(edges: list[Fraction], start: Fraction, end: Fraction) -> list[Tuplet]:
    """Tuplets of a beat, or of its halves where it falls into two."""
    inside = [edge for edge in edges if start < edge < end]
    actual = _odd(lcm(*(edge.denominator for edge in inside)))
    if actual == 1:
        return []
    middle = (start + end) / 2
    if middle in inside:
        return _within(edges, start, middle) + _within(edges, middle, end)
    normal = 1 << (actual.bit_length() - 1)
    return [Tuplet(actual, normal, start, end)]


def _odd(number: int) -> int:
    """The largest odd divisor."""
    return number // (number & -number)


def split(start: Fraction, end: Fraction, grid: BarGrid, tuplets: list[Tuplet], *, rest: bool) -> list[Piece]:
    """A note or a rest as values that a reader knows; those of a note are tied.

    Parameters
    ----------
    start, end : Fraction
        Within one bar, in quarters from the bar line.
    grid : BarGrid
    tuplets : list of Tuplet
        From `tuplets_of`, of the same voice and bar.
    rest : bool
        A rest shows the beats; a note may hide one as players are used to.
    """
    edges = {edge for tuplet in tuplets for edge in (tuplet.start, tuplet.end) if start < edge < end}
    pieces: list[Piece] = []
    for one, other in pairwise(sorted({start, end} | edges)):
        tuplet = next((tuplet for tuplet in tuplets if tuplet.start <= one < tuplet.end), None)
        pieces += _in_tuplet(one, other, tuplet) if tuplet else _plain(one, other, grid, rest=rest)
    return pieces


def _plain(start: Fraction, end: Fraction, grid: BarGrid, *, rest: bool) -> list[Piece]:
    written = value_of(end - start)
    crossed, where = grid.strongest_between(start, end)
    if written and _fits(start, end, crossed, grid, dotted=written[1], rest=rest):
        return [Piece(start, end - start, *written)]
    if crossed == WEAKEST:
        where = start + _largest_value(end - start)
    return _plain(start, where, grid, rest=rest) + _plain(where, end, grid, rest=rest)


def _fits(start: Fraction, end: Fraction, crossed: int, grid: BarGrid, *, dotted: bool, rest: bool) -> bool:
    """Whether a value may cross a position of this strength."""
    if crossed == WEAKEST:
        return True
    begins, ends = grid.strength(start), grid.strength(end)
    if crossed >= 0 and grid.strict and min(begins, ends) < 0:
        return False
    if rest:
        return crossed < begins and (not dotted or crossed < 0 or grid.strict)
    return crossed < max(begins, ends) or (not dotted and crossed <= begins + 1)


def _in_tuplet(start: Fraction, end: Fraction, tuplet: Tuplet) -> list[Piece]:
    """Values within a tuplet, longest first."""
    pieces = []
    while start < end:
        written = _largest_value((end - start) * tuplet.stretch)
        kind, dotted = value_of(written) or ("", False)
        length = written / tuplet.stretch
        pieces.append(Piece(start, length, kind, dotted, tuplet))
        start += length
    return pieces


def value_of(quarters: Fraction) -> tuple[str, bool] | None:
    """Name of the value that lasts so long and whether it has a dot; None where there is none."""
    if quarters in KIND_OF:
        return KIND_OF[quarters], False
    plain = quarters / DOT
    return (KIND_OF[plain], True) if plain in KIND_OF and plain > SMALLEST else None


def _largest_value(quarters: Fraction) -> Fraction:
    """The longest value, with or without a dot, that is not longer."""
    fitting = [
        length for plain in KIND_OF for length in (plain, plain * DOT) if length <= quarters and value_of(length)
    ]
    if not fitting:
        raise ValueError(f"no note value is as short as {quarters} quarters")
    return max(fitting)
