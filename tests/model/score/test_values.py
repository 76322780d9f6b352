"""Written values: what a player expects to see, by hand."""

from fractions import Fraction

import pytest

from model.notation.types import Metre
from model.score.beams import beams_of
from model.score.layout import lay_out
from model.score.values import Piece
from tests.model.score.music import rhythm_of

SHORT = {"whole": "1", "half": "2", "quarter": "4", "eighth": "8", "16th": "16", "32nd": "32"}


def line(text: str, metre: tuple[int, int]) -> str:
    """The first voice of a line of durations in quarters (in brackets: a rest), written out bar by bar."""
    now, notes = Fraction(0), []
    for word in text.split():
        length = Fraction(word.strip("()"))
        if not word.startswith("("):
            notes.append((now, length, 72))
        now += length
    (part,) = lay_out(rhythm_of(notes, metre=metre)).parts
    bars = []
    for (staff,) in part.bars:
        events = staff.get(1, ())
        bars.append(" ".join(_word(one.piece, bool(one.notes)) + "~" * one.tied_on for one in events) or "R")
    return " | ".join(bars)


def _word(piece: Piece, sounds: bool) -> str:
    tuplet = f"/{piece.tuplet.actual}" if piece.tuplet else ""
    return ("" if sounds else "r") + SHORT[piece.kind] + "." * piece.dotted + tuplet


LINES = {
    "dotted values where the beat shows": ("3/2 1/2 1 1", (4, 4), "4. 8 4 4"),
    "a syncopation stays one value": ("1/2 1 1/2 2", (4, 4), "8 4 8 2"),
    "the middle of the bar is not hidden": ("3/2 1 3/2", (4, 4), "4. 8~ 8 4."),
    "a longer syncopation hides it, as usual": ("1 2 1", (4, 4), "4 2 4"),
    "a dotted one does not": ("1 3/2 3/2", (4, 4), "4 4~ 8 4."),
    "no dotted eighth across a beat": ("1/2 3/4 3/4", (2, 4), "8 8~ 16 8."),
    "ties over the bar line": ("3 2 3", (4, 4), "2. 4~ | 4 2."),
    "a note of several bars": ("9 3", (4, 4), "1~ | 1~ | 4 2."),
    "five quarters fall into three and two": ("5", (5, 4), "2.~ 2"),
    "dotted values in three parts": ("3/2 1 1/2", (6, 8), "4. 4 8"),
    "nothing hides the beat of 6/8": ("1 1 1", (6, 8), "4 8~ 8 4"),
    "a whole bar of 9/8": ("9/2", (9, 8), "2.~ 4."),
    "5/8 is three and two": ("5/2", (5, 8), "4.~ 4"),
    "rests show the beats": ("1/2 (3) 1/2", (4, 4), "8 r8 r4 r4 r8 8"),
    "a half bar of rest": ("2 (2)", (4, 4), "2 r2"),
    "never a half rest in 3/4": ("1 (2)", (3, 4), "4 r4 r4"),
    "the rest of a bar of 6/8": ("1/2 (5/2)", (6, 8), "8 r8 r8 r4."),
    "a bar of rest between": ("4 (4) 4", (4, 4), "1 | R | 1"),
    "a triplet": ("1/3 1/3 1/3 1", (2, 4), "8/3 8/3 8/3 4"),
    "long and short in a triplet": ("2/3 1/3 1", (2, 4), "4/3 8/3 4"),
    "a triplet over two beats": ("2/3 2/3 2/3 2", (4, 4), "4/3 4/3 4/3 2"),
    "a triplet of sixteenths after an eighth": ("1/2 1/6 1/6 1/6 1", (2, 4), "8 16/3 16/3 16/3 4"),
    "a rest in a triplet": ("1/3 (1/3) 1/3 1", (2, 4), "8/3 r8/3 8/3 4"),
    "into a triplet": ("5/3 1/3", (2, 4), "4~ 4/3 8/3"),
    "five in a beat": ("1/5 1/5 1/5 2/5 1", (2, 4), "16/5 16/5 16/5 8/5 4"),
}


@pytest.mark.parametrize("name", LINES)
def test_values(name: str) -> None:
    text, metre, expected = LINES[name]
    assert line(text, metre) == expected


def test_beams_follow_the_beats() -> None:
    notes, now = [], Fraction(0)
    for length in ("1/2", "1/2", "3/4", "1/4", "1/4", "1/4", "1/2"):
        notes.append((now, Fraction(length), 72))
        now += Fraction(length)
    score = lay_out(rhythm_of(notes, metre=(3, 4)))
    (events,) = score.parts[0].bars[0][0].values()
    assert beams_of(events, score.grid) == [
        *(("begin",), ("end",)),
        *(("begin",), ("end", "backward hook")),
        *(("begin", "begin"), ("continue", "end"), ("end",)),
    ]


def test_rests_and_long_notes_end_a_beam() -> None:
    score = lay_out(rhythm_of([(0, "1/4", 72), ("3/4", "1/4", 72), (1, 1, 72)], metre=(2, 4)))
    (events,) = score.parts[0].bars[0][0].values()
    assert all(not words for words in beams_of(events, score.grid))


@pytest.mark.parametrize("metre", [(4, 4), (6, 8), (5, 8), (7, 16), (2, 1), (1, 16), (16, 16), (12, 8), (3, 2)])
def test_beats_fill_the_bar(metre: tuple[int, int]) -> None:
    grid = lay_out(rhythm_of([], metre=metre)).grid
    assert sum(beat.length for beat in grid.beats) == Metre(*metre).bar
