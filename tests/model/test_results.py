"""What a person takes away: MIDI, CSV and JSON say the same notes, and other programs read them."""

import base64
import csv
import json
import mmap
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
from model.instruments import N_INSTRUMENTS
from model.midi import TICKS_PER_QUARTER, to_midi, to_ticks, write_midi
from model.note import N_PITCHES, Note
from model.note_events import DecodingOptions, decode_notes
from model.notes_csv import pitch_name
from model.results import write_edited, write_results

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
        "Piano",
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


def test_a_track_is_called_after_its_instrument_or_as_a_person_calls_it() -> None:
    notes = [Note(0, 60, 1, program=program) for program in (0, 40, 24)]
    file = to_midi(notes, title="Trio", track_names={"violin": "Änna"})
    assert [track.name for track in file.tracks] == ["Trio", "Piano", "Acoustic Guitar (nylon)", "Änna"]


def heard(file: mido.MidiFile) -> list[tuple[int, int, int, int]]:
    """(program, pitch, start, stop) as a player has it: one program and one string for each pitch of a channel."""
    programs, sounding, found = dict.fromkeys(range(16), 0), {}, []
    now = 0
    for message in mido.merge_tracks(file.tracks):
        now += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "note_on":
            assert (message.channel, message.note) not in sounding
            sounding[message.channel, message.note] = (programs[message.channel], now)
        elif message.type == "note_off":
            program, start = sounding.pop((message.channel, message.note))
            found.append((program, message.note, start, now))
    assert sounding == {}
    return sorted(found)


crowded = st.builds(
    lambda tick, length, pitch, program: Note(tick / 1920, pitch, (tick + length) / 1920, program=program),
    st.integers(0, 12),
    st.integers(1, 6),
    st.integers(60, 61),
    st.sampled_from([0, 15]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(crowded, max_size=9))
def test_programs_that_share_a_channel_do_not_play_with_each_others_sound(few: list[Note]) -> None:
    # Ten notes each: the first program is the busiest, and the sixteenth, the least busy, shares its channel.
    everybody = [Note(1 + i, 60, 1.5 + i, program=i % 15) for i in range(150)]
    file = to_midi(few + everybody)
    wanted = {(note.program, note.pitch, to_ticks(note.onset, 120)) for note in few + everybody}
    played = heard(file)
    assert {(program, pitch, start) for program, pitch, start, _ in played} <= wanted
    assert {(note.program, 60, to_ticks(note.onset, 120), to_ticks(note.offset, 120)) for note in everybody} <= set(
        played
    )
    # Left out is only what begins together with another one on its channel and pitch.
    channels = {track[1].program: track[1].channel for track in file.tracks[1:]}
    begin = {(channels[program], pitch, start) for program, pitch, start, _ in played}
    for program, pitch, start in wanted:
        assert {(channels[program], pitch, start + late) for late in (0, 1)} & begin


def test_each_of_fifteen_programs_has_a_channel_of_its_own_and_says_its_program_once() -> None:
    tracks = to_midi([Note(0.1 * i, 60, 0.1 * i + 0.05, program=i % 15) for i in range(60)]).tracks[1:]
    changes = [[message.channel for message in track if message.type == "program_change"] for track in tracks]
    assert [len(one) for one in changes] == [1] * 15
    assert len({one[0] for one in changes}) == 15


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
    options = DecodingOptions(min_note_ms=0, instruments=("violin",))
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
    assert {(n["program"], n["instrument"], n["instrument_confidence"]) for n in roll["notes"]} == {(40, "violin", 1.0)}
    rows = list(csv.DictReader((tmp_path / "notes.csv").read_text().splitlines()))
    assert {(row["program"], row["instrument"], row["instrument_confidence"]) for row in rows} == {
        ("40", "violin", "1.0000")
    }
    assert [(float(row["onset"]), int(row["pitch"])) for row in rows] == [
        (n["onset"], n["pitch"]) for n in roll["notes"]
    ]
    assert len(spans(mido.MidiFile(tmp_path / "notes.mid"))) == len(notes)


def test_edited_notes_keep_their_instruments_and_the_names_of_their_tracks(tmp_path: Path) -> None:
    with ActivationsWriter(tmp_path / "a", RATE) as writer:
        writer.append(np.zeros((50, 3, N_PITCHES), dtype=np.uint8))
    notes = [Note(0.5, 64, 1, program=70, instrument_confidence=0.25), Note(0.1, 60, 0.9, program=24)]
    write_edited(notes, tmp_path / "a", tmp_path, tempo=120, title="t", track_names={"bassoon": "Fagott"})
    roll = json.loads((tmp_path / "piano-roll.json").read_text())
    jsonschema.validate(roll, SCHEMA)
    assert roll["track_names"] == {"bassoon": "Fagott"}
    assert [(n["program"], n["instrument"], n["instrument_confidence"]) for n in roll["notes"]] == [
        (24, "Acoustic Guitar (nylon)", 1.0),
        (70, "bassoon", 0.25),
    ]
    assert [track.name for track in mido.MidiFile(tmp_path / "notes.mid").tracks] == [
        "t",
        "Acoustic Guitar (nylon)",
        "Fagott",
    ]


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
    for name in ("piano-roll.json", "piano-roll-frames.json"):
        jsonschema.validate(json.loads((tmp_path / name).read_text()), SCHEMA)


@pytest.mark.parametrize(("pitch", "name"), [(21, "A0"), (60, "C4"), (61, "C#4"), (69, "A4"), (108, "C8")])
def test_pitch_names(pitch: int, name: str) -> None:
    assert pitch_name(pitch) == name


def resident_file_pages() -> int:
    """Bytes of mapped files that this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[2]) * mmap.PAGESIZE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for the memory")
def test_long_recordings_are_not_held_in_memory(tmp_path: Path) -> None:
    frames = np.zeros((100_000, 3, N_PITCHES), dtype=np.uint8)  # 40 minutes, 26 MB
    with ActivationsWriter(tmp_path / "activations", RATE) as writer:
        writer.append(frames, np.zeros((25_000, N_INSTRUMENTS, N_PITCHES), dtype=np.uint8))
    heard = open_activations(tmp_path / "activations")
    before = resident_file_pages()
    assert heard.values.max() == 0
    assert resident_file_pages() - before > 20e6
    decode_notes(heard, DecodingOptions())
    assert resident_file_pages() - before < 3e6
