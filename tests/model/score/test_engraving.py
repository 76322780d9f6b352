"""Engraved pages: read without a warning, plain, and with the ids by which a page follows the music."""

import json
import re
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
import verovio
from hypothesis import HealthCheck, given, settings

from model.notation.types import Rhythm
from model.score.engraving import EngravingError, engrave
from model.score.files import write_score
from model.score.layout import lay_out
from model.score.moments import describe
from model.score.musicxml import to_musicxml
from model.score.plain_svg import ems
from tests.model.score.music import PIANO, rhythm_of, rhythms

SVG = "{http://www.w3.org/2000/svg}"
LONG = [(i, 1, 60 + i % 12) for i in range(600)]


# Every example reads what was logged until then, and nothing else.
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rhythm=rhythms())
def test_verovio_reads_any_piece_without_a_warning(rhythm: Rhythm, capfd: pytest.CaptureFixture[str]) -> None:
    toolkit = verovio.toolkit()
    verovio.enableLog(verovio.LOG_WARNING)
    assert toolkit.loadData(to_musicxml(lay_out(rhythm, title="A piece")).decode())
    assert capfd.readouterr().err == ""


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(EngravingError):
        engrave(b"<html/>")


def test_every_bar_and_every_note_can_be_found_by_its_id() -> None:
    pages = engrave(to_musicxml(lay_out(rhythm_of(LONG))))
    ids = [name for page in pages for name in re.findall(r'id="(\w+)"', page.decode()) if re.match(r"bar|n\d", name)]
    assert {f"n{i}" for i in range(600)} | {f"bar{i}" for i in range(150)} == set(ids)
    assert len(ids) == len(set(ids))
    assert len(pages) > 1


def test_a_page_needs_no_style_no_font_and_no_other_file() -> None:
    (page,) = engrave(to_musicxml(lay_out(rhythm_of([(0, 4, 61)], program=PIANO), title="<script>é & 夜曲")))
    root = fromstring(page)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "defs", "g", "path", "use", "text", "tspan", "rect", "polygon", "polyline", "ellipse"}
    assert not any(name.startswith("on") or name == "style" for element in root.iter() for name in element.attrib)
    assert all(value.startswith("#") for one in root.iter() for name, value in one.items() if name.endswith("href"))
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert "<script>é & 夜曲" in texts
    assert any(re.fullmatch(r"\s*=\s*120", text) for text in texts), "the note before it is drawn"
    assert all(ord(sign) < 0xE000 or ord(sign) > 0xF8FF for text in texts for sign in text)


@pytest.mark.parametrize("title", ["Sonata No. 8 in C minor, Op. 13, II. Adagio cantabile, " * 3, "夜曲" * 50])
def test_a_long_title_fits_its_line(title: str) -> None:
    (page,) = engrave(to_musicxml(lay_out(rhythm_of([(0, 4, 61)], program=PIANO), title=title)))
    (line,) = [text for text in fromstring(page).iter(f"{SVG}text") if text.get("text-anchor") == "middle"]
    (piece,) = line
    assert (piece.text or "").strip() == title.strip()
    assert float(piece.get("font-size", 0)) * ems(title) <= 2.05 * float(line.get("x", 0))


def test_the_files_of_a_score(tmp_path: Path) -> None:
    rhythm = rhythm_of([("-1", "1", 67), *LONG], key="G", metre=(3, 4), tempo=60)
    write_score(rhythm, tmp_path, title="A piece")
    names = sorted(path.name for path in tmp_path.iterdir())
    told = json.loads((tmp_path / "score.json").read_text())
    pages = [f"page-{number}.svg" for number in range(1, told["n_pages"] + 1)]
    assert names == sorted([*pages, "quantized.mid", "score.json", "score.musicxml", "score.mxl", "score.pdf"])
    assert (told["tempo"], told["time_signature"], told["key"], told["first_downbeat"]) == (60, "3/4", "G", 5)
    first, second = told["bars"][:2]
    assert (first["number"], first["start"], first["end"]) == (0, 4, 5)
    assert (second["number"], second["start"], second["end"]) == (1, 5, 8)
    assert told["notes"][:2] == [["n0", 4, 5], ["n1", 5, 6]]
    for bar in told["bars"]:
        page = (tmp_path / f"page-{bar['page']}.svg").read_text()
        assert f'id="{bar["id"]}"' in page
    assert (tmp_path / "score.pdf").read_bytes().startswith(b"%PDF-")


def test_a_description_says_nothing_that_cannot_be_asked_for() -> None:
    """Neither a time before the recording nor a tempo that no request may have."""
    slow, fast = (rhythm_of([("-1", "1", 67), (0, 4, 60)], tempo=tempo) for tempo in (10, 500))
    told = describe(lay_out(slow), slow, engrave(to_musicxml(lay_out(slow))))
    assert [(bar["start"], bar["end"]) for bar in told["bars"]] == [(0, 5), (5, 29)]
    assert told["notes"] == [["n0", 0, 5], ["n1", 5, 29]]
    assert told["tempo"] == 20
    assert describe(lay_out(fast), fast, engrave(to_musicxml(lay_out(fast))))["tempo"] == 400


def test_equal_music_gives_equal_files(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_score(rhythm_of(LONG[:40]), tmp_path / name, title="A piece")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name
