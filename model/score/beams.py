"""Beams: short notes of one beat hang together."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby

from model.score.grid import BarGrid
from model.score.voices import Event

FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4, "128th": 5, "256th": 6}


def beams_of(events: Sequence[Event], grid: BarGrid) -> list[tuple[str, ...]]:
    """For each event of a voice in one bar what its beams do, from the first to the last.

    Returns
    -------
    list of tuple of str
        ``begin``, ``continue``, ``end``, ``forward hook`` or ``backward hook``; none for what has a flag of its own.
    """
    words: list[tuple[str, ...]] = [()] * len(events)

    def group_of(i: int) -> tuple[Fraction, bool]:
        return grid.beat_at(events[i].piece.start).start, bool(events[i].notes) and events[i].piece.kind in FLAGS

    for (_, beamed), members in groupby(range(len(events)), key=group_of):
        places = list(members)
        if beamed and len(places) > 1:
            counts = [FLAGS[events[i].piece.kind] for i in places]
            for place, said in zip(places, _words(counts), strict=True):
                words[place] = said
    return words


def _words(counts: Sequence[int]) -> list[tuple[str, ...]]:
    """Of each note of a group from how many beams each has."""
    found = []
    for i, count in enumerate(counts):
        before = counts[i - 1] if i else 0
        after = counts[i + 1] if i + 1 < len(counts) else 0
        found.append(tuple(_word(level, before, after) for level in range(1, count + 1)))
    return found


def _word(level: int, before: int, after: int) -> str:
    if before >= level:
        return "continue" if after >= level else "end"
    if after >= level:
        return "begin"
    return "backward hook" if before else "forward hook"
