"""The instruments that the network tells apart: those of MusicNet."""

from dataclasses import dataclass

import pretty_midi

RATE_DIVISOR = 4  # frames for which the network names the instrument once


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument.

    Parameters
    ----------
    name : str
        As options and files write it.
    program : int
        General MIDI program, 0-based.
    """

    name: str
    program: int


# In the order of the network's outputs. Double bass is called contrabass in MusicNet.
INSTRUMENTS = (
    Instrument("piano", 0),
    Instrument("harpsichord", 6),
    Instrument("violin", 40),
    Instrument("viola", 41),
    Instrument("cello", 42),
    Instrument("contrabass", 43),
    Instrument("flute", 73),
    Instrument("oboe", 68),
    Instrument("clarinet", 71),
    Instrument("bassoon", 70),
    Instrument("horn", 60),
)
N_INSTRUMENTS = len(INSTRUMENTS)
PROGRAM_NAMES = {instrument.program: instrument.name for instrument in INSTRUMENTS}
PROGRAMS = {instrument.name: instrument.program for instrument in INSTRUMENTS}


def instrument_name(program: int) -> str:
    """What files call a program: the instrument's name, or General MIDI's for a program that is none of `INSTRUMENTS`.

    Parameters
    ----------
    program : int
        General MIDI program, 0-based.
    """
    return PROGRAM_NAMES.get(program) or str(pretty_midi.program_to_instrument_name(program))
