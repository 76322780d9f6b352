"""A folder of recorded single notes: one audio file per instrument, and an index that says where each note lies.

``index.csv`` has the columns instrument, program, pitch_midi, dynamic, length_code, start_s, duration_s and onset_s
(the audible attack, in seconds after start_s); the audio file of an instrument is named after it.
"""

import csv
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from training.attack import HEARD, PROBE_SECONDS
from training.errors import DataError
from training.instruments import instrument as general_midi
from training.periodicity import heard_pitch
from training.prepared import SAMPLE_RATE, Waveform

# The velocity that a player's dynamic stands for. Swelling notes have no one dynamic and count as loud in their middle.
DYNAMICS: dict[str, float] = {
    "molto-pianissimo": 22,
    "pianissimo": 34,
    "piano": 48,
    "mezzo-piano": 62,
    "mezzo-forte": 76,
    "forte": 94,
    "fortissimo": 114,
    "cresc-decresc": 80,
}
INDEX = "index.csv"
LATEST_ONSET = 0.3  # a note whose attack was found later than this was found wrongly
# Below its loudest moment by this much a note counts as over: what remains of a bowed or blown one is the room, while a
# plucked string is still heard as itself.
OVER_DB = {True: -24.0, False: -32.0}
ENVELOPE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Sample:
    """One recorded note.

    Parameters
    ----------
    instrument : str
    pitch : float
        MIDI pitch that is heard, with its fraction.
    velocity : float
        What its dynamic stands for.
    audio : np.ndarray [shape=(n,), dtype=float32]
        At the prepared rate.
    onset : float
        Seconds from the beginning of `audio` to the attack.
    sounding : float
        Seconds from the attack until the note is over.
    level : float
        RMS of its loudest 10 ms.
    """

    instrument: str
    pitch: float
    velocity: float
    audio: Waveform
    onset: float
    sounding: float
    level: float


@dataclass(frozen=True, slots=True)
class Voice:
    """All notes of one recorded instrument; `program` is 0-based General MIDI."""

    name: str
    program: int
    samples: tuple[Sample, ...]

    @property
    def sustains(self) -> bool:
        """Whether it goes on sounding until its player stops."""
        return general_midi(self.program).sustains

    @property
    def lowest(self) -> int:
        """Lowest recorded pitch."""
        return round(min(sample.pitch for sample in self.samples))

    @property
    def highest(self) -> int:
        """Highest recorded pitch."""
        return round(max(sample.pitch for sample in self.samples))


def take_of(row: dict[str, str]) -> int:
    """A number 0 to 9 that tells takes apart evenly, to keep some of each instrument for validation: a tenth has 0."""
    return (int(row["pitch_midi"]) * 7 + len(row["dynamic"]) * 3 + sum(map(ord, row["length_code"]))) % 10


@lru_cache(maxsize=2)
def load_voices(root: Path, instruments: tuple[str, ...], takes: tuple[int, ...]) -> tuple[Voice, ...]:
    """Load recorded instruments.

    Parameters
    ----------
    root : Path
        Folder with ``index.csv``.
    instruments : tuple of str
        Which to load.
    takes : tuple of int
        Which takes, by `take_of`.

    Returns
    -------
    tuple of Voice
        In the order asked for.

    Raises
    ------
    DataError
        If the index or an audio file is missing or damaged, or an instrument has no note of those takes.
    """
    rows = read_index(root)
    return tuple(
        load_voice(root, name, [row for row in rows if row["instrument"] == name], takes) for name in instruments
    )


