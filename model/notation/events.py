"""Notes that begin together, as one event: what a listener hears as one attack."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.note import Note

TOGETHER_SECONDS = 0.035  # players and transcriptions spread a chord over about as much
LARGEST_WEIGHT, WEIGHT_OF_A_NOTE = 2.0, 0.25


@dataclass(frozen=True)
class Events:
    """Attacks in the order of time.

    Parameters
    ----------
    times : ndarray, shape (events,)
        Mean onset of each one's notes, in seconds, rising.
    weights : ndarray, shape (events,)
        1 for a single note, more for a chord.
    members : list of list of int
        Which notes each holds.
    of_note : ndarray, shape (notes,), int64
        The event of every note.
    """

    times: NDArray[np.float64]
    weights: NDArray[np.float64]
    members: list[list[int]]
    of_note: NDArray[np.int64]


def gather(notes: list[Note]) -> Events:
    """Group the notes; an event spans `TOGETHER_SECONDS` at most and holds no pitch of one program twice.

    Parameters
    ----------
    notes : list of Note
        Sorted.
    """
    members: list[list[int]] = []
    began, pitches = -np.inf, set[tuple[int, int]]()
    for i, note in enumerate(notes):
        key = note.program, note.pitch
        if note.onset - began > TOGETHER_SECONDS or key in pitches:
            members.append([])
            began, pitches = note.onset, set()
        members[-1].append(i)
        pitches.add(key)
    times = np.array([np.mean([notes[i].onset for i in group]) for group in members])
    sizes = np.array([len(group) for group in members], dtype=np.float64)
    weights = np.minimum(LARGEST_WEIGHT, 1 + WEIGHT_OF_A_NOTE * (sizes - 1))
    of_note = np.zeros(len(notes), dtype=np.int64)
    for number, group in enumerate(members):
        of_note[group] = number
    return Events(np.maximum.accumulate(times), weights, members, of_note)
