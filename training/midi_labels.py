"""Labels out of MIDI files that someone recorded or aligned with audio: velocities, programs and the sustain pedal."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import mido
import pretty_midi

from model.note import Note
from training.intake import Labels
from training.musicnet import open_midi
from training.prepared import in_range, playable

SUSTAIN = 64  # controller number of the sustain pedal; it is down from the value 64 on
DOWN = 64
DRUM_CHANNEL = 9


def read_midi_labels(path: Path, *, pedal: bool) -> Labels:
    """Read the notes of all instruments but drums.

    Parameters
    ----------
    path : Path
    pedal : bool
        Let a note that ends while the sustain pedal is down sound until the pedal is lifted or its key is struck again.

    Raises
    ------
    DataError
        If the file is not a MIDI file.
    """
    midi, tracks = open_midi(path), mido.MidiFile(str(path)).tracks
    end = midi.get_end_time()
    remarks: Counter[str] = Counter()
    remarks["notes without an end or without length"] += len(strokes(tracks)) - sum(
        len(instrument.notes) for instrument in midi.instruments if not instrument.is_drum
    )
    common = common_pedal(tracks, midi) if pedal else None
    notes = []
    for instrument in midi.instruments:
        moves = instrument.control_changes if common is None else common
        notes += instrument_notes(instrument, remarks, held=pedal_spans(moves, end) if pedal else [])
    return Labels(sorted(notes), +remarks)


def strokes(tracks: Iterable[mido.MidiTrack]) -> list[mido.Message]:
    """All that strike a key, drums left out."""
    return [
        message
        for track in tracks
        for message in track
        if message.type == "note_on" and message.velocity > 0 and message.channel != DRUM_CHANNEL
    ]


def common_pedal(
    tracks: Sequence[mido.MidiTrack], midi: pretty_midi.PrettyMIDI
) -> list[pretty_midi.ControlChange] | None:
    """The moves of the pedal, on whichever tracks they are written, where a single channel plays all notes.

    So a piano's two hands have one pedal. None where several channels play: there each track has its own.
    """
    played = {message.channel for message in strokes(tracks)}
    if len(played) != 1:
        return None
    moves = []
    for track in tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.is_cc(SUSTAIN) and message.channel in played:
                moves.append(pretty_midi.ControlChange(SUSTAIN, message.value, float(midi.tick_to_time(tick))))
    return moves


def instrument_notes(
    instrument: pretty_midi.Instrument, remarks: Counter[str], *, held: list[tuple[float, float]]
) -> list[Note]:
    """The notes of one instrument as they sound, with the pedal down in the spans of `held`."""
    if instrument.is_drum:
        remarks["notes of drums"] += len(instrument.notes)
        return []
    sounding = [note for note in instrument.notes if in_range(note.pitch)]
    remarks["notes outside the keyboard"] += sum(not in_range(note.pitch) for note in instrument.notes)
    notes = [
        Note(
            max(0.0, float(note.start)),
            int(note.pitch),
            release(float(note.end), held),
            max(1, int(note.velocity)),
            program=int(instrument.program),
        )
        for note in sounding
    ]
    kept = playable(notes)
    remarks["notes that a note of the same pitch leaves no time"] += len(notes) - len(kept)
    return kept


def pedal_spans(moves: Iterable[pretty_midi.ControlChange], end: float) -> list[tuple[float, float]]:
    """When the sustain pedal is down, (from, to) in seconds; one that is never lifted stays down until `end`."""
    spans: list[tuple[float, float]] = []
    since: float | None = None
    for change in sorted(moves, key=lambda change: float(change.time)):
        if change.number != SUSTAIN:
            continue
        if change.value >= DOWN and since is None:
            since = float(change.time)
        elif change.value < DOWN and since is not None:
            spans.append((since, float(change.time)))
            since = None
    if since is not None:
        spans.append((since, max(since, end)))
    return spans


def release(offset: float, held: list[tuple[float, float]]) -> float:
    """When a note whose key is let go at `offset` stops sounding."""
    at = bisect_left(held, (offset, float("inf"))) - 1  # the last time that the pedal went down up to then
    return max(offset, held[at][1]) if at >= 0 else offset
