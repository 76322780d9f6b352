"""Everything a person types, from pieces and recorded notes to a published checkpoint, on a few generated seconds."""

import ctypes.util
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from tests.model.signals import sine
from tests.training.conftest import SMALL, small_checkpoint
from tests.training.material import scale, write_piece, write_samples, write_soundfont
from tests.training.serving import Server
from training.cli import app
from training.errors import DataError, PublishError
from training.prepared import read_manifest
from training.record import read_record

ROOT = Path(__file__).parent.parent.parent


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
    run("tune", *checkpoint, "--data", data / "check", "--seconds", 3, "--out", thresholds)
    heard = ("--data", data / "check", "--seconds", 3, "--decoding", thresholds)
    said = run("evaluate", *checkpoint, *heard, "--out", scores)
    assert "note_f1" in said
    assert "another checkpoint" not in said
    other = ("--checkpoint", small_checkpoint(tmp_path / "other.safetensors", seed=9))
    assert f"{thresholds} was tuned for another checkpoint" in run("evaluate", *other, *heard)
    results = json.loads(scores.read_text())["sets"]["check"]
    assert results["n_recordings"] == 1
    assert 0 <= results["mean"]["frame_average_precision"] <= 1

    release = ("--evaluation", scores, "--trained-on", "generated", "--command", "fit")
    run("publish", *checkpoint, *release, "--licence", "CC0", "--folder", tmp_path / "served")
    [entry] = json.loads((tmp_path / "served" / "manifest.json").read_text())["models"]
    assert (tmp_path / "served" / entry["file"]).exists()
    chosen = json.loads(thresholds.read_text())["chosen"]
    assert entry["decoding"] == chosen
    given = ("--decoding", thresholds, "--frame-threshold", 0.77, "--out", scores)
    run("evaluate", *checkpoint, "--data", data / "check", *given)
    assert json.loads(scores.read_text())["decoding"].items() >= (chosen | {"frame_threshold": 0.77}).items()
    with pytest.raises(PublishError, match=r"scores\.json: not what `tune` writes"):
        run("evaluate", *checkpoint, "--data", data / "check", "--decoding", scores)
    with pytest.raises(DataError, match="check"):
        run("tune", *checkpoint, "--data", data / "check", "--data", data / "check")
    published = ("--checkpoint", tmp_path / "served" / entry["file"], "--data", data / "check", "--out", scores)
    said = run("evaluate", *published, "--latency-ms", 3)
    assert f"onset_threshold {chosen['onset_threshold']:g}" in said
    assert json.loads(scores.read_text())["decoding"].items() >= (chosen | {"latency_ms": 3.0}).items()


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
    with pytest.raises(DataError, match="no such instrument: sousaphone; there are flute, guitar"):
        run("prepare", "recorded", *folders, "--keep-out", "flute, sousaphone")
    with pytest.raises(DataError, match="--takes are digits, such as 123456789; got 1,2"):
        run("prepare", "recorded", *folders, "--takes", "1,2")
    said = run("prepare", "recorded", *folders, "--textures", 0, "--workers", 1, exit_code=1)
    assert "1 made, 0 were there, 1 left out" in said
    assert "1733.mid: not a MIDI file" in said


