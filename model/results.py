"""Activations, or notes that a person has edited, to the files that are taken away. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model.activations import Activations, open_activations
from model.midi import write_midi
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.notes_csv import write_notes_csv
from model.piano_roll import add_frames, write_piano_roll

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
    _write_notes(notes, heard, folder, tempo=tempo, title=title)
    add_frames(folder / PIANO_ROLL_FILE, folder / PIANO_ROLL_FRAMES_FILE, activations=heard)
    return ResultSummary(len(notes), _warnings(notes))


def write_edited(
    notes: list[Note], activations: Path, folder: Path, *, tempo: float, title: str, track_names: Mapping[str, str]
) -> ResultSummary:
    """Write MIDI, CSV and piano roll of notes that a person has edited.

    Parameters
    ----------
    notes : list of Note
        In any order; those of one pitch do not overlap.
    activations : Path
        Those of the recording, for its duration. The notes need not agree with them.
    folder, tempo, title
        As for `write_results`.
    track_names : mapping from str to str
        What the person calls an instrument's track, by the instrument's name.

    Raises
    ------
    ActivationsError
        If the activations cannot be read.
    OptionError
        If the tempo lies outside its range.
    """
    heard = open_activations(activations)
    _write_notes(sorted(notes), heard, folder, tempo=tempo, title=title, track_names=track_names)
    return ResultSummary(len(notes))


def _write_notes(
    notes: list[Note],
    heard: Activations,
    folder: Path,
    *,
    tempo: float,
    title: str,
    track_names: Mapping[str, str] | None = None,
) -> None:
    write_midi(notes, folder / MIDI_FILE, tempo=tempo, title=title, track_names=track_names)
    write_notes_csv(notes, folder / CSV_FILE)
    write_piano_roll(notes, folder / PIANO_ROLL_FILE, activations=heard, track_names=track_names)


def _warnings(notes: list[Note]) -> list[str]:
    return [] if notes else ["no notes were found"]
