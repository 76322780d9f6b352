"""Attacks on the grid of beats: which part of which beat each is, and where the beats lie, given that.

Each beat is divided by what fits its attacks at the least cost, and as its neighbours are when in doubt (compare
Cambouropoulos 2000; the cost is the logarithm of how rare a division is). Where the attacks lie on the grid then
tells better where the beats are than the tracker's frames did.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from model.notation.beats import Pattern

PARTS: Final = 24  # of a beat: twice, four and eight times, three and six, of simple beats; twelve of compound ones
SPREAD = 0.025  # standard deviation of an attack around its place, seconds
LARGEST_MISFIT = 8.0
COLLISION = 2.5  # two attacks at one place
ALIKE = 1.0  # a neighbour is divided the same
# How much less likely each division of a beat is than the plainest, in log.
DIVISIONS: Final[dict[Pattern, dict[int, float]]] = {
    "simple": {1: 0.0, 2: 0.3, 4: 1.5, 3: 4.0, 8: 4.5, 6: 6.0},
    "compound": {1: 0.0, 3: 0.3, 6: 1.5, 2: 4.0, 12: 4.5, 4: 4.5},
}

MAP_SPREAD = 0.02  # of an attack around its place, seconds
TEMPO_SPREAD = 0.03  # of the change from one beat to the next, share of the beat
OUTLIER_SECONDS = 0.07
ROUNDS = 2


def place(times: NDArray[np.float64], beats: NDArray[np.float64], pattern: Pattern) -> NDArray[np.int64]:
    """Positions of attacks, in `PARTS` of a beat from the first beat.

    Parameters
    ----------
    times : ndarray, shape (attacks,)
        Seconds, within the beats.
    beats : ndarray, shape (beats,)
        Seconds, rising, at least two.
    pattern : str

    Returns
    -------
    ndarray, shape (attacks,), int64
        As the times, not falling.
    """
    at = np.clip(np.searchsorted(beats, times, side="right") - 1, 0, len(beats) - 2)
    length = np.diff(beats)
    phase = (times - beats[at]) / length[at]
    divisions = list(DIVISIONS[pattern])
    costs = np.empty((len(divisions), len(length)))
    slots = np.empty((len(divisions), len(times)), dtype=np.int64)
    for row, division in enumerate(divisions):
        slot = np.round(phase * division).astype(np.int64)
        misfit = np.minimum(LARGEST_MISFIT, 0.5 * ((phase - slot / division) * length[at] / SPREAD) ** 2)
        same = np.zeros(len(times))
        same[1:] = (slot[1:] == slot[:-1]) & (at[1:] == at[:-1])
        costs[row] = np.bincount(at, misfit + COLLISION * same, minlength=len(length)) + DIVISIONS[pattern][division]
        slots[row] = slot * (PARTS // division)
    chosen = costs.argmin(axis=0)
    alike = np.zeros_like(costs)
    alike[chosen[:-1], np.arange(1, len(length))] = ALIKE
    alike[chosen[1:], np.arange(len(length) - 1)] += ALIKE
    chosen = (costs - alike).argmin(axis=0)
    # Beats that were moved may leave the first attack a little before them.
    return np.maximum.accumulate(np.maximum(at * PARTS + slots[chosen[at], np.arange(len(times))], 0))


def refine(
    times: NDArray[np.float64], weights: NDArray[np.float64], beats: NDArray[np.float64], pattern: Pattern
) -> NDArray[np.float64]:
    """Move beats to where the attacks on their grid say they are, in even tempo where nothing says it.

    Least squares over attacks (with `MAP_SPREAD`) and over changes of the beat's length (with `TEMPO_SPREAD`).

    Parameters
    ----------
    times, weights : ndarray, shape (attacks,)
    beats : ndarray, shape (beats,)
    pattern : str

    Returns
    -------
    ndarray, shape (beats,)
        Seconds, rising.
    """
    if len(beats) < 4:
        return beats
    for _ in range(ROUNDS):
        moved = _solve(times, weights, beats, place(times, beats, pattern))
        if np.any(np.diff(moved) < 0.3 * np.diff(beats)):
            break
        beats = moved
    return beats


def _solve(
    times: NDArray[np.float64], weights: NDArray[np.float64], beats: NDArray[np.float64], places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """One step of least squares; its matrix has two diagonals beside the main one."""
    at, share = np.minimum(places // PARTS, len(beats) - 2), np.zeros(len(times))
    share = places / PARTS - at
    expected = beats[at] * (1 - share) + beats[at + 1] * share
    trust = weights / MAP_SPREAD**2 * (np.abs(times - expected) < OUTLIER_SECONDS)
    n = len(beats)
    bands, right = np.zeros((3, n)), np.zeros(n)  # main, first and second diagonal, as solveh_banded(lower=True) reads
    np.add.at(bands[0], at, trust * (1 - share) ** 2)
    np.add.at(bands[0], at + 1, trust * share**2)
    np.add.at(bands[1], at, trust * share * (1 - share))
    np.add.at(right, at, trust * (1 - share) * times)
    np.add.at(right, at + 1, trust * share * times)
    length = (beats[2:] - beats[:-2]) / 2
    stiff = 1 / (TEMPO_SPREAD * length) ** 2
    for offset, factor in enumerate((1.0, -2.0, 1.0)):
        bands[0, offset : n - 2 + offset] += stiff * factor**2
    bands[1, : n - 2] += -2 * stiff
    bands[1, 1 : n - 1] += -2 * stiff
    bands[2, : n - 2] += stiff
    return np.asarray(solveh_banded(bands, right, lower=True))
