"""MusicXML: valid, every bar full, and what it sounds is what was quantised."""

import io
import zipfile
from fractions import Fraction
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree

from model.notation.types import Rhythm
from model.score.layout import lay_out
from model.score.musicxml import to_musicxml, to_mxl
from tests.model.score.music import VIOLIN, rhythm_of, rhythms
from tests.model.score.reading import bars, schema, sounding

ANY_PIECE = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def written(rhythm: Rhythm, title: str = "") -> bytes:
    return to_musicxml(lay_out(rhythm, title=title))


@ANY_PIECE
@given(rhythms())
def test_any_piece_is_valid_musicxml_with_full_bars(rhythm: Rhythm) -> None:
    musicxml = written(rhythm, "A piece")
    assert schema().validate(etree.fromstring(musicxml)), schema().error_log
    found = list(bars(musicxml))
    whole = rhythm.metre.bar
    for number, part, lengths in found:
        expected = {lengths[0]} if number == "0" else {whole}
        assert set(lengths) == expected, f"bar {number} of {part}"
    assert max(Fraction(note.end) for note in rhythm.notes) <= whole * max(int(number) for number, _, _ in found)


@ANY_PIECE
@given(rhythms())
def test_any_piece_sounds_as_it_was_quantised(rhythm: Rhythm) -> None:
    first = lay_out(rhythm).bars[0].start
    expected = sorted((note.onset - first, note.duration, note.pitch) for note in rhythm.notes)
    assert sounding(written(rhythm)) == expected


def test_a_piece_without_notes_is_one_bar_of_rest() -> None:
    musicxml = written(rhythm_of([]))
    assert schema().validate(etree.fromstring(musicxml))
    (measure, *others) = fromstring(musicxml).iter("measure")
    assert not others
    assert [rest.get("measure") for rest in measure.iter("rest")] == ["yes", "yes"], "a piano's two staves"


def test_an_upbeat_is_a_short_bar_before_the_first() -> None:
    document = fromstring(written(rhythm_of([("-1/2", "1/2", 67), (0, 4, 72)], metre=(3, 4))))
    first, second, third = document.iter("measure")
    assert [bar.get("number") for bar in (first, second, third)] == ["0", "1", "2"]
    assert first.get("implicit") == "yes"
    assert [kind.text for kind in first.iter("type")] == ["eighth", "eighth"], "a rest completes the beat"
    assert first.find("note/rest") is not None


def test_accidentals_stand_once_in_a_bar_and_not_at_a_tied_note() -> None:
    scale = [(i, 1, pitch) for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]
    line = [(8, 1, 66), (9, 1, 66), (10, 1, 65), (11, 2, 66), (13, 1, 66), (14, 2, 65)]
    found = [note.findtext("accidental") for note in fromstring(written(rhythm_of(scale + line))).iter("note")]
    assert found[8:] == ["sharp", None, "natural", "sharp", None, "sharp", "natural"]


def test_a_key_signature_takes_the_accidentals_away() -> None:
    scale = [(i, 1, pitch) for i, pitch in enumerate((62, 64, 66, 67, 69, 71, 73, 74))]
    document = fromstring(written(rhythm_of(scale, key="D")))
    assert document.findtext(".//fifths") == "2"
    assert not list(document.iter("accidental"))
    assert [pitch.findtext("step") for pitch in document.iter("pitch")] == list("DEFGABCD")


def test_a_title_is_text_whatever_it_holds() -> None:
    document = fromstring(written(rhythm_of([(0, 4, 60)]), "Für <b>Élise</b> & 夜曲"))
    assert document.findtext("work/work-title") == "Für <b>Élise</b> & 夜曲"


@pytest.mark.parametrize(
    ("metre", "unit", "dots", "per_minute"), [((4, 4), "quarter", 0, "90"), ((6, 8), "quarter", 1, "90")]
)
def test_the_tempo_counts_beats(metre: tuple[int, int], unit: str, dots: int, per_minute: str) -> None:
    document = fromstring(written(rhythm_of([(0, 1, 60)], metre=metre, tempo=90)))
    assert document.findtext(".//beat-unit") == unit
    assert len(list(document.iter("beat-unit-dot"))) == dots
    assert document.findtext(".//per-minute") == per_minute


def test_the_compressed_file_holds_the_plain_one() -> None:
    musicxml = written(rhythm_of([(0, 1, 60)], program=VIOLIN))
    packed = to_mxl(musicxml)
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        names = file.namelist()
        assert names[0] == "mimetype"
        container = fromstring(file.read("META-INF/container.xml"))
        (root,) = container.iter("rootfile")
        assert file.read(root.get("full-path", "")) == musicxml
    assert to_mxl(musicxml) == packed
