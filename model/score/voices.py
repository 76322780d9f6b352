"""The notes of one voice, bar by bar: chords and rests in written values that fill every bar."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from model.notation.types import QuantizedNote
from model.score.grid import BarGrid
from model.score.spelling import Spelling
from model.score.values import Piece, Tuplet, split, tuplets_of


@dataclass(frozen=True)
class Bar:
    """A bar's place.

    Parameters
    ----------
    number : int
        As it is printed; an upbeat has 0.
    start, end : Fraction
        Quarters from the first downbeat.
    missing : Fraction
        Quarters that an upbeat is shorter than a bar.
    """

    number: int
    start: Fraction
    end: Fraction
    missing: Fraction = Fraction(0)

    @property
    def origin(self) -> Fraction:
        """Where the bar would begin if it were whole: positions in it count from here."""
        return self.start - self.missing


@dataclass(frozen=True)
class ScoreNote:
    """A note of a chord: which one it was before, and how it is written."""

    index: int
    pitch: int
    spelling: Spelling


@dataclass(frozen=True)
class Event:
    """A written chord, or a rest where it has no notes.

    Parameters
    ----------
    piece : Piece
    notes : tuple of ScoreNote
        From low to high.
    number : int
        Counts the values of one chord from 0; one over 0 is tied to the one before.
    tied_on : bool
        Whether it is tied to the next.
    """

    piece: Piece
    notes: tuple[ScoreNote, ...] = ()
    number: int = 0
    tied_on: bool = False


@dataclass(frozen=True)
class _Chord:
    """Notes that begin and end together."""

    start: Fraction
    end: Fraction
    notes: tuple[ScoreNote, ...]


def events_by_bar(
    notes: Sequence[QuantizedNote], spelled: Sequence[Spelling], bars: Sequence[Bar], grid: BarGrid
) -> dict[int, tuple[Event, ...]]:
    """Write a voice.

    Parameters
    ----------
    notes : sequence of QuantizedNote
        Of one voice, by onset: each chord begins and ends together, chords do not overlap.
    spelled : sequence of Spelling
        Of each note.
    bars : sequence of Bar
        One after the other, of which all but the first are of equal length. The notes lie within.
    grid : BarGrid

    Returns
    -------
    dict of int to tuple of Event
        For the bars in which the voice has notes, by place in `bars`: chords and rests from one bar line to the next.

    Raises
    ------
    ValueError
        If notes overlap that are no chord.
    """
    within: dict[int, list[_Chord]] = defaultdict(list)
    for chord in _chords(notes, spelled):
        for i in _bars_between(chord.start, chord.end, bars):
            within[i].append(chord)
    numbers: dict[_Chord, int] = defaultdict(int)
    return {i: tuple(_write_bar(chords, bars[i], grid, numbers)) for i, chords in sorted(within.items())}


def silence(bar: Bar, grid: BarGrid) -> tuple[Event, ...]:
    """A bar in which a voice rests, in written values: for an upbeat, where a rest of a whole bar would be too long."""
    return tuple(_write_bar([], bar, grid, {}))


def _chords(notes: Sequence[QuantizedNote], spelled: Sequence[Spelling]) -> Iterator[_Chord]:
    last = None
    pairs = zip(notes, spelled, strict=True)
    for (onset, end), group in groupby(pairs, key=lambda pair: (pair[0].onset, pair[0].end)):
        if last is not None and onset < last:
            raise ValueError(f"notes of one voice overlap at {onset} quarters")
        members = [ScoreNote(note.index, note.pitch, spelling) for note, spelling in group]
        yield _Chord(onset, end, tuple(sorted(members, key=lambda member: member.pitch)))
        last = end


def _bars_between(start: Fraction, end: Fraction, bars: Sequence[Bar]) -> range:
    """Places of the bars that a span touches."""
    length = bars[-1].end - bars[-1].start
    first = bars[0].origin
    return range(int((start - first) // length), int(-((first - end) // length)))


def _write_bar(chords: list[_Chord], bar: Bar, grid: BarGrid, numbers: dict[_Chord, int]) -> Iterator[Event]:
    """Chords and the rests between them; ``numbers`` counts the values of each chord from bar to bar."""
    first, last = bar.missing, bar.end - bar.origin
    spans = [(max(first, chord.start - bar.origin), min(last, chord.end - bar.origin), chord) for chord in chords]
    tuplets = tuplets_of([edge for start, end, _ in spans for edge in (start, end)], grid)
    now = first
    for start, end, chord in spans:
        yield from (Event(piece) for piece in _rests(now, start, grid, tuplets))
        pieces = split(start, end, grid, tuplets, rest=False)
        for piece in pieces:
            tied_on = piece is not pieces[-1] or chord.end > bar.end
            yield Event(piece, chord.notes, numbers[chord], tied_on)
            numbers[chord] += 1
        now = end
    yield from (Event(piece) for piece in _rests(now, last, grid, tuplets))


def _rests(start: Fraction, end: Fraction, grid: BarGrid, tuplets: list[Tuplet]) -> list[Piece]:
    return split(start, end, grid, tuplets, rest=True) if start < end else []
