"""Workers as a queue, simulated with SimPy: how long recordings wait for one.

Recordings come at random moments (a Poisson process), wait in their lane in order, and keep one worker busy for their
work. `tests/app/test_queueing.py` holds it against what queueing theory says exactly.
"""

from dataclasses import dataclass

import numpy as np
import simpy
from numpy.typing import NDArray

# The first recordings find idle workers and say nothing of a service that has been up for long.
WARM_UP_SHARE = 0.3


@dataclass(frozen=True)
class Mix:
    """Lengths of the recordings that come, in seconds, the work that each means, and their shares."""

    audio: NDArray[np.float64]
    work: NDArray[np.float64]
    shares: NDArray[np.float64]

    @property
    def mean_audio(self) -> float:
        """Seconds of audio of a recording."""
        return float(self.audio @ self.shares)

    @property
    def mean_work(self) -> float:
        """Seconds that a recording keeps a worker busy."""
        return float(self.work @ self.shares)

    def long_share(self, long_seconds: float) -> float:
        """Share of the work that is recordings above this length."""
        return float((self.work * self.shares)[self.audio > long_seconds].sum()) / self.mean_work


@dataclass(frozen=True)
class Waits:
    """Seconds that recordings waited, those of usual length and long ones."""

    usual: NDArray[np.float64]
    long: NDArray[np.float64]


def divide(workers: int, long_share: float) -> tuple[int, int]:
    """Workers of the usual lane and of the long one, as the work is divided; at least one each."""
    long = min(max(1, round(workers * long_share)), workers - 1)
    return workers - long, long


def simulate(
    mix: Mix, *, load: float, workers: int, long_seconds: float, lanes: tuple[int, int] | None, jobs: int, seed: int = 0
) -> Waits:
    """Let `jobs` recordings pass through `workers`, which they keep busy for `load` of the time.

    `lanes` divides the workers between the two lanes; None is one queue for all.
    """
    rng = np.random.default_rng(seed)
    kinds = rng.choice(len(mix.audio), size=jobs, p=mix.shares)
    gaps = rng.exponential(mix.mean_work / (workers * load), size=jobs)
    is_long = mix.audio[kinds] > long_seconds
    environment = simpy.Environment()
    usual = simpy.Resource(environment, lanes[0] if lanes else workers)
    long = simpy.Resource(environment, lanes[1]) if lanes else usual
    waits = np.zeros(jobs)

    def recording(number: int) -> simpy.events.ProcessGenerator:
        came = environment.now
        with (long if is_long[number] else usual).request() as turn:
            yield turn
            waits[number] = environment.now - came
            yield environment.timeout(mix.work[kinds[number]])

    def arrivals() -> simpy.events.ProcessGenerator:
        for number, gap in enumerate(gaps):
            yield environment.timeout(gap)
            environment.process(recording(number))

    environment.process(arrivals())
    environment.run()
    settled = np.arange(jobs) >= WARM_UP_SHARE * jobs
    return Waits(waits[settled & ~is_long], waits[settled & is_long])
