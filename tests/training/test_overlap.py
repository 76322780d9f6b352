"""Soundfonts that hold the same recordings."""

import struct
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.training.material import chunk
from training.cli import app
from training.errors import DataError
from training.overlap import shared_samples

RNG = np.random.default_rng(1)
NOISE, OTHER_NOISE = (RNG.integers(-9000, 9000, 4000).astype("<i2").tobytes() for _ in range(2))
SINE = (9000 * np.sin(2 * np.pi * np.arange(4000) / 4)).astype("<i2").tobytes()  # four values, over and over


def write_bank(path: Path, samples: dict[str, bytes]) -> Path:
    """A soundfont's samples and their headers, which is all that is read of it."""
    headers, at = b"", 0
    for name, sound in samples.items():
        stop = at + len(sound) // 2
        headers += struct.pack("<20sIIIIIBbHH", name.encode(), at, stop, at, stop, 44100, 60, 0, 0, 1)
        at = stop
    body = b"sfbk" + chunk(b"LIST", b"sdta" + chunk(b"smpl", b"".join(samples.values())))
    path.write_bytes(chunk(b"RIFF", body + chunk(b"LIST", b"pdta" + chunk(b"shdr", headers))))
    return path


def test_a_recording_is_found_under_another_name_and_cut_otherwise(tmp_path: Path) -> None:
    bank = write_bank(tmp_path / "a.sf2", {"Bassoon": NOISE, "Flute": OTHER_NOISE})
    other = write_bank(tmp_path / "b.sf2", {"Oboe": SINE, "Low reed": NOISE[1000:]})
    assert shared_samples(bank, other) == ({"Bassoon": len(NOISE)}, 0.5)


def test_plain_waves_and_silence_are_nobodys_recording(tmp_path: Path) -> None:
    bank = write_bank(tmp_path / "a.sf2", {"Sine": SINE, "Rest": bytes(8000), "Flute": NOISE})
    assert shared_samples(bank, write_bank(tmp_path / "b.sf2", {"Sine": SINE, "Rest": bytes(8000)})) == ({}, 0.0)


def test_the_command_names_what_is_shared(tmp_path: Path) -> None:
    bank = write_bank(tmp_path / "a.sf2", {"Bassoon": NOISE})
    others = [write_bank(tmp_path / "b.sf2", {"x": NOISE}), write_bank(tmp_path / "c.sf2", {"x": OTHER_NOISE})]
    words = ["overlap", "--soundfont", str(bank), *(word for path in others for word in ("--other", str(path)))]
    said = CliRunner().invoke(app, words).output.splitlines()
    assert said == [
        "b.sf2: 1 samples, 100.0% of the sound of a.sf2: Bassoon",
        "c.sf2: 0 samples, 0.0% of the sound of a.sf2",
    ]


def test_what_is_no_soundfont_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.sf2").write_bytes(b"no soundfont")
    with pytest.raises(DataError, match=r"a\.sf2: not a soundfont"):
        shared_samples(tmp_path / "a.sf2", tmp_path / "a.sf2")
    bank = write_bank(tmp_path / "b.sf2", {"Bassoon": NOISE})
    with pytest.raises(DataError, match=r"c\.sf2: No such file"):
        shared_samples(bank, tmp_path / "c.sf2")
