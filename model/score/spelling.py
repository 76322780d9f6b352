"""Pitch spelling: which of F sharp and G flat is meant.

On the line of fifths (... Bb F C G D ...) the notes of a piece lie close together: a pitch class is spelled as the one
of its names that lies nearest to a centre. The centre is mostly where the notes around lie, and a little where the key
lies, which keeps a piece in the key's half of the circle. (Temperley, The Cognition of Basic Musical Structures, 2001,
chapter 5.) `benchmarks.spelling` compares it with ps13.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from model.notation.types import Key

STEPS = "FCGDAEB"  # along the line of fifths, C at 0
# From the tonic of the signature's major key to the middle of twelve names: Eb to G# in C major, Bb to D# in A minor.
CENTRES = {"major": 2.5, "minor": 3.5}
CONTEXT = 32  # notes before, and as many after
CONTEXT_WEIGHT = 0.8
FIRST_NAME, LAST_NAME = -15, 19  # Fbb to B##: nobody writes three accidentals


@dataclass(frozen=True)
class Spelling:
    """A written pitch.

    Parameters
    ----------
    step : str
        ``A`` to ``G``.
    alter : int
        Semitones, sharps positive.
    octave : int
        As in scientific pitch notation: middle C begins octave 4.
    """

    step: str
    alter: int
    octave: int


def spell(pitches: Sequence[int], key: Key) -> list[Spelling]:
    """Spell the notes of a piece.

    Parameters
    ----------
    pitches : sequence of int
        MIDI note numbers in the order of their onsets.
    key : Key

    Returns
    -------
    list of Spelling
        As many.
    """
    if not pitches:
        return []
    centre = key.fifths + CENTRES[key.mode]
    first = [_nearest(pitch, centre) for pitch in pitches]
    sums = np.concatenate([[0], np.cumsum(first)])
    spelled = []
    for i, pitch in enumerate(pitches):
        start, end = max(0, i - CONTEXT), min(len(pitches), i + CONTEXT + 1)
        around = float(sums[end] - sums[start]) / (end - start)
        fifths = _nearest(pitch, (1 - CONTEXT_WEIGHT) * centre + CONTEXT_WEIGHT * around)
        spelled.append(_named(pitch, fifths))
    return spelled


def signature_alter(step: str, key: Key) -> int:
    """What the key signature does to a step, in semitones."""
    place = STEPS.index(step)
    return int(place < key.fifths) - int(place - 7 >= key.fifths)


def _nearest(pitch: int, centre: float) -> int:
    """Place on the line of fifths, C at 0, of the name nearest to the centre."""
    lowest = min(max(ceil(centre - 5.5), FIRST_NAME), LAST_NAME - 11)
    return lowest + (7 * pitch - lowest) % 12


def _named(pitch: int, fifths: int) -> Spelling:
    alter, place = divmod(fifths + 1, 7)
    return Spelling(STEPS[place], alter, (pitch - alter) // 12 - 1)
