"""Each kind of error on its own, on tables small enough to check by hand."""

from collections import Counter

import mir_eval
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.note import Note
from training.report.breakdown import by_pitch, by_velocity
from training.report.note_errors import Kind, compare
from training.scores import as_intervals

C4 = Note(1.0, 60, 2.0)


def kinds(true: list[Note], found: list[Note]) -> dict[Kind, int]:
    return dict(compare(true, found).counts())


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (Note(0.9, 60, 2.0), Kind.EARLY_ONSET),
        (Note(1.1, 60, 2.0), Kind.LATE_ONSET),
        (Note(1.0, 60, 1.75), Kind.EARLY_OFFSET),
        (Note(1.0, 60, 2.25), Kind.LATE_OFFSET),
    ],
)
def test_a_note_at_the_wrong_time_is_one_error(found: Note, kind: Kind) -> None:
    assert kinds([C4], [found]) == {kind: 1}


def test_within_the_tolerances_nothing_is_wrong() -> None:
    # 20 % of the second that the note lasts, and 50 ms on the onset
    assert kinds([C4], [Note(1.04, 60, 2.2)]) == {}
    assert kinds([C4], [Note(1.0, 60, 1.8)]) == {}


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        (Note(1.5, 60, 2.0), Kind.EXTRA_SPLIT),
        (Note(1.0, 72, 2.0), Kind.EXTRA_OCTAVE),
        (Note(1.0, 36, 2.0), Kind.EXTRA_OCTAVE),
        (Note(1.0, 67, 2.0), Kind.EXTRA_FIFTH),
        (Note(1.0, 79, 2.0), Kind.EXTRA_FIFTH),  # a twelfth
        (Note(1.0, 61, 2.0), Kind.EXTRA),
        (Note(3.0, 72, 4.0), Kind.EXTRA),  # an octave from a note that is over
        (Note(2.5, 60, 3.0), Kind.EXTRA),  # its pitch, when it no longer sounds
    ],
)
def test_extra_notes(extra: Note, kind: Kind) -> None:
    assert kinds([C4], [C4, extra]) == {kind: 1}


@pytest.mark.parametrize(
    ("missed", "found", "kind"),
    [
        (Note(1.01, 60, 2.0, program=40), C4, Kind.MISSED_UNISON),
        (Note(1.5, 60, 2.0), C4, Kind.MISSED_MERGED),
        (Note(1.0, 72, 2.0), C4, Kind.MISSED_OCTAVE),
        (Note(1.0, 79, 2.0), C4, Kind.MISSED_FIFTH),
        (Note(1.0, 61, 2.0), C4, Kind.MISSED),
        (Note(1.5, 72, 2.0), C4, Kind.MISSED),  # an octave from a note that began earlier
    ],
)
def test_missed_notes(missed: Note, found: Note, kind: Kind) -> None:
    assert kinds([C4, missed], [found]) == {kind: 1}


def test_a_missed_note_hides_only_beside_what_was_found() -> None:
    assert kinds([C4, Note(1.0, 72, 2.0)], []) == {Kind.MISSED: 2}


def test_too_late_for_the_same_note_is_a_miss_and_an_extra() -> None:
    # 400 ms late: within the note that sounds, so it splits it
    assert kinds([C4], [Note(1.4, 60, 2.0)]) == {Kind.MISSED: 1, Kind.EXTRA_SPLIT: 1}


def test_of_two_shifted_notes_the_nearer_is_taken() -> None:
    comparison = compare([C4], [Note(0.8, 60, 1.5), Note(1.1, 60, 2.0)])
    assert comparison.shifted == [(0, 1)]
    assert comparison.extra == {0: Kind.EXTRA}
    assert comparison.true_kinds() == [Kind.LATE_ONSET]
    assert comparison.found_kinds() == [Kind.EXTRA, Kind.LATE_ONSET]


def test_nothing_compared_with_nothing() -> None:
    assert kinds([], []) == {}


notes = st.lists(
    st.builds(
        lambda onset, length, pitch, velocity: Note(onset / 50, pitch, (onset + length) / 50, velocity),
        st.integers(0, 100),
        st.integers(1, 60),
        st.sampled_from([48, 60, 61, 67, 72]),
        st.integers(1, 127),
    ),
    max_size=12,
)


@given(true=notes, found=notes)
def test_every_note_is_counted_once_and_hits_are_mir_evals(true: list[Note], found: list[Note]) -> None:
    comparison = compare(true, found)
    assert len(comparison.true_kinds()) == len(comparison.pairs) + len(comparison.shifted) + len(comparison.missed)
    assert len(comparison.found_kinds()) == len(comparison.pairs) + len(comparison.shifted) + len(comparison.extra)
    assert comparison.true_kinds().count(None) == len(comparison.pairs)
    pitches = by_pitch(comparison).total()
    assert (pitches.hits + pitches.misses, pitches.hits + pitches.false_alarms) == (len(true), len(found))
    if true and found:
        scores = mir_eval.transcription.precision_recall_f1_overlap(
            *as_intervals(true), *as_intervals(found), offset_ratio=None
        )
        assert (pitches.precision, pitches.recall, pitches.f1) == pytest.approx(scores[:3])


def test_apart_by_pitch_and_by_velocity() -> None:
    true = [Note(1.0, 60, 2.0, 20), Note(2.0, 60, 3.0, 100), Note(3.0, 62, 4.0, 104)]
    found = [Note(2.0, 60, 3.0, 7), Note(3.0, 62, 4.0, 7), Note(8.0, 62, 9.0, 7)]
    comparison = compare(true, found)
    pitches, velocities = by_pitch(comparison), by_velocity(comparison)
    assert (pitches[60].hits, pitches[60].false_alarms, pitches[60].misses) == (1, 0, 1)
    assert (pitches[62].hits, pitches[62].false_alarms, pitches[62].misses) == (1, 1, 0)
    assert {low: velocities[low].recall for low in velocities.all_keys()} == {16: 0.0, 96: 1.0}
    assert velocities.false_alarms == Counter()
    assert (pitches + pitches)[62].false_alarms == 2
