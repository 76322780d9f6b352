from pathlib import Path

import numpy as np
import pytest

from model.activations import Activations
from model.note import LOWEST_PITCH, N_PITCHES, Note
from model.transcriber import Transcriber
from training.errors import DataError
from training.prepared import write_manifest, write_recording
from training.tune import Remembered, TuneConfig, hear_set, summary, tune

FRAME_RATE = 40.0


def remembered(*, true_level: float, ghost_level: float, tail_level: float) -> Remembered:
    """Ten notes of half a second, ten ghosts with weaker onsets, and a tail that a low frame threshold would keep."""
    values = np.zeros((1000, 3, N_PITCHES), dtype=np.uint8)
    notes = [Note(1.0 + 2 * i, 60, 1.5 + 2 * i) for i in range(10)]
    for note in notes:
        first, last = round(note.onset * FRAME_RATE), round(note.offset * FRAME_RATE)
        pitch = note.pitch - LOWEST_PITCH
        values[first, 0, pitch] = round(255 * true_level)
        values[first:last, 1, pitch] = 250
        values[last : last + 30, 1, pitch] = round(255 * tail_level)
        values[first, 0, pitch + 7] = round(255 * ghost_level)
        values[first : first + 8, 1, pitch + 7] = 250
    return Remembered(notes, Activations(values, FRAME_RATE), 25.0)


def test_thresholds_fall_between_what_is_true_and_what_is_not() -> None:
    sets = {
        "a": [remembered(true_level=0.62, ghost_level=0.3, tail_level=0.2)],
        "b": [remembered(true_level=0.9, ghost_level=0.43, tail_level=0.28)],
    }
    chosen, trials = tune(sets, TuneConfig(), report=lambda _: None)
    assert 0.43 < chosen.onset_threshold < 0.62
    assert chosen.frame_threshold > 0.28
    best = next(trial for trial in reversed(trials) if trial.options == chosen)
    assert best.mean("note_f1", "frame_f1", "note_offset_f1") == 1
    assert len(trials) == 10 * 3 + 7 + 9
    assert summary(chosen, trials)["chosen"] == {
        "onset_threshold": chosen.onset_threshold,
        "frame_threshold": chosen.frame_threshold,
        "min_note_ms": chosen.min_note_ms,
        "latency_ms": chosen.latency_ms,
    }


def test_what_is_heard_late_is_moved_back() -> None:
    prompt = remembered(true_level=0.9, ghost_level=0.1, tail_level=0.1)
    # Where a note is labelled 52 ms before its sound, only moving it earlier brings it within the 50 ms of the score.
    late = Remembered(
        [Note(note.onset - 0.052, note.pitch, note.offset - 0.052) for note in prompt.reference],
        prompt.activations,
        prompt.seconds,
    )
    assert tune({"late": [late]}, TuneConfig(), report=lambda _: None)[0].latency_ms > 2
    assert tune({"prompt": [prompt]}, TuneConfig(), report=lambda _: None)[0].latency_ms == 0


def test_every_set_weighs_the_same() -> None:
    few = [remembered(true_level=0.9, ghost_level=0.63, tail_level=0.2)]
    many = [remembered(true_level=0.33, ghost_level=0.1, tail_level=0.2)] * 5
    one = tune({"few": few, "many": many}, TuneConfig(), report=lambda _: None)[0]
    other = tune({"few": few * 5, "many": many}, TuneConfig(), report=lambda _: None)[0]
    assert one == other


@pytest.mark.parametrize("split", ["train", "test"])
def test_only_validation_recordings_are_tuned_on(tmp_path: Path, small_transcriber: Transcriber, split: str) -> None:
    record = write_recording(
        tmp_path,
        "a",
        np.zeros(16000, dtype=np.float32),
        [],
        source="test",
        split="train" if split == "train" else "test",
        made={},
    )
    write_manifest(tmp_path, [record])
    with pytest.raises(DataError, match=r"tuned on validation recordings alone; others here: \['a'\]"):
        hear_set(tmp_path, small_transcriber, 10.0)
