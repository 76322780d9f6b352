"""Notes as comma-separated values, one line a note."""

import csv
from pathlib import Path

from model.note import Note

COLUMNS = ("onset", "offset", "pitch", "name", "velocity", "confidence")
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def pitch_name(pitch: int) -> str:
    """Scientific pitch notation of a MIDI note number: 60 is C4."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def write_notes_csv(notes: list[Note], path: Path) -> None:
    """Write onset and offset (s), MIDI pitch, its name, velocity and confidence, after a header line."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for note in notes:
            times = (f"{note.onset:.6f}", f"{note.offset:.6f}")
            writer.writerow([*times, note.pitch, pitch_name(note.pitch), note.velocity, f"{note.confidence:.4f}"])
