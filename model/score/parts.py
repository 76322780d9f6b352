"""What each instrument's part looks like: its name, its place in the score, its staves and clefs."""

from collections.abc import Sequence
from dataclasses import dataclass

import pretty_midi

from model.instruments import PROGRAM_NAMES


@dataclass(frozen=True)
class Clef:
    """A clef: its sign, the line it stands on from below, and octaves that its notes sound higher."""

    sign: str
    line: int
    octaves: int = 0


TREBLE = Clef("G", 2)
ALTO = Clef("C", 3)
BASS = Clef("F", 4)
LOW_BASS = Clef("F", 4, -1)

# What a player of the instrument expects; any other part gets the clef that its notes lie in.
USUAL_CLEFS = {40: TREBLE, 41: ALTO, 42: BASS, 43: LOW_BASS, 60: TREBLE, 68: TREBLE, 70: BASS, 71: TREBLE, 73: TREBLE}
MIDDLE_C = 60
# Pianos and other keyboards, organs, harp (General MIDI, 0-based).
TWO_STAVES = frozenset([*range(8), *range(16, 22), 46])
# Ranges of General MIDI programs from the top of a score to its bottom: flutes, reeds, brass, percussion, voices,
# harp and plucked strings, keyboards, bowed strings, basses, all else.
ORDER = ((72, 80), (64, 72), (56, 64), (8, 16), (52, 55), (46, 47), (24, 32), (0, 8), (16, 24), (40, 52), (32, 40))


def part_name(program: int) -> str:
    """Name before the first system."""
    return (PROGRAM_NAMES.get(program) or str(pretty_midi.program_to_instrument_name(program))).capitalize()


def part_order(program: int) -> tuple[int, int]:
    """Sorts programs as a score lists them."""
    place = next((i for i, (first, end) in enumerate(ORDER) if first <= program < end), len(ORDER))
    return place, program


def clefs_of(program: int, pitches: Sequence[int], *, n_staves: int) -> tuple[Clef, ...]:
    """A clef for each staff."""
    if n_staves == 2:
        return TREBLE, BASS
    if program in USUAL_CLEFS:
        return (USUAL_CLEFS[program],)
    mean = sum(pitches) / len(pitches) if pitches else MIDDLE_C
    return (TREBLE if mean >= MIDDLE_C else BASS,)
