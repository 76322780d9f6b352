"""Quantised music for the tests: written out, and drawn at random."""

from fractions import Fraction

from hypothesis import strategies as st

from model.notation.types import Key, Metre, QuantizedNote, Rhythm, TimeMap

PIANO, VIOLIN, VIOLA, CONTRABASS = 0, 40, 41, 43
# (program, staff, voice) of every line that a drawn piece may have.
LINES = ((PIANO, 0, 0), (PIANO, 0, 1), (PIANO, 1, 2), (VIOLIN, 0, 0), (CONTRABASS, 0, 0))
METRES = ((4, 4), (3, 4), (2, 2), (6, 8), (9, 8), (5, 8), (7, 8), (5, 4), (3, 8), (1, 8), (11, 16))


def rhythm_of(
    notes: list[tuple[float | Fraction | str, float | Fraction | str, int]],
    *,
    metre: tuple[int, int] = (4, 4),
    key: str = "C",
    program: int = VIOLIN,
    tempo: float = 120.0,
) -> Rhythm:
    """One line of (onset, duration, pitch), in quarters."""
    line = [
        QuantizedNote(Fraction(onset), Fraction(duration), pitch, 64, program, 0, 0, index)
        for index, (onset, duration, pitch) in enumerate(notes)
    ]
    return _rhythm(line, metre, key, tempo)


def _rhythm(notes: list[QuantizedNote], metre: tuple[int, int], key: str, tempo: float) -> Rhythm:
    quarters = (Fraction(0), Fraction(400))
    beat = Metre(*metre).beat
    seconds = (5.0, 5.0 + 60 / tempo * float(quarters[1] / beat))
    ordered = sorted(notes, key=lambda note: (note.onset, note.pitch))
    return Rhythm(TimeMap(seconds, quarters), Metre(*metre), Key.parse(key), tuple(ordered))


@st.composite
def rhythms(draw: st.DrawFn) -> Rhythm:
    """Pieces of one to three lines, each of chords and gaps of any length on a grid of threes or of fives."""
    lines = draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=3, unique=True))
    metre = draw(st.sampled_from(METRES))
    start = draw(st.sampled_from([Fraction(0), Fraction(1), -Metre(*metre).beat / 2]))
    notes: list[QuantizedNote] = []
    for program, staff, voice in lines:
        now = start
        odd = draw(st.sampled_from([3, 5]))
        for gap, length, degrees in draw(st.lists(_chords(odd), min_size=1, max_size=6)):
            onset = now + gap
            # Pitches of their own, so that whoever reads the notes back knows which tie belongs to which voice.
            notes += [
                QuantizedNote(onset, length, 3 * degree + voice, 64, program, voice, staff, len(notes) + i)
                for i, degree in enumerate(sorted(degrees))
            ]
            now = onset + length
    return _rhythm(notes, metre, draw(st.sampled_from(["C", "Gb", "f#", "eb", "C#", "a"])), 120)


def _chords(odd: int) -> st.SearchStrategy[tuple[Fraction, Fraction, set[int]]]:
    units = [Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(1, odd), Fraction(1, 2 * odd)]
    length = st.builds(lambda unit, count: unit * count, st.sampled_from(units), st.integers(1, 13))
    gap = st.one_of(st.just(Fraction(0)), length)
    return st.tuples(gap, length, st.sets(st.integers(12, 32), min_size=1, max_size=3))
