"""Notes as comma-separated values, one line a note."""

import csv
from pathlib import Path

from model.instruments import instrument_name
from model.note import Note

# New columns come last: whoever reads by position goes on reading.
COLUMNS = (
    "onset", "offset", "pitch", "name", "velocity", "confidence", "program", "instrument", "instrument_confidence",
)  # fmt: skip
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def pitch_name(pitch: int) -> str:
    """Scientific pitch notation of a MIDI note number: 60 is C4."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def write_notes_csv(notes: list[Note], path: Path) -> None:
    """Write a header line, then each note: seconds, MIDI pitch and its name, velocity, certainty, instrument."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for note in notes:
            sound = (note.pitch, pitch_name(note.pitch), note.velocity, f"{note.confidence:.4f}")
            player = (note.program, instrument_name(note.program), f"{note.instrument_confidence:.4f}")
            writer.writerow([f"{note.onset:.6f}", f"{note.offset:.6f}", *sound, *player])
