"""Note values: how long each note is written, and in which voice of which staff.

What was played tells little of what was written: a quarter sounds for a half or for all of its time. So a note is
written to the beginning of the next one in its voice unless it stopped well before; then it gets the plain value that
is likeliest, given how much of its time the player holds a note.
"""

from collections import defaultdict
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from model.notation.events import Events
from model.notation.grid import PARTS
from model.notation.staves import split_hands
from model.notation.types import Detail, Metre, QuantizedNote
from model.notation.voices import separate
from model.note import Note

KEYBOARDS = frozenset(
    {*range(8), *range(16, 24), 46}
)  # General MIDI: pianos, organs and the harp are written on two staves
VOICES_A_STAFF, VOICES_ALONE = 2, 4
# Values, in parts of a beat, and how much rarer than the plainest each is, in log.
SIMPLE_VALUES = {
    3: 1.0,
    6: 0.3,
    9: 1.5,
    12: 0.0,
    18: 0.5,
    24: 0.0,
    36: 0.4,
    48: 0.1,
    72: 0.5,
    96: 0.3,
    144: 1.0,
    192: 0.8,
}
COMPOUND_VALUES = {2: 1.0, 4: 0.5, 8: 0.0, 12: 1.0, 16: 0.4, 24: 0.0, 48: 0.3, 72: 0.8, 96: 0.5}
HELD_SPREAD = 0.25  # of the log of the share of its time that a note is held
TIED = 0.5  # for a note that goes on over a triplet's end
OFF_GRID = 1.5  # for an end between the places that its onset allows
TO_NEXT: dict[Detail, float] = {
    "full": 0.7,
    "readable": 0.65,
    "melody": 0.4,
}  # held so much of the way, it goes all of it
LEAST_HELD, USUALLY_HELD = 0.5, 0.85
LONG_PARTS = 8 * PARTS  # what lasts longer is held for all of its time
LEGATO_PARTS = 4 * PARTS  # a longer way to the next note tells nothing of how notes are held
SMALLEST_SHARE = 0.2  # of the notes: what plays less has no melody


def quantise(
    notes: list[Note],
    events: Events,
    places: NDArray[np.int64],
    beats: NDArray[np.float64],
    metre: Metre,
    detail: Detail,
) -> list[QuantizedNote]:
    """Write notes down.

    Parameters
    ----------
    notes : list of Note
        Sorted.
    events : Events
        Of these notes.
    places : ndarray, shape (events,), int64
        In `PARTS` of a beat from the first beat.
    beats : ndarray, shape (beats,)
        Seconds; from before the first onset to after the last offset.
    metre : Metre
    detail : str

    Returns
    -------
    list of QuantizedNote
        Positions in quarters from the first beat. Of notes of one pitch, instrument and place one is kept.
    """
    starts = places[events.of_note]
    ends = np.interp([note.offset for note in notes], beats, np.arange(len(beats)) * PARTS)
    ends = np.maximum(ends, starts + 1)
    result: list[QuantizedNote] = []
    parts: dict[int, list[int]] = defaultdict(list)
    for i in kept(notes, starts, ends, detail):
        parts[notes[i].program].append(i)
    for program, chosen in sorted(parts.items()):
        pitches = np.array([notes[i].pitch for i in chosen], dtype=np.int64)
        staff, voice = dealt(
            starts[chosen], ends[chosen], pitches, two_staves=program in KEYBOARDS and detail != "melody"
        )
        lengths = written_lengths(starts[chosen], ends[chosen], voice, metre, detail)
        for at, i in enumerate(chosen):
            result.append(
                QuantizedNote(
                    onset=Fraction(int(starts[i]), PARTS) * metre.beat,
                    duration=Fraction(int(lengths[at]), PARTS) * metre.beat,
                    pitch=notes[i].pitch,
                    velocity=notes[i].velocity,
                    program=program,
                    voice=int(voice[at]),
                    staff=int(staff[at]),
                    index=i,
                )
            )
    return result


def kept(notes: list[Note], starts: NDArray[np.int64], ends: NDArray[np.float64], detail: Detail) -> list[int]:
    """Indices of the notes that are written, sorted by place."""
    longest: dict[tuple[int, int, int], int] = {}
    for i, note in enumerate(notes):
        key = note.program, note.pitch, int(starts[i])
        if key not in longest or ends[i] > ends[longest[key]]:
            longest[key] = i
    chosen = sorted(longest.values(), key=lambda i: (starts[i], notes[i].pitch))
    return highest_line(notes, chosen, starts, ends) if detail == "melody" else chosen


