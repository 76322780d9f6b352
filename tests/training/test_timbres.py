"""Invented instruments."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from training import prepare
from training.errors import DataError
from training.jobs import alone_in
from training.prepared import SAMPLE_RATE
from training.samples import instrument_names, load_voices, rms
from training.single_notes import InstrumentNotes, write_samples
from training.timbres import PROGRAMS, draw_timbre, invent_instruments, sound

TENTH = SAMPLE_RATE // 10


def test_invented_instruments_are_samples_at_the_pitches_that_they_name(tmp_path: Path) -> None:
    counts = invent_instruments(tmp_path, 3, seed=1)
    assert sorted(counts) == instrument_names(tmp_path) == ["held02", "struck00", "struck01"]
    for voice in load_voices(tmp_path, tuple(counts), tuple(range(10))):
        # What is left out has no pitch that can be heard, such as a note whose lowest partials are missing.
        assert len(voice.samples) > 0.7 * counts[voice.name]
        assert voice.program == PROGRAMS[voice.name.startswith("struck")]
        assert voice.sustains == voice.name.startswith("held")
        assert all(abs(sample.pitch - round(sample.pitch)) < 0.3 for sample in voice.samples)


def test_equal_seeds_give_equal_samples_and_others_do_not(tmp_path: Path) -> None:
    for name, n_instruments, seed in (("one", 1, 1), ("more", 2, 1), ("other", 1, 2)):
        invent_instruments(tmp_path / name, n_instruments, seed=seed)
    one, more, other = ((tmp_path / name / "struck00.flac").read_bytes() for name in ("one", "more", "other"))
    assert one == more
    assert one != other


@pytest.mark.parametrize("number", range(6))
def test_struck_notes_die_away_and_held_ones_do_not(number: int) -> None:
    struck, held = (
        rms(sound(draw_timbre(rng, struck=is_struck), 57, rng), TENTH)
        for is_struck in (True, False)
        for rng in [np.random.default_rng(number)]
    )
    assert struck[40] < 0.5 * struck[1]
    assert held[40] > 0.5 * held[4]


def test_notes_that_cannot_all_be_written_leave_those_that_were_there(tmp_path: Path) -> None:
    invent_instruments(tmp_path, 1, seed=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.keys() == {"struck00.flac", "index.csv"}

    def cut_off() -> Iterator[InstrumentNotes]:
        yield "struck00", 25, [(60, np.zeros(SAMPLE_RATE, np.float32))]
        raise DataError("the next cannot be read")

    with pytest.raises(DataError, match="the next"):
        write_samples(tmp_path, cut_off())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_two_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(DataError, match="another prepare is at work"):
        invent_instruments(tmp_path, 1, seed=1)


def test_a_seed_below_nought_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(prepare.app, ["invented", "--out", str(tmp_path / "out"), "--seed", "-1"])
    assert result.exit_code == 2
    assert "'--seed': Input should be greater than or equal to 0" in result.output
    assert not (tmp_path / "out").exists()
