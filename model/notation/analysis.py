"""All of it: notes in seconds to a `Rhythm`."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from model.notation.barring import barred, pattern_of
from model.notation.events import gather
from model.notation.grid import PARTS, place
from model.notation.key import find_key
from model.notation.types import Key, NotationOptions, Rhythm, TimeMap
from model.notation.values import quantise
from model.note import Note

LONGEST_UPBEAT = Fraction(1, 2)  # of a bar; what is longer is a bar that begins with a rest


def analyse(
    notes: list[Note], *, onsets: NDArray[np.float64] | None = None, overrides: NotationOptions | None = None
) -> Rhythm:
    """Beats, time signature, key and quantised notes.

    Parameters
    ----------
    notes : list of Note
        In any order. None at all gives an empty piece, and too few for a beat an even grid at 120 quarters a minute.
    onsets : ndarray, shape (onsets,), optional
        Seconds of attacks heard in the audio. Those near no note help to find beats.
    overrides : NotationOptions, optional
        What is known.

    Returns
    -------
    Rhythm
    """
    options = overrides or NotationOptions()
    order = sorted(range(len(notes)), key=lambda i: notes[i])
    ordered = [notes[i] for i in order]
    key = Key.parse(options.key) if options.key is not None else find_key(ordered)
    events = gather(ordered)
    metre, beats = barred(ordered, events, onsets, options)
    places = place(events.times, beats, pattern_of(metre))
    # Beats begin with a bar. One that is mostly silent at its beginning is an upbeat: the next bar is the first.
    silent = Fraction(int(places[0]), PARTS) * metre.beat if len(places) else Fraction(0)
    origin = metre.bar if silent >= metre.bar * LONGEST_UPBEAT else Fraction(0)
    time_map = TimeMap(
        tuple(float(seconds) for seconds in beats), tuple(i * metre.beat - origin for i in range(len(beats)))
    )
    written = quantise(ordered, events, places, beats, metre, options.detail)
    moved = [replace(note, onset=note.onset - origin, index=order[note.index]) for note in written]
    return Rhythm(time_map, metre, key, tuple(sorted(moved, key=lambda n: (n.onset, n.pitch, n.program, n.index))))
