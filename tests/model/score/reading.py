"""Reading a written score back: with music21, which shares nothing with the writer, and bar by bar."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import music21
from lxml import etree

SCHEMA = Path(__file__).parent / "schema"
Sounding = tuple[Fraction, Fraction, int]


class _Local(etree.Resolver):
    """What the schema imports, from beside it."""

    def resolve(self, url: str, _public: str, context: Any) -> Any:
        return self.resolve_filename(str(SCHEMA / url.rpartition("/")[2]), context)


@cache
def schema() -> etree.XMLSchema:
    """MusicXML 4.0."""
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Local())
    return etree.XMLSchema(etree.parse(SCHEMA / "musicxml.xsd", parser))


def sounding(musicxml: bytes) -> list[Sounding]:
    """What music21 hears: (onset, duration, pitch) in quarters from the first bar line, ties joined, sorted."""
    score = music21.converter.parseData(musicxml.decode(), format="musicxml")
    return sorted(note for part in score.parts for note in _joined(part))


def _joined(part: music21.stream.Part) -> Iterator[Sounding]:
    held: dict[tuple[int, Fraction], list[Fraction]] = defaultdict(list)  # (pitch, end so far) -> onsets
    for element in sorted(part.flatten().notes, key=lambda element: element.offset):
        start = Fraction(element.offset)
        end = start + Fraction(element.quarterLength)
        start, end = start.limit_denominator(960), end.limit_denominator(960)
        for note in element.notes if isinstance(element, music21.chord.Chord) else [element]:
            tie = note.tie.type if note.tie else None
            onset = held[note.pitch.midi, start].pop() if tie in ("stop", "continue") else start
            if tie in ("start", "continue"):
                held[note.pitch.midi, end].append(onset)
            else:
                yield onset, end - onset, note.pitch.midi
    assert not any(held.values()), "a tie leads nowhere"


def bars(musicxml: bytes) -> Iterator[tuple[str, str, list[Fraction]]]:
    """Number and part of each bar, and how long each of its voices is, in quarters."""
    for part in fromstring(musicxml).iter("part"):
        divisions = int(part.findtext(".//divisions") or 0)
        for measure in part.iter("measure"):
            lengths = _lengths(measure, divisions)
            yield str(measure.get("number")), str(part.get("id")), lengths


def _lengths(measure: Element, divisions: int) -> list[Fraction]:
    lengths: dict[str, Fraction] = defaultdict(Fraction)
    position = Fraction(0)
    for element in measure:
        length = Fraction(int(element.findtext("duration") or 0), divisions)
        if element.tag == "backup":
            position -= length
        elif element.tag == "note" and element.find("chord") is None:
            voice = str(element.findtext("voice"))
            assert lengths[voice] == position, "a voice goes on where another stopped"
            lengths[voice] += length
            position += length
    return list(lengths.values())
