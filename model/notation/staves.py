"""Which hand plays what: a keyboard's notes on two staves, split where the gap between hands is widest.

A path through split pitches, one at each attack: cheap where no hand spans more than it can, where the notes around the split
lie far apart, and where the split stays near the middle and near where it was.
"""

import numpy as np
from numpy.typing import NDArray

SPLITS = np.arange(45, 76)  # the lowest pitch of the upper staff
MIDDLE = 60.5
WIDEST_HAND = 14  # semitones
SPAN_COST, GAP_GAIN, LARGEST_GAP = 0.5, 0.12, 9.0
MIDDLE_COST, MOVE_COST = 0.06, 0.15


def split_hands(places: NDArray[np.int64], pitches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Staff of each note: 0 upper, 1 lower.

    Parameters
    ----------
    places, pitches : ndarray, shape (notes,), int64
        Where each begins, and its pitch. Sorted by place.

    Returns
    -------
    ndarray, shape (notes,), int64
    """
    starts = np.flatnonzero(np.diff(places, prepend=places[0] - 1))
    costs = np.array([_cost(group) for group in np.split(pitches, starts[1:])])
    moves = MOVE_COST * np.abs(SPLITS[:, None] - SPLITS[None, :])
    came = np.empty(costs.shape, dtype=np.int64)
    total = costs[0]
    for i in range(1, len(costs)):
        options = total[None, :] + moves
        came[i] = options.argmin(axis=1)
        total = options.min(axis=1) + costs[i]
    split = np.empty(len(costs), dtype=np.int64)
    at = int(total.argmin())
    for i in range(len(costs) - 1, -1, -1):
        split[i] = SPLITS[at]
        at = int(came[i, at])
    event = np.cumsum(np.diff(places, prepend=places[0] - 1) != 0) - 1
    return (pitches < split[event]).astype(np.int64)


def _cost(pitches: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each split costs at one attack."""
    upper = pitches[None, :] >= SPLITS[:, None]
    above = np.where(upper, pitches[None, :], 200).min(axis=1)
    below = np.where(upper, -200, pitches[None, :]).max(axis=1)
    spans = np.maximum(0, pitches.max() - above - WIDEST_HAND) + np.maximum(0, below - pitches.min() - WIDEST_HAND)
    gap = np.minimum(LARGEST_GAP, np.minimum(above - SPLITS + 0.5, SPLITS - 0.5 - below))
    return np.asarray(SPAN_COST * spans - GAP_GAIN * gap + MIDDLE_COST * np.abs(SPLITS - MIDDLE))
