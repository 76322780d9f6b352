"""The file on the grid: what is in it, and when it plays."""

import io
from fractions import Fraction

import mido
import pretty_midi
import pytest

from model.midi import TICKS_PER_QUARTER
from model.notation.analysis import analyse
from model.notation.quantized_midi import to_quantized_midi
from model.notation.types import NotationOptions, Rhythm
from tests.model.notation.melodies import ODE, line, ode


@pytest.fixture(scope="module")
def rhythm() -> Rhythm:
    return analyse(ode() + line(ODE, tempo=100, program=73))


def test_notes_lie_on_the_grid_where_the_score_has_them(rhythm: Rhythm) -> None:
    file = to_quantized_midi(rhythm)
    assert starts(file) == sorted((n.onset, n.pitch) for n in rhythm.notes)


def starts(file: mido.MidiFile) -> list[tuple[Fraction, int]]:
    """(quarters, pitch) of every note."""
    found = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity > 0:
                found.append((Fraction(tick, TICKS_PER_QUARTER), message.note))
    return sorted(found)


def test_it_says_metre_key_and_a_track_for_each_instrument(rhythm: Rhythm) -> None:
    file = to_quantized_midi(rhythm, title="Ode")
    head = {message.type: message for message in file.tracks[0]}
    assert (head["time_signature"].numerator, head["time_signature"].denominator) == (4, 4)
    assert head["key_signature"].key == "C"
    assert head["track_name"].name == "Ode"
    programs = [m.program for track in file.tracks[1:] for m in track if m.type == "program_change"]
    assert programs == [0, 73]
    assert all(track[0].type == "track_name" and track[0].name for track in file.tracks[1:])


def test_an_independent_reader_hears_what_was_played(rhythm: Rhythm) -> None:
    stored = io.BytesIO()
    to_quantized_midi(rhythm).save(file=stored)
    stored.seek(0)
    midi = pretty_midi.PrettyMIDI(stored)
    heard = sorted(note.start for note in midi.instruments[1].notes)
    played = sorted(note.onset for note in line(ODE, tempo=100, program=73))
    assert heard == pytest.approx([onset - played[0] for onset in played], abs=0.02)


def test_a_minor_key_is_written_as_one() -> None:
    file = to_quantized_midi(analyse(ode(), overrides=NotationOptions(key="f#")))
    assert next(m.key for m in file.tracks[0] if m.type == "key_signature") == "F#m"


def test_an_empty_piece_is_a_file() -> None:
    stored = io.BytesIO()
    to_quantized_midi(analyse([])).save(file=stored)
    assert starts(mido.MidiFile(file=io.BytesIO(stored.getvalue()))) == []


def test_an_upbeat_is_the_end_of_a_bar() -> None:
    rhythm = analyse(ode(), overrides=NotationOptions(tempo=100.0, metre=(4, 4), first_downbeat=1.6))
    file = to_quantized_midi(rhythm)
    assert starts(file)[0][0] == 3
