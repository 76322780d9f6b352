"""Everything that a report says of a prepared set, gathered one recording at a time: memory does not grow with it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.note import Note
from model.note_events import DecodingOptions
from training.evaluate import Outcome, Transcription
from training.prepared import Recording
from training.report.breakdown import Breakdown, by_pitch, by_program, by_velocity
from training.report.curves import ONSET_THRESHOLDS, notes_by_threshold
from training.report.instruments import Confusion, confusion, most_frequent_program, only_program
from training.report.note_errors import SHIFT_SECONDS, Comparison, Kind, compare
from training.report.passages import Passage, worst, worst_of_recording
from training.scores import Counts, within

DEVIATION_MS = 5  # width of a bin of onset deviations
VELOCITIES = 128


class Study:
    """What was found out about a system on a prepared set.

    Parameters
    ----------
    options : DecodingOptions or None
        How the system decodes its activations; None for one that only gives notes.

    Attributes
    ----------
    errors : dict of str to Counter of Kind
        By recording.
    pitches, velocities, programs : Breakdown
        Notes by pitch; recall by velocity (where the reference has dynamics) and by program.
    solos : Breakdown
        Notes of recordings of one instrument, by its program.
    solo_players : dict of str to (int, int or None)
        By recording of one instrument: its program, and the one that most of the notes found there have.
    confused : Confusion
        Programs of the reference and of the estimate.
    onset_deviations : Counter of int
        Notes by how late they were found, in bins of `DEVIATION_MS` named by their lower edge.
    lateness : dict of str to float
        Median of that by recording, in seconds; only for recordings with notes that were found. Far from the others it
        speaks of a reference that does not fit its audio.
    loudness : ndarray, shape (128, 128), int64
        Found notes by velocity of the reference (rows) and of the estimate (columns).
    by_threshold : list of Counts, or None
        Notes at each of `ONSET_THRESHOLDS`.
    passages : list of Passage
        The worst so far, worst first.
    """

    def __init__(self, options: DecodingOptions | None) -> None:
        self.options = options
        self.errors: dict[str, Counter[Kind]] = {}
        self.pitches: Breakdown[int] = Breakdown()
        self.velocities: Breakdown[int] = Breakdown()
        self.programs: Breakdown[int] = Breakdown()
        self.solos: Breakdown[int] = Breakdown()
        self.solo_players: dict[str, tuple[int, int | None]] = {}
        self.confused: Confusion = Counter()
        self.onset_deviations: Counter[int] = Counter()
        self.lateness: dict[str, float] = {}
        self.loudness: npt.NDArray[np.int64] = np.zeros((VELOCITIES, VELOCITIES), dtype=np.int64)
        self.by_threshold: list[Counts] | None = None
        self.passages: list[Passage] = []

    def observe(self, recording: Recording, seconds: float, reference: Sequence[Note], heard: Transcription) -> None:
        """Take in what a system heard in the first seconds of a recording."""
        true, found = within(reference, seconds), within(heard.notes, seconds)
        comparison = compare(true, found)
        self.errors[recording.id] = comparison.counts()
        self.pitches += by_pitch(comparison)
        self.programs += by_program(comparison)
        self.confused += confusion(true, found)
        program = only_program(true)
        if program is not None:
            self.solo_players[recording.id] = (program, most_frequent_program(found))
            hits = len(comparison.pairs)
            self.solos += Breakdown(*(Counter({program: n}) for n in (hits, len(found) - hits, len(true) - hits)))
        late = deviations(comparison)
        self.onset_deviations.update(in_bins(late))
        if len(late):
            self.lateness[recording.id] = float(np.median(late))
        if len({note.velocity for note in true}) > 1:
            self.velocities += by_velocity(comparison)
            for i, j in comparison.pairs:
                self.loudness[true[i].velocity, found[j].velocity] += 1
        if heard.activations is not None and self.options is not None:
            counted = notes_by_threshold(true, heard.activations, self.options, seconds=seconds)
            before = self.by_threshold or [Counts(0, 0, 0)] * len(ONSET_THRESHOLDS)
            self.by_threshold = [one + other for one, other in zip(before, counted, strict=True)]
        self.passages = worst([*self.passages, *worst_of_recording(recording, comparison, seconds=seconds)])

    @property
    def all_errors(self) -> Counter[Kind]:
        """Of all recordings."""
        return sum(self.errors.values(), Counter())


def deviations(comparison: Comparison) -> npt.NDArray[np.float64]:
    """How late each matched or shifted note was found, in seconds, shape (n,)."""
    pairs = [*comparison.pairs, *comparison.shifted]
    return np.array([comparison.found[j].onset - comparison.true[i].onset for i, j in pairs])


def in_bins(late: npt.NDArray[np.float64]) -> list[int]:
    """The lower edge of the bin of each deviation, in ms."""
    reach = round(SHIFT_SECONDS * 1000)
    edges = np.floor(1000 * late / DEVIATION_MS).astype(int) * DEVIATION_MS
    return [int(edge) for edge in np.clip(edges, -reach, reach - DEVIATION_MS)]


@dataclass(frozen=True, slots=True)
class Studied:
    """A prepared set with what was found out about a system there."""

    folder: Path
    outcome: Outcome
    study: Study