def musicnet_archive() -> bytes:
    """An archive as MusicNet's is: three recordings of three seconds, one of each of our splits."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for number, (name, split) in enumerate((("1727", "train"), ("2633", "train"), ("2303", "test"))):
            wav = io.BytesIO()
            soundfile.write(wav, sine(220 + 110 * number, 3.0, sr=44100), 44100, subtype="FLOAT", format="WAV")
            labels = "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n22050,88200,41,60,0,1,Half\n"
            for path, content in (
                (f"musicnet/{split}_data/{name}.wav", wav.getvalue()),
                (f"musicnet/{split}_labels/{name}.csv", labels.encode()),
            ):
                member = tarfile.TarInfo(path)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def documented_lines() -> list[str]:
    """The lines of docs/retraining.md that lead from MusicNet to a published checkpoint."""
    block = next(
        part for part in (ROOT / "docs" / "retraining.md").read_text().split("```") if "download --out" in part
    )
    return [line for line in block.splitlines() if line.startswith("python -m training")]


def test_readme_has_the_same_lines() -> None:
    readme = (ROOT / "README.md").read_text().replace("\\\n", " ")
    found = [shlex.split(line, comments=True) for line in readme.splitlines() if line.startswith("python -m training")]
    documented = [shlex.split(line) for line in documented_lines()]
    assert len(found) == 6
    assert all(line in documented for line in found)


@pytest.mark.timeout(900)  # seven processes, most of which import torch
def test_the_lines_for_musicnet_do_what_they_say(tmp_path: Path, server: Server) -> None:
    """As a person types them, but for where the record lies and how small the network and the run are."""
    files = {
        "musicnet_metadata.csv": server.offer("well", "musicnet_metadata.csv", b"id,composer\n1727,Schubert\n"),
        "musicnet.tar.gz": server.offer("breaking", "musicnet.tar.gz", musicnet_archive()),
    }
    record = replace(read_record(), unpacked_bytes=10**6, files=tuple(files.values()))
    (tmp_path / "record.json").write_text(json.dumps(asdict(record)))
    settings = json.loads((ROOT / "training" / "configs" / "musicnet.json").read_text())
    settings |= {"network": SMALL.to_dict(), "segment_seconds": 1.0, "batch_size": 2, "total_steps": 2}
    (tmp_path / "training" / "configs").mkdir(parents=True)
    (tmp_path / "training" / "configs" / "musicnet.json").write_text(json.dumps(settings))

    lines = documented_lines()
    assert [line.split()[3] for line in lines] == [
        "download",
        "prepare",
        "fit",
        "tune",
        "evaluate",
        "evaluate",
        "publish",
    ]
    for line in lines:
        words = shlex.split(line)[1:]
        if "download" in words:
            words += ["--record", "record.json"]
        outcome = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert outcome.returncode == 0, f"{line}\n{outcome.stdout}"

    assert server.ranges()[1:3] != ["", ""]  # the archive was broken off and went on
    for split, name in (("train", "1727"), ("validation", "2633"), ("test", "2303")):
        assert [recording.id for recording in read_manifest(tmp_path / "data" / f"musicnet_{split}")] == [name]
    served = tmp_path / "model" / "checkpoints"
    [entry] = json.loads((served / "manifest.json").read_text())["models"]
    assert entry["name"] == "musicnet"
    assert (served / entry["file"]).exists()
    chosen = json.loads((tmp_path / "runs" / "musicnet" / "thresholds.json").read_text())["chosen"]
    assert entry["decoding"] == chosen


@pytest.mark.skipif(ctypes.util.find_library("fluidsynth") is None, reason="rendering needs the FluidSynth library")
@pytest.mark.parametrize(
    ("font", "said"),
    [
        ("none.sf2", "no such soundfont: none.sf2: No such file or directory"),
        (".:2", r"no such soundfont: .: Is a directory"),
        ("table.csv:1", "table.csv: not a soundfont; expected a .sf2 or .sf3 file"),
        ("sine.sf2:often", "--soundfont takes PATH or PATH:WEIGHT, with a number for WEIGHT; got sine.sf2:often"),
        ("sine.sf2:0", "a weight is greater than 0, got sine.sf2:0"),
        ("sine.sf2:nan", "a weight is greater than 0, got sine.sf2:nan"),
    ],
)
def test_a_soundfont_that_cannot_be_used_is_said_before_anything_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, font: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_piece(tmp_path / "midi" / "1727.mid", scale(3))
    write_soundfont(tmp_path / "sine.sf2")
    (tmp_path / "table.csv").write_text("id,composer\n")
    with pytest.raises(DataError) as error:
        run("prepare", "musicnet-synth", "--root", "midi", "--out", "data", "--soundfont", font)
    assert said in error.value.message
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(ctypes.util.find_library("fluidsynth") is None, reason="rendering needs the FluidSynth library")
def test_a_piece_that_cannot_be_rendered_is_named_and_the_others_are_made(tmp_path: Path) -> None:
    write_piece(tmp_path / "midi" / "any name.mid", scale(3))
    (tmp_path / "midi" / "1733.mid").write_bytes((tmp_path / "midi" / "any name.mid").read_bytes()[:60])
    write_piece(tmp_path / "midi" / "1734.mid", [])
    write_soundfont(tmp_path / "sine.sf2")
    folders = ("--root", tmp_path / "midi", "--out", tmp_path / "data", "--workers", 1, "--plain")
    said = run("prepare", "musicnet-synth", *folders, "--soundfont", tmp_path / "sine.sf2", exit_code=1)
    assert "1 made, 0 were there, 2 left out" in said
    assert "1733.mid: not a MIDI file, or a damaged one: it ends too early" in said
    assert "1734.mid: holds no note" in said
    assert [recording.id for recording in read_manifest(tmp_path / "data" / "musicnet_synth")] == ["any name"]


@pytest.mark.parametrize("command", ["download", "prepare", "fit", "evaluate", "tune", "publish"])
def test_help_teaches(command: str) -> None:
    assert "Example" in run(command, "--help") or command == "prepare"
