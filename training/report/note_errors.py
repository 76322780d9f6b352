"""Errors by kind: every note of a reference and of an estimate is accounted for once.

Notes are matched as `training.scores` matches them (onset within 50 ms, same pitch). What is left over is looked at in
this order, and the first kind that fits is the one counted:

1. A missed and an extra note of one pitch that sound together, with onsets at most `SHIFT_SECONDS` apart, are one note
   found too early or too late: one error, not two.
2. An extra note is a *split* if its pitch is sounding in the reference since more than 50 ms, an *octave* or a *fifth*
   if a reference note begins with it one or two octaves, a fifth or a twelfth away, and *extra* otherwise.
3. A missed note is a *unison* if another instrument's note of its pitch begins with it and was found, *merged* if a
   found note of its pitch sounds through its onset, beside an *octave* or *fifth* if a found note of the reference
   begins with it at such a distance (its partials hide there), and *missed* otherwise.
4. A matched note ends *early* or *late* if mir_eval would not accept its offset (20 % of the length or 50 ms).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import mir_eval
import numpy as np
import numpy.typing as npt

from model.note import Note
from training.scores import OFFSET_RATIO, OFFSET_SECONDS, ONSET_SECONDS, PITCH_CENTS, as_intervals

SHIFT_SECONDS = 0.3  # beyond that, a missed and an extra note have nothing to do with each other
OCTAVES = (12, 24)
FIFTHS = (7, 19)  # a fifth and a twelfth: the third partial, and the second against the third

Pairs = list[tuple[int, int]]
Floats = npt.NDArray[np.float64]


class Kind(StrEnum):
    """What can be wrong with a note."""

    EARLY_ONSET = "early_onset"
    LATE_ONSET = "late_onset"
    EXTRA_SPLIT = "extra_split"
    EXTRA_OCTAVE = "extra_octave"
    EXTRA_FIFTH = "extra_fifth"
    EXTRA = "extra"
    MISSED_UNISON = "missed_unison"
    MISSED_MERGED = "missed_merged"
    MISSED_OCTAVE = "missed_octave"
    MISSED_FIFTH = "missed_fifth"
    MISSED = "missed"
    EARLY_OFFSET = "early_offset"
    LATE_OFFSET = "late_offset"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A reference and an estimate, note by note.

    Parameters
    ----------
    true, found : list of Note
    pairs : list of (int, int)
        Matched notes, as indices into `true` and `found`.
    shifted : list of (int, int)
        Notes found too early or too late, likewise.
    extra : dict of int to Kind
        The other notes of `found`.
    missed : dict of int to Kind
        The other notes of `true`.
    """

    true: list[Note]
    found: list[Note]
    pairs: Pairs
    shifted: Pairs
    extra: dict[int, Kind]
    missed: dict[int, Kind]

    def counts(self) -> Counter[Kind]:
        """How many errors there are of each kind."""
        shifts = (onset_kind(self.true[i], self.found[j]) for i, j in self.shifted)
        ends = (offset_kind(self.true[i], self.found[j]) for i, j in self.pairs)
        return Counter([*shifts, *self.extra.values(), *self.missed.values(), *(kind for kind in ends if kind)])

    def true_kinds(self) -> list[Kind | None]:
        """What is wrong with each note of the reference, its offset left aside."""
        shifts = {i: onset_kind(self.true[i], self.found[j]) for i, j in self.shifted}
        return [self.missed.get(i) or shifts.get(i) for i in range(len(self.true))]

    def found_kinds(self) -> list[Kind | None]:
        """What is wrong with each note of the estimate, its offset left aside."""
        shifts = {j: onset_kind(self.true[i], self.found[j]) for i, j in self.shifted}
        return [self.extra.get(j) or shifts.get(j) for j in range(len(self.found))]


def compare(true: Sequence[Note], found: Sequence[Note]) -> Comparison:
    """Account for every note.

    Parameters
    ----------
    true, found : sequence of Note
        Reference and estimate of the same stretch of time.

    Returns
    -------
    Comparison
    """
    true, found = list(true), list(found)
    pairs = match_onsets(true, found)
    missed = sorted(set(range(len(true))) - {i for i, _ in pairs})
    extra = sorted(set(range(len(found))) - {j for _, j in pairs})
    shifted = match_shifted(true, found, missed, extra)
    missed = [i for i in missed if i not in {i for i, _ in shifted}]
    extra = [j for j in extra if j not in {j for _, j in shifted}]
    heard = [true[i] for i, _ in pairs]
    return Comparison(
        true,
        found,
        pairs,
        shifted,
        dict(zip(extra, extra_kinds([found[j] for j in extra], true), strict=True)),
        dict(zip(missed, missed_kinds([true[i] for i in missed], heard, found), strict=True)),
    )


