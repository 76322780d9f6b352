"""Signals with known notes, for tests: made here, so no audio file is kept in the repository."""

import numpy as np
from numpy.typing import NDArray

SR = 16000


def frequency_of(pitch: int) -> float:
    """Equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def sine(frequency: float, seconds: float, *, sr: int = SR, amplitude: float = 0.5) -> NDArray[np.float32]:
    """A steady sine."""
    time = np.arange(int(seconds * sr)) / sr
    return (amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def plucked(pitch: int, seconds: float, *, sr: int = SR, amplitude: float = 0.3) -> NDArray[np.float32]:
    """A string-like tone: ten partials that decay, the high ones sooner, after a 2 ms attack."""
    time = np.arange(int(seconds * sr)) / sr
    tone = np.zeros_like(time)
    for partial in range(1, 11):
        frequency = partial * frequency_of(pitch)
        if frequency < 0.45 * sr:
            tone += np.sin(2 * np.pi * frequency * time) / partial * np.exp(-time * (1.5 + 0.6 * partial))
    return (amplitude * tone * np.clip(time / 0.002, 0, 1)).astype(np.float32)


def melody(notes: list[tuple[float, float, int]], seconds: float, *, sr: int = SR) -> NDArray[np.float32]:
    """Plucked notes given as (onset s, offset s, MIDI pitch)."""
    wave = np.zeros(int(seconds * sr), dtype=np.float32)
    for onset, offset, pitch in notes:
        start = int(onset * sr)
        tone = plucked(pitch, offset - onset, sr=sr)
        fade = np.clip((len(tone) - np.arange(len(tone))) / (0.02 * sr), 0, 1)
        stop = min(len(wave), start + len(tone))
        wave[start:stop] += (tone * fade)[: stop - start].astype(np.float32)
    return wave / np.float32(max(1.0, np.abs(wave).max() / 0.9))


# A tune with leaps, chords and repeated notes; 12 s.
TUNE = [
    *[(0.5 + 0.5 * i, 0.95 + 0.5 * i, p) for i, p in enumerate((60, 62, 64, 65, 67, 69, 71, 72))],
    *[(4.8, 6.0, p) for p in (48, 60, 64, 67)],
    *[(6.2 + 0.3 * i, 6.4 + 0.3 * i, 76) for i in range(5)],
    *[(8.0, 9.8, p) for p in (43, 59, 62, 67, 71)],
    *[(10.0, 11.5, p) for p in (36, 55, 60, 64, 84)],
]
TUNE_SECONDS = 12.0
