import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.activations import Activations
from model.note import N_PITCHES, Note
from training.intervals import mean_intervals
from training.scores import Counts, as_intervals, average_precision, means, pooled, tally

FRAME_RATE = 50.0


def notes_strategy() -> st.SearchStrategy[list[Note]]:
    one = st.builds(
        lambda onset, length, pitch, velocity: Note(onset / 50, pitch, (onset + length) / 50, velocity),
        st.integers(0, 400),
        st.integers(1, 80),
        st.integers(58, 63),
        st.integers(1, 127),
    )
    return st.lists(one, min_size=1, max_size=25)


def score(true: list[Note], found: list[Note], seconds: float = 10.0) -> dict[str, float]:
    return tally(true, found, seconds=seconds, frame_rate=FRAME_RATE).scores()


def test_counted_by_hand() -> None:
    true = [Note(1.0, 60, 2.0, 40), Note(2.0, 62, 3.0, 60), Note(3.0, 64, 4.0, 80)]
    found = [
        Note(1.04, 60, 2.0, 40),  # 40 ms late: found
        Note(2.0, 62, 2.5, 60),  # ends early: found without offsets alone
        Note(3.0, 65, 4.0, 80),  # wrong pitch
        Note(5.0, 70, 6.0, 80),  # not there
    ]
    scores = score(true, found)
    assert scores["note_precision"] == pytest.approx(2 / 4)
    assert scores["note_recall"] == pytest.approx(2 / 3)
    assert scores["note_f1"] == pytest.approx(4 / 7)
    assert scores["note_offset_f1"] == pytest.approx(2 / 7)
    # At 50 frames a second: 150 true, 198 found (48 + 25 + 50 + 50 = 173), of them 48 + 25 right.
    assert scores["frame_precision"] == pytest.approx(73 / 173)
    assert scores["frame_recall"] == pytest.approx(73 / 150)
    assert scores["frame_accuracy"] == pytest.approx(73 / (173 + 150 - 73))


def test_an_onset_60_ms_late_is_missed() -> None:
    assert score([Note(1.0, 60, 2.0)], [Note(1.06, 60, 2.0)])["note_f1"] == 0


def test_a_perfect_answer_scores_one_everywhere() -> None:
    notes = [Note(i * 0.5, 60 + i, i * 0.5 + 0.4, 40 + i) for i in range(10)]
    assert set(score(notes, notes).values()) == {1.0}


def test_no_answer_scores_zero_and_nothing_of_nothing_scores_one() -> None:
    notes = [Note(1.0, 60, 2.0, 40), Note(1.0, 64, 2.0, 50)]
    assert score(notes, [])["note_f1"] == score(notes, [])["frame_f1"] == score(notes, [])["note_velocity_f1"] == 0
    assert score([], notes)["note_f1"] == 0
    assert score([], [])["note_f1"] == score([], [])["frame_f1"] == 1


@given(true=notes_strategy(), found=notes_strategy())
def test_notes_agree_with_mir_eval(true: list[Note], found: list[Note]) -> None:
    scores = score(true, found, seconds=100)
    without = mir_eval.transcription.precision_recall_f1_overlap(
        *as_intervals(true), *as_intervals(found), offset_ratio=None
    )
    assert (scores["note_precision"], scores["note_recall"], scores["note_f1"]) == pytest.approx(without[:3])
    offset = mir_eval.transcription.precision_recall_f1_overlap(*as_intervals(true), *as_intervals(found))
    assert scores["note_offset_f1"] == pytest.approx(offset[2])


@given(true=notes_strategy(), found=notes_strategy())
def test_velocities_agree_with_mir_eval(true: list[Note], found: list[Note]) -> None:
    scores = score(true, found, seconds=100)
    loudness = [np.array([note.velocity for note in notes]) for notes in (true, found)]
    if len(set(loudness[0])) < 2:
        assert "note_velocity_f1" not in scores
        return
    ours = mir_eval.transcription_velocity.precision_recall_f1_overlap(
        *as_intervals(true), loudness[0], *as_intervals(found), loudness[1]
    )
    assert scores["note_velocity_f1"] == pytest.approx(ours[2])


def test_what_begins_after_the_excerpt_counts_on_neither_side() -> None:
    true = [Note(1.0, 60, 2.0), Note(4.9, 62, 7.0), Note(6.0, 64, 7.0)]
    found = [Note(1.0, 60, 2.0), Note(4.9, 62, 5.0), Note(6.0, 70, 7.0)]
    scores = score(true, found, seconds=5.0)
    assert scores["note_f1"] == scores["note_offset_f1"] == scores["frame_f1"] == 1


def definition_of_average_precision(truth: np.ndarray, levels: np.ndarray) -> float:
    """Sum over thresholds, from the definition, with no histogram."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(levels.ravel()), reverse=True):
        found = levels >= threshold
        recall = (found & truth).sum() / truth.sum()
        total += (recall - before) * (found & truth).sum() / found.sum()
        before = recall
    return total


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_follows_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    notes = [Note(0.2, 60, 1.0), Note(0.5, 72, 1.7)]
    values = rng.integers(0, 256, (100, 3, N_PITCHES)).astype(np.uint8)
    found = tally(notes, notes, seconds=2.0, frame_rate=FRAME_RATE, activations=Activations(values, FRAME_RATE))
    truth = np.zeros((100, N_PITCHES), dtype=bool)
    truth[10:50, 60 - 21] = truth[25:85, 72 - 21] = True
    expected = definition_of_average_precision(truth, values[:, 1])
    assert found.scores()["frame_average_precision"] == pytest.approx(expected)


def test_perfect_and_constant_posteriors() -> None:
    perfect = np.zeros((2, 256), dtype=np.int64)
    perfect[0, 10], perfect[1, 200] = 90, 10
    assert average_precision(perfect) == 1
    constant = np.zeros((2, 256), dtype=np.int64)
    constant[:, 128] = 90, 10
    assert average_precision(constant) == pytest.approx(0.1)


def test_means_and_pools() -> None:
    note = [Note(1.0, 60, 2.0)]
    many = [Note(i * 1.0, 60, i + 0.5) for i in range(9)]
    tallies = [
        tally(note, note, seconds=10, frame_rate=FRAME_RATE),
        tally(many, [], seconds=10, frame_rate=FRAME_RATE),
    ]
    assert means(tallies)["note_recall"] == pytest.approx(0.5)
    assert pooled(tallies)["note_recall"] == pytest.approx(0.1)
    assert mean_intervals(tallies)["note_recall"] == [0.0, 1.0]
    assert mean_intervals(tallies[:1])["note_recall"] == [1.0, 1.0]


def test_counts_of_nothing_are_perfect() -> None:
    nothing = Counts(0, 0, 0)
    assert nothing.precision == nothing.recall == nothing.f1 == nothing.accuracy == 1
