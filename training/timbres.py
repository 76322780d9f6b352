"""Invented instruments: single notes of drawn timbre, made by adding partials, in the layout of `training.samples`.

No soundfont and no collection has every guitar or clarinet there will be. Instruments whose spectra, attacks, decays
and noises are drawn at random teach what all notes have in common (compare Tobin et al. 2017, "Domain randomization").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.arrange import Rng
from training.prepared import SAMPLE_RATE, Waveform
from training.single_notes import InstrumentNotes, write_samples

MOST_PARTIALS = 40
HIGHEST_HZ = 7600.0
STEP = 3  # semitones between the notes of an instrument
SECONDS = {True: 6.0, False: 5.0}  # of a note that is struck, and of one that is held
RELEASE_SECONDS = 0.04
LEVEL = 0.3
# General MIDI programs, from 0, whose notes end as these do, and none of those that the model names.
PROGRAMS = {True: 25, False: 80}
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Formant:
    """A resonance of the body: where (Hz), how much (dB), how wide (octaves)."""

    hz: float
    db: float
    octaves: float


@dataclass(frozen=True, slots=True)
class Timbre:
    """How an instrument sounds.

    Parameters
    ----------
    struck : bool
        Its notes die away by themselves; others are held.
    slope_db, even_db : float
        How much weaker partials are an octave up, and even ones beside odd ones.
    unevenness_db : float
        How much partials differ from that, at every pitch alike.
    formants : tuple of Formant
    plucked_at : float or None
        Share of a string's length; partials with a node there are weak.
    stiffness : float
        Of a string of 200 Hz: partial n lies sqrt(1 + stiffness n^2) above n times the lowest.
    t60, damping : float
        Seconds in which 220 Hz dies away by 60 dB, and how much faster each further partial does.
    attack, lag : float
        Seconds until a note is there, and until the ninth partial of a held one is besides.
    hammer, noise_octaves : float
        Level of the noise at the attack, and the width of every noise.
    thump, breath : float
        Levels of the body at the attack, and of the noise that stays.
    wobble_hz, vibrato_cents, tremolo, swell : float
        Of held notes; `swell` is how much louder their middle is.
    strings, spread_cents : int, float
        How many sound at once, and how far apart they are tuned.
    varied_db : float
        How much partials differ from note to note.
    seed : int
        Of what is uneven.
    """

    struck: bool
    slope_db: float
    unevenness_db: float
    even_db: float
    formants: tuple[Formant, ...]
    plucked_at: float | None
    stiffness: float
    t60: float
    damping: float
    attack: float
    lag: float
    hammer: float
    noise_octaves: float
    thump: float
    breath: float
    wobble_hz: float
    vibrato_cents: float
    tremolo: float
    strings: int
    spread_cents: float
    swell: float
    varied_db: float
    seed: int


def invent_instruments(out: Path, n_instruments: int, *, seed: int) -> dict[str, int]:
    """Write a folder of samples: instruments that are struck and such that are held, two of each in turn.

    Parameters
    ----------
    out : Path
        Becomes a folder of samples, as `training.samples` reads them.
    n_instruments : int
    seed : int
        Equal seeds give equal samples, however many instruments.

    Returns
    -------
    dict of str to int
        How many notes each instrument has.
    """
    return write_samples(out, _invented(n_instruments, seed))


def _invented(n_instruments: int, seed: int) -> Iterator[InstrumentNotes]:
    for number in range(n_instruments):
        rng = np.random.default_rng([seed, number])
        timbre = draw_timbre(rng, struck=number % 4 < 2)
        lowest = int(rng.integers(24, 56))
        highest = min(104, lowest + int(rng.integers(28, 50)))
        notes = [(pitch, sound(timbre, pitch, rng)) for pitch in range(lowest, highest, STEP)]
        yield f"{'struck' if timbre.struck else 'held'}{number:02d}", PROGRAMS[timbre.struck], notes


def draw_timbre(rng: Rng, *, struck: bool) -> Timbre:
    """Draw an instrument."""
    uniform = rng.uniform
    return Timbre(
        struck=struck,
        slope_db=uniform(3, 12 if struck else 14),
        unevenness_db=uniform(2, 8),
        even_db=uniform(0, 25) if rng.random() < 0.3 else 0.0,
        formants=tuple(
            Formant(hz=_between(rng, 250, 4500), db=uniform(-8, 16), octaves=uniform(0.15, 0.6))
            for _ in range(rng.integers(1, 5))
        ),
        plucked_at=uniform(0.05, 0.5) if struck and rng.random() < 0.6 else None,
        stiffness=10 ** uniform(-5, -3.1) if struck else 0.0,
        t60=_between(rng, 0.6, 9),
        damping=uniform(0, 0.5),
        attack=uniform(0.0005, 0.008) if struck else _between(rng, 0.012, 0.12),
        lag=uniform(0, 0.06),
        hammer=_gain(uniform(-55, -22)),
        noise_octaves=uniform(0.3, 2),
        thump=_gain(uniform(-40, -12)),
        breath=_gain(uniform(-60, -26)) if not struck and rng.random() < 0.7 else 0.0,
        wobble_hz=uniform(4, 7),
        vibrato_cents=uniform(2, 35) if not struck and rng.random() < 0.6 else 0.0,
        tremolo=uniform(0, 0.25) if not struck else 0.0,
        strings=int(rng.integers(2, 4)) if rng.random() < 0.35 else 1,
        spread_cents=uniform(0.5, 6),
        swell=uniform(-0.3, 0.5),
        varied_db=uniform(0.5, 2.5),
        seed=int(rng.integers(1 << 31)),
    )


def sound(timbre: Timbre, pitch: int, rng: Rng) -> Waveform:
    """One note, (n,), at the prepared rate."""
    seconds = SECONDS[timbre.struck]
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    lowest = float(440 * 2 ** ((pitch - 69) / 12))
    hz, amplitudes = _partials(timbre, lowest, rng)
    tone = np.zeros(len(t))
    for string in range(timbre.strings):
        ratio = 2 ** (_cents(timbre, t, rng, is_first=string == 0) / 1200)
        phase = 2 * np.pi * np.cumsum(ratio) / SAMPLE_RATE
        for i, (frequency, amplitude) in enumerate(zip(hz, amplitudes, strict=True)):
            envelope = _dying(timbre, t, lowest, i) if timbre.struck else _held(timbre, t, seconds, i)
            tone += amplitude * envelope * np.sin(phase * frequency + rng.uniform(0, 2 * np.pi))
    tone += _noises(timbre, t, lowest, float(np.sqrt(np.mean(tone[: SAMPLE_RATE // 2] ** 2))) + 1e-9, rng)
    release = int(RELEASE_SECONDS * SAMPLE_RATE)
    tone[-release:] *= np.linspace(1, 0, release)
    return np.asarray(LEVEL * tone / np.abs(tone).max(), dtype=np.float32)


def _partials(timbre: Timbre, lowest: float, rng: Rng) -> tuple[Floats, Floats]:
    """Frequencies (Hz) and amplitudes of a note's partials."""
    number = np.arange(1, MOST_PARTIALS + 1)
    stiffness = timbre.stiffness * (lowest / 200) ** 0.5
    hz = number * lowest * np.sqrt(1 + stiffness * number**2) / np.sqrt(1 + stiffness)
    number, hz = number[hz < HIGHEST_HZ], hz[hz < HIGHEST_HZ]
    uneven = np.random.default_rng(timbre.seed).normal(0, timbre.unevenness_db, MOST_PARTIALS)[: len(number)]
    db = -timbre.slope_db * np.log2(number) + uneven + rng.normal(0, timbre.varied_db, len(number))
    db[0] -= uneven[0] / 2
    db -= timbre.even_db * (number % 2 == 0)
    for formant in timbre.formants:
        db += formant.db * np.exp(-0.5 * (np.log2(hz / formant.hz) / formant.octaves) ** 2)
    amplitudes = 10 ** (db / 20)
    if timbre.plucked_at is not None:
        amplitudes *= np.abs(np.sin(np.pi * number * timbre.plucked_at)) + 0.03
    return hz, amplitudes


