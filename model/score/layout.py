"""Quantised notes laid out as parts, staves, voices and bars: all that a page shows, in plain types."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from model.instruments import instrument_name
from model.notation.types import Key, Metre, QuantizedNote, Rhythm
from model.score.grid import BarGrid
from model.score.parts import TWO_STAVES, Clef, clefs_of, part_name, part_order
from model.score.spelling import Spelling, spell
from model.score.voices import Bar, Event, events_by_bar, silence

# Voices that each staff has to itself: programs expect those of the lower staff from 5 on.
VOICES_A_STAFF = 4

StaffBar = dict[int, tuple[Event, ...]]
"""A staff within one bar: its voices that are not silent, by number. Without any it rests."""


@dataclass(frozen=True)
class Part:
    """An instrument.

    Parameters
    ----------
    program : int
        General MIDI, 0-based.
    name : str
    clefs : tuple of Clef
        One for each staff.
    bars : tuple of tuple of StaffBar
        For each bar its staves from above.
    """

    program: int
    name: str
    clefs: tuple[Clef, ...]
    bars: tuple[tuple[StaffBar, ...], ...]


@dataclass(frozen=True)
class Score:
    """A piece, ready to be written.

    Parameters
    ----------
    title : str
    tempo : float
        Beats a minute; a beat is ``metre.beat`` quarters.
    metre : Metre
    key : Key
    grid : BarGrid
    bars : tuple of Bar
    parts : tuple of Part
        As a score lists them.
    """

    title: str
    tempo: float
    metre: Metre
    key: Key
    grid: BarGrid
    bars: tuple[Bar, ...]
    parts: tuple[Part, ...]


def lay_out(rhythm: Rhythm, *, title: str = "", track_names: Mapping[str, str] | None = None) -> Score:
    """From quantised notes to a score.

    Parameters
    ----------
    rhythm : Rhythm
    title : str
        Stands above the first system.
    track_names : mapping from str to str, optional
        Names of parts, by the instrument's name; a part without one is called after its instrument.
    """
    notes = sorted(rhythm.notes, key=lambda note: (note.onset, note.pitch))
    spelled = spell([note.pitch for note in notes], rhythm.key)
    by_program: dict[int, list[tuple[QuantizedNote, Spelling]]] = defaultdict(list)
    for note, spelling in zip(notes, spelled, strict=True):
        by_program[note.program].append((note, spelling))
    bars, grid = bars_of(notes, rhythm.metre), BarGrid(rhythm.metre)
    programs = sorted(by_program or [0], key=part_order)
    named = {program: (track_names or {}).get(instrument_name(program)) or part_name(program) for program in programs}
    parts = tuple(_part(program, named[program], by_program[program], bars, grid) for program in programs)
    return Score(title, rhythm.tempo, rhythm.metre, rhythm.key, grid, bars, parts)


def bars_of(notes: Iterable[QuantizedNote], metre: Metre) -> tuple[Bar, ...]:
    """The bars from the first note to the last; one empty bar where there is none.

    An upbeat is as short as its notes allow, in whole beats.
    """
    spans = [(note.onset, note.end) for note in notes]
    first = min((onset for onset, _ in spans), default=Fraction(0))
    last = max((end for _, end in spans), default=Fraction(0))
    lowest = int(min(0, first // metre.bar))
    n_bars = int(max(lowest + 1, 1, -(-last // metre.bar)))
    bars = [Bar(i + 1, i * metre.bar, (i + 1) * metre.bar) for i in range(lowest, n_bars)]
    if lowest < 0:
        missing = (first - bars[0].start) // metre.beat * metre.beat
        bars[0] = Bar(bars[0].number, bars[0].start + missing, bars[0].end, missing)
    return tuple(bars)


def _part(
    program: int, name: str, notes: Sequence[tuple[QuantizedNote, Spelling]], bars: Sequence[Bar], grid: BarGrid
) -> Part:
    n_staves = 2 if program in TWO_STAVES or any(note.staff for note, _ in notes) else 1
    staves: list[list[StaffBar]] = []
    first_voice = 1
    for staff in range(n_staves):
        voices: dict[int, list[tuple[QuantizedNote, Spelling]]] = defaultdict(list)
        for note, spelling in notes:
            if note.staff == staff:
                voices[note.voice].append((note, spelling))
        staff_bars: list[StaffBar] = [{} for _ in bars]
        for number, voice in enumerate(sorted(voices), start=first_voice):
            in_voice, spelled = zip(*voices[voice], strict=True)
            for i, events in events_by_bar(in_voice, spelled, bars, grid).items():
                staff_bars[i][number] = events
        if bars[0].missing and not staff_bars[0]:
            staff_bars[0][first_voice] = silence(bars[0], grid)
        staves.append(staff_bars)
        first_voice += max(VOICES_A_STAFF, len(voices))
    clefs = clefs_of(program, [note.pitch for note, _ in notes], n_staves=n_staves)
    return Part(program, name, clefs, tuple(zip(*staves, strict=True)))
