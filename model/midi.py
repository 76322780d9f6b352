"""Notes to a Standard MIDI File that every sequencer reads.

Format 1: a first track with the tempo, then one named track per General MIDI program, each on a channel of its own
(the drum channel left out). Times are kept to the nearest tick, about half a millisecond at 120 quarters a minute.
"""

from collections import defaultdict
from pathlib import Path

import mido
import pretty_midi

from model.errors import OptionError
from model.note import Note

TICKS_PER_QUARTER = 960
DRUM_CHANNEL = 9
MELODIC_CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]
MIN_TEMPO, MAX_TEMPO = 20.0, 400.0  # quarters a minute


def to_ticks(seconds: float, tempo: float) -> int:
    """Nearest tick at ``tempo`` quarters a minute."""
    return round(seconds * tempo / 60 * TICKS_PER_QUARTER)


def to_seconds(ticks: int, tempo: float) -> float:
    """The inverse of `to_ticks`."""
    return ticks / TICKS_PER_QUARTER * 60 / tempo


def to_midi(notes: list[Note], *, tempo: float = 120.0, title: str = "") -> mido.MidiFile:
    """Build the file.

    Parameters
    ----------
    notes : list of Note
        Notes of one pitch and program that overlap are cut at the next onset: MIDI cannot hold them.
    tempo : float
        Quarters a minute, 20 to 400. It sets the grid that a sequencer shows and moves no note in time.
    title : str
        Name of the first track.

    Returns
    -------
    mido.MidiFile

    Raises
    ------
    OptionError
        If the tempo lies outside its range.
    """
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise OptionError(f"tempo must lie in {MIN_TEMPO:g}..{MAX_TEMPO:g} quarters a minute, got {tempo}")
    # The file holds whole microseconds per quarter, and ticks follow from what the file holds.
    microseconds = mido.bpm2tempo(tempo)
    exact_tempo = 60e6 / microseconds
    by_program: dict[int, list[Note]] = defaultdict(list)
    for note in notes:
        by_program[note.program].append(note)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8")
    file.tracks.append(_tempo_track(microseconds, title))
    for number, program in enumerate(sorted(by_program) or [0]):
        channel = MELODIC_CHANNELS[number % len(MELODIC_CHANNELS)]
        file.tracks.append(_note_track(by_program[program], program, channel, exact_tempo))
    return file


def write_midi(notes: list[Note], path: Path, *, tempo: float = 120.0, title: str = "") -> None:
    """Write `to_midi`'s file."""
    to_midi(notes, tempo=tempo, title=title).save(path)


def _tempo_track(microseconds: int, title: str) -> mido.MidiTrack:
    """Name, tempo and time signature."""
    return mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name=title, time=0),
            mido.MetaMessage("set_tempo", tempo=microseconds, time=0),
            mido.MetaMessage("time_signature", numerator=4, denominator=4, time=0),
            mido.MetaMessage("end_of_track", time=0),
        ]
    )


def _note_track(notes: list[Note], program: int, channel: int, tempo: float) -> mido.MidiTrack:
    """One instrument: name, program, and its notes as messages with delta times in ticks."""
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name=pretty_midi.program_to_instrument_name(program), time=0),
            mido.Message("program_change", program=program, channel=channel, time=0),
        ]
    )
    now = 0
    for tick, kind, pitch, velocity in _events(notes, tempo):
        name = "note_on" if kind == NOTE_ON else "note_off"
        track.append(mido.Message(name, note=pitch, velocity=velocity, channel=channel, time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track


NOTE_OFF, NOTE_ON = 0, 1  # in this order at one tick, so that a repeated note ends before it begins again


def _events(notes: list[Note], tempo: float) -> list[tuple[int, int, int, int]]:
    """Sorted (tick, kind, pitch, velocity); notes of one pitch do not overlap and last a tick at least."""
    events = []
    free_from: dict[int, int] = {}  # the tick from which each pitch may sound again, going backwards
    for note in sorted(notes, reverse=True):
        start = to_ticks(note.onset, tempo)
        stop = max(start + 1, min(to_ticks(note.offset, tempo), free_from.get(note.pitch, 2**62)))
        if free_from.get(note.pitch, 2**62) <= start:
            continue  # two onsets of one pitch at one tick: MIDI can hold one
        free_from[note.pitch] = start
        events.append((start, NOTE_ON, note.pitch, note.velocity))
        events.append((stop, NOTE_OFF, note.pitch, 0))
    return sorted(events)
