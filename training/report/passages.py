"""The passages that went worst: a few seconds each, to be looked at and listened to."""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.note import Note
from training.prepared import Recording
from training.report.note_errors import Comparison, Kind

PASSAGE_SECONDS = 5.0
N_PASSAGES = 10
MOST_OF_ONE = 2  # passages of one recording, so that a single bad one does not fill the list


@dataclass(frozen=True, slots=True)
class Judged:
    """A note with what is wrong about it, None if nothing is."""

    note: Note
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a recording.

    Parameters
    ----------
    recording : Recording
    start, stop : float
        Seconds.
    true, found : tuple of Judged
        Notes of the reference and of the estimate that sound in it, at their times in the recording.
    errors : dict of Kind to int
        Of the notes that begin in it.
    """

    recording: Recording
    start: float
    stop: float
    true: tuple[Judged, ...]
    found: tuple[Judged, ...]
    errors: dict[Kind, int]

    @property
    def n_errors(self) -> int:
        """Notes missed, added, or found at the wrong time."""
        return sum(self.errors.values())


def worst_of_recording(recording: Recording, comparison: Comparison, *, seconds: float) -> list[Passage]:
    """Cut a recording into passages and keep those with most wrong notes.

    Parameters
    ----------
    recording : Recording
    comparison : Comparison
        Of its first `seconds`.
    seconds : float

    Returns
    -------
    list of Passage
        `MOST_OF_ONE` at most, none without an error.
    """
    true, found = judge(comparison.true, comparison.true_kinds()), judge(comparison.found, comparison.found_kinds())
    wrong = Counter(
        int(one.note.onset // PASSAGE_SECONDS)
        for one in [*true, *(one for one in found if not is_shift(one.kind))]  # a shifted note is one error
        if one.kind is not None
    )
    worst = sorted(wrong, key=lambda index: (-wrong[index], index))[:MOST_OF_ONE]
    return [cut(recording, true, found, index * PASSAGE_SECONDS, seconds) for index in worst]


def judge(notes: Sequence[Note], kinds: Sequence[Kind | None]) -> list[Judged]:
    """Put notes and kinds together."""
    return [Judged(note, kind) for note, kind in zip(notes, kinds, strict=True)]


def is_shift(kind: Kind | None) -> bool:
    """Whether a note was found at the wrong time."""
    return kind in {Kind.EARLY_ONSET, Kind.LATE_ONSET}


def cut(recording: Recording, true: Sequence[Judged], found: Sequence[Judged], start: float, seconds: float) -> Passage:
    """Take what sounds in one passage."""
    stop = min(start + PASSAGE_SECONDS, seconds)
    here = [tuple(one for one in notes if one.note.onset < stop and one.note.offset > start) for notes in (true, found)]
    begun = [one for one in [*here[0], *(one for one in here[1] if not is_shift(one.kind))] if one.note.onset >= start]
    errors = Counter(one.kind for one in begun if one.kind is not None)
    return Passage(recording, start, stop, here[0], here[1], dict(errors.most_common()))


def worst(passages: Iterable[Passage]) -> list[Passage]:
    """The `N_PASSAGES` with most wrong notes, worst first."""
    return heapq.nsmallest(N_PASSAGES, passages, key=lambda one: (-one.n_errors, one.recording.id, one.start))


def excerpt(judged: Sequence[Judged], start: float, stop: float) -> list[Note]:
    """The notes of a passage as a piece of their own, beginning at 0."""
    return [
        Note(
            max(one.note.onset - start, 0.0),
            one.note.pitch,
            min(one.note.offset, stop) - start,
            one.note.velocity,
            one.note.confidence,
            one.note.program,
        )
        for one in judged
    ]
