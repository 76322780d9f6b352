import pytest

from model.note import Note
from training.report.instruments import (
    carries_programs,
    confusion,
    most_frequent_program,
    note_and_program,
    only_program,
)
from training.scores import match_instruments

PIANO, VIOLIN, FLUTE = 0, 40, 73


def note(onset: float, pitch: int, program: int) -> Note:
    return Note(onset, pitch, onset + 0.5, program=program)


TRUE = [note(0, 60, PIANO), note(1, 62, PIANO), note(2, 64, VIOLIN), note(3, 65, VIOLIN), note(4, 67, FLUTE)]
FOUND = [
    note(0, 60, PIANO),  # right
    note(1, 62, VIOLIN),  # right note, wrong instrument
    note(2, 64, VIOLIN),  # right
    note(6, 70, FLUTE),  # not there
]


def test_confusion_counted_by_hand() -> None:
    assert confusion(TRUE, FOUND) == {
        (PIANO, PIANO): 1,
        (PIANO, VIOLIN): 1,
        (VIOLIN, VIOLIN): 1,
        (VIOLIN, None): 1,
        (FLUTE, None): 1,
        (None, FLUTE): 1,
    }


def test_note_and_program_counted_by_hand() -> None:
    scored = note_and_program(confusion(TRUE, FOUND))
    together = scored.total()
    assert (together.hits, together.false_alarms, together.misses) == (2, 2, 3)
    assert together.f1 == pytest.approx(4 / 9)
    assert scored[PIANO].recall == pytest.approx(1 / 2)
    assert scored[VIOLIN].precision == pytest.approx(1 / 2)
    assert scored[FLUTE].f1 == 0


def test_the_scores_of_all_recordings_count_instruments_in_the_same_way() -> None:
    counted = match_instruments(TRUE, FOUND)
    assert (counted.hits, counted.false_alarms, counted.misses) == (2, 2, 3)


def test_most_frequent_program() -> None:
    assert most_frequent_program([note(0, 60, FLUTE), note(1, 62, PIANO), note(2, 60, FLUTE)]) == FLUTE
    assert most_frequent_program([]) is None


def test_of_two_instruments_in_unison_each_gets_its_own() -> None:
    true = [note(0, 60, FLUTE), note(0, 60, VIOLIN)]
    assert confusion(true, true[::-1]) == {(FLUTE, FLUTE): 1, (VIOLIN, VIOLIN): 1}
    assert confusion(true, true[1:]) == {(FLUTE, None): 1, (VIOLIN, VIOLIN): 1}


def test_equal_notes_are_counted_one_by_one() -> None:
    twice = [note(0, 60, VIOLIN), note(0, 60, VIOLIN)]
    assert confusion(twice, twice[:1]) == {(VIOLIN, VIOLIN): 1, (VIOLIN, None): 1}


def test_programs_are_carried_if_any_is_not_the_first() -> None:
    silent = [note(n.onset, n.pitch, 0) for n in FOUND]
    assert carries_programs(confusion(TRUE, FOUND))
    assert not carries_programs(confusion(TRUE, silent))
    assert not carries_programs(confusion(TRUE, []))


def test_recordings_of_one_instrument() -> None:
    assert only_program(TRUE[:2]) == PIANO
    assert only_program(TRUE) is None
    assert only_program([]) is None