def _cents(timbre: Timbre, t: Floats, rng: Rng, *, is_first: bool) -> Floats:
    """How far a string is from its pitch at each moment."""
    apart = 0.0 if is_first else rng.normal(0, timbre.spread_cents)
    wobble = np.sin(2 * np.pi * timbre.wobble_hz * t + rng.uniform(0, 6.28))
    cents = apart + timbre.vibrato_cents * np.clip((t - 0.25) / 0.4, 0, 1) * wobble
    if timbre.struck:
        return np.asarray(cents)
    walk = np.cumsum(rng.normal(0, 1, len(t) // 400 + 2))
    walk -= np.linspace(walk[0], walk[-1], len(walk))
    return np.asarray(cents + np.interp(np.arange(len(t)), np.arange(len(walk)) * 400, walk) * 0.4)


def _dying(timbre: Timbre, t: Floats, lowest: float, i: int) -> Floats:
    t60 = timbre.t60 * (220 / lowest) ** 0.6 / (1 + timbre.damping * i)
    return np.asarray(10 ** (-3 * t / t60) * np.clip(t / timbre.attack, 0, 1))


def _held(timbre: Timbre, t: Floats, seconds: float, i: int) -> Floats:
    begun = 1 - np.exp(-2.3 * t / (timbre.attack + timbre.lag * i / 8))
    swell = 1 + timbre.swell * np.sin(np.pi * t / seconds) * (1 + 0.1 * i)
    tremolo = 1 + timbre.tremolo * np.sin(2 * np.pi * timbre.wobble_hz * t + i * 0.3)
    return np.asarray(begun * swell * tremolo)


def _noises(timbre: Timbre, t: Floats, lowest: float, level: float, rng: Rng) -> Floats:
    """What is heard beside the partials."""
    spectrum = np.fft.rfft(rng.normal(0, 1, len(t)))
    hz = np.fft.rfftfreq(len(t), 1 / SAMPLE_RATE) + 1
    band = np.exp(-0.5 * (np.log2(hz / (lowest * rng.uniform(1, 5))) / timbre.noise_octaves) ** 2)
    noise = np.fft.irfft(spectrum * band, len(t))
    noise /= noise.std() + 1e-9
    thump = np.sin(2 * np.pi * rng.uniform(70, 160) * t) * np.exp(-t / 0.05) * timbre.struck
    return np.asarray(
        level * (3 * timbre.hammer * noise * np.exp(-t / 0.03) + 2 * timbre.thump * thump + timbre.breath * noise)
    )


def _between(rng: Rng, low: float, high: float) -> float:
    """Drawn evenly over octaves."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _gain(db: float) -> float:
    return float(10 ** (db / 20))
