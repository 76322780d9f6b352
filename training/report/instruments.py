"""Scores that know which instrument plays, for systems whose notes say so.

A note is found with its instrument if a note of the same 0-based General MIDI program matches it in pitch and onset, as
`training.scores` matches. So that a confusion is one error and not a miss and a false alarm, what is left over is then
matched without regard to the program: those pairs stand off the diagonal of the confusion matrix.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pretty_midi

from model.note import Note
from training.report.breakdown import Breakdown
from training.report.note_errors import match_onsets

# Programs of the reference and of the estimate; None stands for no note.
Confusion = Counter[tuple[int | None, int | None]]


def confusion(true: Sequence[Note], found: Sequence[Note]) -> Confusion:
    """Count which program was taken for which.

    Parameters
    ----------
    true, found : sequence of Note
        Reference and estimate.

    Returns
    -------
    Counter of (int or None, int or None)
        Notes by (program of the reference, program of the estimate); ``(40, None)`` counts violin notes that were
        missed, ``(None, 40)`` violin notes that are not there. Counters of several recordings add up.
    """
    counted: Confusion = Counter()
    left_true, left_found = list(true), list(found)
    for program in sorted({note.program for note in found}):
        mine = [note for note in left_true if note.program == program]
        theirs = [note for note in left_found if note.program == program]
        pairs = match_onsets(mine, theirs)
        counted[program, program] += len(pairs)
        left_true = without(left_true, [mine[i] for i, _ in pairs])
        left_found = without(left_found, [theirs[j] for _, j in pairs])
    pairs = match_onsets(left_true, left_found)
    counted.update((left_true[i].program, left_found[j].program) for i, j in pairs)
    counted.update((note.program, None) for note in without(left_true, [left_true[i] for i, _ in pairs]))
    counted.update((None, note.program) for note in without(left_found, [left_found[j] for _, j in pairs]))
    return +counted  # without zeros


def without(notes: Sequence[Note], taken: Iterable[Note]) -> list[Note]:
    """Leave out these very notes, not others that are equal to them."""
    identities = {id(note) for note in taken}
    return [note for note in notes if id(note) not in identities]


def note_and_program(confused: Confusion) -> Breakdown[int]:
    """Notes found with their instrument, missed and added, by program, out of a confusion matrix.

    A note given to another instrument counts as a miss of its own and as a false alarm of the other.
    """
    scored: Breakdown[int] = Breakdown()
    for (true, found), count in confused.items():
        if true is not None and true == found:
            scored.hits[true] += count
            continue
        if true is not None:
            scored.misses[true] += count
        if found is not None:
            scored.false_alarms[found] += count
    return scored


def carries_programs(confused: Confusion) -> bool:
    """Whether an estimate says which instrument plays: one that does not leaves every note on program 0."""
    return any(found for _, found in confused)


def only_program(true: Sequence[Note]) -> int | None:
    """The program of a recording of one instrument; None if several play."""
    programs = {note.program for note in true}
    return programs.pop() if len(programs) == 1 else None


def most_frequent_program(notes: Sequence[Note]) -> int | None:
    """The program of most notes; None if there are none."""
    counted = Counter(note.program for note in notes)
    return counted.most_common(1)[0][0] if counted else None


def program_name(program: int) -> str:
    """General MIDI's name of a 0-based program."""
    return str(pretty_midi.program_to_instrument_name(program))
