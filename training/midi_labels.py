"""Labels out of MIDI files that someone recorded or aligned with audio: velocities, programs and the sustain pedal."""

from bisect import bisect_left
from collections import Counter
from pathlib import Path

import pretty_midi

from model.note import Note
from training.intake import Labels
from training.musicnet import open_midi
from training.prepared import in_range, playable

SUSTAIN = 64  # controller number of the sustain pedal; it is down from the value 64 on
DOWN = 64


def read_midi_labels(path: Path, *, pedal: bool) -> Labels:
    """Read the notes of all instruments but drums.

    Parameters
    ----------
    path : Path
    pedal : bool
        Let a note that ends while the sustain pedal is down sound until the pedal is lifted or its key is struck again.

    Raises
    ------
    DataError
        If the file is not a MIDI file.
    """
    midi = open_midi(path)
    remarks: Counter[str] = Counter()
    notes = [
        note
        for instrument in midi.instruments
        for note in instrument_notes(instrument, remarks, end=midi.get_end_time(), pedal=pedal)
    ]
    return Labels(sorted(notes), +remarks)


def instrument_notes(
    instrument: pretty_midi.Instrument, remarks: Counter[str], *, end: float, pedal: bool
) -> list[Note]:
    """The notes of one instrument as they sound."""
    if instrument.is_drum:
        remarks["notes of drums"] += len(instrument.notes)
        return []
    sounding = [note for note in instrument.notes if in_range(note.pitch) and note.end > note.start]
    remarks["notes without length"] += sum(note.end <= note.start for note in instrument.notes)
    remarks["notes outside the keyboard"] += sum(not in_range(note.pitch) for note in instrument.notes)
    held = pedal_spans(instrument, end) if pedal else []
    notes = [
        Note(
            max(0.0, float(note.start)),
            int(note.pitch),
            release(float(note.end), held),
            max(1, int(note.velocity)),
            program=int(instrument.program),
        )
        for note in sounding
    ]
    kept = playable(notes)
    remarks["notes that a note of the same pitch leaves no time"] += len(notes) - len(kept)
    return kept


def pedal_spans(instrument: pretty_midi.Instrument, end: float) -> list[tuple[float, float]]:
    """When the sustain pedal is down, (from, to) in seconds; one that is never lifted stays down until `end`."""
    spans: list[tuple[float, float]] = []
    since: float | None = None
    for change in sorted(instrument.control_changes, key=lambda change: float(change.time)):
        if change.number != SUSTAIN:
            continue
        if change.value >= DOWN and since is None:
            since = float(change.time)
        elif change.value < DOWN and since is not None:
            spans.append((since, float(change.time)))
            since = None
    if since is not None:
        spans.append((since, max(since, end)))
    return spans


def release(offset: float, held: list[tuple[float, float]]) -> float:
    """When a note whose key is let go at `offset` stops sounding."""
    at = bisect_left(held, (offset, float("inf"))) - 1  # the last time that the pedal went down up to then
    return max(offset, held[at][1]) if at >= 0 else offset
