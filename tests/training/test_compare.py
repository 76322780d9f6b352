"""The comparison, end to end on generated seconds, and its baseline."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from model.cqt import CqtConfig
from model.labels import NoteArrays, note_targets
from model.note import LOWEST_PITCH, N_PITCHES, Note
from tests.model.signals import melody
from tests.training.material import write_tune_set
from training import nmf
from training.cli import app
from training.comparison_table import Budget, Cell, Table, base_config, cell_config
from training.errors import ConfigError

SECONDS = 2.0


def tune(notes: list[Note]) -> tuple[nmf.Frames, nmf.Frames]:
    """A waveform and its targets."""
    wave = melody([(note.onset, note.offset, note.pitch) for note in notes], SECONDS)
    n_frames = -(-len(wave) // 384)
    drawn = note_targets(NoteArrays.from_notes(notes), n_frames=n_frames, frame_rate=CqtConfig().frame_rate)
    return wave, np.stack([drawn.onset, drawn.frame, drawn.velocity])


def test_the_baseline_hears_a_chord_of_pitches_that_it_learned_one_by_one() -> None:
    scale = [tune([Note(0.1, pitch, 1.9)]) for pitch in (60, 64, 67, 71)]
    dictionary = nmf.learn(scale, CqtConfig())
    assert np.flatnonzero(dictionary.heard).tolist() == [pitch - LOWEST_PITCH for pitch in (60, 64, 67, 71)]
    chord, _ = tune([Note(0.1, pitch, 1.9) for pitch in (60, 64, 67)])
    level = nmf.levels(dictionary, chord)
    assert level.shape == (-(-len(chord) // 384), N_PITCHES)
    loudest = level[30].argsort()[-3:] + LOWEST_PITCH
    assert sorted(loudest.tolist()) == [60, 64, 67]


def test_a_pitch_never_heard_alone_takes_its_neighbours_spectrum_moved() -> None:
    dictionary = nmf.learn([tune([Note(0.1, 60, 1.9)])], CqtConfig())
    known, moved = (dictionary.spectra[pitch - LOWEST_PITCH] for pitch in (60, 62))
    np.testing.assert_allclose(moved[6:] / moved.max(), known[:-6] / known.max(), atol=1e-6)


def test_a_training_set_without_single_pitches_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="single pitch"):
        nmf.learn([tune([Note(0.1, 60, 1.9), Note(0.1, 64, 1.9)])], CqtConfig())


def test_the_table_has_each_cell_once_and_the_telling_ones_first() -> None:
    table = Table(("cqt", "mel"), ("lstm", "bilstm", "convolution"), ("bce", "mse"), (64, 32), (2, 1))
    names = [cell.name for cell in table.cells()]
    assert names[:5] == [
        "cqt-lstm-bce-64x2",
        "cqt-bilstm-bce-64x2",
        "cqt-convolution-bce-0x0",
        "mel-lstm-bce-64x2",
        "mel-bilstm-bce-64x2",
    ]
    assert len(names) == len(set(names)) == 2 * 5 + 2
    assert {"cqt-bilstm-bce-32x2", "cqt-bilstm-bce-64x1", "mel-bilstm-mse-64x2"} <= set(names)


def test_a_cell_differs_from_the_others_in_its_network_and_loss_alone() -> None:
    base = base_config(["a"], "b", batch_size=4, segment_seconds=2.0, seed=3)
    one, other = (cell_config(cell, base, 100, 10) for cell in Table().cells()[:2])
    differing = {name for name, value in one.to_dict().items() if value != other.to_dict()[name]}
    assert differing == {"network"}
    assert (one.total_steps, one.validate_every, one.batch_size, one.seed) == (100, 10, 4, 3)


def test_what_cannot_be_compared_is_named_with_what_can() -> None:
    with pytest.raises(ConfigError, match="features: allowed are cqt, stft, mel, mfcc, got chroma"):
        Table(features=("chroma",))


def test_a_comparison_from_the_command_line_to_its_page(tmp_path: Path) -> None:
    write_tune_set(tmp_path / "data" / "tunes", split="train")
    write_tune_set(tmp_path / "data" / "check", split="validation")
    options = {
        "--data": tmp_path / "data",
        "--train": "tunes",
        "--validation": "check",
        "--out": tmp_path / "runs",
        "--page": tmp_path / "page",
        "--features": "mel",
        "--networks": "dnn",
        "--losses": "bce,mse",
        "--hidden": "8,4",
        "--layers": "1",
        "--sized": "dnn",
        "--steps": 4,
        "--epochs": 2,
        "--score-seconds": 1,
        "--batch-size": 2,
        "--segment-seconds": 0.5,
        "--device": "cpu",
        "--workers": 0,
    }
    words = [str(word) for pair in options.items() for word in pair]
    first = CliRunner().invoke(app, ["compare", *words], catch_exceptions=False)
    assert first.exit_code == 0, first.output
    records = json.loads((tmp_path / "page" / "results.json").read_text())
    assert [record["name"] for record in records] == [
        "nmf",
        "mel-dnn-bce-8x1",
        "mel-dnn-mse-8x1",
        "mel-dnn-bce-4x1",
    ]
    assert [point["step"] for point in records[1]["curve"]] == [2, 4]
    assert all(0 <= record[score] <= 1 for record in records for score in ("precision", "recall", "f1", "note_f1"))
    page = (tmp_path / "page" / "README.md").read_text()
    assert "trained for 4 steps" in page
    assert "Not trained" not in page
    for picture in ("networks.png", "features.png", "losses.png", "sizes.png"):
        assert (tmp_path / "page" / picture).read_bytes().startswith(b"\x89PNG")
        assert picture in page

    # Cells that are finished are not run again; one that is missing is.
    kept = (tmp_path / "runs" / "mel-dnn-bce-8x1" / "result.json").stat().st_mtime_ns
    (tmp_path / "runs" / "mel-dnn-mse-8x1" / "result.json").unlink()
    again = CliRunner().invoke(app, ["compare", *words], catch_exceptions=False)
    assert again.exit_code == 0, again.output
    assert (tmp_path / "runs" / "mel-dnn-bce-8x1" / "result.json").stat().st_mtime_ns == kept
    assert json.loads((tmp_path / "page" / "results.json").read_text())[2] == records[2]

    # Another budget does not mix with this one.
    with pytest.raises(ConfigError, match="holds a comparison with other settings"):
        CliRunner().invoke(app, ["compare", *words, "--seed", "2"], catch_exceptions=False)


def test_seconds_become_steps_by_timing_a_few(tmp_path: Path) -> None:
    from training.checks import open_sets
    from training.compare import PROBE_STEPS, planned_steps
    from training.engine import Engine

    write_tune_set(tmp_path / "tunes", split="train")
    base = base_config(["tunes"], "check", batch_size=2, segment_seconds=0.5, seed=1)
    write_tune_set(tmp_path / "check", split="validation")
    cell, engine = Cell("mel", "dnn", "bce", 8, 1), Engine("cpu", workers=0)
    sets = open_sets(base, tmp_path)
    few, many = (
        planned_steps(cell, Budget(0, seconds), base, sets, tmp_path / "none", engine) for seconds in (1e-6, 1e4)
    )
    assert few == PROBE_STEPS
    assert many > 1000
