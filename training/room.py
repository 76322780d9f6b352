"""Rooms: short impulse responses made of reflections and decaying noise, which leave every onset where it is."""

from functools import lru_cache

import numpy as np
import scipy.signal

from training.prepared import SAMPLE_RATE, Waveform

Rng = np.random.Generator


def room_impulse(rng: Rng, *, seconds: float, direct_db: float) -> Waveform:
    """Make a room.

    Parameters
    ----------
    rng : np.random.Generator
    seconds : float
        Reverberation time: until the tail has fallen by 60 dB.
    direct_db : float
        How much louder the direct sound is than all that is reflected.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Its first sample is the direct sound, so that labels keep their times.
    """
    n_samples = max(64, round(min(seconds, 1.2) * SAMPLE_RATE))
    times = np.arange(n_samples) / SAMPLE_RATE
    tail = rng.standard_normal(n_samples) * 10 ** (-3 * times / seconds)
    # Air and walls take the highs first: the noise is dulled, more in some rooms than in others.
    tail = scipy.signal.lfilter([1.0], [1.0, -rng.uniform(0.1, 0.8)], tail)
    tail[: round(rng.uniform(0.004, 0.03) * SAMPLE_RATE)] = 0  # before the first walls answer
    early = rng.integers(round(0.002 * SAMPLE_RATE), max(40, round(0.04 * SAMPLE_RATE)), size=6)
    tail[early % n_samples] += rng.uniform(-1, 1, 6) * np.abs(tail).max(initial=1.0) * 2
    tail[0] = 0
    tail *= 10 ** (-direct_db / 20) / (np.sqrt((tail**2).sum()) + 1e-9)
    tail[0] = 1.0
    return np.asarray(tail, dtype=np.float32)


def in_room(waveform: Waveform, impulse: Waveform) -> Waveform:
    """Sound a waveform in a room; the length stays, what rings on after the end is cut."""
    wet = scipy.signal.oaconvolve(waveform, impulse)[: len(waveform)]
    return np.asarray(wet, dtype=np.float32)


@lru_cache(maxsize=4)
def rooms(seed: int, count: int) -> tuple[Waveform, ...]:
    """A stock of rooms, from dry to a church's, made once: making one costs as much as using it."""
    rng = np.random.default_rng(seed)
    return tuple(
        room_impulse(
            rng, seconds=float(np.exp(rng.uniform(np.log(0.12), np.log(1.6)))), direct_db=float(rng.uniform(-2, 14))
        )
        for _ in range(count)
    )
