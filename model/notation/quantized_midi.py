"""A `Rhythm` to a Standard MIDI File on the grid: what a sequencer or a notation program wants.

The first track holds a tempo for each beat, the time signature and the key signature; then follows one named track
per program. Notes lie exactly on ticks of the grid. The tempo map plays them where they were played, to within a
microsecond a quarter. `model.midi` writes the other file: the notes as they were played, on no grid.
"""

from collections.abc import Mapping
from fractions import Fraction

import mido

from model.midi import TICKS_PER_QUARTER, to_midi
from model.notation.types import Key, Rhythm
from model.note import Note

SLOWEST = 2**24 - 1  # microseconds a quarter: the file has three bytes


def to_quantized_midi(
    rhythm: Rhythm, *, title: str = "", track_names: Mapping[str, str] | None = None
) -> mido.MidiFile:
    """Build the file.

    Tick 0 is the beginning of the first bar that has a note, an upbeat's bar too: bars in the file are bars of the
    music, so the file begins where that bar does and not where the recording did.

    Parameters
    ----------
    rhythm : Rhythm
    title : str
        Name of the first track.
    track_names : mapping from str to str, optional
        Names of other tracks, by the instrument's name; a track without one is called after its instrument.

    Returns
    -------
    mido.MidiFile
    """
    bar = rhythm.metre.bar
    first = min((note.onset for note in rhythm.notes), default=Fraction(0))
    origin = bar * (first // bar)
    # At 60 quarters a minute a second is a quarter, so that the writer of played notes writes these.
    notes = [
        Note(float(note.onset - origin), note.pitch, float(note.end - origin), note.velocity, program=note.program)
        for note in rhythm.notes
    ]
    file = to_midi(notes, tempo=60, track_names=track_names)
    file.tracks[0] = _conductor(rhythm, origin, title)
    return file


def ticks(quarters: Fraction) -> int:
    """Ticks of a length; exact for everything on the grid, whose finest place is a 24th of a beat."""
    return round(quarters * TICKS_PER_QUARTER)


def _conductor(rhythm: Rhythm, origin: Fraction, title: str) -> mido.MidiTrack:
    """Name, time and key signature, and a tempo at every beat that changes it."""
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name=title, time=0),
            mido.MetaMessage(
                "time_signature", numerator=rhythm.metre.numerator, denominator=rhythm.metre.denominator, time=0
            ),
            mido.MetaMessage("key_signature", key=_mido_name(rhythm.key), time=0),
        ]
    )
    now, last = 0, 0
    for tick, tempo in _tempi(rhythm, origin):
        if tempo != last:
            track.append(mido.MetaMessage("set_tempo", tempo=tempo, time=tick - now))
            now, last = tick, tempo
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track


def _tempi(rhythm: Rhythm, origin: Fraction) -> list[tuple[int, int]]:
    """(tick, microseconds a quarter) from the file's beginning on, one for each beat."""
    seconds, quarters = rhythm.time_map.seconds, rhythm.time_map.quarters
    tempi = []
    for i in range(len(seconds) - 1):
        if quarters[i + 1] <= origin:
            continue
        tempo = round(1e6 * (seconds[i + 1] - seconds[i]) / float(quarters[i + 1] - quarters[i]))
        tempi.append((max(0, ticks(quarters[i] - origin)), min(SLOWEST, max(1, tempo))))
    return tempi


def _mido_name(key: Key) -> str:
    """As mido writes keys: ``F#m`` is minor."""
    return key.name[0].upper() + key.name[1:] + ("m" if key.mode == "minor" else "")
