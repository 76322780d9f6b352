"""The likely course of a pitch is the best of all courses, as trying them one by one shows."""

from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from model.note_path import likely_notes


def best_by_trying(starts: NDArray[np.int64], gains: NDArray[np.float64], evidence: NDArray[np.float64]) -> float:
    """The highest score of any choice of onsets and ends."""
    best = 0.0
    for count in range(1, len(starts) + 1):
        for chosen in combinations(range(len(starts)), count):
            limits = [*(int(starts[i]) for i in chosen[1:]), len(evidence)]
            ends = [range(int(starts[i]) + 1, limit + 1) for i, limit in zip(chosen, limits, strict=True)]
            best = max(best, *(score(chosen, option, starts, gains, evidence) for option in product(*ends)))
    return best


def score(
    chosen: tuple[int, ...],
    ends: tuple[int, ...],
    starts: NDArray[np.int64],
    gains: NDArray[np.float64],
    evidence: NDArray[np.float64],
) -> float:
    """What a course is worth."""
    return sum(float(gains[i] + evidence[starts[i] : end].sum()) for i, end in zip(chosen, ends, strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_no_course_is_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.choice(12, size=rng.integers(1, 5), replace=False))
    gains, evidence = rng.normal(0, 1.5, len(starts)), rng.normal(0, 1, 12)
    chosen, ends = likely_notes(starts, gains, evidence)
    assert score(tuple(chosen), tuple(ends), starts, gains, evidence) == pytest.approx(
        best_by_trying(starts, gains, evidence)
    )
    assert all(ends[:-1] <= starts[chosen][1:])
    assert all(ends > starts[chosen])


def test_a_doubtful_onset_counts_when_a_held_note_follows() -> None:
    starts, gains = np.array([2]), np.array([-1.0])
    held = np.where((np.arange(40) >= 2) & (np.arange(40) < 32), 0.3, -0.3)
    chosen, ends = likely_notes(starts, gains, held)
    assert (chosen.tolist(), ends.tolist()) == ([0], [32])
    assert len(likely_notes(starts, gains, np.full(40, -0.3))[0]) == 0


def test_what_sounds_on_is_not_struck_again_by_a_doubtful_onset() -> None:
    chosen, ends = likely_notes(np.array([1, 10]), np.array([2.0, -0.5]), np.full(20, 0.3))
    assert (chosen.tolist(), ends.tolist()) == ([0], [20])
    chosen, ends = likely_notes(np.array([1, 10]), np.array([2.0, 0.5]), np.full(20, 0.3))
    assert (chosen.tolist(), ends.tolist()) == ([0, 1], [10, 20])
