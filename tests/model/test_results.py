"""What a person takes away: MIDI, CSV and JSON say the same notes, and other programs read them."""

import base64
import csv
import json
import zlib
from pathlib import Path

import jsonschema
import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import piano_roll
from model.activations import ActivationsWriter, open_activations
from model.errors import OptionError
from model.midi import TICKS_PER_QUARTER, to_midi, to_ticks, write_midi
from model.note import N_PITCHES, Note
from model.note_events import DecodingOptions, decode_notes
from model.notes_csv import pitch_name
from model.piano_roll import write_piano_roll
from model.results import write_results

RATE = 16000 / 384
SCHEMA = json.loads((Path(piano_roll.__file__).parent / "schemas" / "piano-roll.schema.json").read_text())

any_note = st.builds(
    lambda onset, length, pitch, velocity, program: Note(onset, pitch, onset + length, velocity, 1.0, program),
    st.floats(0, 20),
    st.floats(0.001, 3),
    st.integers(21, 108),
    st.integers(1, 127),
    st.sampled_from([0, 40, 73]),
)


def spans(file: mido.MidiFile) -> list[tuple[int, int, int, int, int]]:
    """(program, pitch, start tick, stop tick, velocity) of each note; fails where a pitch is struck twice."""
    found = []
    for track in file.tracks[1:]:
        program, now, open_notes = 0, 0, {}
        for message in track:
            now += message.time
            if message.type == "program_change":
                program = message.program
            elif message.type == "note_on":
                assert message.velocity > 0
                assert message.note not in open_notes
                open_notes[message.note] = (now, message.velocity)
            elif message.type == "note_off":
                start, velocity = open_notes.pop(message.note)
                assert now > start
                found.append((program, message.note, start, now, velocity))
        assert open_notes == {}
    return sorted(found)


@settings(max_examples=150, deadline=None)
@given(st.lists(any_note, max_size=25), st.floats(20, 400))
def test_midi_holds_every_note_to_the_tick_and_none_overlaps(notes: list[Note], tempo: float) -> None:
    file = to_midi(notes, tempo=tempo, title="Études 🎹")
    exact = 60e6 / mido.bpm2tempo(tempo)
    starts = {(note.program, note.pitch, to_ticks(note.onset, exact)) for note in notes}
    found = spans(file)
    assert {(program, pitch, start) for program, pitch, start, _, _ in found} == starts
    longest = dict.fromkeys(starts, 0)
    for note in notes:
        key = (note.program, note.pitch, to_ticks(note.onset, exact))
        longest[key] = max(longest[key], max(key[2] + 1, to_ticks(note.offset, exact)))
    for program, pitch, start, stop, _ in found:
        later = [s for g, p, s in starts if (g, p) == (program, pitch) and s > start]
        assert stop <= min([longest[(program, pitch, start)], *later])


def test_mido_and_pretty_midi_read_the_same_notes_back(tmp_path: Path) -> None:
    notes = [Note(0.5, 60, 1.25, 80), Note(0.5, 64, 1.25, 70), Note(1.25, 60, 1.5, 90), Note(3.0, 72, 3.0625, 1)]
    write_midi(notes, tmp_path / "a.mid", tempo=97.0, title="Prélude, op. 28")
    read = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid"))
    tick = 60 / 97 / TICKS_PER_QUARTER
    assert [track.name for track in mido.MidiFile(tmp_path / "a.mid", charset="utf-8").tracks] == [
        "Prélude, op. 28",
        "Acoustic Grand Piano",
    ]
    assert read.get_tempo_changes()[1][0] == pytest.approx(97.0, abs=1e-3)
    found = sorted((n.start, n.end, n.pitch, n.velocity) for n in read.instruments[0].notes)
    for (start, end, pitch, velocity), note in zip(found, sorted(notes), strict=True):
        assert (pitch, velocity) == (note.pitch, note.velocity)
        assert start == pytest.approx(note.onset, abs=0.51 * tick)
        assert end == pytest.approx(note.offset, abs=0.51 * tick)
    assert len(spans(mido.MidiFile(tmp_path / "a.mid"))) == 4


