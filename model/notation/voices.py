"""Which notes follow each other: the voices of one staff.

Attacks are taken in order. The notes of one are dealt to voices from the top, so that no two cross; the dealing that
costs least is kept: small steps, no voice cut off while it sounds, chords only of notes that end together (compare
Chew and Wu 2004, and Temperley 2001, ch. 4).
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STEP_COST, LARGEST_STEP = 1.0, 14.0  # a semitone
CUT_COST = 12.0  # of a voice that has the whole note still to sound
CHORD_COST, UNEVEN_COST = 5.0, 10.0
MANY_NOTES = 8  # in one attack; more are dealt as chords


@lru_cache(maxsize=256)
def dealings(notes: int, voices: int) -> tuple[tuple[int, ...], ...]:
    """All ways to give ``notes`` notes, from the top, to voices without crossing: a voice's number for each note."""
    if notes > MANY_NOTES:
        return tuple((0,) * cut + (voices - 1,) * (notes - cut) for cut in range(notes + 1))
    return tuple(_dealings(notes, 0, voices))


def _dealings(notes: int, lowest: int, voices: int) -> Iterator[tuple[int, ...]]:
    if notes == 0:
        yield ()
        return
    for voice in range(lowest, voices):
        for rest in _dealings(notes - 1, voice, voices):
            yield (voice, *rest)


def separate(
    places: NDArray[np.int64], ends: NDArray[np.float64], pitches: NDArray[np.int64], most: int
) -> NDArray[np.int64]:
    """Voice of each note, counted from the top.

    Parameters
    ----------
    places : ndarray, shape (notes,), int64
        Where each begins; sorted.
    ends : ndarray, shape (notes,)
        Where each ends as it was played, in the same unit.
    pitches : ndarray, shape (notes,), int64
    most : int
        How many voices there may be.

    Returns
    -------
    ndarray, shape (notes,), int64
    """
    result = np.zeros(len(places), dtype=np.int64)
    last = np.linspace(pitches.max(), pitches.min(), 2 * most + 1)[1::2]
    began, free = np.full(most, -1e9), np.full(most, -1e9)
    starts = np.flatnonzero(np.diff(places, prepend=places[0] - 1))
    for group in np.split(np.arange(len(places)), starts[1:]):
        group = group[np.argsort(-pitches[group], kind="stable")]
        now = float(places[group[0]])
        steps = np.minimum(LARGEST_STEP, np.abs(pitches[group][:, None] - last[None, :])) * STEP_COST
        lengths = ends[group] - now
        cut = np.where(free > now, CUT_COST * (free - now) / np.maximum(free - began, 1), 0.0)
        best = min(dealings(len(group), most), key=lambda deal: _cost(deal, steps, lengths, cut))
        for voice in set(best):
            mine = [i for i, dealt in zip(group, best, strict=True) if dealt == voice]
            last[voice] = pitches[mine].mean()
            began[voice], free[voice] = now, ends[mine].max()
        result[group] = best
    return result


def _cost(
    deal: tuple[int, ...], steps: NDArray[np.float64], lengths: NDArray[np.float64], taken: NDArray[np.float64]
) -> float:
    """What a dealing costs."""
    total, before = 0.0, -1
    for i, voice in enumerate(deal):
        if voice == before:
            total += CHORD_COST + UNEVEN_COST * abs(lengths[i] - lengths[i - 1]) / max(lengths[i], lengths[i - 1])
            total += 0.3 * steps[i, voice]
        else:
            total += steps[i, voice] + taken[voice]
        before = voice
    return total
