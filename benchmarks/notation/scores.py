"""Scores from music21's corpus as plain notes: excerpts of one time signature, with bars, key, voices and staves.

All chamber music, songs and piano music of the corpus that partitura reads, and as many chorales and dance tunes, drawn
from its many. partitura reads MusicXML and Humdrum twenty times as fast as music21, which here reads ABC alone.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import partitura
from music21 import converter, corpus

from model.notation.types import Key, Metre

Group = Literal["chorale", "chamber", "piano", "tune"]
CHAMBER = (
    "beethoven",
    "corelli",
    "handel",
    "haydn",
    "mozart",
    "schumann_robert",
    "schumann_clara",
    "schubert",
    "verdi",
)
PIANO = (
    "chopin", "cpebach", "joplin", "mozart/k545", "schumann_clara/polonaise", "johnson_j_r", "beach", "liliuokalani"
)  # fmt: skip
DRAWN: dict[Group, tuple[str, int]] = {"chorale": ("bach/", 44), "tune": ("ryansMammoth/", 28)}
LARGEST_FILE = 20_000  # bytes: long movements take long to read, for an excerpt of each
MIN_BARS, MAX_BARS, MAX_SECTIONS = 12, 32, 2
MIN_NOTES = 40
UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)  # what partitura raises on some files
QUARTET = (40, 40, 41, 42)
NAMED = {"piano": 0, "violin": 40, "viola": 41, "cello": 42, "bass": 43}
FLUTE = 73
SUNG = 71  # the analysis hears no words: a singer is played by a clarinet


@dataclass(frozen=True)
class ScoreNote:
    """A written note; ties are one note. Positions in quarters from the first downbeat; a grace note lasts 0."""

    onset: Fraction
    duration: Fraction
    pitch: int
    program: int
    voice: int
    staff: int


@dataclass(frozen=True)
class Score:
    """An excerpt. ``bars`` are the positions of its downbeats; ``key`` is None where the mode cannot be told."""

    name: str
    group: Group
    metre: Metre
    key: Key | None
    bars: tuple[Fraction, ...]
    notes: tuple[ScoreNote, ...]


def load_scores(cache: Path, *, seed: int = 0) -> tuple[list[Score], list[Score]]:
    """Scores to tune on and scores to report, no work in both; read once and kept in the file ``cache``."""
    if cache.exists():
        halves: tuple[list[Score], list[Score]] = pickle.loads(cache.read_bytes())
        return halves
    rng = np.random.default_rng(seed)
    works: dict[tuple[Group, str], list[Path]] = {}
    for group, path in chosen_files(rng):
        works.setdefault((group, work_of(path)), []).append(path)
    names = sorted(works)
    by_group = {group: [name for name in names if name[0] == group] for group in {name[0] for name in names}}
    tuning: list[Score] = []
    report: list[Score] = []
    for group in sorted(by_group):
        for number, which in enumerate(rng.permutation(len(by_group[group]))):
            half = (tuning, report)[number % 2]
            for path in works[by_group[group][which]]:
                half.extend(read(path, group))
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_bytes(pickle.dumps((tuning, report)))
    return tuning, report


def work_of(path: Path) -> str:
    """What is never cut in two: the work that a file is a movement of."""
    return path.parent.name if path.parent.parent.name != "corpus" else path.stem


def chosen_files(rng: np.random.Generator) -> Iterator[tuple[Group, Path]]:
    """Files of the corpus with the kind of music in them."""
    root = Path(corpus.__file__).parent
    paths = sorted(
        {path for path in corpus.getCorePaths() if path.suffix in {".mxl", ".xml", ".krn", ".abc", ".musicxml"}}
    )
    names = {path: path.relative_to(root).as_posix() for path in paths}
    for path, name in names.items():
        if path.suffix == ".krn" and path.with_suffix(".mxl").exists():
            continue
        if name.startswith(PIANO):
            yield "piano", path
        elif name.startswith(CHAMBER) and path.stat().st_size < LARGEST_FILE:
            yield "chamber", path
    for group, (prefix, many) in DRAWN.items():
        group_paths = [path for path, name in names.items() if name.startswith(prefix)]
        for i in sorted(rng.choice(len(group_paths), size=many, replace=False)):
            yield group, group_paths[i]


def read(path: Path, group: Group) -> Iterator[Score]:
    """The first sections of a file that stay in one time signature and one key signature."""
    name = f"{path.parent.name}/{path.stem}"
    if path.suffix == ".abc":
        path = Path(converter.parse(path).write("musicxml"))
    yield from islice(excerpts(path, name, group), MAX_SECTIONS)


def excerpts(path: Path, name: str, group: Group) -> Iterator[Score]:
    """All sections of a file that stay in one time signature and one key signature and are long enough."""
    try:
        parts = list(partitura.load_score(str(path)).parts)
    except UNREADABLE:
        return
    notes = all_notes(parts, group)
    found = count()
    for metre, fifths, start, bars, stop in sections(parts[0]):
        inside = tuple(moved(n, bars[0]) for n in notes if start <= n.onset < stop)
        if len(bars) < MIN_BARS or len(inside) < MIN_NOTES:
            continue
        yield Score(
            f"{name}:{next(found)}", group, metre, key_of(notes, fifths), tuple(bar - bars[0] for bar in bars), inside
        )


Section = tuple[Metre, int, Fraction, list[Fraction], Fraction]  # with sharps, start, downbeats and end


def sections(part: Any) -> Iterator[Section]:
    """Runs of full measures, after an upbeat perhaps; two that a repeat cut from one are one."""
    metres = {s.start.t: (s.beats, s.beat_type) for s in part.time_sigs}
    keys = {s.start.t: s.fifths for s in part.key_sigs}
    signature, fifths = (0, 0), 0
    metre: Metre | None = None
    start, bars, pending = Fraction(0), list[Fraction](), Fraction(0)
    for measure in part.measures:
        begin, end = exact(part.quarter_map(measure.start.t)), exact(part.quarter_map(measure.end.t))
        now = metres.get(measure.start.t, signature), keys.get(measure.start.t, fifths)
        length = end - begin
        broken = metre is not None and pending + length > metre.bar
        if now != (signature, fifths) or broken or len(bars) >= MAX_BARS:
            if metre is not None and bars:
                yield metre, fifths, start, bars, begin
            signature, fifths = now
            metre = written_metre(*signature)
            start, bars, pending = begin, [], Fraction(0)
        if metre is None or length <= 0 or length > metre.bar:
            start = end
            continue
        if not bars and length < metre.bar:  # an upbeat, unless another short measure follows
            start = begin
            continue
        if not pending:
            bars.append(begin)
        pending = (pending + length) % metre.bar
    if metre is not None and bars:
        yield metre, fifths, start, bars, end


def exact(quarters: float) -> Fraction:
    """The fraction that a number of quarters was."""
    return Fraction(float(quarters)).limit_denominator(96)


def written_metre(numerator: int, denominator: int) -> Metre | None:
    """The time signature where this project can write it."""
    try:
        return Metre(numerator, denominator)
    except ValueError:
        return None


def key_of(notes: list[ScoreNote], fifths: int) -> Key | None:
    """Major or minor by the lowest note at the end of the piece; files seldom state it, or wrongly."""
    last = max(n.onset for n in notes)
    bass = min(n.pitch for n in notes if n.onset == last or n.onset + n.duration > last) % 12
    for mode, offset in (("major", 0), ("minor", 9)):
        if bass == (7 * fifths + offset) % 12:
            return Key(bass, mode, fifths)  # type: ignore[arg-type]
    return None


def all_notes(parts: list[Any], group: Group) -> list[ScoreNote]:
    """Notes of a file in the order of their onsets; positions from its first downbeat."""
    notes = []
    for number, part in enumerate(parts):
        array = part.note_array(include_staff=True, include_grace_notes=True)
        if len(array) == 0:
            continue
        program = program_of(part.part_name or "", group, number, len(parts), two_staves=int(array["staff"].max()) > 1)
        for row in array:
            staff = int(number >= len(parts) / 2) if group == "chorale" else max(0, min(1, int(row["staff"]) - 1))
            onset, duration = exact(row["onset_quarter"]), exact(row["duration_quarter"])
            duration = Fraction(0) if row["is_grace"] else duration
            if 21 <= row["pitch"] <= 108 and (duration > 0 or row["is_grace"]):
                notes.append(
                    ScoreNote(onset, duration, int(row["pitch"]), program, 10 * number + int(row["voice"]), staff)
                )
    return sorted(notes, key=lambda n: (n.onset, n.pitch))


def moved(note: ScoreNote, origin: Fraction) -> ScoreNote:
    """A note counted from another position."""
    return replace(note, onset=note.onset - origin)


def program_of(name: str, group: Group, number: int, parts: int, *, two_staves: bool) -> int:
    """What plays a part."""
    if group != "chamber":
        return FLUTE if group == "tune" else 0
    if two_staves:
        return 0
    named = next((program for word, program in NAMED.items() if word in name.lower()), None)
    if named is not None:
        return named
    return QUARTET[number] if parts == len(QUARTET) else SUNG
