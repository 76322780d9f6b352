"""A score as MusicXML 4.0 (score-partwise), plain and compressed (.mxl)."""

import io
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from model.score.beams import beams_of
from model.score.layout import Part, Score, StaffBar
from model.score.parts import Clef
from model.score.spelling import Spelling, signature_alter
from model.score.values import KIND_OF, value_of
from model.score.voices import Bar, Event, ScoreNote

DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
)
CONTAINER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<container><rootfiles><rootfile full-path="score.musicxml" '
    'media-type="application/vnd.recordare.musicxml+xml"/></rootfiles></container>\n'
)
MXL_TYPE = "application/vnd.recordare.musicxml"
ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
# A zip entry has to have a time; equal scores shall be equal files.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
DRUM_CHANNEL = 10  # counted from 1


def note_id(index: int, number: int = 0) -> str:
    """Id of a written note: of the input note's place, and which of the values it is tied from."""
    return f"n{index}" + (f"-{number}" if number else "")


def bar_id(place: int) -> str:
    """Id of a bar by its place from 0; it stands at the first part's."""
    return f"bar{place}"


def to_musicxml(score: Score) -> bytes:
    """Write a score."""
    root = Element("score-partwise", version="4.0")
    if score.title:
        SubElement(SubElement(root, "work"), "work-title").text = score.title
    SubElement(SubElement(SubElement(root, "identification"), "encoding"), "software").text = "Audio to notes"
    part_list = SubElement(root, "part-list")
    for number, part in enumerate(score.parts, start=1):
        _describe(part_list, part, number)
    divisions = _divisions(score)
    for number, part in enumerate(score.parts, start=1):
        element = SubElement(root, "part", id=f"P{number}")
        for place, bar in enumerate(score.bars):
            _PartBar(score, part, bar, divisions).write(element, place, first=number == 1)
    indent(root, " ")
    return (DOCTYPE + tostring(root, encoding="unicode") + "\n").encode()


