from statistics import NormalDist

import numpy as np
import pytest

from training.intervals import mean_intervals, pooled_intervals
from training.scores import Counts, Tally, means, pooled


def tally_of(hits: int, misses: int) -> Tally:
    notes = Counts(hits, 0, misses)
    return Tally(notes, notes, notes, None, notes, None)


def test_recordings_that_agree_leave_no_doubt() -> None:
    tallies = [tally_of(3, 1)] * 5
    assert mean_intervals(tallies)["note_recall"] == pytest.approx([0.75, 0.75])
    assert pooled_intervals(tallies)["note_recall"] == pytest.approx([0.75, 0.75])


def test_one_recording_tells_nothing_of_others() -> None:
    assert mean_intervals([tally_of(1, 3)])["note_recall"] == [0.25, 0.25]


def test_a_mean_of_many_lies_as_the_normal_distribution_says() -> None:
    recalls = np.arange(100)
    tallies = [tally_of(int(hits), int(99 - hits)) for hits in recalls]
    error = recalls.std() / 99 / np.sqrt(len(recalls))
    reach = NormalDist().inv_cdf(0.975) * error
    assert mean_intervals(tallies)["note_recall"] == pytest.approx([0.5 - reach, 0.5 + reach], abs=0.1 * reach)


def test_pooling_weighs_recordings_by_their_notes() -> None:
    # A long recording without an error and a short one without a hit: a draw of two takes one of them twice, each one
    # time in four, so that the ends are those of one alone.
    tallies = [tally_of(90, 0), tally_of(0, 10)]
    assert pooled_intervals(tallies)["note_recall"] == [0.0, 1.0]
    low, high = pooled_intervals([tally_of(90, 10)] * 20 + [tally_of(0, 1)])["note_recall"]  # type: ignore[misc]
    assert 0.88 < low <= high <= 0.9  # a single note more or less hardly matters
    low, high = mean_intervals([tally_of(90, 10)] * 20 + [tally_of(0, 1)])["note_recall"]  # type: ignore[misc]
    assert low < 0.8  # in the mean, a recording is a recording


def test_intervals_hold_every_score_and_its_value() -> None:
    rng = np.random.default_rng(3)
    tallies = [
        Tally(*(Counts(*map(int, rng.integers(1, 50, 3))) for _ in range(5)), rng.integers(0, 9, (2, 256)))
        for _ in range(12)
    ]
    intervals, values = pooled_intervals(tallies), pooled(tallies)
    assert intervals.keys() == values.keys() == mean_intervals(tallies).keys()
    for name, (low, high) in intervals.items():  # type: ignore[misc]
        assert low < values[name] < high
    assert pooled_intervals(tallies) == intervals  # seeded


def test_a_recording_without_dynamics_leaves_the_velocities_of_the_others() -> None:
    notes = Counts(3, 0, 1)
    dynamic = [Tally(notes, notes, notes, Counts(hits, 0, 4 - hits), notes, None) for hits in (1, 2, 3)]
    level = Tally(notes, notes, notes, None, notes, None)
    for of_all, within in ((means, mean_intervals), (pooled, pooled_intervals)):
        for name in ("note_velocity_recall", "note_velocity_f1"):
            for tallies in ([level, *dynamic], [*dynamic, level]):
                assert of_all(tallies)[name] == of_all(dynamic)[name] < 1
                assert within(tallies)[name] == within(dynamic)[name]
        assert "note_velocity_f1" not in of_all([level, level])
        assert "note_velocity_f1" not in within([level, level])
