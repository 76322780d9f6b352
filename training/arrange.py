"""Musical variety for parts that have none: who plays, how loud, how together, in what register."""

from collections.abc import Sequence

import numpy as np

from model.note import Note
from training.instruments import Instrument
from training.musicnet import Part
from training.prepared import replace_offset

Rng = np.random.Generator


def move(note: Note, *, shift: float = 0.0, scale: float = 1.0, pitch: int | None = None) -> Note:
    """Copy a note, its times scaled and then shifted, never before 0, at another pitch."""
    onset = max(0.0, note.onset * scale + shift)
    offset = max(onset + 0.02, note.offset * scale + shift)
    return Note(onset, note.pitch if pitch is None else pitch, offset, note.velocity, 1.0, note.program)


def fit_register(part: Part, player: Instrument) -> Part:
    """Give a part to an instrument: whole octaves as most notes need, then single notes folded into its range.

    Returns
    -------
    Part
        With the instrument's program.
    """
    pitches = np.array([note.pitch for note in part.notes])
    octaves = np.arange(-4, 5) * 12
    shifted = pitches[None, :] + octaves[:, None]  # (9 octaves, n notes)
    inside = ((shifted >= player.lowest) & (shifted <= player.highest)).sum(axis=1)
    # Among equally good octaves the one nearest the written register.
    best = int(octaves[np.lexsort((np.abs(octaves), -inside))[0]])
    notes = [move(note, pitch=fold(note.pitch + best, player)) for note in part.notes]
    return Part.of(player.program, notes)


def fold(pitch: int, player: Instrument) -> int:
    """Bring a pitch into an instrument's range by octaves; a range under an octave may leave it clipped."""
    while pitch < player.lowest:
        pitch += 12
    while pitch > player.highest:
        pitch -= 12
    return max(player.lowest, pitch)


def thin(part: Part, *, most_struck: int, most_sounding: int) -> Part:
    """Leave what two hands on six strings can play.

    Parameters
    ----------
    part : Part
    most_struck : int
        Notes kept of those that begin within 30 ms: the highest, the lowest, then the highest of the rest.
    most_sounding : int
        When one more is struck, the note that has sounded longest ends, as its string is needed.
    """
    kept: list[Note] = []
    sounding: list[int] = []  # places in `kept`, oldest first
    for chord in chords(part.notes, within=0.03):
        for note in hull(chord, most_struck):
            sounding = [place for place in sounding if kept[place].offset > note.onset]
            if len(sounding) >= most_sounding:
                first = sounding.pop(0)
                kept[first] = replace_offset(kept[first], max(kept[first].onset + 0.02, note.onset))
            sounding.append(len(kept))
            kept.append(note)
    return Part.of(part.program, kept)


def chords(notes: Sequence[Note], *, within: float) -> list[list[Note]]:
    """Group notes, sorted by onset, that begin within so many seconds of the first of the group."""
    groups: list[list[Note]] = []
    for note in notes:
        if groups and note.onset - groups[-1][0].onset <= within:
            groups[-1].append(note)
        else:
            groups.append([note])
    return groups


def hull(chord: Sequence[Note], most: int) -> list[Note]:
    """Keep the top note, the bass, and of the rest the highest."""
    by_height = sorted(chord, key=lambda note: -note.pitch)
    return by_height[: most - 1] + by_height[-1:] if len(by_height) > most else by_height


def strum(part: Part, rng: Rng, *, gap: float) -> Part:
    """Spread each chord from the lowest string up, `gap` seconds a string on average, some chords from the top down."""
    notes: list[Note] = []
    for chord in chords(part.notes, within=0.03):
        ordered = sorted(chord, key=lambda note: note.pitch, reverse=rng.random() < 0.25)
        delays = np.cumsum(rng.uniform(0.5, 1.5, len(ordered)) * gap) - gap
        notes += [move_onset(note, float(max(0.0, delay))) for note, delay in zip(ordered, delays, strict=True)]
    return Part.of(part.program, notes)


def move_onset(note: Note, shift: float) -> Note:
    """Begin a note earlier or later; its end stays unless the note would be under 30 ms long."""
    onset = max(0.0, note.onset + shift)
    return Note(onset, note.pitch, max(note.offset, onset + 0.03), note.velocity, 1.0, note.program)


def jitter(part: Part, rng: Rng, *, spread: float) -> Part:
    """Play as people do, not quite together: onsets by a normal `spread` in seconds, cut at three times that."""
    shifts = np.clip(rng.normal(0, spread, len(part.notes)), -3 * spread, 3 * spread)
    return Part.of(part.program, [move_onset(n, float(s)) for n, s in zip(part.notes, shifts, strict=True)])


def legato(part: Part, rng: Rng) -> Part:
    """Lengthen or shorten all notes of a part by one factor, from staccato to overlapping."""
    factor = float(rng.choice([0.5, 0.75, 0.9, 1.0, 1.0, 1.1]))
    notes = [
        Note(n.onset, n.pitch, n.onset + max(0.05, (n.offset - n.onset) * factor), n.velocity, 1.0, n.program)
        for n in part.notes
    ]
    return Part.of(part.program, notes)


def perform(part: Part, rng: Rng) -> Part:
    """Give a part dynamics: slow swells, phrases, accents, the top voice brought out, and the unevenness of fingers.

    Returns
    -------
    Part
        With velocities of 12 to 127.
    """
    onsets = np.array([note.onset for note in part.notes])
    level = rng.uniform(50, 92) + rng.uniform(6, 16) * swell(onsets, rng, period=rng.uniform(12, 40))
    level += rng.uniform(3, 10) * swell(onsets, rng, period=rng.uniform(2, 7))
    level += rng.normal(0, rng.uniform(2, 8), len(onsets))
    level += np.where(rng.random(len(onsets)) < 0.06, rng.uniform(8, 25), 0.0)
    level += rng.uniform(0, 12) * is_top(part.notes)
    velocities = np.clip(np.round(level), 12, 127).astype(int)
    notes = [
        Note(n.onset, n.pitch, n.offset, int(v), 1.0, n.program) for n, v in zip(part.notes, velocities, strict=True)
    ]
    return Part(part.program, tuple(notes))


def swell(times: np.ndarray, rng: Rng, *, period: float) -> np.ndarray:
    """A smooth random curve over times in seconds, within -1..1: knots every half period, a cosine between them."""
    knots = rng.uniform(-1, 1, int(times.max(initial=0.0) / (period / 2)) + 3)
    position = times / (period / 2) + rng.random()
    index = np.minimum(position.astype(int), len(knots) - 2)
    weight = (1 - np.cos(np.pi * np.minimum(position - index, 1.0))) / 2
    return np.asarray(knots[index] * (1 - weight) + knots[index + 1] * weight)


def is_top(notes: Sequence[Note]) -> np.ndarray:
    """1 for the highest note of each chord, else 0."""
    tops = {id(max(chord, key=lambda note: note.pitch)) for chord in chords(notes, within=0.03)}
    return np.array([float(id(note) in tops) for note in notes])


def split_voices(part: Part) -> list[Part]:
    """Divide a keyboard part at its median pitch, for two players."""
    middle = float(np.median([note.pitch for note in part.notes]))
    low = [note for note in part.notes if note.pitch < middle]
    high = [note for note in part.notes if note.pitch >= middle]
    return [Part.of(part.program, notes) for notes in (low, high) if notes]
