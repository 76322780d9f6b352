"""Notes found, missed and added, counted apart: by pitch, by velocity, by whatever a note has."""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from model.note import Note
from training.report.note_errors import Comparison
from training.scores import Counts

Key = TypeVar("Key", bound=Hashable)
VELOCITY_STEP = 16  # MIDI velocities counted together


@dataclass(slots=True)
class Breakdown(Generic[Key]):
    """Counts by a property of notes; adding pools recordings.

    Parameters
    ----------
    hits, false_alarms, misses : Counter
        Notes by key. Hits and misses go by the reference's note, false alarms by the estimate's.
    """

    hits: Counter[Key] = field(default_factory=Counter)
    false_alarms: Counter[Key] = field(default_factory=Counter)
    misses: Counter[Key] = field(default_factory=Counter)

    def __add__(self, other: "Breakdown[Key]") -> "Breakdown[Key]":
        return Breakdown(self.hits + other.hits, self.false_alarms + other.false_alarms, self.misses + other.misses)

    def all_keys(self) -> set[Key]:
        """All keys that a note had."""
        return {*self.hits, *self.false_alarms, *self.misses}

    def __getitem__(self, key: Key) -> Counts:
        return Counts(self.hits[key], self.false_alarms[key], self.misses[key])

    def in_reference(self, key: Key) -> int:
        """How many notes of the reference have this key."""
        return self.hits[key] + self.misses[key]

    def total(self) -> Counts:
        """All keys together."""
        return Counts(self.hits.total(), self.false_alarms.total(), self.misses.total())


def break_down(comparison: Comparison, key: Callable[[Note], Key], *, recall_only: bool = False) -> Breakdown[Key]:
    """Count a comparison apart.

    Parameters
    ----------
    comparison : Comparison
    key : callable
        The property of a note.
    recall_only : bool
        Leave out false alarms, where the estimate's notes do not have the property in the same sense.

    Returns
    -------
    Breakdown
    """
    hit = {i for i, _ in comparison.pairs}
    right = {j for _, j in comparison.pairs}
    added = [] if recall_only else [note for j, note in enumerate(comparison.found) if j not in right]
    return Breakdown(
        Counter(key(comparison.true[i]) for i in hit),
        Counter(key(note) for note in added),
        Counter(key(note) for i, note in enumerate(comparison.true) if i not in hit),
    )


def by_pitch(comparison: Comparison) -> Breakdown[int]:
    """By MIDI note number."""
    return break_down(comparison, lambda note: note.pitch)


def by_velocity(comparison: Comparison) -> Breakdown[int]:
    """Recall by the reference's velocity, in steps of `VELOCITY_STEP`, named by the lowest."""
    return break_down(comparison, lambda note: note.velocity // VELOCITY_STEP * VELOCITY_STEP, recall_only=True)


def by_program(comparison: Comparison) -> Breakdown[int]:
    """Recall by the reference's 0-based General MIDI program."""
    return break_down(comparison, lambda note: note.program, recall_only=True)
