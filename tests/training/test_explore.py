import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.note import Note
from tests.training.sets import links_of, write_set
from tests.training.test_whole import run
from training.errors import DataError
from training.explore.statistics import (
    between_onsets,
    gather,
    in_time_bins,
    read_composers,
    seconds_by_polyphony,
)

FLUTE = 73
CHORD = [Note(1.0, 60, 2.0), Note(1.01, 64, 2.0), Note(3.0, 67, 4.0)]
TUNE = [Note(0.5, 72, 1.0, program=FLUTE), Note(1.0, 74, 1.25, program=FLUTE)]
METADATA = "id,composer,composition\n1727,Schubert,Quintet\n1733,Bach,Fugue\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_set(tmp_path / "data" / "pieces", {"1727": CHORD, "1733-part": TUNE, "texture1": TUNE}, source="strings")
    (tmp_path / "metadata.csv").write_text(METADATA)
    return tmp_path / "data" / "pieces"


def test_a_page_of_pictures_with_the_figures_beside(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "explore"
    run("explore", "--data", data, "--metadata", tmp_path / "metadata.csv", "--out", out)
    figures = json.loads((out / "explore.json").read_text())["sets"]["pieces"]
    assert {name: group["notes"] for name, group in figures["groups"].items()} == {
        "Schubert": 3, "Bach": 2, "not in the metadata": 2
    }  # fmt: skip
    assert (figures["groups"]["Schubert"]["lowest"], figures["groups"]["Schubert"]["highest"]) == ("C4", "G4")
    assert [(row["name"], row["notes"]) for row in figures["instruments"]] == [
        ("Flute", 4),
        ("Acoustic Grand Piano", 3),
    ]
    assert [strip["recording"] for strip in figures["strips"]] == ["1727", "1733-part", "texture1"]
    files = links_of(out / "index.html")
    assert all(file.stat().st_size > 0 for file in files)
    drawn = list(out.rglob("*.png"))
    assert len(drawn) == 7 + 3
    assert set(drawn) == {file for file in files if file.suffix == ".png"}
    for picture in drawn:
        assert np.asarray(Image.open(picture).convert("L")).std() > 1, f"{picture} is empty"


def test_without_metadata_recordings_stand_by_their_source(data: Path) -> None:
    assert list(gather(data, None).groups) == ["strings"]


def test_damaged_recordings_are_named_and_the_rest_is_drawn(tmp_path: Path, data: Path) -> None:
    (data / "1727.tsv").write_text("onset\toffset\tpitch\tvelocity\tprogram\n1.0\t0.5\t60\t64\t0\n")
    (data / "1733-part.wav").write_bytes(b"RIFF")
    said = run("explore", "--data", data, "--out", tmp_path / "explore", exit_code=1)
    assert "1727.tsv, line 2: not a note" in said
    assert "1733-part.wav: audio cannot be read" in said
    figures = json.loads((tmp_path / "explore" / "explore.json").read_text())["sets"]["pieces"]
    assert set(figures["failed"]) == {"1727", "1733-part"}
    assert [strip["recording"] for strip in figures["strips"]] == ["texture1"]


def test_metadata_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("number,name\n1,Bach\n")
    with pytest.raises(DataError, match="needs the columns id and composer"):
        read_composers(tmp_path / "other.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_composers(tmp_path / "missing.csv")


def test_two_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="more than one pieces"):
        run("explore", "--data", tmp_path / "one" / "pieces", "--data", tmp_path / "two" / "pieces", "--out", tmp_path)


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no prepared recordings"):
        gather(tmp_path, None)


def test_polyphony_counted_by_hand() -> None:
    # Silence to 1, one note to 2, two to 3, one to 4, silence to 6. Two notes begin as the first one ends: never three.
    onsets, offsets = np.array([1.0, 2.0, 2.0, 3.5]), np.array([2.0, 3.0, 3.5, 4.0])
    seconds = seconds_by_polyphony(onsets, offsets, 6.0)
    assert seconds[:4] == pytest.approx([3.0, 2.0, 1.0, 0.0])
    assert seconds.sum() == pytest.approx(6.0)
    assert seconds_by_polyphony(np.zeros(0), np.zeros(0), 6.0)[0] == 6.0


def test_a_chord_is_one_onset() -> None:
    intervals = between_onsets(np.array([1.02, 1.0, 1.5, 1.51, 1.52, 3.0]))
    assert intervals == pytest.approx([0.5, 1.5], abs=0.025)
    assert between_onsets(np.array([1.0])).size == between_onsets(np.zeros(0)).size == 0


def test_time_bins_hold_everything_once() -> None:
    counted = in_time_bins(np.array([0.001, 0.01, 0.5, 11.0, 500.0]))
    assert counted.sum() == 5
    assert (counted[0], counted[1], counted[-1]) == (1, 1, 2)


def test_octaves_are_those_of_scientific_pitch_notation(data: Path) -> None:
    gathered = gather(data, None).total
    assert gathered.octaves[4 + 1] == 3  # C4, E4, G4
    assert gathered.octaves[5 + 1] == 4  # C5 and D5, twice
