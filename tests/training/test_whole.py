"""Everything a person types, from pieces and recorded notes to a published checkpoint, on a few generated seconds."""

import ctypes.util
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.training.conftest import SMALL
from tests.training.material import scale, write_piece, write_samples, write_soundfont
from training.cli import app
from training.prepared import read_manifest


def run(*arguments: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
    return result.output


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """MusicNet-shaped pieces (one of each split), a soundfont and recorded notes, prepared by the command line."""
    for name in ("1727", "1733", "2633", "2303"):
        write_piece(tmp_path / "midi" / f"{name}.mid", scale(12))
    write_soundfont(tmp_path / "sine.sf2", programs=tuple(range(128)))
    write_samples(tmp_path / "samples", pitches=range(40, 84, 2))
    out = tmp_path / "data"
    pieces = ("--root", tmp_path / "midi", "--out", out, "--workers", 1)
    font = ("--soundfont", f"{tmp_path / 'sine.sf2'}:1")
    run("prepare", "musicnet-synth", *pieces, *font)
    run("prepare", "musicnet-synth", *pieces, *font, "--name", "check", "--split", "validation", "--plain")
    run("prepare", "recorded", *pieces, "--samples", tmp_path / "samples", "--takes", "0123456789", "--textures", 1)
    return out


@pytest.mark.skipif(ctypes.util.find_library("fluidsynth") is None, reason="rendering needs the FluidSynth library")
def test_from_pieces_to_a_published_checkpoint(tmp_path: Path, data: Path) -> None:
    assert [recording.id for recording in read_manifest(data / "musicnet_synth")] == ["1727", "1733"]
    assert [recording.split for recording in read_manifest(data / "check")] == ["validation"]

    config = {
        "sets": {"musicnet_synth": 0.5, "recorded": 0.5},
        "validation_sets": ["check"],
        "network": SMALL.to_dict(),
        "segment_seconds": 1.0,
        "batch_size": 2,
        "total_steps": 3,
        "bfloat16": False,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    trained = tmp_path / "run"
    run(
        "fit", "--config", tmp_path / "config.json", "--data", data, "--run", trained, "--device", "cpu", "--workers", 0
    )

    checkpoint = ("--checkpoint", trained / "average.safetensors")
    scores, thresholds = tmp_path / "scores.json", tmp_path / "thresholds.json"
    said = run("evaluate", *checkpoint, "--data", data / "check", "--seconds", 3, "--out", scores)
    assert "note_f1" in said
    results = json.loads(scores.read_text())["sets"]["check"]
    assert results["n_recordings"] == 1
    assert 0 <= results["mean"]["frame_average_precision"] <= 1
    run("tune", *checkpoint, "--data", data / "check", "--seconds", 3, "--out", thresholds)

    release = ("--evaluation", scores, "--decoding", thresholds, "--trained-on", "generated", "--command", "fit")
    run("publish", *checkpoint, *release, "--folder", tmp_path / "served")
    [entry] = json.loads((tmp_path / "served" / "manifest.json").read_text())["models"]
    assert (tmp_path / "served" / entry["file"]).exists()
    assert entry["decoding"] == json.loads(thresholds.read_text())["chosen"]


def test_other_systems_are_scored_by_their_midi(tmp_path: Path, data: Path) -> None:
    piece = next(iter(read_manifest(data / "check")))
    assert piece.made["tempo"] == 1.0
    write_piece(tmp_path / "other" / "2633.mid", scale(12))
    said = run("evaluate", "--midi-folder", tmp_path / "other", "--data", data / "check", "--out", tmp_path / "s.json")
    assert "note_f1" in said
    assert json.loads((tmp_path / "s.json").read_text())["sets"]["check"]["mean"]["note_f1"] == 1.0


def test_a_failed_recording_is_named_and_the_status_is_1(tmp_path: Path) -> None:
    write_piece(tmp_path / "midi" / "1727.mid", scale(3))
    (tmp_path / "midi" / "1733.mid").write_bytes(b"nothing")
    write_samples(tmp_path / "samples", pitches=range(40, 84, 2))
    folders = ("--root", tmp_path / "midi", "--samples", tmp_path / "samples", "--out", tmp_path / "data")
    said = run("prepare", "recorded", *folders, "--textures", 0, "--workers", 1, exit_code=1)
    assert "1 made, 0 were there, 1 left out" in said
    assert "1733.mid: not a MIDI file" in said


@pytest.mark.parametrize("command", ["prepare", "fit", "evaluate", "tune", "publish"])
def test_help_teaches(command: str) -> None:
    assert "Example" in run(command, "--help") or command == "prepare"
