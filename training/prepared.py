"""The layout that all data is brought into before training.

``PREPARED/<set>/`` holds, for each recording, ``<id>.wav`` (16 kHz, mono, PCM16, so that a crop is one seek) and
``<id>.tsv`` (a header line, then onset s, offset s, pitch, velocity 1-127 and 0-based General MIDI program), and one
``manifest.json`` that names them all: a recording that the manifest does not name is not there.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from model.note import HIGHEST_PITCH, LOWEST_PITCH, Note
from training.errors import DataError

SAMPLE_RATE = 16000
MANIFEST = "manifest.json"
HEADER = "onset\toffset\tpitch\tvelocity\tprogram"

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Split: TypeAlias = Literal["train", "validation", "test"]
Waveform: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a prepared set.

    Parameters
    ----------
    id : str
        Name of its files without the ending.
    seconds : float
        Length of the audio.
    n_notes : int
        Notes in the label file.
    source : str
        Where it comes from, in words.
    split : {"train", "validation", "test"}
        What it may be used for.
    sha256 : str
        Of the WAV file.
    made : dict
        How it was made: what a second run needs to make the same.
    """

    id: str
    seconds: float
    n_notes: int
    source: str
    split: Split
    sha256: str
    made: dict[str, Json]


def read_manifest(folder: Path) -> list[Recording]:
    """Read the recordings of a prepared set.

    Parameters
    ----------
    folder : Path
        ``PREPARED/<set>``.

    Returns
    -------
    list of Recording
        Sorted by id; empty if nothing has been prepared there yet.

    Raises
    ------
    DataError
        If the manifest is there and cannot be read.
    """
    path = folder / MANIFEST
    if not path.exists():
        return []
    try:
        records = json.loads(path.read_text())["recordings"]
        return sorted((Recording(**record) for record in records), key=lambda recording: recording.id)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a manifest of a prepared set: {error}") from error


def distinct_names(folders: Sequence[Path]) -> None:
    """Refuse sets of one name, which would stand under one name in results.

    Raises
    ------
    DataError
        If two folders have the same name.
    """
    names = [folder.resolve().name for folder in folders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"each set needs a name of its own, got more than one {', '.join(twice)}")


def write_manifest(folder: Path, recordings: Iterable[Recording], left_out: Mapping[str, str] | None = None) -> None:
    """Replace the manifest of a set at once, so that a reader never sees half of it.

    Parameters
    ----------
    folder : Path
        ``PREPARED/<set>``, which exists.
    recordings : iterable of Recording
    left_out : mapping of str to str, optional
        Ids of the recordings that could not be used, with the reason.
    """
    records = [asdict(recording) for recording in sorted(recordings, key=lambda recording: recording.id)]
    manifest = {"sample_rate": SAMPLE_RATE, "recordings": records, "left_out": dict(sorted((left_out or {}).items()))}
    replace_text(folder / MANIFEST, json.dumps(manifest, indent=1))


def write_recording(
    folder: Path,
    recording_id: str,
    waveform: Waveform,
    notes: Sequence[Note],
    *,
    source: str,
    split: Split,
    made: dict[str, Json],
) -> Recording:
    """Write one recording's audio and labels; the caller puts the returned record into the manifest.

    Parameters
    ----------
    folder : Path
        ``PREPARED/<set>``, which exists.
    recording_id : str
        Name of the files.
    waveform : np.ndarray [shape=(n,), dtype=float32]
        Audio at `SAMPLE_RATE`, within -1..1.
    notes : sequence of Note
        Labels, all within the audio.
    source, split, made
        As in `Recording`.

    Returns
    -------
    Recording

    Raises
    ------
    DataError
        If a sample is not finite or exceeds full scale, or a note begins after the audio ends.
    """
    check_recording(recording_id, waveform, notes)
    temporary = folder / f".{recording_id}.part.wav"
    soundfile.write(temporary, waveform, SAMPLE_RATE, subtype="PCM_16")
    return store_recording(folder, recording_id, temporary, notes, source=source, split=split, made=made)


def store_recording(
    folder: Path,
    recording_id: str,
    audio: Path,
    notes: Sequence[Note],
    *,
    source: str,
    split: Split,
    made: dict[str, Json],
) -> Recording:
    """Move finished audio, a file beside its final place, into a set and write its labels; see `write_recording`."""
    path = folder / f"{recording_id}.wav"
    audio.replace(path)
    write_notes(folder / f"{recording_id}.tsv", notes)
    seconds = round(soundfile.info(path).frames / SAMPLE_RATE, 6)
    return Recording(recording_id, seconds, len(notes), source, split, sha256_of(path), made)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_recording(recording_id: str, waveform: Waveform, notes: Sequence[Note]) -> None:
    """Refuse audio or labels that a network would learn nonsense from."""
    seconds = len(waveform) / SAMPLE_RATE
    if not np.isfinite(waveform).all():
        raise DataError(f"{recording_id}: the audio holds samples that are not finite")
    if len(waveform) == 0 or np.abs(waveform).max() > 1:
        raise DataError(f"{recording_id}: audio must be non-empty and within -1..1, got {len(waveform)} samples")
    late = [note for note in notes if note.onset >= seconds]
    if late:
        raise DataError(f"{recording_id}: {len(late)} notes begin after the audio ends at {seconds:.2f} s")


