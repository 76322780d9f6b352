"""Pitch spelling: which of F sharp and G flat is meant.

On the line of fifths (... Bb F C G D ...) the notes of a passage lie close together (Temperley, The Cognition of Basic
Musical Structures, 2001, chapter 5). Twelve neighbours on it are a name for every pitch class; of all such twelve, each
note takes those in which the notes around it lie closest, and not far from the key. `benchmarks.spelling` compares this
with ps13.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.notation.types import Key

STEPS = "FCGDAEB"  # along the line of fifths, C at 0
# From the tonic of the signature's major key to the middle of twelve names: Eb to G# in C major, Bb to D# in A minor.
CENTRES = {"major": 2.5, "minor": 3.5}
CONTEXT = 16  # notes before, and as many after
# What a square of a fifth between passage and key counts, against one of a fifth's spread within the passage.
KEY_WEIGHT = 0.2
# Of equal choices the one in whose middle the notes lie.
MIDDLE_WEIGHT = 0.001
# The first of the twelve names: from Fbb on, or to B##. Nobody writes three accidentals.
FIRST_NAMES = np.arange(-15, 9)


@dataclass(frozen=True, order=True)
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
    classes = 7 * np.array(pitches) % 12  # the place of each pitch class on the line, modulo 12
    places = FIRST_NAMES[:, None] + (np.arange(12) - FIRST_NAMES[:, None]) % 12  # (twelves, 12)
    around = _shares_around(classes)
    means = around @ places.T  # (notes, twelves)
    spread = around @ (places**2).T - means**2
    off_key = (means - key.fifths - CENTRES[key.mode]) ** 2
    off_middle = (means - FIRST_NAMES - 5.5) ** 2
    chosen = np.argmin(spread + KEY_WEIGHT * off_key + MIDDLE_WEIGHT * off_middle, axis=1)
    return [
        _named(pitch, int(places[twelve, one])) for pitch, twelve, one in zip(pitches, chosen, classes, strict=True)
    ]


def _shares_around(classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each pitch class among a note and its neighbours, shape (notes, 12)."""
    counts = np.concatenate([np.zeros((1, 12)), np.cumsum(np.eye(12)[classes], axis=0)])
    here = np.arange(len(classes))
    start, end = np.maximum(0, here - CONTEXT), np.minimum(len(classes), here + CONTEXT + 1)
    shares: NDArray[np.float64] = (counts[end] - counts[start]) / (end - start)[:, None]
    return shares


def signature_alter(step: str, key: Key) -> int:
    """What the key signature does to a step, in semitones."""
    place = STEPS.index(step)
    return int(place < key.fifths) - int(place - 7 >= key.fifths)


def _named(pitch: int, fifths: int) -> Spelling:
    alter, place = divmod(fifths + 1, 7)
    return Spelling(STEPS[place], alter, (pitch - alter) // 12 - 1)