def test_one_named_track_per_program_on_channels_without_drums() -> None:
    notes = [Note(0.1 * i, 60, 0.1 * i + 0.05, program=i) for i in range(20)]
    tracks = to_midi(notes).tracks[1:]
    assert len({track.name for track in tracks}) == 20
    channels = [message.channel for track in tracks for message in track if message.type == "note_on"]
    assert 9 not in channels
    assert len(set(channels)) == 15


def test_no_notes_still_make_a_file_that_opens(tmp_path: Path) -> None:
    write_midi([], tmp_path / "a.mid")
    assert pretty_midi.PrettyMIDI(str(tmp_path / "a.mid")).get_end_time() == 0


def test_a_tempo_out_of_range_is_refused() -> None:
    with pytest.raises(OptionError, match=r"tempo must lie in 20\.\.400"):
        to_midi([], tempo=5)


def test_all_files_say_the_same(tmp_path: Path) -> None:
    values = (np.random.default_rng(5).random((500, 3, N_PITCHES)) ** 6 * 255).astype(np.uint8)
    with ActivationsWriter(tmp_path / "a", RATE) as writer:
        writer.append(values)
    options = DecodingOptions(min_note_ms=0)
    summary = write_results(tmp_path / "a", tmp_path, options=options, tempo=120, title="t")
    notes = decode_notes(open_activations(tmp_path / "a"), options)
    assert summary.n_notes == len(notes) > 100
    roll = json.loads((tmp_path / "piano-roll-frames.json").read_text())
    jsonschema.validate(roll, SCHEMA)
    assert [(n["onset"], n["pitch"]) for n in roll["notes"]] == [(round(n.onset, 6), n.pitch) for n in notes]
    for index, kind in enumerate(("onset", "frame")):
        unpacked = zlib.decompress(base64.b64decode(roll["frames"][kind], validate=True))
        np.testing.assert_array_equal(np.frombuffer(unpacked, np.uint8).reshape(500, 88), values[:, index])
    short = json.loads((tmp_path / "piano-roll.json").read_text())
    jsonschema.validate(short, SCHEMA)
    assert "frames" not in short
    assert short["notes"] == roll["notes"]
    rows = list(csv.DictReader((tmp_path / "notes.csv").read_text().splitlines()))
    assert [(float(row["onset"]), int(row["pitch"])) for row in rows] == [
        (n["onset"], n["pitch"]) for n in roll["notes"]
    ]
    assert len(spans(mido.MidiFile(tmp_path / "notes.mid"))) == len(notes)


def test_packing_in_chunks_unpacks_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.piano_roll.CHUNK_FRAMES", 7)
    rows = np.random.default_rng(0).integers(0, 256, (100, 88), dtype=np.uint8)
    text = "".join(piano_roll.packed(rows))
    assert zlib.decompress(base64.b64decode(text, validate=True)) == rows.tobytes()


def test_a_recording_without_notes_warns(tmp_path: Path) -> None:
    with ActivationsWriter(tmp_path / "a", RATE) as writer:
        writer.append(np.zeros((0, 3, N_PITCHES), dtype=np.uint8))
    summary = write_results(tmp_path / "a", tmp_path, options=DecodingOptions(), tempo=120, title="")
    assert (summary.n_notes, summary.warnings) == (0, ["no notes were found"])
    write_piano_roll([], tmp_path / "b.json", activations=open_activations(tmp_path / "a"), with_frames=True)
    jsonschema.validate(json.loads((tmp_path / "b.json").read_text()), SCHEMA)


@pytest.mark.parametrize(("pitch", "name"), [(21, "A0"), (60, "C4"), (61, "C#4"), (69, "A4"), (108, "C8")])
def test_pitch_names(pitch: int, name: str) -> None:
    assert pitch_name(pitch) == name
