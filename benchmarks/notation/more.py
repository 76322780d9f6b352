"""More scores to tune on: works of music21's corpus that are in neither half, and more of those in the tuning half.

The long movements that `benchmarks.notation.scores` leaves out, the other chorales, madrigals, and tunes of
collections that it does not draw from, for the time signatures that dance tunes lack.
"""

import pickle
import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from music21 import converter, corpus, exceptions21

from benchmarks.notation.scores import CHAMBER, PIANO, Group, Score, excerpts, work_of

LARGEST_FILE = 250_000  # bytes
SECTIONS = 8  # of a file, evenly spread
DRAWN: dict[Group, tuple[str, int]] = {"chorale": ("bach/", 110), "tune": ("ryansMammoth/", 150)}
MADRIGALS = 12
COLLECTIONS = ("airdsAirs", "essenFolksong", "miscFolk", "oneills1850")
TUNES_A_BOOK = 4
INTERVALS, SAME_TUNE = 12, 0.15  # a tune under two names shares so many of its runs of intervals


def load_more(cache: Path, held_out: list[Score], *, seed: int = 0) -> list[Score]:
    """Scores of works that are not those of ``held_out``; read once and kept in the file ``cache``."""
    if cache.exists():
        kept: list[Score] = pickle.loads(cache.read_bytes())
        return kept
    rng = np.random.default_rng(seed)
    avoided = {(score.group, own_work(score.name)) for score in held_out}
    scores: list[Score] = []
    for group, path, name in more_files(rng):
        if (group, own_work(name)) not in avoided and (group, work_of(path)) not in avoided:
            found = list(excerpts(path, name, group))
            scores += [found[i] for i in np.unique(np.linspace(0, len(found) - 1, SECTIONS).astype(int)) if found]
    played = [grams(score) for score in held_out]
    scores = [s for s in scores if all(shared(grams(s), other) < SAME_TUNE for other in played)]
    cache.write_bytes(pickle.dumps(scores))
    return scores


def grams(score: Score) -> set[tuple[int, ...]]:
    """Runs of `INTERVALS` intervals of the highest line: a tune is told by them in any key and metre."""
    top: dict[Fraction, int] = {}
    for note in score.notes:
        if note.duration > 0:
            top[note.onset] = max(top.get(note.onset, 0), note.pitch)
    line = [top[onset] for onset in sorted(top)]
    steps = [after - before for before, after in pairwise(line)]
    return {tuple(steps[i : i + INTERVALS]) for i in range(len(steps) - INTERVALS + 1)}


def shared(one: set[tuple[int, ...]], other: set[tuple[int, ...]]) -> float:
    """The share of the smaller set that is in both."""
    return len(one & other) / max(1, min(len(one), len(other)))


def own_work(name: str) -> str:
    """The work of an excerpt's name: the folder of its movements, or the piece; arrangements of a chorale are it."""
    folder, piece = name.split(":")[0].split("/")
    return folder if piece.startswith("movement") else re.split(r"[-_](?=sc|inst|lz|a$|b$|old)", piece)[0]


def more_files(rng: np.random.Generator) -> Iterator[tuple[Group, Path, str]]:
    """Group, a file that partitura reads, and a name."""
    root = Path(corpus.__file__).parent
    paths = sorted({p for p in corpus.getCorePaths() if p.suffix in {".mxl", ".xml", ".krn", ".abc", ".musicxml"}})
    names = {path: path.relative_to(root).as_posix() for path in paths}
    for path, name in names.items():
        if path.suffix == ".krn" and path.with_suffix(".mxl").exists():
            continue
        if name.startswith(PIANO):
            yield "piano", path, f"{path.parent.name}/{path.stem}"
        elif name.startswith((*CHAMBER, "weber")) and path.stat().st_size < LARGEST_FILE:
            yield "chamber", path, f"{path.parent.name}/{path.stem}"
    drawn: list[tuple[Group, str, int]] = [(group, *rest) for group, rest in DRAWN.items()]
    for group, prefix, many in [*drawn, ("chamber", "monteverdi/", MADRIGALS)]:
        some = [path for path, name in names.items() if name.startswith(prefix)]
        for i in sorted(rng.choice(len(some), size=min(many, len(some)), replace=False)):
            path = some[i]
            if path.suffix == ".abc":
                yield from in_musicxml(path.read_text(encoding="utf-8"), f"{path.parent.name}/{path.stem}")
            else:
                yield group, path, f"{path.parent.name}/{path.stem}"
    for path, name in names.items():
        if name.startswith(COLLECTIONS) and path.suffix == ".abc":
            text = path.read_text(encoding="utf-8", errors="replace")
            tunes = [t for t in re.split(r"(?m)^(?=X:)", text) if t.startswith("X:")]
            for i in sorted(rng.choice(len(tunes), size=min(TUNES_A_BOOK, len(tunes)), replace=False)):
                yield from in_musicxml(tunes[i], f"{path.parent.name}/{path.stem}.{i}")


def in_musicxml(abc: str, name: str) -> Iterator[tuple[Group, Path, str]]:
    """A tune in ABC as a file of MusicXML; nothing where music21 cannot read it."""
    try:
        yield "tune", Path(converter.parse(abc, format="abc").write("musicxml")), name
    except (exceptions21.Music21Exception, ValueError, AttributeError, IndexError, TypeError):
        return
