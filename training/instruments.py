"""General MIDI programs as an arranger sees them: families, ranges, and how an instrument ends its notes."""

from dataclasses import dataclass

from model.note import HIGHEST_PITCH, LOWEST_PITCH

PIANOS = (0, 1, 2, 4, 5, 6)
GUITARS = (24, 25, 26, 27, 28, 29, 30)

# Programs that play the same role; repeated ones are drawn more often. Left out on purpose: tremolo strings (they
# strike one labelled note many times), guitar harmonics and tubular bells (they sound another pitch than is written),
# sweeping pads.
FAMILIES: dict[str, tuple[int, ...]] = {
    "piano": (0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7),
    "mallet": (8, 10, 11, 12, 13),
    "organ": (16, 17, 19, 20, 21, 22),
    "guitar": (24, 24, 24, 25, 25, 25, 26, 26, 27, 28, 29, 30),
    "bass": (32, 33, 34, 35),
    "string": (40, 41, 42, 43),
    "plucked": (45, 46, 15, 105, 107),
    "ensemble": (48, 48, 52),
    "brass": (56, 57, 58, 59, 60, 61),
    "reed": (64, 65, 66, 67, 68, 69, 70, 71),
    "pipe": (72, 73, 74, 75, 79),
    "lead": (80, 81),
}
WINDS = FAMILIES["reed"] + FAMILIES["pipe"]
# How often each family is drawn when a part is given to any instrument whatever.
SWAP_WEIGHTS: dict[str, float] = {
    "piano": 2.0,
    "mallet": 1.0,
    "organ": 1.0,
    "guitar": 4.0,
    "bass": 0.5,
    "string": 2.0,
    "plucked": 2.0,
    "ensemble": 1.0,
    "brass": 1.5,
    "reed": 2.5,
    "pipe": 1.5,
    "lead": 0.3,
}
# Lowest and highest sounding pitch at which soundfonts sound like the instrument; by program, else by family.
PROGRAM_RANGES: dict[int, tuple[int, int]] = {
    6: (29, 89), 8: (60, 103), 10: (60, 96), 11: (53, 89), 12: (43, 96), 13: (60, 103),
    40: (55, 100), 41: (48, 88), 42: (36, 76), 43: (28, 57), 45: (36, 88), 46: (24, 86),
    15: (48, 88), 105: (48, 84), 107: (48, 84), 48: (36, 96), 52: (43, 81),
    56: (52, 84), 57: (36, 72), 58: (28, 58), 59: (52, 82), 60: (36, 77), 61: (36, 84),
    64: (56, 88), 65: (49, 81), 66: (44, 76), 67: (36, 69), 68: (58, 91), 69: (52, 81), 70: (34, 75), 71: (50, 91),
    72: (72, 103), 73: (59, 96), 74: (60, 91), 75: (60, 91), 79: (60, 86), 21: (41, 93), 22: (55, 88),
}  # fmt: skip
FAMILY_RANGES: dict[str, tuple[int, int]] = {
    "piano": (LOWEST_PITCH, HIGHEST_PITCH),
    "organ": (36, 96),
    "guitar": (40, 84),
    "bass": (28, 60),
    "lead": (40, 90),
}
DECAYING = frozenset({"piano", "mallet", "guitar", "bass", "plucked"})
LAST_PROGRAM = 127  # of General MIDI, from 0


@dataclass(frozen=True, slots=True)
class Instrument:
    """A program with what an arrangement has to know of it."""

    program: int
    family: str
    lowest: int
    highest: int

    @property
    def sustains(self) -> bool:
        """Whether a held note goes on until it is released, so that bow or breath can swell."""
        return self.family not in DECAYING


def instrument(program: int) -> Instrument:
    """Look up a General MIDI program; one of no family that we draw from counts as a keyboard."""
    family = next((name for name, programs in FAMILIES.items() if program in programs), "piano")
    lowest, highest = PROGRAM_RANGES.get(program, FAMILY_RANGES.get(family, (LOWEST_PITCH, HIGHEST_PITCH)))
    return Instrument(program, family, lowest, highest)


def role(program: int) -> tuple[int, ...]:
    """Programs that may stand in for this one: its family, all winds for a wind, harpsichords too for a piano."""
    return WINDS if program in WINDS else FAMILIES[instrument(program).family]
