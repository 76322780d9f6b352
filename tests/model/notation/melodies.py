"""Music whose notation is known, as notes."""

from model.note import Note

# (pitch, quarters): the chorale "Nun danket alle Gott" has an upbeat; "Ode to Joy" has none.
ODE = [
    (64, 1), (64, 1), (65, 1), (67, 1), (67, 1), (65, 1), (64, 1), (62, 1),
    (60, 1), (60, 1), (62, 1), (64, 1), (64, 1.5), (62, 0.5), (62, 2),
    (64, 1), (64, 1), (65, 1), (67, 1), (67, 1), (65, 1), (64, 1), (62, 1),
    (60, 1), (60, 1), (62, 1), (64, 1), (62, 1.5), (60, 0.5), (60, 2),
]  # fmt: skip
ODE_BASS = [(48, 2), (43, 2), (48, 2), (43, 2), (45, 2), (41, 2), (43, 2), (43, 2)] * 2
WALTZ = [
    (76, 2),
    (74, 1),
    (72, 3),
    (74, 1),
    (76, 1),
    (77, 1),
    (79, 3),
    (77, 2),
    (76, 1),
    (74, 3),
    (72, 1),
    (71, 1),
    (69, 1),
    (67, 3),
]
WALTZ_BASS = [
    (48, 1),
    (52, 1),
    (55, 1),
    (45, 1),
    (52, 1),
    (57, 1),
    (43, 1),
    (50, 1),
    (55, 1),
    (48, 1),
    (52, 1),
    (55, 1),
] * 2


def line(
    values: list[tuple[int, float]], *, tempo: float, start: float = 1.0, held: float = 0.9, program: int = 0
) -> list[Note]:
    """One voice, at so many quarters a minute; each note is held for a share of its value."""
    notes, at = [], start
    for pitch, quarters in values:
        seconds = quarters * 60 / tempo
        notes.append(Note(at, pitch, at + held * seconds, program=program))
        at += seconds
    return notes


def ode(*, tempo: float = 100.0, start: float = 1.0) -> list[Note]:
    """16 bars of 4/4 in C major, twice the tune over a bass."""
    return sorted(line(ODE * 2, tempo=tempo, start=start) + line(ODE_BASS * 2, tempo=tempo, start=start))