def read_index(root: Path) -> list[dict[str, str]]:
    """Read the index of a folder of samples."""
    try:
        with (root / INDEX).open(newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{root}: the index of the samples cannot be read: {error}") from error


def instrument_names(root: Path) -> list[str]:
    """Names of the recorded instruments, sorted."""
    return sorted({row["instrument"] for row in read_index(root)})


def load_voice(root: Path, name: str, rows: Collection[dict[str, str]], takes: Collection[int]) -> Voice:
    """Cut one instrument's file into its notes."""
    audio = read_instrument(root, name)
    try:
        usable = [row for row in rows if take_of(row) in takes and row["length_code"] != "phrase"]
        samples = [checked(cut(audio, row)) for row in usable if float(row["onset_s"]) < LATEST_ONSET]
        program = int(next(iter(rows))["program"])
    except (KeyError, ValueError, StopIteration) as error:
        raise DataError(f"{root / 'index.csv'}: a line of {name} cannot be used: {error!r}") from error
    heard = tuple(sample for sample in samples if sample is not None and sample.sounding > 0.1)
    if not heard:
        raise DataError(f"{root}: no usable note of {name} in takes {sorted(takes)}")
    return Voice(name, program, heard)


def checked(sample: Sample) -> Sample | None:
    """Put a note at the pitch that is heard; None if it has none."""
    first, last = round((sample.onset + 0.04) * SAMPLE_RATE), round((sample.onset + sample.sounding) * SAMPLE_RATE)
    pitch = heard_pitch(sample.audio[first:last], round(sample.pitch))
    return None if pitch is None else replace(sample, pitch=pitch)


def read_instrument(root: Path, name: str) -> Waveform:
    """Read an instrument's file at the prepared rate."""
    path = next((path for path in sorted(root.glob(f"{name}.*")) if path.suffix in {".opus", ".flac", ".wav"}), None)
    if path is None:
        raise DataError(f"{root}: no audio file for {name}")
    try:
        audio, rate = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path}: audio cannot be read: {error}") from error
    if rate != SAMPLE_RATE or audio.ndim != 1:
        raise DataError(f"{path}: samples are mono at {SAMPLE_RATE} Hz, got shape {audio.shape} at {rate} Hz")
    return np.asarray(audio, dtype=np.float32)


def cut(audio: Waveform, row: dict[str, str]) -> Sample:
    """Cut one note out of an instrument's file and measure when it is over."""
    start = round(float(row["start_s"]) * SAMPLE_RATE)
    stop = start + round(float(row["duration_s"]) * SAMPLE_RATE)
    note = audio[start:stop]
    onset = float(row["onset_s"])
    sustains = general_midi(int(row["program"])).sustains
    sounding, level = measure(note[round(onset * SAMPLE_RATE) :], OVER_DB[sustains])
    return Sample(row["instrument"], int(row["pitch_midi"]), DYNAMICS[row["dynamic"]], note, onset, sounding, level)


def attack(audio: Waveform) -> float:
    """Seconds until a note is heard, as `training.attack` has it: nearly at its loudest in its first moments."""
    envelope = rms(audio[: round(PROBE_SECONDS * SAMPLE_RATE)], round(ENVELOPE_SECONDS * SAMPLE_RATE))
    return float(np.argmax(envelope >= HEARD * envelope.max(initial=0.0))) * ENVELOPE_SECONDS


def measure(note: Waveform, over_db: float) -> tuple[float, float]:
    """Seconds until a note, from its attack on, is over for good, and the RMS of its loudest 10 ms."""
    envelope = rms(note, round(ENVELOPE_SECONDS * SAMPLE_RATE))
    loudest = float(envelope.max(initial=0.0))
    if loudest <= 0:
        return 0.0, 0.0
    last = int(np.flatnonzero(envelope >= loudest * 10 ** (over_db / 20))[-1])
    return (last + 1) * ENVELOPE_SECONDS, loudest


def rms(audio: Waveform, window: int) -> Waveform:
    """Root mean square over windows without overlap; a rest shorter than a window is left out."""
    whole = audio[: len(audio) // window * window].reshape(-1, window)  # (n windows, window)
    return np.asarray(np.sqrt((whole.astype(np.float64) ** 2).mean(axis=1)), dtype=np.float32)