def to_mxl(musicxml: bytes) -> bytes:
    """Compress a MusicXML document."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(zipfile.ZipInfo("mimetype", ZIP_TIME), MXL_TYPE)
        for name, content in (("META-INF/container.xml", CONTAINER.encode()), ("score.musicxml", musicxml)):
            file.writestr(zipfile.ZipInfo(name, ZIP_TIME), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _describe(part_list: Element, part: Part, number: int) -> None:
    """Name and sound of a part."""
    element = SubElement(part_list, "score-part", id=f"P{number}")
    SubElement(element, "part-name").text = part.name
    instrument = f"P{number}-I1"
    SubElement(SubElement(element, "score-instrument", id=instrument), "instrument-name").text = part.name
    midi = SubElement(element, "midi-instrument", id=instrument)
    channels = [channel for channel in range(1, 17) if channel != DRUM_CHANNEL]
    SubElement(midi, "midi-channel").text = str(channels[(number - 1) % len(channels)])
    SubElement(midi, "midi-program").text = str(part.program + 1)


def _divisions(score: Score) -> int:
    """Into how many parts a quarter has to fall so that all lengths are whole."""
    lengths = {event.piece.length for part in score.parts for bar in part.bars for event in _events(bar)}
    return lcm(*(length.denominator for length in lengths | {bar.end - bar.start for bar in score.bars}))


def _events(bar: tuple[StaffBar, ...]) -> Iterator[Event]:
    for staff in bar:
        for events in staff.values():
            yield from events


class _PartBar:
    """One bar of one part on its way into a document."""

    def __init__(self, score: Score, part: Part, bar: Bar, divisions: int) -> None:
        self.score, self.part, self.bar, self.divisions = score, part, bar, divisions

    def write(self, parent: Element, place: int, *, first: bool) -> None:
        """Append the measure to its part."""
        self.measure = SubElement(parent, "measure", number=str(self.bar.number))
        if self.bar.missing:
            self.measure.set("implicit", "yes")
        if first:
            self.measure.set("id", bar_id(place))
        if place == 0:
            self._attributes()
            if first:
                self._tempo()
        written = False
        for number, staff in enumerate(self.part.bars[place], start=1):
            shown = _shown_accidentals(staff, self.score)
            for voice, events in sorted(staff.items()) or [(number * 4 - 3, ())]:
                if written:
                    SubElement(SubElement(self.measure, "backup"), "duration").text = self._count(self._length)
                written = True
                if events:
                    self._voice(events, voice, number, shown)
                else:
                    self._bar_rest(voice, number)
        if place == len(self.score.bars) - 1:
            SubElement(SubElement(self.measure, "barline", location="right"), "bar-style").text = "light-heavy"

    @property
    def _length(self) -> Fraction:
        return self.bar.end - self.bar.start

    def _count(self, quarters: Fraction) -> str:
        return str(int(quarters * self.divisions))

    def _attributes(self) -> None:
        score, part = self.score, self.part
        attributes = SubElement(self.measure, "attributes")
        SubElement(attributes, "divisions").text = str(self.divisions)
        key = SubElement(attributes, "key")
        SubElement(key, "fifths").text = str(score.key.fifths)
        SubElement(key, "mode").text = score.key.mode
        time = SubElement(attributes, "time")
        SubElement(time, "beats").text = str(score.metre.numerator)
        SubElement(time, "beat-type").text = str(score.metre.denominator)
        if len(part.clefs) > 1:
            SubElement(attributes, "staves").text = str(len(part.clefs))
        for number, clef in enumerate(part.clefs, start=1):
            _add_clef(attributes, clef, number if len(part.clefs) > 1 else None)

    def _tempo(self) -> None:
        """The mean tempo, over the first bar; players of the file take it from there."""
        score = self.score
        direction = SubElement(self.measure, "direction", placement="above")
        metronome = SubElement(SubElement(direction, "direction-type"), "metronome")
        kind, dotted = value_of(score.metre.beat) or (KIND_OF[Fraction(1)], False)
        SubElement(metronome, "beat-unit").text = kind
        if dotted:
            SubElement(metronome, "beat-unit-dot")
        SubElement(metronome, "per-minute").text = str(round(score.tempo))
        SubElement(direction, "sound", tempo=f"{score.tempo * float(score.metre.beat):.2f}")

    def _bar_rest(self, voice: int, staff: int) -> None:
        element = SubElement(self.measure, "note")
        SubElement(element, "rest", measure="yes")
        SubElement(element, "duration").text = self._count(self._length)
        SubElement(element, "voice").text = str(voice)
        self._add_staff(element, staff)

    def _voice(self, events: tuple[Event, ...], voice: int, staff: int, shown: set[tuple[int, int]]) -> None:
        brackets = _brackets(events)
        for event, beams, bracket in zip(events, beams_of(events, self.score.grid), brackets, strict=True):
            for place, note in enumerate(event.notes or (None,)):
                element = SubElement(self.measure, "note")
                if note is not None:
                    element.set("id", note_id(note.index, event.number))
                if place:
                    SubElement(element, "chord")
                self._pitch_and_length(element, event, note)
                SubElement(element, "voice").text = str(voice)
                self._look(element, event, accidental=_accidental(note, event, shown))
                self._add_staff(element, staff)
                if place == 0:
                    for level, word in enumerate(beams, start=1):
                        SubElement(element, "beam", number=str(level)).text = word
                _add_notations(element, event, bracket if place == 0 else ())

    def _pitch_and_length(self, element: Element, event: Event, note: ScoreNote | None) -> None:
        if note is None:
            SubElement(element, "rest")
        else:
            _add_pitch(element, note.spelling)
        SubElement(element, "duration").text = self._count(event.piece.length)
        for kind in _ties(event):
            SubElement(element, "tie", type=kind)

    def _look(self, element: Element, event: Event, *, accidental: str | None) -> None:
        piece = event.piece
        SubElement(element, "type").text = piece.kind
        if piece.dotted:
            SubElement(element, "dot")
        if accidental:
            SubElement(element, "accidental").text = accidental
        if piece.tuplet:
            modification = SubElement(element, "time-modification")
            SubElement(modification, "actual-notes").text = str(piece.tuplet.actual)
            SubElement(modification, "normal-notes").text = str(piece.tuplet.normal)

    def _add_staff(self, element: Element, staff: int) -> None:
        if len(self.part.clefs) > 1:
            SubElement(element, "staff").text = str(staff)


def _add_clef(attributes: Element, clef: Clef, number: int | None) -> None:
    element = SubElement(attributes, "clef", {"number": str(number)} if number else {})
    SubElement(element, "sign").text = clef.sign
    SubElement(element, "line").text = str(clef.line)
    if clef.octaves:
        SubElement(element, "clef-octave-change").text = str(clef.octaves)


def _add_pitch(element: Element, spelling: Spelling) -> None:
    pitch = SubElement(element, "pitch")
    SubElement(pitch, "step").text = spelling.step
    if spelling.alter:
        SubElement(pitch, "alter").text = str(spelling.alter)
    SubElement(pitch, "octave").text = str(spelling.octave)


def _add_notations(element: Element, event: Event, bracket: tuple[str, ...]) -> None:
    ties = _ties(event)
    if not ties and not bracket:
        return
    notations = SubElement(element, "notations")
    for kind in ties:
        SubElement(notations, "tied", type=kind)
    for kind in bracket:
        tuplet = SubElement(notations, "tuplet", type=kind, number="1")
        if kind == "start":
            tuplet.set("bracket", "yes")


def _ties(event: Event) -> list[str]:
    if not event.notes:
        return []
    return ["stop"] * (event.number > 0) + ["start"] * event.tied_on


def _brackets(events: tuple[Event, ...]) -> list[tuple[str, ...]]:
    """Where tuplets begin and end: each is written from its first event to its last."""
    found = []
    for i, event in enumerate(events):
        tuplet = event.piece.tuplet
        before = events[i - 1].piece.tuplet if i else None
        after = events[i + 1].piece.tuplet if i + 1 < len(events) else None
        words = ("start",) * (tuplet != before) + ("stop",) * (tuplet != after)
        found.append(words if tuplet else ())
    return found


def _shown_accidentals(staff: StaffBar, score: Score) -> set[tuple[int, int]]:
    """The notes (index and number) before which an accidental stands: what the signature and the bar do not say yet."""
    now: dict[tuple[str, int], int] = {}
    shown = set()
    for event in sorted(_events((staff,)), key=lambda event: event.piece.start):
        for note in event.notes:
            place = (note.spelling.step, note.spelling.octave)
            if event.number == 0 and note.spelling.alter != now.get(place, signature_alter(place[0], score.key)):
                shown.add((note.index, event.number))
                now[place] = note.spelling.alter
    return shown


def _accidental(note: ScoreNote | None, event: Event, shown: set[tuple[int, int]]) -> str | None:
    if note is None or (note.index, event.number) not in shown:
        return None
    return ACCIDENTALS[note.spelling.alter]
