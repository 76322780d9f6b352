"""Recorded single notes that come as one file each, brought into the layout of `training.samples`.

The packages ``tonejs-instrument-NAME-mp3`` on npm are such: a folder per instrument, whose files are named after what
they hold, such as ``Cs3.mp3`` for the C sharp of the third octave (middle C is C4).
"""

import csv
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import soundfile

from training.errors import DataError
from training.intake import AUDIO_SUFFIXES, read_any_rate, unreadable, with_suffix
from training.jobs import alone_in
from training.prepared import SAMPLE_RATE, Waveform
from training.samples import INDEX, attack

NOTE_NAME = re.compile(r"([A-G])(s|#|b|)(-?\d)")
NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"s": 1, "#": 1, "b": -1, "": 0}
COLUMNS = ("instrument", "program", "pitch_midi", "dynamic", "length_code", "start_s", "duration_s", "onset_s")
DYNAMIC = "mezzo-forte"  # nothing is said of it
# Name, General MIDI program from 0, and of each note the MIDI pitch and the audio, (n,), at the prepared rate.
InstrumentNotes: TypeAlias = tuple[str, int, list[tuple[int, Waveform]]]


def gather_notes(root: Path, programs: Mapping[str, int], out: Path) -> tuple[dict[str, int], dict[Path, str]]:
    """Write one audio file per instrument, and the index.

    Parameters
    ----------
    root : Path
        Holds a folder for each instrument, named after it; files are looked for in folders within, too.
    programs : dict of str to int
        Names of the instruments to take and their General MIDI programs, from 0.
    out : Path
        Becomes a folder of samples.

    Returns
    -------
    counts : dict of str to int
        How many notes each instrument has.
    left_out : dict of Path to str
        Files that cannot be read, with the reason.

    Raises
    ------
    DataError
        If an instrument has no file that is named after a note, or none that can be read.
    """
    left_out: dict[Path, str] = {}
    return write_samples(out, _gathered(root, programs, left_out)), left_out


def _gathered(root: Path, programs: Mapping[str, int], left_out: dict[Path, str]) -> Iterator[InstrumentNotes]:
    for name, program in programs.items():
        notes = read_all(note_files(root / name), left_out)
        if not notes:
            raise DataError(f"{root / name}: no file can be read; {'; '.join(list(left_out.values())[-3:])}")
        yield name, program, notes


def write_samples(out: Path, instruments: Iterable[InstrumentNotes]) -> dict[str, int]:
    """Write one audio file per instrument, and the index; what was in the folder stays until all is written.

    Parameters
    ----------
    out : Path
        Becomes a folder of samples.
    instruments : iterable of InstrumentNotes

    Returns
    -------
    dict of str to int
        How many notes each instrument has.

    Raises
    ------
    DataError
        If another process is at work in the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    with alone_in(out):
        part = out / ".part"
        shutil.rmtree(part, ignore_errors=True)  # of one that was killed
        part.mkdir()
        try:
            counts = _write(part, instruments)
            # The index goes first and comes last: without it a folder is refused, so that no mixture of two is read.
            (out / INDEX).unlink(missing_ok=True)
            for name in counts:
                (part / f"{name}.flac").replace(out / f"{name}.flac")
            (part / INDEX).replace(out / INDEX)
        finally:
            shutil.rmtree(part)
    return counts


def _write(out: Path, instruments: Iterable[InstrumentNotes]) -> dict[str, int]:
    rows: list[dict[str, object]] = []
    counts: dict[str, int] = {}
    for name, program, notes in instruments:
        start = 0.0
        for pitch, audio in notes:
            seconds = len(audio) / SAMPLE_RATE
            said = (name, program, pitch, DYNAMIC, "", round(start, 4), round(seconds, 4), round(attack(audio), 4))
            rows.append(dict(zip(COLUMNS, said, strict=True)))
            start += seconds
        soundfile.write(out / f"{name}.flac", np.concatenate([audio for _, audio in notes]), SAMPLE_RATE)
        counts[name] = len(notes)
    with (out / INDEX).open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return counts


def read_all(paths: Iterable[Path], left_out: dict[Path, str]) -> list[tuple[int, Waveform]]:
    """The pitch and the audio of each file; one that cannot be read comes into `left_out`."""
    notes = []
    for path in paths:
        try:
            if why := unreadable(path):
                raise DataError(why)
            notes.append((pitch_of(path), read_any_rate(path)))
        except DataError as error:
            left_out[path] = error.message
    return notes


def note_files(folder: Path) -> list[Path]:
    """The files in a folder that are named after a note, from the lowest up."""
    files = [path for path in with_suffix(folder.rglob("*"), AUDIO_SUFFIXES) if NOTE_NAME.fullmatch(path.stem)]
    if not files:
        raise DataError(f"{folder}: no files named after the note they hold, such as Cs3.mp3")
    return sorted(files, key=pitch_of)


def pitch_of(path: Path) -> int:
    """The MIDI note number of a file named after a note."""
    match = NOTE_NAME.fullmatch(path.stem)
    if match is None:
        raise DataError(f"{path}: not named after a note, such as Cs3.mp3")
    letter, accidental, octave = match.groups()
    return 12 * (int(octave) + 1) + NATURALS[letter] + ACCIDENTALS[accidental]
