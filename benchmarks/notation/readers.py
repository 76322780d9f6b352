"""Who reads: this project, and the plain baseline."""

from fractions import Fraction
from itertools import groupby

import librosa
import numpy as np
import partitura
from numpy.typing import NDArray

from benchmarks.notation.measures import Written
from model.notation.analysis import analyse
from model.notation.types import Key, Metre, Mode, NotationOptions
from model.note import Note

HOP_SECONDS = 0.01
SIXTEENTH = Fraction(1, 4)


def ours(notes: list[Note], options: NotationOptions | None = None) -> Written:
    """`model.notation`."""
    rhythm = analyse(notes, overrides=options)
    return Written(
        beats=rhythm.beats,
        downbeats=rhythm.downbeats,
        key=rhythm.key,
        metre=rhythm.metre,
        notes=[(note.index, note.onset, note.duration, (note.program, note.voice)) for note in rhythm.notes],
    )


def plain(notes: list[Note]) -> Written:
    """librosa's beats from the onsets, 4/4 from the first beat, the nearest sixteenth; partitura's key and voices."""
    beats = librosa_beats(notes)
    onsets = np.round(4 * _positions(np.array([note.onset for note in notes]), beats)).astype(int)
    offsets = np.round(4 * _positions(np.array([note.offset for note in notes]), beats)).astype(int)
    values = np.maximum(1, offsets - onsets)
    array = note_array(notes)
    voices = np.zeros(len(notes), dtype=int)
    for program in {note.program for note in notes}:
        mine = np.array([note.program == program for note in notes])
        voices[mine] = partitura.musicanalysis.estimate_voices(array[mine]) if mine.sum() > 1 else 1
    return Written(
        beats=beats,
        downbeats=beats[::4],
        key=partitura_key(array),
        metre=Metre(4, 4),
        notes=[
            (i, onsets[i] * SIXTEENTH, int(values[i]) * SIXTEENTH, (notes[i].program, int(voices[i])))
            for i in range(len(notes))
        ],
    )


def librosa_beats(notes: list[Note]) -> NDArray[np.float64]:
    """Ellis' dynamic programming on a curve with a peak at each onset."""
    curve = np.zeros(int(notes[-1].onset / HOP_SECONDS) + 100)
    for onset, group in groupby(notes, key=lambda note: round(note.onset / HOP_SECONDS)):
        curve[onset] += len(list(group))
    _, frames = librosa.beat.beat_track(onset_envelope=curve, sr=1000, hop_length=round(1000 * HOP_SECONDS))
    times = np.asarray(frames) * HOP_SECONDS
    return times if len(times) > 1 else np.arange(0, notes[-1].offset + 1, 0.5)


def _positions(times: NDArray[np.float64], beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Beats from the first one, with straight lines beyond the ends."""
    inner = np.interp(times, beats, np.arange(len(beats)))
    inner = np.where(times < beats[0], (times - beats[0]) / (beats[1] - beats[0]), inner)
    return np.where(times > beats[-1], len(beats) - 1 + (times - beats[-1]) / (beats[-1] - beats[-2]), inner)


def note_array(notes: list[Note]) -> NDArray[np.void]:
    """Notes as partitura takes them."""
    fields = [("onset_sec", "f4"), ("duration_sec", "f4"), ("pitch", "i4"), ("velocity", "i4"), ("id", "U16")]
    rows = [(n.onset, n.offset - n.onset, n.pitch, n.velocity, str(i)) for i, n in enumerate(notes)]
    return np.array(rows, dtype=fields)


def partitura_key(array: NDArray[np.void]) -> Key:
    """Krumhansl and Schmuckler, with partitura's default profiles."""
    name = partitura.musicanalysis.estimate_key(array)
    mode: Mode = "minor" if name.endswith("m") else "major"
    key = name.removesuffix("m")
    return Key.parse(key[0].lower() + key[1:] if mode == "minor" else key)
