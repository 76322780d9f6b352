"""The inner order of a bar: its beats, and how strong each position is.

Strength is an integer. A bar line has `BAR`, the middle of a longer bar 1, a beat 0, and what lies within a beat -1, -2
and so on for each halving (a beat of three parts is first cut into these).
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from model.notation.types import Metre

BAR = 9
WEAKEST = -9


@dataclass(frozen=True)
class Beat:
    """What is beamed together.

    Parameters
    ----------
    start, length : Fraction
        Quarters from the bar line.
    parts : int
        Into how many parts it is first cut, 2 or 3.
    """

    start: Fraction
    length: Fraction
    parts: int

    @property
    def end(self) -> Fraction:
        """Quarters from the bar line."""
        return self.start + self.length


@dataclass(frozen=True)
class BarGrid:
    """The order of every bar in one time signature."""

    metre: Metre

    @cached_property
    def beats(self) -> tuple[Beat, ...]:
        """Quarters, or where eighths are counted the threes and twos of 6/8, 5/8 and the like."""
        beats, start = [], Fraction(0)
        for parts in self._parts():
            length = Fraction(4 * parts, self.metre.denominator) if self.strict else Fraction(1)
            beats.append(Beat(start, length, parts))
            start += length
        return tuple(beats)

    @property
    def strict(self) -> bool:
        """Whether beats are not plain quarters: then no value hides one."""
        return self.metre.denominator >= 8

    @cached_property
    def middles(self) -> frozenset[Fraction]:
        """Where a bar of four beats or more falls apart: 4/4 after two, 5/4 after three, 12/8 after two."""
        if self.metre.denominator <= 2:
            return frozenset(beat.start for beat in self.beats[2::2])
        n_beats = len(self.beats)
        return frozenset({self.beats[(n_beats + 1) // 2].start} if n_beats >= 4 else ())

    def beat_at(self, position: Fraction) -> Beat:
        """The beat in which a position lies."""
        return next(beat for beat in reversed(self.beats) if beat.start <= position)

    def strength(self, position: Fraction) -> int:
        """Of a position within the bar, its end included."""
        if position in (0, self.metre.bar):
            return BAR
        if position in self.middles:
            return 1
        beat = self.beat_at(position)
        inside = position - beat.start
        if inside == 0:
            return 0
        part = beat.length / beat.parts
        for strength in range(-1, WEAKEST, -1):
            if inside % part == 0:
                return strength
            part /= 2
        return WEAKEST

    def strongest_between(self, start: Fraction, end: Fraction) -> tuple[int, Fraction]:
        """The strongest position that lies properly between two, of equals the last; `WEAKEST` and `start` if none."""
        inside = self._between(start, end)
        return max(((self.strength(position), position) for position in inside), default=(WEAKEST, start))

    def _between(self, start: Fraction, end: Fraction) -> list[Fraction]:
        """Beats, or where none lies in between the largest parts of the one beat that do."""
        if inside := [beat.start for beat in self.beats if start < beat.start < end]:
            return inside
        beat = self.beat_at(start)
        part = beat.length / beat.parts
        for _ in range(-1, WEAKEST, -1):
            first = beat.start + ((start - beat.start) // part + 1) * part
            if first < end:
                return [first + i * part for i in range(beat.parts) if first + i * part < end]
            part /= 2
        return []

    def _parts(self) -> list[int]:
        """The parts of each beat."""
        count = self.metre.numerator
        if not self.strict:
            return [2] * (count * 4 // self.metre.denominator)
        if self.metre.compound:
            return [3] * (count // 3)
        threes = count % 2 if count > 1 else 0
        return [3] * threes + [2] * ((count - 3 * threes) // 2) or [1]
