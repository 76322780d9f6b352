"""Play parts with recorded single notes.

Each note of a part is played by one sample: near in pitch, near in dynamic, long enough if there is one, resampled to
its pitch. The attack of the sample lands on the onset; the label ends where the sound does, which is earlier than
written when no sample lasts so long.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from model.note import Note
from training.arrange import Rng
from training.errors import DataError
from training.musicnet import Part
from training.prepared import SAMPLE_RATE, Waveform
from training.samples import Sample, Voice

PRE_ROLL = 0.06  # seconds of breath, bow or finger kept before the attack
FADE_IN = 0.005
DYNAMIC_RANGE_DB = 30.0  # from velocity 127 down to 0
SHORTEST = 0.03


@dataclass(frozen=True, slots=True)
class SamplerConfig:
    """How samples are chosen and ended.

    Parameters
    ----------
    most_semitones : int
        A sample is moved by no more than this; a pitch that has none so near cannot be played.
    release : tuple of float
        Shortest and longest fade, in seconds, after a note is cut at its end.
    cents : float
        Spread of the tuning of single notes; the players' own is put right, since a label says nothing of it.
    """

    most_semitones: int = 2
    release: tuple[float, float] = (0.03, 0.12)
    cents: float = 7.0


@dataclass(frozen=True, slots=True)
class Played:
    """What came out: the audio, the notes that are in it, and how many of the part could not be played."""

    audio: Waveform
    notes: tuple[Note, ...]
    unplayable: int


def play(part: Part, voice: Voice, *, seconds: float, rng: Rng, config: SamplerConfig, cents: float = 0.0) -> Played:
    """Play a part on a recorded instrument.

    Parameters
    ----------
    part : Part
        With velocities.
    voice : Voice
        The instrument.
    seconds : float
        Length of the audio; what sounds longer is cut.
    rng : np.random.Generator
    config : SamplerConfig
    cents : float
        Tuning of the whole part.

    Returns
    -------
    Played
        Audio is [shape=(n,), dtype=float32], at a level that other parts can be added to; its notes carry the
        instrument's program.

    Raises
    ------
    DataError
        If no note of the part can be played on the instrument.
    """
    audio = np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)
    desk = Desk(voice, config, cents)
    played: list[Note] = []
    for note in part.notes:
        sound = desk.sound(note, rng)
        if sound is not None and note.onset < seconds - SHORTEST:
            add(audio, sound.audio, note.onset - sound.onset)
            played.append(Note(note.onset, note.pitch, min(sound.end, seconds), note.velocity, 1.0, voice.program))
    if part.notes and not played:
        raise DataError(
            f"{voice.name} ({voice.lowest}..{voice.highest}) can play no note of a part of {len(part.notes)}"
        )
    return Played(audio, tuple(played), len(part.notes) - len(played))


@dataclass(frozen=True, slots=True)
class Sound:
    """One note as audio: `onset` seconds into it is the attack, and the note ends at `end` seconds of the piece."""

    audio: Waveform
    onset: float
    end: float


class Desk:
    """A player with samples at hand: candidates of each pitch are gathered once, resampled ones are kept."""

    def __init__(self, voice: Voice, config: SamplerConfig, cents: float) -> None:
        self._voice = voice
        self._config = config
        self._cents = cents
        self._candidates: dict[int, Sequence[int]] = {}
        self._tuned: dict[tuple[int, int], Waveform] = {}

    def sound(self, note: Note, rng: Rng) -> Sound | None:
        """Play one note, or nothing if no sample is near enough."""
        index = self._choose(note, rng)
        if index is None:
            return None
        sample = self._voice.samples[index]
        ratio = self._ratio(sample, note)
        # Every note a little off, in steps of 3 cents so that resampled audio can be used again.
        steps = round(float(rng.normal(0, self._config.cents)) / 3)
        audio = self._resampled(index, note.pitch, steps, ratio * 2 ** (steps / 400))
        length = min(note.offset - note.onset, sample.sounding / ratio)
        release = float(rng.uniform(*self._config.release))
        return shape(audio, sample, ratio, note, max(length, SHORTEST), release)

    def _ratio(self, sample: Sample, note: Note) -> float:
        return float(2 ** ((note.pitch - sample.pitch + self._cents / 100) / 12))

    def _choose(self, note: Note, rng: Rng) -> int | None:
        near = self._near(note.pitch)
        if not near:
            return None
        costs = [self._cost(self._voice.samples[index], note) for index in near]
        return near[int(np.argmin(np.array(costs) + rng.gumbel(0, 0.4, len(costs))))]

    def _near(self, pitch: int) -> Sequence[int]:
        if pitch not in self._candidates:
            most = self._config.most_semitones
            samples = enumerate(self._voice.samples)
            self._candidates[pitch] = [index for index, sample in samples if abs(round(sample.pitch) - pitch) <= most]
        return self._candidates[pitch]

    def _cost(self, sample: Sample, note: Note) -> float:
        """How badly a sample fits: a semitone weighs as much as 15 of velocity, or as ending 0.2 s early."""
        early = max(0.0, min(note.offset - note.onset, 4.0) - sample.sounding)
        # A long note cut short lacks its own ending, so a staccato note is better played by a short one.
        cut = 0.3 * max(0.0, min(2.0, sample.sounding - (note.offset - note.onset)))
        return abs(sample.pitch - note.pitch) + abs(sample.velocity - note.velocity) / 15 + 5 * early + cut

    def _resampled(self, index: int, pitch: int, steps: int, ratio: float) -> Waveform:
        key = (index, pitch * 100 + steps)
        if key not in self._tuned:
            # Read as if recorded faster: everything is higher and shorter by the ratio.
            audio = self._voice.samples[index].audio
            self._tuned[key] = np.asarray(soxr.resample(audio, SAMPLE_RATE * ratio, SAMPLE_RATE), dtype=np.float32)
        return self._tuned[key]


def shape(audio: Waveform, sample: Sample, ratio: float, note: Note, length: float, release: float) -> Sound:
    """Cut a resampled sample to its note, fade both ends, and set its loudness by the velocity."""
    onset = sample.onset / ratio
    start = max(0.0, onset - PRE_ROLL)
    cut_early = length < sample.sounding / ratio - 0.01
    first = round(start * SAMPLE_RATE)
    body = audio[first : round((onset + length + release) * SAMPLE_RATE)] if cut_early else audio[first:]
    gain = 10 ** (DYNAMIC_RANGE_DB * (note.velocity / 127 - 1) / 20) / max(sample.level, 1e-6)
    shaped = np.asarray(body * np.float32(gain))
    fade_in = min(len(shaped), round(FADE_IN * SAMPLE_RATE))
    fade_out = min(len(shaped), round((release if cut_early else 0.02) * SAMPLE_RATE))
    shaped[:fade_in] *= np.linspace(0, 1, fade_in, dtype=np.float32)
    shaped[len(shaped) - fade_out :] *= np.cos(np.linspace(0, np.pi / 2, fade_out, dtype=np.float32)) ** 2
    return Sound(shaped, onset - start, note.onset + length)


def add(audio: Waveform, sound: Waveform, time: float) -> None:
    """Add a sound at a time in seconds; what lies outside is cut."""
    start = round(time * SAMPLE_RATE)
    skip = max(0, -start)
    end = min(len(audio), start + len(sound))
    if end > start + skip:
        audio[start + skip : end] += sound[skip : end - start]
