"""Other systems' MIDI files, as they come."""

from pathlib import Path

import numpy as np
import pretty_midi
import pytest

from model.note import Note
from tests.training.material import write_piece
from training.evaluate import midi_system
from training.prepared import Recording, Waveform

RECORDING = Recording("piece.1", 3.0, 2, "test", "validation", "0" * 64, {})
SILENCE: Waveform = np.zeros(10, dtype=np.float32)
NOTES = [Note(0.5, 60, 1.0), Note(1.5, 62, 2.0)]


@pytest.mark.parametrize("ending", [".mid", ".midi", ".MID", ".MIDI"])
def test_a_file_is_found_by_its_name_whatever_wrote_its_ending(tmp_path: Path, ending: str) -> None:
    write_piece(tmp_path / f"piece.1{ending}", NOTES)
    heard = midi_system(tmp_path)(RECORDING, SILENCE).notes
    assert [(note.onset, note.pitch) for note in heard] == [(0.5, 60), (1.5, 62)]


@pytest.mark.parametrize("pitches", [[], [20], [0, 109, 127]])
def test_a_file_without_a_note_of_the_keyboard_is_an_answer(tmp_path: Path, pitches: list[int]) -> None:
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(0))
    midi.instruments[0].notes = [pretty_midi.Note(80, pitch, 0.5, 1.0) for pitch in pitches]
    midi.write(str(tmp_path / "piece.1.mid"))
    assert midi_system(tmp_path)(RECORDING, SILENCE).notes == []
