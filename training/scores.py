"""How well notes agree with a reference: the scores of the field, one code for every system that is compared.

Notes are scored as mir_eval.transcription does (Raffel et al. 2014, "mir_eval: a transparent implementation of common
MIR metrics"): a note is found if its onset lies within 50 ms and its pitch within 50 cents of a reference note, each
reference note matched at most once; with offsets, the offset must also lie within 20 % of the reference note's length
or 50 ms, whichever is more; with instruments, the General MIDI program must be the same (a system that names none has
put all on the piano); with velocities, also the velocity within 0.1 after the scaling that mir_eval fits.

Frames are scored over the piano's 88 pitches on the model's own frame grid, drawn from notes by `model.labels` on both
sides. A score that has nothing to be wrong about is 1: no notes found where there are none. (mir_eval says 0 there;
it matters for silent recordings alone.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import mir_eval
import numpy as np
import numpy.typing as npt

from model.activations import Activations
from model.labels import NoteArrays, frame_targets
from model.note import Note
from training.prepared import replace_offset

ONSET_SECONDS = 0.05
OFFSET_RATIO = 0.2
OFFSET_SECONDS = 0.05
PITCH_CENTS = 50.0
LEVELS = 256  # activations are bytes


@dataclass(frozen=True, slots=True)
class Counts:
    """What was found, what was found that is not there, and what was missed; adding pools recordings."""

    hits: int
    false_alarms: int
    misses: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.hits + other.hits, self.false_alarms + other.false_alarms, self.misses + other.misses)

    @property
    def precision(self) -> float:
        """Share of what was found that is there."""
        return ratio(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        """Share of what is there that was found."""
        return ratio(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return ratio(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses)

    @property
    def accuracy(self) -> float:
        """Hits among all that was found or is there (Bay et al. 2009)."""
        return ratio(self.hits, self.hits + self.false_alarms + self.misses)


def ratio(part: int, whole: int) -> float:
    """A share; of nothing, 1."""
    return part / whole if whole else 1.0


@dataclass(frozen=True, slots=True)
class Tally:
    """Everything counted in one recording, or pooled over several.

    Parameters
    ----------
    notes, notes_with_offset, notes_with_instrument : Counts
    notes_with_velocity : Counts or None
        None where the reference has no dynamics.
    frames : Counts
    posteriors : ndarray, shape (2, 256), int64, or None
        How often each level of the frame activation stands where no note sounds (row 0) and where one does (row 1);
        None for a system that only gives notes.
    """

    notes: Counts
    notes_with_offset: Counts
    notes_with_instrument: Counts
    notes_with_velocity: Counts | None
    frames: Counts
    posteriors: npt.NDArray[np.int64] | None

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.notes + other.notes,
            self.notes_with_offset + other.notes_with_offset,
            self.notes_with_instrument + other.notes_with_instrument,
            add_known(self.notes_with_velocity, other.notes_with_velocity),
            self.frames + other.frames,
            None if self.posteriors is None or other.posteriors is None else self.posteriors + other.posteriors,
        )

    def scores(self) -> dict[str, float]:
        """All scores by name, 0 to 1."""
        found = {
            "note_precision": self.notes.precision,
            "note_recall": self.notes.recall,
            "note_f1": self.notes.f1,
            "note_offset_precision": self.notes_with_offset.precision,
            "note_offset_recall": self.notes_with_offset.recall,
            "note_offset_f1": self.notes_with_offset.f1,
            "note_instrument_precision": self.notes_with_instrument.precision,
            "note_instrument_recall": self.notes_with_instrument.recall,
            "note_instrument_f1": self.notes_with_instrument.f1,
            "frame_precision": self.frames.precision,
            "frame_recall": self.frames.recall,
            "frame_f1": self.frames.f1,
            "frame_accuracy": self.frames.accuracy,
        }
        if self.notes_with_velocity is not None:
            found["note_velocity_precision"] = self.notes_with_velocity.precision
            found["note_velocity_recall"] = self.notes_with_velocity.recall
            found["note_velocity_f1"] = self.notes_with_velocity.f1
        if self.posteriors is not None:
            found["frame_average_precision"] = average_precision(self.posteriors)
        return found


def add_known(one: Counts | None, other: Counts | None) -> Counts | None:
    """Pool the recordings that have it: one without dynamics says nothing of those with them."""
    return other if one is None else one if other is None else one + other


def tally(
    reference: Sequence[Note],
    estimate: Sequence[Note],
    *,
    seconds: float,
    frame_rate: float,
    activations: Activations | None = None,
) -> Tally:
    """Compare an estimate with its reference.

    Parameters
    ----------
    reference, estimate : sequence of Note
        What begins after `seconds` is left out and what ends later is cut there, on both sides.
    seconds : float
        Length of the audio.
    frame_rate : float
        Frames per second of the grid that frames are compared on.
    activations : Activations, optional
        On that grid, for the average precision.

    Returns
    -------
    Tally
    """
    true, found = within(reference, seconds), within(estimate, seconds)
    n_frames = int(np.ceil(seconds * frame_rate))
    truth = roll(true, n_frames, frame_rate)
    return Tally(
        match_notes(true, found, offset_ratio=None),
        match_notes(true, found, offset_ratio=OFFSET_RATIO),
        match_instruments(true, found),
        match_velocities(true, found),
        count_frames(truth, roll(found, n_frames, frame_rate)),
        None if activations is None else posterior_counts(truth, activations),
    )


def within(notes: Sequence[Note], seconds: float) -> list[Note]:
    """Keep what begins in the first seconds, ended there."""
    return [replace_offset(note, min(note.offset, seconds)) for note in notes if note.onset < seconds]


def match_notes(true: Sequence[Note], found: Sequence[Note], *, offset_ratio: float | None) -> Counts:
    """Count notes that match, without offsets if `offset_ratio` is None."""
    if not true or not found:
        return Counts(0, len(found), len(true))
    matching = mir_eval.transcription.match_notes(
        *as_intervals(true),
        *as_intervals(found),
        onset_tolerance=ONSET_SECONDS,
        pitch_tolerance=PITCH_CENTS,
        offset_ratio=offset_ratio,
        offset_min_tolerance=OFFSET_SECONDS,
    )
    return Counts(len(matching), len(found) - len(matching), len(true) - len(matching))


def match_instruments(true: Sequence[Note], found: Sequence[Note]) -> Counts:
    """Count notes that match without offsets and are of one General MIDI program."""
    hits = 0
    for program in {note.program for note in found}:
        theirs, mine = ([note for note in notes if note.program == program] for notes in (true, found))
        hits += match_notes(theirs, mine, offset_ratio=None).hits
    return Counts(hits, len(found) - hits, len(true) - hits)


def match_velocities(true: Sequence[Note], found: Sequence[Note]) -> Counts | None:
    """Count notes that match with offset and velocity; None where the reference's velocities are all one."""
    if len({note.velocity for note in true}) < 2:
        return None
    if not found:
        return Counts(0, 0, len(true))
    matching = mir_eval.transcription_velocity.match_notes(
        *as_intervals(true),
        np.array([note.velocity for note in true]),
        *as_intervals(found),
        np.array([note.velocity for note in found]),
        onset_tolerance=ONSET_SECONDS,
        pitch_tolerance=PITCH_CENTS,
        offset_ratio=OFFSET_RATIO,
        offset_min_tolerance=OFFSET_SECONDS,
    )
    return Counts(len(matching), len(found) - len(matching), len(true) - len(matching))