def write_notes(path: Path, notes: Sequence[Note]) -> None:
    """Write a label file, sorted by onset, times to the microsecond."""
    lines = [
        f"{note.onset:.6f}\t{note.offset:.6f}\t{note.pitch}\t{note.velocity}\t{note.program}" for note in sorted(notes)
    ]
    replace_text(path, "\n".join([HEADER, *lines]) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write a file at once, so that nobody ever finds half of it."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text)
    temporary.replace(path)


def read_notes(path: Path) -> list[Note]:
    """Read a label file.

    Parameters
    ----------
    path : Path
        A ``.tsv`` of a prepared set.

    Returns
    -------
    list of Note
        In the order of the file, which is by onset.

    Raises
    ------
    DataError
        If the file is missing or no text, or a line is not a note; names file and line.
    """
    try:
        lines = path.read_text().splitlines()[1:]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: labels cannot be read: {error}") from error
    return [parse_note(line, path, number) for number, line in enumerate(lines, start=2)]


def read_labels(folder: Path, recording: Recording) -> list[Note]:
    """Read the notes of a recording of a set.

    Raises
    ------
    DataError
        If its label file cannot be read, or does not hold as many notes as were written.
    """
    path = folder / f"{recording.id}.tsv"
    notes = read_notes(path)
    if len(notes) != recording.n_notes:
        raise DataError(f"{path}: {len(notes)} notes, its manifest says {recording.n_notes}; prepare the set again")
    return notes


def labels_fault(folder: Path, recording: Recording) -> str | None:
    """What is wrong with a recording's label file, if anything."""
    try:
        read_labels(folder, recording)
    except DataError as error:
        return error.message
    return None


def parse_note(line: str, path: Path, number: int) -> Note:
    """Parse one line of a label file."""
    try:
        onset, offset, pitch, velocity, program = line.split("\t")
        return Note(float(onset), int(pitch), float(offset), int(velocity), program=int(program))
    except ValueError as error:
        raise DataError(f"{path}, line {number}: not a note: {error}") from error


def read_audio(path: Path, *, start: int = 0, n_samples: int | None = None) -> Waveform:
    """Read a crop of a prepared recording.

    Parameters
    ----------
    path : Path
        A ``.wav`` of a prepared set.
    start : int
        First sample.
    n_samples : int, optional
        Length of the crop; up to the end if omitted. A crop that reaches past the end is shorter.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Audio at `SAMPLE_RATE`, within -1..1.

    Raises
    ------
    DataError
        If the file cannot be read or has another rate or more channels.
    """
    try:
        waveform, rate = soundfile.read(
            path, start=start, frames=-1 if n_samples is None else n_samples, dtype="float32"
        )
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(f"{path}: audio cannot be read: {error}") from error
    if rate != SAMPLE_RATE or waveform.ndim != 1:
        raise DataError(f"{path}: prepared audio is mono at {SAMPLE_RATE} Hz, got shape {waveform.shape} at {rate} Hz")
    return np.asarray(waveform, dtype=np.float32)


def playable(notes: Iterable[Note]) -> list[Note]:
    """End each note where the next of the same pitch begins, and drop those that have no length left.

    One key sounds once: a label file with two overlapping notes of one pitch from one player says nothing that can be
    heard.
    """
    by_pitch: dict[int, list[Note]] = {}
    for note in sorted(notes):
        by_pitch.setdefault(note.pitch, []).append(note)
    kept = [note for of_pitch in by_pitch.values() for note in without_overlap(of_pitch)]
    return sorted(kept)


def without_overlap(notes: Sequence[Note], *, shortest: float = 0.02) -> list[Note]:
    """Trim notes of one pitch, sorted by onset, to end at the next onset; drop those under `shortest` seconds."""
    ends = [*(note.onset for note in notes[1:]), float("inf")]
    trimmed = [(note, min(note.offset, end)) for note, end in zip(notes, ends, strict=True)]
    return [replace_offset(note, offset) for note, offset in trimmed if round(offset - note.onset, 6) >= shortest]


def replace_offset(note: Note, offset: float) -> Note:
    """Copy a note with another end."""
    return replace(note, offset=offset)


def in_range(pitch: int) -> bool:
    """Whether a pitch is on the piano's keyboard, the range of every label."""
    return LOWEST_PITCH <= pitch <= HIGHEST_PITCH
