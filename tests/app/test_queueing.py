"""The simulation behind docs/scaling.md agrees with what queueing theory says exactly."""

from math import factorial

import numpy as np
import pytest

from benchmarks.queueing import Mix, divide, simulate

MIX = Mix(np.array([60.0, 180.0, 3600.0]), np.array([1.0, 3.0, 40.0]), np.array([0.5, 0.45, 0.05]))
ALIKE = Mix(np.array([60.0]), np.array([2.0]), np.array([1.0]))


def all_waits(mix: Mix, **arguments: object) -> np.ndarray:
    waits = simulate(mix, long_seconds=600, lanes=None, **arguments)
    return np.concatenate([waits.usual, waits.long])


def test_one_worker_waits_as_pollaczek_and_khinchine_say() -> None:
    load = 0.6
    exact = load / mean_work(MIX) * float(MIX.work**2 @ MIX.shares) / (2 * (1 - load))
    assert all_waits(MIX, load=load, workers=1, jobs=60_000).mean() == pytest.approx(exact, rel=0.1)


def test_as_many_wait_as_erlang_says() -> None:
    """With work of equal length the share that waits lies near Erlang's C, which is exact for exponential work."""
    workers, load = 4, 0.7
    offered = workers * load
    last = offered**workers / factorial(workers) / (1 - load)
    erlang = last / (sum(offered**k / factorial(k) for k in range(workers)) + last)
    waited = all_waits(ALIKE, load=load, workers=workers, jobs=10_000) > 0
    assert waited.mean() == pytest.approx(erlang, abs=0.06)


def test_a_lane_of_their_own_keeps_long_recordings_out_of_the_way() -> None:
    share = MIX.long_share(600)
    assert share == pytest.approx(2.0 / 3.85)
    assert [divide(workers, share) for workers in (2, 3, 8, 100)] == [(1, 1), (1, 2), (4, 4), (48, 52)]
    common = {"load": 0.7, "workers": 8, "long_seconds": 600.0, "jobs": 8_000}
    together, apart = simulate(MIX, lanes=None, **common), simulate(MIX, lanes=divide(8, share), **common)
    assert np.quantile(apart.usual, 0.95) < np.quantile(together.usual, 0.95) / 2
    assert apart.long.mean() > together.long.mean()


def mean_work(mix: Mix) -> float:
    return sum(work * share for work, share in zip(mix.work, mix.shares, strict=True))
