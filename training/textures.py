"""Music made by rule, for what pieces lack: scales, arpeggios, chords, free lines over an instrument's whole range."""

import numpy as np

from model.note import Note
from training.arrange import Rng
from training.musicnet import Part

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11), (0, 2, 4, 7, 9), tuple(range(12)))
LINE_PROGRAM = 40  # stands for any instrument of one line until a player is chosen
CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10), (0, 3, 6, 9), (0, 5, 7), (0, 7, 12))


def texture(low: int, high: int, *, seconds: float, rng: Rng) -> Part:
    """Make a part for an instrument.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch, MIDI.
    seconds : float
        About how long.
    rng : np.random.Generator

    Returns
    -------
    Part
        Sections of a few seconds, each of one kind, with rests between some.
    """
    notes: list[Note] = []
    time = float(rng.uniform(0.2, 1.0))
    while time < seconds - 2:
        length = min(float(rng.uniform(3, 9)), seconds - 1 - time)
        kind = KINDS[rng.integers(len(KINDS))]
        notes += kind(low, high, time, time + length, rng)
        time += length + (float(rng.uniform(0.2, 1.5)) if rng.random() < 0.4 else 0.0)
    return Part.of(LINE_PROGRAM, notes)


def steps(start: float, stop: float, rng: Rng) -> list[float]:
    """Onsets at one random pace with a little unevenness."""
    pace = float(np.exp(rng.uniform(np.log(0.09), np.log(0.7))))
    count = max(1, int((stop - start) / pace))
    return sorted(max(0.0, start + (i + float(rng.normal(0, 0.06))) * pace) for i in range(count))


def line(pitches: list[int], onsets: list[float], stop: float, rng: Rng) -> list[Note]:
    """Make a melody of pitches and onsets."""
    touch = float(rng.choice([0.5, 0.8, 0.98, 1.05, 2.5]))
    nexts = [*onsets[1:], stop]
    return [
        Note(onset, pitch, onset + max(0.05, (after - onset) * touch))
        for pitch, onset, after in zip(pitches, onsets, nexts, strict=True)
    ]


def run(low: int, high: int, start: float, stop: float, rng: Rng) -> list[Note]:
    """A scale up and down from a random tone."""
    scale = SCALES[rng.integers(len(SCALES))]
    root = int(rng.integers(12))
    ladder = [pitch for pitch in range(low, high + 1) if (pitch - root) % 12 in scale] or [low]
    onsets = steps(start, stop, rng)
    first, up = int(rng.integers(len(ladder))), rng.random() < 0.5
    zigzag = ladder + ladder[-2:0:-1]
    offset = first if up else len(zigzag) - 1 - first
    return line([zigzag[(offset + i) % len(zigzag)] for i in range(len(onsets))], onsets, stop, rng)


def arpeggio(low: int, high: int, start: float, stop: float, rng: Rng) -> list[Note]:
    """A broken chord over one or two octaves, in one order."""
    pitches = chord(low, high, rng, octaves=2)
    order = rng.permutation(len(pitches)) if rng.random() < 0.3 else np.arange(len(pitches))
    onsets = steps(start, stop, rng)
    return line([pitches[order[i % len(order)]] for i in range(len(onsets))], onsets, stop, rng)


def block_chords(low: int, high: int, start: float, stop: float, rng: Rng) -> list[Note]:
    """Chords struck together, changing every one or two."""
    notes: list[Note] = []
    onsets = steps(start, stop, rng)[::2]
    for onset, after in zip(onsets, [*onsets[1:], stop], strict=True):
        length = max(0.08, (after - onset) * float(rng.uniform(0.5, 1.1)))
        pitches = chord(low, high, rng, octaves=int(rng.integers(1, 3)))[: int(rng.integers(2, 6))]
        notes += [
            Note(max(0.0, onset + float(rng.uniform(0, 0.02))), pitch, onset + length + 0.02) for pitch in pitches
        ]
    return notes


def wander(low: int, high: int, start: float, stop: float, rng: Rng) -> list[Note]:
    """A free melody that walks by small steps and now and then leaps."""
    onsets = steps(start, stop, rng)
    pitch = int(rng.integers(low, high + 1))
    pitches: list[int] = []
    for _ in onsets:
        leap = int(rng.integers(-12, 13)) if rng.random() < 0.2 else int(rng.integers(-3, 4))
        pitch = int(np.clip(pitch + leap, low, high))
        pitches.append(pitch)
    return line(pitches, onsets, stop, rng)


def chord(low: int, high: int, rng: Rng, *, octaves: int) -> list[int]:
    """A chord on a random root within the range, over so many octaves."""
    shape = CHORDS[rng.integers(len(CHORDS))]
    root = int(rng.integers(low, max(low + 1, high - 11)))
    pitches = sorted({root + tone + 12 * octave for octave in range(octaves) for tone in shape})
    return [pitch for pitch in pitches if pitch <= high] or [low]


KINDS = (run, arpeggio, block_chords, wander)
