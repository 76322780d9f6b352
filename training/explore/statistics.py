"""What there is in a prepared set: notes, pitches, lengths, instruments, polyphony, added up recording by recording."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.note import Note
from training.errors import DataError
from training.prepared import Recording, read_labels, read_manifest

N_MIDI = 128
MOST_POLYPHONY = 64  # notes sounding at once; more count as this many
TOGETHER_SECONDS = 0.03  # onsets closer than that are one chord
# Edges of the bins of lengths and of intervals between onsets, in seconds: 8 to the octave, 10 ms to 10 s and beyond.
TIME_EDGES = 0.01 * 2 ** (np.arange(81) / 8)

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class Group:
    """Recordings that belong together, such as those of one composer."""

    recordings: int = 0
    seconds: float = 0.0
    pitches: Counts = field(default_factory=lambda: np.zeros(N_MIDI, dtype=np.int64))

    @property
    def notes(self) -> int:
        """How many notes they have."""
        return int(self.pitches.sum())

    @property
    def octaves(self) -> Counts:
        """Notes by octave, scientific pitch notation's -1 first, shape (11,)."""
        return np.add.reduceat(self.pitches, np.arange(0, N_MIDI, 12))


@dataclass(slots=True)
class Statistics:
    """A prepared set in numbers. Grows with the number of groups, not with that of recordings.

    Parameters
    ----------
    groups : dict of str to Group
    programs : Counter of int
        Notes by 0-based General MIDI program.
    lengths, intervals : ndarray, shape (len(TIME_EDGES) + 1,), int64
        Notes by length, and onsets by the time since the one before, in bins between `TIME_EDGES`; the first bin lies
        below them, the last above. Onsets less than `TOGETHER_SECONDS` apart count as one.
    polyphony : ndarray, shape (MOST_POLYPHONY + 1,), float64
        Seconds during which so many notes sound.
    failed : dict of str to str
        Recordings whose labels cannot be read, with the cause.
    """

    groups: dict[str, Group] = field(default_factory=dict)
    programs: Counter[int] = field(default_factory=Counter)
    lengths: Counts = field(default_factory=lambda: np.zeros(len(TIME_EDGES) + 1, dtype=np.int64))
    intervals: Counts = field(default_factory=lambda: np.zeros(len(TIME_EDGES) + 1, dtype=np.int64))
    polyphony: Floats = field(default_factory=lambda: np.zeros(MOST_POLYPHONY + 1))
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, recording: Recording, notes: Sequence[Note], group: str) -> None:
        """Take in one recording."""
        onsets, offsets = (np.array([getattr(note, name) for note in notes]) for name in ("onset", "offset"))
        of_group = self.groups.setdefault(group, Group())
        of_group.recordings += 1
        of_group.seconds += recording.seconds
        of_group.pitches += np.bincount([note.pitch for note in notes], minlength=N_MIDI).astype(np.int64)
        self.programs.update(note.program for note in notes)
        self.lengths += in_time_bins(offsets - onsets)
        self.intervals += in_time_bins(between_onsets(onsets))
        self.polyphony += seconds_by_polyphony(onsets, offsets, recording.seconds)

    @property
    def total(self) -> Group:
        """All groups together."""
        together = Group()
        for group in self.groups.values():
            together.recordings += group.recordings
            together.seconds += group.seconds
            together.pitches += group.pitches
        return together


def gather(folder: Path, composers: Mapping[str, str] | None) -> Statistics:
    """Read a prepared set's labels, one recording at a time.

    Parameters
    ----------
    folder : Path
        ``PREPARED/<set>``.
    composers : dict of str to str, or None
        Composer by MusicNet id; None groups recordings by their source instead.

    Returns
    -------
    Statistics

    Raises
    ------
    DataError
        If the set is empty, or none of its labels can be read.
    """
    recordings = read_manifest(folder)
    if not recordings:
        raise DataError(f"{folder}: no prepared recordings; see python -m training prepare --help")
    statistics = Statistics()
    for recording in recordings:
        try:
            notes = read_labels(folder, recording)
        except DataError as error:
            statistics.failed[recording.id] = error.message
            continue
        statistics.add(recording, notes, group_of(recording, composers))
    if not statistics.groups:
        cause = next(iter(statistics.failed.values()))
        raise DataError(f"{folder}: labels of none of {len(recordings)} recordings can be read; the first: {cause}")
    return statistics


def read_composers(path: Path) -> dict[str, str]:
    """Read MusicNet's metadata: composer by id.

    Raises
    ------
    DataError
        If the file cannot be read or lacks the columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["id"]: row["composer"] for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: metadata cannot be read: {error}") from error
    except KeyError as error:
        raise DataError(f"{path}: metadata needs the columns id and composer; {error} is missing") from error


def group_of(recording: Recording, composers: Mapping[str, str] | None) -> str:
    """The composer, by the number that a recording's id begins with; without metadata, the source."""
    if composers is None:
        return recording.source
    number = re.match(r"\d*", recording.id)
    return composers.get(number.group() if number else "", "not in the metadata")


def in_time_bins(seconds: Floats) -> Counts:
    """Histogram over the bins of `TIME_EDGES`."""
    return np.bincount(np.searchsorted(TIME_EDGES, seconds, side="right"), minlength=len(TIME_EDGES) + 1)


def between_onsets(onsets: Floats) -> Floats:
    """Seconds between onsets that follow each other, chords taken as one onset."""
    gaps = np.diff(np.sort(onsets))
    apart = gaps >= TOGETHER_SECONDS
    # A chord's gaps belong to the interval that follows it, so that intervals add up to the whole.
    return np.diff(np.concatenate([[0.0], np.cumsum(gaps)[apart]])) if apart.any() else np.zeros(0)


def seconds_by_polyphony(onsets: Floats, offsets: Floats, seconds: float) -> Floats:
    """How long so many notes sound at once, shape (MOST_POLYPHONY + 1,)."""
    times = np.concatenate([onsets, offsets, [seconds]])
    steps = np.concatenate([np.ones(len(onsets), int), -np.ones(len(offsets), int), [0]])
    order = np.argsort(times, kind="stable")
    lasting = np.diff(np.minimum(times[order], seconds), prepend=0.0)
    before = np.concatenate([[0], np.cumsum(steps[order])[:-1]])  # notes sounding until each time
    counted = np.bincount(np.minimum(before, MOST_POLYPHONY), weights=lasting, minlength=MOST_POLYPHONY + 1)
    return counted.astype(np.float64)
