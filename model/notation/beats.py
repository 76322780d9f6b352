"""Beats from attacks: the likeliest sequence of beats under a model of where in a beat music begins notes.

A semi-Markov model after Cemgil and Kappen (2003) and Temperley (2009), decoded in the manner of Krebs, Böck and Widmer
(2015): a state is a beat and the length of the interval to the next. An interval generates attacks as a point process
whose density has a peak at each place of its grid; lengths change little from one interval to the next. Since a score
of an interval is a correlation of the attacks with the density of that length, all of them come from a few
convolutions.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve

Pattern = Literal["simple", "compound"]
PATTERNS: tuple[Pattern, ...] = ("simple", "compound")

FRAME = 0.01  # seconds
SHORTEST, LONGEST = 0.25, 1.6  # seconds between beats: 240 to 37 a minute
# Looked through one by one: within an octave the beats cannot waver between a length and its double.
REGIONS = ((SHORTEST, 0.5), (0.42, 0.85), (0.75, LONGEST))
SPREAD = 0.022  # standard deviation of an attack around its place, seconds
TEMPO_SCALE = 0.04  # a change of log tempo from beat to beat by this costs a factor e
REACH = 0.3  # log tempo does not change by more
ATTACKS_A_BEAT = 1.8
KNOWN_SPREAD = 0.08  # standard deviation of the logarithm of an interval around a known one
KNOWN_WITHIN = 1.2  # the playing leaves a tempo that is known by no more than this factor
USUAL_INTERVAL, INTERVAL_SPREAD = 0.6, 0.45  # seconds; standard deviation of its logarithm
CHUNK_FRAMES = 20_000  # intervals scored at once: bounds memory on recordings of hours

# How the attacks of a beat spread over its places. What is left lies anywhere.
PLACES: dict[Pattern, dict[float, float]] = {
    "simple": {
        0: 0.44, 1 / 2: 0.24, 1 / 4: 0.06, 3 / 4: 0.10, 1 / 3: 0.02, 2 / 3: 0.02,
        1 / 8: 0.01, 3 / 8: 0.01, 5 / 8: 0.01, 7 / 8: 0.01, 1 / 6: 0.005, 5 / 6: 0.005,
    },
    "compound": {
        0: 0.40, 1 / 3: 0.16, 2 / 3: 0.20, 1 / 6: 0.04, 1 / 2: 0.06, 5 / 6: 0.05, 1 / 4: 0.01, 3 / 4: 0.01,
        1 / 12: 0.005, 5 / 12: 0.005, 7 / 12: 0.005, 11 / 12: 0.005,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Beats:
    """A sequence of beats.

    Parameters
    ----------
    times : ndarray, shape (beats,)
        Seconds, rising; from before the first attack to after the last.
    pattern : str
        What their intervals are divided into.
    score : float
        Log likelihood, comparable between sequences for the same attacks.
    """

    times: NDArray[np.float64]
    pattern: Pattern
    score: float


def track(
    times: NDArray[np.float64],
    weights: NDArray[np.float64],
    pattern: Pattern,
    *,
    interval: float | None = None,
    between: tuple[float, float] = (SHORTEST, LONGEST),
) -> Beats:
    """Find the likeliest beats.

    Parameters
    ----------
    times, weights : ndarray, shape (attacks,)
        Seconds, rising, at least one; and how much each counts.
    pattern : str
    interval : float, optional
        Mean seconds between beats, where it is known.
    between : (float, float)
        Else the shortest and longest, in seconds.

    Returns
    -------
    Beats
    """
    lengths = interval_lengths(interval, between)
    pad = int(lengths[-1])
    start = times[0] - pad * FRAME
    frames = np.round((times - start) / FRAME).astype(np.int64)
    train = np.zeros(int(frames[-1]) + 2 * pad, dtype=np.float64)
    np.add.at(train, frames, weights)
    kernels = [log_density(int(length), pattern) for length in lengths]
    usual = USUAL_INTERVAL if interval is None else interval
    prior = -0.5 * (np.log(lengths * FRAME / usual) / INTERVAL_SPREAD) ** 2
    # Where the tempo is known, each interval is held to it and not only the first.
    toll = np.zeros(len(lengths)) if interval is None else -0.5 * (np.log(lengths * FRAME / usual) / KNOWN_SPREAD) ** 2
    beats, score = _search(train, lengths, kernels, prior, toll, first=pad, last=int(frames[-1]))
    return Beats(start + np.array(beats) * FRAME, pattern, score)


def interval_lengths(interval: float | None, between: tuple[float, float]) -> NDArray[np.int64]:
    """Lengths tried, in frames, rising: steps of 2.5 % or one frame. Near ``interval`` alone where it is given."""
    shortest, longest = between if interval is None else (interval / KNOWN_WITHIN, interval * KNOWN_WITHIN)
    count = int(np.log(longest / shortest) / 0.025) + 2
    lengths = np.unique(np.round(np.geomspace(shortest, longest, count) / FRAME).astype(np.int64))
    return lengths[lengths >= 4]


def log_density(length: int, pattern: Pattern) -> NDArray[np.float64]:
    """Log of the expected attacks a second at each frame of an interval, shape (length,)."""
    phase = np.arange(length) / length
    spread = SPREAD / (length * FRAME)
    density = np.full(length, 1 - sum(PLACES[pattern].values()))
    for place, share in PLACES[pattern].items():
        distance = np.abs(phase - place)
        distance = np.minimum(distance, 1 - distance)
        density += share * np.exp(-0.5 * (distance / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
    return np.asarray(np.log(density * ATTACKS_A_BEAT / (length * FRAME)))


def _search(
    train: NDArray[np.float64],
    lengths: NDArray[np.int64],
    kernels: list[NDArray[np.float64]],
    prior: NDArray[np.float64],
    toll: NDArray[np.float64],
    *,
    first: int,
    last: int,
) -> tuple[list[int], float]:
    """Viterbi over beats.

    Parameters
    ----------
    train : ndarray, shape (frames,)
        Summed weights of the attacks of each frame.
    lengths, kernels, prior, toll
        Intervals, and for each its log density, its log prior as the first one, and what is added for every one.
    first, last : int
        Frames of the first and last attack: the first beat lies up to an interval before ``first``, the last after
        ``last``.

    Returns
    -------
    list of int
        Frames of the beats.
    float
        Log likelihood.
    """
    band, penalties = _transitions(lengths)
    n = len(lengths)
    every = np.arange(n)
    ring = np.full((int(lengths[-1]) + 1, n), -np.inf)  # what arrives at each coming frame, by the interval that ends
    came = np.zeros((len(train), n), dtype=np.uint8)  # from which interval, for each that begins
    best, at = -np.inf, (0, 0)
    padded = np.concatenate([train, np.zeros(int(lengths[-1]))])
    for begin in range(0, len(train), CHUNK_FRAMES):
        end = min(begin + CHUNK_FRAMES, len(train))
        scores = _interval_scores(padded[begin : end + int(lengths[-1])], end - begin, kernels)
        for t in range(begin, end):
            arrived = ring[t % len(ring)]
            if t > last and arrived.max() > best:
                best, at = float(arrived.max()), (t, int(arrived.argmax()))
            options = arrived[band] + penalties
            choice = options.argmax(axis=1)
            leaving = options[every, choice]
            came[t] = band[every, choice]
            if t <= first:
                fresh = leaving < prior
                leaving = np.where(fresh, prior, leaving)
                came[t, fresh] = n
            ring[t % len(ring)] = -np.inf
            ring[(t + lengths) % len(ring), every] = leaving + scores[t - begin] + toll
    beats = [at[0]]
    t, j = at
    while j != n:
        t -= int(lengths[j])
        beats.append(t)
        j = int(came[t, j])
    return beats[::-1], best


def _interval_scores(train: NDArray[np.float64], count: int, kernels: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Log likelihood of an interval of each length from each frame, shape (count, lengths)."""
    scores = np.empty((count, len(kernels)))
    for j, kernel in enumerate(kernels):
        heard = oaconvolve(train[: count + len(kernel) - 1], kernel[::-1], mode="valid")
        scores[:, j] = heard[:count] - ATTACKS_A_BEAT
    return scores


def _transitions(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each interval those that may come before it, and what the change costs; both (lengths, band)."""
    logs = np.log(lengths)
    distance = np.abs(logs[:, None] - logs[None, :])
    width = int((distance <= REACH).sum(axis=1).max())
    band = np.sort(np.argsort(distance, axis=1, kind="stable")[:, :width], axis=1)
    cost = -np.take_along_axis(distance, band, axis=1) / TEMPO_SCALE
    # Each row is a distribution over what comes next, so that a finer grid of lengths is no likelier.
    spread = np.log(np.exp(-distance / TEMPO_SCALE).sum(axis=1))
    return band, cost - spread[band]
