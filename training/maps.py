"""MAPS-style folders: an audio file with a ``.tsv`` of notes of the same name beside it."""

import math
from collections import Counter
from pathlib import Path

from model.note import Note
from training.errors import DataError
from training.intake import (
    SHORTEST_SECONDS,
    Labels,
    by_stem,
    intake_jobs,
    pair_up,
    refused_jobs,
    without_twins,
)
from training.jobs import Job
from training.prepared import Split, in_range, playable


def maps_jobs(root: Path, split: Split) -> list[Job]:
    """List the recordings of a MAPS-style folder as jobs.

    Parameters
    ----------
    root : Path
        Folder of audio and ``.tsv`` pairs.
    split : {"train", "validation", "test"}
        What the whole folder may be used for.

    Returns
    -------
    list of Job
        Those of recordings that cannot be used fail and say why.

    Raises
    ------
    DataError
        If there is no such folder, or no recording with labels in it.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; expected audio files, each with a .tsv of its notes beside it")
    groups = by_stem(root.iterdir(), root.iterdir(), {".tsv"})
    pairs, alone = pair_up(groups)
    sources, twins = without_twins(pairs)
    if not sources:
        n_audio = sum(len(audio) for audio, _ in groups.values())
        raise DataError(f"{root}: {n_audio} recordings, and none has a .tsv of its notes beside it")
    return [*intake_jobs(sources, read_maps_labels, origin="MAPS", split=split), *refused_jobs(alone | twins)]


def read_maps_labels(path: Path) -> Labels:
    """Read a header line and lines of onset s, offset s, pitch and velocity, with tabs or commas between.

    Raises
    ------
    DataError
        If there is no header line, or a line is not a note; names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a table of onset, offset, pitch and velocity: {error}") from error
    if lines and is_numbers(lines[0]):
        raise DataError(f"{path}: no header line: its first line holds numbers already")
    remarks: Counter[str] = Counter()
    rows = [(line, number) for number, line in enumerate(lines[1:], start=2) if line.strip()]
    parsed = [maps_note(line, path, number, remarks) for line, number in rows]
    notes = [note for note in parsed if note is not None]
    kept = playable(notes)
    remarks["notes that a note of the same pitch leaves no time"] += len(notes) - len(kept)
    return Labels(kept, +remarks)


def cells(line: str) -> list[float]:
    """The numbers of a line.

    Raises
    ------
    ValueError
        If one is none.
    """
    return [float(cell) for cell in line.replace(",", "\t").split("\t")]


def is_numbers(line: str) -> bool:
    """Whether a line holds numbers alone."""
    try:
        return bool(cells(line))
    except ValueError:
        return False


def maps_note(line: str, path: Path, number: int, remarks: Counter[str]) -> Note | None:
    """Parse one line; None, and a remark, if its pitch lies outside the keyboard."""
    try:
        onset, offset, pitch, velocity = cells(line)
        if not 0 <= onset <= offset < math.inf:
            raise ValueError(f"needs 0 <= onset <= offset, got {onset} and {offset}")
        if not in_range(int(pitch)):
            remarks["notes outside the keyboard"] += 1
            return None
        remarks["notes too short to be heard, lengthened"] += offset < onset + SHORTEST_SECONDS
        remarks["velocities outside 1..127, moved there"] += not 1 <= velocity <= 127
        end = max(offset, onset + SHORTEST_SECONDS)
        return Note(onset, int(pitch), end, min(127, max(1, int(velocity))))
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{path}, line {number}: not a note, expected onset, offset, pitch and velocity: {error}"
        ) from error