def match_onsets(true: Sequence[Note], found: Sequence[Note]) -> Pairs:
    """Match notes by pitch and onset, as many as can be (mir_eval.transcription without offsets)."""
    if not true or not found:
        return []
    matching = mir_eval.transcription.match_notes(
        *as_intervals(true),
        *as_intervals(found),
        onset_tolerance=ONSET_SECONDS,
        pitch_tolerance=PITCH_CENTS,
        offset_ratio=None,
    )
    return [(int(i), int(j)) for i, j in matching]


def match_shifted(true: Sequence[Note], found: Sequence[Note], missed: Iterable[int], extra: Iterable[int]) -> Pairs:
    """Pair missed and extra notes of one pitch that sound together, the nearest onsets first."""
    of_pitch: dict[int, list[int]] = {}
    for j in extra:
        of_pitch.setdefault(found[j].pitch, []).append(j)
    near = sorted(
        (distance, i, j)
        for i in missed
        for j in of_pitch.get(true[i].pitch, [])
        if (distance := abs(found[j].onset - true[i].onset)) <= SHIFT_SECONDS and overlap(true[i], found[j])
    )
    pairs: dict[int, int] = {}
    for _, i, j in near:
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return sorted(pairs.items())


def overlap(one: Note, other: Note) -> bool:
    """Whether two notes sound at the same time."""
    return one.onset < other.offset and other.onset < one.offset


def onset_kind(true: Note, found: Note) -> Kind:
    """On which side of the true onset a shifted note lies."""
    return Kind.EARLY_ONSET if found.onset < true.onset else Kind.LATE_ONSET


def offset_kind(true: Note, found: Note) -> Kind | None:
    """On which side of the true offset a matched note ends; None where it ends well."""
    tolerance = max(OFFSET_SECONDS, OFFSET_RATIO * (true.offset - true.onset))
    if round(abs(found.offset - true.offset), 4) <= tolerance:  # mir_eval rounds so
        return None
    return Kind.EARLY_OFFSET if found.offset < true.offset else Kind.LATE_OFFSET


def extra_kinds(extra: Sequence[Note], true: Sequence[Note]) -> list[Kind]:
    """Say of each extra note what it is mistaken for."""
    pitches, onsets, offsets = columns(true)
    kinds = []
    for note in extra:
        begun = (onsets < note.onset - ONSET_SECONDS) & (offsets > note.onset)
        intervals = np.abs(pitches - note.pitch)
        together = intervals[np.abs(onsets - note.onset) <= ONSET_SECONDS]
        if (begun & (intervals == 0)).any():
            kinds.append(Kind.EXTRA_SPLIT)
        elif np.isin(together, OCTAVES).any():
            kinds.append(Kind.EXTRA_OCTAVE)
        elif np.isin(together, FIFTHS).any():
            kinds.append(Kind.EXTRA_FIFTH)
        else:
            kinds.append(Kind.EXTRA)
    return kinds


def missed_kinds(missed: Sequence[Note], heard: Sequence[Note], found: Sequence[Note]) -> list[Kind]:
    """Say of each missed note where it went; `heard` are the notes of the reference that were found."""
    pitches, onsets, _ = columns(heard)
    found_pitches, found_onsets, found_offsets = columns(found)
    kinds = []
    for note in missed:
        together = np.abs(pitches - note.pitch)[np.abs(onsets - note.onset) <= ONSET_SECONDS]
        through = (found_onsets < note.onset - ONSET_SECONDS) & (found_offsets > note.onset + ONSET_SECONDS)
        if (together == 0).any():
            kinds.append(Kind.MISSED_UNISON)
        elif (through & (found_pitches == note.pitch)).any():
            kinds.append(Kind.MISSED_MERGED)
        elif np.isin(together, OCTAVES).any():
            kinds.append(Kind.MISSED_OCTAVE)
        elif np.isin(together, FIFTHS).any():
            kinds.append(Kind.MISSED_FIFTH)
        else:
            kinds.append(Kind.MISSED)
    return kinds


def columns(notes: Sequence[Note]) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """Pitches, onsets and offsets as arrays of shape (n,)."""
    pitches = np.array([note.pitch for note in notes], dtype=np.int64)
    return pitches, np.array([note.onset for note in notes]), np.array([note.offset for note in notes])
