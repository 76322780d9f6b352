"""How sure a score is: 95 % intervals by drawing recordings with replacement (percentile bootstrap, Efron 1979).

What is drawn is recordings, not notes: notes of one recording share its room, player and piece, and are found or missed
together. The seed is fixed, so that the same tallies give the same interval.
"""

from collections.abc import Sequence
from dataclasses import fields
from functools import reduce

import numpy as np
import numpy.typing as npt

from training.prepared import Json
from training.scores import LEVELS, Counts, Tally, by_score

DRAWS = 2000
SEED = 0
PERCENTILES = (2.5, 97.5)


def mean_intervals(tallies: Sequence[Tally]) -> dict[str, Json]:
    """Intervals of the means over recordings.

    Parameters
    ----------
    tallies : sequence of Tally
        One for each recording.

    Returns
    -------
    dict of str to [float, float]
        Lower and upper end by score, for the scores that `training.scores.means` gives.
    """
    return {name: ends(np.array(values)[draw(len(values))].mean(axis=1)) for name, values in by_score(tallies).items()}


def pooled_intervals(tallies: Sequence[Tally]) -> dict[str, Json]:
    """Intervals of the scores of all recordings taken as one; as `mean_intervals`."""
    together = reduce(Tally.__add__, tallies)
    counted = {field.name: [getattr(one, field.name) for one in tallies] for field in fields(Tally)}
    sums = {
        name: sums_of_draws([numbers(value) for value in values if value is not None])
        for name, values in counted.items()
        if getattr(together, name) is not None
    }
    rows = [sum_of({name: drawn[i] for name, drawn in sums.items()}).scores() for i in range(DRAWS)]
    return {name: ends(np.array([row[name] for row in rows])) for name in together.scores()}


def sums_of_draws(rows: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
    """The sum over the recordings of each draw, shape (DRAWS, numbers)."""
    # How often each recording was drawn, (draws, recordings), times what was counted there, (recordings, numbers).
    times = np.array([np.bincount(pick, minlength=len(rows)) for pick in draw(len(rows))], dtype=np.float64)
    return times @ np.array(rows)


def numbers(counted: Counts | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A part of a tally as one row."""
    if isinstance(counted, Counts):
        return np.array([counted.hits, counted.false_alarms, counted.misses])
    return counted.ravel()


def sum_of(rows: dict[str, npt.NDArray[np.float64]]) -> Tally:
    """The inverse of `numbers` for a whole tally."""
    counts = {name: Counts(*(int(number) for number in row)) for name, row in rows.items() if name != "posteriors"}
    posteriors = rows["posteriors"].astype(np.int64).reshape(2, LEVELS) if "posteriors" in rows else None
    return Tally(
        counts["notes"],
        counts["notes_with_offset"],
        counts["notes_with_instrument"],
        counts.get("notes_with_velocity"),
        counts["frames"],
        posteriors,
    )


def draw(n_recordings: int) -> npt.NDArray[np.int64]:
    """Which recordings each draw takes, shape (DRAWS, n_recordings)."""
    return np.random.default_rng(SEED).integers(n_recordings, size=(DRAWS, n_recordings))


def ends(values: npt.NDArray[np.float64]) -> list[Json]:
    """Lower and upper end of what was drawn."""
    low, high = np.percentile(values, PERCENTILES)
    return [float(low), float(high)]