def highest_line(
    notes: list[Note], chosen: list[int], starts: NDArray[np.int64], ends: NDArray[np.float64]
) -> list[int]:
    """The highest note of each place in the highest instrument, unless a higher one still sounds for half of it."""
    pitches: dict[int, list[int]] = defaultdict(list)
    for i in chosen:
        pitches[notes[i].program].append(notes[i].pitch)
    loud = [program for program, all_ in pitches.items() if len(all_) >= SMALLEST_SHARE * len(chosen)] or list(pitches)
    if not loud:
        return []
    program = max(loud, key=lambda p: float(np.mean(pitches[p])))
    line: list[int] = []
    for i in sorted((i for i in chosen if notes[i].program == program), key=lambda i: (starts[i], -notes[i].pitch)):
        if line:
            before = line[-1]
            covered = ends[before] - starts[i] > (ends[i] - starts[i]) / 2 and notes[before].pitch > notes[i].pitch
            if starts[i] == starts[before] or covered:
                continue
        line.append(i)
    return line


def dealt(
    starts: NDArray[np.int64], ends: NDArray[np.float64], pitches: NDArray[np.int64], *, two_staves: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Staff and voice of each note of one instrument."""
    staff = split_hands(starts, pitches) if two_staves else np.zeros(len(starts), dtype=np.int64)
    voice = np.zeros(len(starts), dtype=np.int64)
    first = 0
    for number in (0, 1):
        mine = np.flatnonzero(staff == number)
        if len(mine) == 0:
            continue
        most = voices_needed(starts[mine], ends[mine], VOICES_A_STAFF if two_staves else VOICES_ALONE)
        voice[mine] = first + separate(starts[mine], ends[mine], pitches[mine], most)
        first += most
    return staff, voice


OVERLAPPING = 0.05  # of the notes must begin while so many others go on, for a voice more


def voices_needed(starts: NDArray[np.int64], ends: NDArray[np.float64], most: int) -> int:
    """How many voices a staff has: as many as often sound together without being one chord."""
    still = ends - 0.3 * (ends - starts)
    begun = np.searchsorted(starts, starts, side="left")
    ended = np.searchsorted(np.sort(still), starts, side="right")
    going_on = begun - ended  # notes from before each onset that still sound
    return 1 + sum(bool(np.mean(going_on >= k) > OVERLAPPING) for k in range(1, most))


def written_lengths(
    starts: NDArray[np.int64], ends: NDArray[np.float64], voices: NDArray[np.int64], metre: Metre, detail: Detail
) -> NDArray[np.int64]:
    """Lengths in parts of a beat; notes of a voice end together or before the next one begins."""
    chords: list[tuple[NDArray[np.int64], int, float]] = []  # its notes, the way to the next, how long it was held
    for voice in np.unique(voices):
        mine = np.flatnonzero(voices == voice)
        groups = np.split(mine, np.flatnonzero(np.diff(starts[mine])) + 1)
        for group, after in zip(groups, [*groups[1:], None], strict=True):
            way = 2**30 if after is None else int(starts[after[0]] - starts[group[0]])
            chords.append((group, way, float(np.median(ends[group] - starts[group]))))
    shares = [held / way for _, way, held in chords if way <= LEGATO_PARTS]
    share = float(np.clip(np.median(shares), LEAST_HELD, 1.0)) if shares else USUALLY_HELD
    if detail == "full":
        share = 1.0  # what was played is written
    lengths = np.zeros(len(starts), dtype=np.int64)
    for group, way, held in chords:
        lengths[group] = (
            way
            if held >= TO_NEXT[detail] * way
            else plain_value(int(starts[group[0]]), held if held > LONG_PARTS else held / share, way, metre)
        )
    return lengths


def tied_values(rest: int) -> dict[int, float]:
    """Values of notes that go on over ``rest``, the rest of a triplet's beat, for as long as a plain value."""
    return {rest + value: TIED + rarity for value, rarity in SIMPLE_VALUES.items() if value % PARTS == 0 and rest}


def plain_value(start: int, length: float, way: int, metre: Metre) -> int:
    """The likeliest value of about ``length`` parts that is no longer than ``way``."""
    values = COMPOUND_VALUES if metre.compound else SIMPLE_VALUES
    # Within a triplet, and where one begins: the next note of the voice comes after a third of the beat or two.
    ternary = not metre.compound and start % 8 == 0 and (start % PARTS != 0 or way in (8, 16))
    if ternary:
        values = {8: 0.3, 16: 0.3} | tied_values(-start % PARTS)
    best, least = way, np.inf
    for value, rarity in values.items():
        cost = 0.5 * (np.log(length / value) / HELD_SPREAD) ** 2 + rarity
        if (start + value) % (8 if ternary or metre.compound else 6) != 0:
            cost += OFF_GRID
        if value <= way and cost < least:
            best, least = value, cost
    whole_beats = PARTS * max(1, round(length / PARTS))
    longest = max(values)
    return min(way, whole_beats) if length > 1.5 * longest else best
