"""Notes to a Standard MIDI File that every sequencer reads.

Format 1: a first track with the tempo, then one named track per General MIDI program, each on a channel of its own
(the drum channel left out). Of more than 15 programs the less busy share channels, and say their program again before
they play. Times are kept to the nearest tick, about half a millisecond at 120 quarters a minute.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import mido

from model.errors import OptionError
from model.instruments import instrument_name
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


def to_midi(
    notes: list[Note], *, tempo: float = 120.0, title: str = "", track_names: Mapping[str, str] | None = None
) -> mido.MidiFile:
    """Build the file.

    Parameters
    ----------
    notes : list of Note
        Notes of one pitch and channel that overlap are cut at the next onset: MIDI cannot hold them.
    tempo : float
        Quarters a minute, 20 to 400. It sets the grid that a sequencer shows and moves no note in time.
    title : str
        Name of the first track.
    track_names : mapping from str to str, optional
        Names of other tracks, by the instrument's name; a track without one is called after its instrument.

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
    channels = _channels(notes)
    events = _events(notes, channels, exact_tempo)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8")
    file.tracks.append(_tempo_track(microseconds, title))
    for program, channel in sorted(channels.items()):
        instrument = instrument_name(program)
        name = (track_names or {}).get(instrument) or instrument[0].upper() + instrument[1:]
        is_shared = sum(other == channel for other in channels.values()) > 1
        file.tracks.append(_note_track(name, program, channel, events[program], is_shared=is_shared))
    return file


def write_midi(
    notes: list[Note],
    path: Path,
    *,
    tempo: float = 120.0,
    title: str = "",
    track_names: Mapping[str, str] | None = None,
) -> None:
    """Write `to_midi`'s file."""
    to_midi(notes, tempo=tempo, title=title, track_names=track_names).save(path)


def _channels(notes: list[Note]) -> dict[int, int]:
    """The channel of each program; the busiest are dealt first, so that they meet the least busy."""
    programs = [program for program, _ in Counter(note.program for note in sorted(notes)).most_common()]
    if len(programs) <= len(MELODIC_CHANNELS):
        programs.sort()
    return {program: MELODIC_CHANNELS[i % len(MELODIC_CHANNELS)] for i, program in enumerate(programs or [0])}


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


def _note_track(name: str, program: int, channel: int, events: list["_Event"], *, is_shared: bool) -> mido.MidiTrack:
    """One instrument: name, program, and its notes as messages with delta times in ticks."""
    change = mido.Message("program_change", program=program, channel=channel, time=0)
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name, time=0), change])
    now, said = 0, -1
    for event in events:
        kind = "note_on" if event.kind == NOTE_ON else "note_off"
        values = {"note": event.pitch, "velocity": event.velocity, "channel": channel, "time": event.tick - now}
        # A note's values were checked when it was made; to check them here would take longer than all the rest.
        message = mido.Message(kind, skip_checks=True, **values)
        if is_shared and event.kind == NOTE_ON and said != event.tick:
            # Another program may have had the channel since.
            track.append(change.copy(time=message.time))
            message.time, said = 0, event.tick
        track.append(message)
        now = event.tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track


NOTE_OFF, NOTE_ON = 0, 1  # in this order at one tick, so that a repeated note ends before it begins again
NEVER = 2**62


class _Event(NamedTuple):
    tick: int
    kind: int
    pitch: int
    velocity: int


def _events(notes: list[Note], channels: Mapping[int, int], tempo: float) -> dict[int, list[_Event]]:
    """Sorted events of each program; notes of one pitch and channel do not overlap and last a tick at least."""
    events: dict[int, list[_Event]] = {program: [] for program in channels}
    # Who plays a pitch of a channel next, and from which tick on; going backwards.
    following: dict[tuple[int, int], tuple[int, int]] = {}
    for note in sorted(notes, reverse=True):
        place = (channels[note.program], note.pitch)
        start = to_ticks(note.onset, tempo)
        begins, by = following.get(place, (NEVER, note.program))
        # Players take a tick's messages track by track: an end must not come behind another track's beginning.
        free_until = begins - (by != note.program)
        if free_until <= start:
            continue  # two onsets of one pitch at one tick: MIDI can hold one
        stop = max(start + 1, min(to_ticks(note.offset, tempo), free_until))
        following[place] = (start, note.program)
        events[note.program].append(_Event(start, NOTE_ON, note.pitch, note.velocity))
        events[note.program].append(_Event(stop, NOTE_OFF, note.pitch, 0))
    return {program: sorted(found) for program, found in events.items()}
