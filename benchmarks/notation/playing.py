"""A score as a person plays it and a transcription hears it: tempo, rubato, noise, lost and invented notes; seeded.

Velocities are random, so that no accent tells where a bar begins.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.notation.scores import Score, ScoreNote
from model.note import Note

TEMPI = {2: (45.0, 90.0), 4: (60.0, 140.0), 8: (110.0, 220.0), 16: (110.0, 220.0)}  # beats a minute by denominator
COMPOUND_TEMPI = (45.0, 110.0)
DENSEST = 12.0  # onsets a second; what would be faster is played slower
TEMPO_STEP, TEMPO_PULL = 0.02, 0.9  # random walk of log tempo from beat to beat, and how much of it stays
PHRASE_DEPTH, FINAL_SLOWING = 0.05, 0.35
NOISE_MS = (8.0, 20.0)  # standard deviation of onsets, drawn once a performance
LOST, INVENTED = 0.03, 0.02
GRACE_SECONDS = 0.08


@dataclass(frozen=True)
class Performance:
    """What was played and what it was.

    Parameters
    ----------
    notes : list of Note
        Heard, sorted; some are missing and some were never played.
    played : list of (Note, ScoreNote)
        The written notes that were played, without grace notes.
    beats, downbeats : ndarray, seconds
    """

    score: Score
    notes: list[Note]
    played: list[tuple[Note, ScoreNote]]
    beats: NDArray[np.float64]
    downbeats: NDArray[np.float64]


def play(score: Score, *, seed: int) -> Performance:
    """Play a score once."""
    rng = np.random.default_rng(seed)
    start, end = score.notes[0].onset, max(n.onset + n.duration for n in score.notes)
    bars = (*score.bars, score.bars[-1] + score.metre.bar)
    grid = [float(bar + k * score.metre.beat) for bar in bars for k in range(score.metre.beats)]
    grid = [bars[0] - float((k + 1) * score.metre.beat) for k in reversed(range(8))] + grid
    seconds = np.cumsum(beat_lengths(score, len(grid), rng))
    seconds += 0.3 + rng.uniform(0, 2) - np.interp(float(start), grid, seconds)
    noise = rng.uniform(*NOISE_MS) / 1000
    articulation = rng.uniform(0.7, 1.0)
    played: list[tuple[Note, ScoreNote]] = []
    heard: list[Note] = []
    for written in score.notes:
        onset = float(np.interp(float(written.onset), grid, seconds)) + rng.normal(0, noise)
        offset = float(np.interp(float(written.onset + written.duration), grid, seconds))
        if written.duration == 0:
            onset, offset = onset - GRACE_SECONDS, onset
        offset = onset + max(0.05, (offset - onset) * articulation * np.exp(rng.normal(0, 0.1)))
        note = sound(onset, offset, written.pitch, written.program, rng)
        if written.duration > 0:
            played.append((note, written))
        if rng.uniform() >= LOST:
            heard.append(note)
        if rng.uniform() < INVENTED:
            pitch = int(np.clip(written.pitch + rng.choice([-12, 12, 19, -1, 1]), 21, 108))
            begin = max(0.0, onset + rng.normal(0, 0.2))
            heard.append(sound(begin, begin + rng.uniform(0.05, 0.3), pitch, written.program, rng))
    inside = [(time, position) for time, position in zip(seconds, grid, strict=True) if start <= position < end]
    downs = {float(bar) for bar in bars}
    return Performance(
        score,
        sorted(heard),
        played,
        np.array([time for time, _ in inside]),
        np.array([time for time, position in inside if position in downs]),
    )


def sound(onset: float, offset: float, pitch: int, program: int, rng: np.random.Generator) -> Note:
    """A note of random velocity."""
    onset = max(0.0, onset)
    velocity = int(np.clip(rng.normal(70, 12), 20, 120))
    return Note(onset, pitch, max(offset, onset + 0.03), velocity, program=program)


def beat_lengths(score: Score, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Seconds from each beat to the next, shape (count,)."""
    metre = score.metre
    slowest, fastest = COMPOUND_TEMPI if metre.compound else TEMPI[metre.denominator]
    seconds = 60 / np.exp(rng.uniform(np.log(slowest), np.log(fastest)))
    gaps = np.diff(sorted({float(n.onset) for n in score.notes if n.duration > 0}))
    seconds = max(seconds, float(metre.beat) / DENSEST / np.quantile(gaps, 0.05))
    walk = np.zeros(count)
    for i in range(1, count):
        walk[i] = TEMPO_PULL * walk[i - 1] + rng.normal(0, TEMPO_STEP)
    phrase = PHRASE_DEPTH * np.cos(2 * np.pi * np.arange(count) / (4 * metre.beats) + rng.uniform(0, 6))
    slowing = FINAL_SLOWING * np.clip(np.arange(count) - count + 2 * metre.beats, 0, None) / (2 * metre.beats)
    return np.asarray(seconds * np.exp(walk + phrase + slowing))