def as_intervals(notes: Sequence[Note]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times of shape (n, 2) and pitches in Hz of shape (n,), as mir_eval takes them."""
    intervals = np.array([(note.onset, note.offset) for note in notes])
    return intervals, np.asarray(mir_eval.util.midi_to_hz(np.array([note.pitch for note in notes])))


def roll(notes: Sequence[Note], n_frames: int, frame_rate: float) -> npt.NDArray[np.bool_]:
    """Frames in which each pitch sounds, shape (n_frames, 88), as the network is taught them."""
    return frame_targets(NoteArrays.from_notes(list(notes)), n_frames=n_frames, frame_rate=frame_rate) > 0


def count_frames(true: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> Counts:
    """Compare two rolls of one shape."""
    hits = int((true & found).sum())
    return Counts(hits, int(found.sum()) - hits, int(true.sum()) - hits)


def posterior_counts(true: npt.NDArray[np.bool_], activations: Activations) -> npt.NDArray[np.int64]:
    """Histogram the frame activations apart for silence and sound, shape (2, 256)."""
    n_frames = min(len(true), len(activations.frame))
    levels = np.asarray(activations.frame[:n_frames])
    truth = true[:n_frames]
    return np.stack([np.bincount(levels[truth == sounding], minlength=LEVELS) for sounding in (False, True)])


def average_precision(posteriors: npt.NDArray[np.int64]) -> float:
    """Area under the precision-recall curve: precision times the gain in recall, summed from the highest level down.

    Parameters
    ----------
    posteriors : ndarray, shape (2, 256), int64
        As in `Tally`.

    Returns
    -------
    float
        As scikit-learn's average_precision_score, without interpolation. 1 if nothing sounds.
    """
    false_alarms, hits = np.cumsum(posteriors[:, ::-1], axis=1)
    if hits[-1] == 0:
        return 1.0
    precision = hits / np.maximum(hits + false_alarms, 1)
    gain = np.diff(hits, prepend=0) / hits[-1]
    return float((precision * gain).sum())


def pooled(tallies: Sequence[Tally]) -> dict[str, float]:
    """Scores of all recordings taken as one."""
    return reduce(Tally.__add__, tallies).scores()


def means(tallies: Sequence[Tally]) -> dict[str, float]:
    """Mean of each score over the recordings that have it; velocities are scored where the reference has dynamics."""
    return {name: float(np.mean(values)) for name, values in by_score(tallies).items()}


def by_score(tallies: Sequence[Tally]) -> dict[str, list[float]]:
    """Each score of the recordings that have it."""
    found: dict[str, list[float]] = {}
    for one in tallies:
        for name, value in one.scores().items():
            found.setdefault(name, []).append(value)
    return found
