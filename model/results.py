"""Activations to the files that a person takes away. Needs no torch."""

from dataclasses import dataclass, field
from pathlib import Path

from model.activations import open_activations
from model.midi import write_midi
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.notes_csv import write_notes_csv
from model.piano_roll import write_piano_roll

MIDI_FILE = "notes.mid"
CSV_FILE = "notes.csv"
PIANO_ROLL_FILE = "piano-roll.json"
PIANO_ROLL_FRAMES_FILE = "piano-roll-frames.json"


@dataclass(frozen=True)
class ResultSummary:
    """What was written.

    Parameters
    ----------
    n_notes : int
    warnings : list of str
        What a person should know.
    """

    n_notes: int
    warnings: list[str] = field(default_factory=list)


def write_results(
    activations: Path, folder: Path, *, options: DecodingOptions, tempo: float, title: str
) -> ResultSummary:
    """Decode the notes and write MIDI, CSV and both piano rolls.

    Parameters
    ----------
    activations : Path
        A file of `model.activations`.
    folder : Path
        Exists; files of the same names are overwritten.
    options : DecodingOptions
    tempo : float
        Quarters a minute of the MIDI file's grid.
    title : str
        Name of the MIDI file's first track.

    Raises
    ------
    ActivationsError
        If the activations cannot be read.
    OptionError
        If the tempo lies outside its range.
    """
    heard = open_activations(activations)
    notes = decode_notes(heard, options)
    write_midi(notes, folder / MIDI_FILE, tempo=tempo, title=title)
    write_notes_csv(notes, folder / CSV_FILE)
    write_piano_roll(notes, folder / PIANO_ROLL_FILE, activations=heard)
    write_piano_roll(notes, folder / PIANO_ROLL_FRAMES_FILE, activations=heard, with_frames=True)
    return ResultSummary(len(notes), _warnings(notes))


def _warnings(notes: list[Note]) -> list[str]:
    return [] if notes else ["no notes were found"]
