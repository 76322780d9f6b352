"""MusicNet's pieces as MIDI files, and which of them may be used for what."""

import io
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import mido
import pretty_midi
from mido.midifiles.meta import KeySignatureError

from model.note import Note
from training.errors import DataError
from training.prepared import Split, in_range, playable

# The published test set of MusicNet (Zenodo record 5120004).
TEST_IDS = frozenset({"1759", "1819", "2106", "2191", "2298", "2303", "2382", "2416", "2556", "2628"})
# Ours, out of the published training set, one or two for each kind of ensemble: clarinet quintet, piano trio, wind
# quintet, clarinet and piano, string sextet, solo flute, solo cello, wind sextet, wind octet, cello and piano, string
# quartet, piano.
VALIDATION_IDS = frozenset(
    {"1812", "1893", "2083", "2119", "2156", "2203", "2296", "2415", "2506", "2523", "2562", "2633"}
)


@dataclass(frozen=True, slots=True)
class Part:
    """What one instrument plays.

    Parameters
    ----------
    program : int
        0-based General MIDI program.
    notes : tuple of Note
        Sorted by onset; no two of one pitch overlap.
    """

    program: int
    notes: tuple[Note, ...]

    @classmethod
    def of(cls, program: int, notes: list[Note]) -> "Part":
        """Build a part out of any notes: each gets the program, and ends where its pitch sounds again."""
        kept = playable(notes)
        return cls(
            program,
            tuple(Note(n.onset, n.pitch, n.offset, n.velocity, n.confidence, program) for n in kept),
        )


def split_of(recording_id: str) -> Split:
    """What a MusicNet recording may be used for."""
    if recording_id in TEST_IDS:
        return "test"
    return "validation" if recording_id in VALIDATION_IDS else "train"


def midi_ids(root: Path, split: Split) -> list[str]:
    """List the ids of one split for which `root` holds a MIDI file.

    Raises
    ------
    DataError
        If there is none.
    """
    ids = sorted(path.stem for path in root.glob("*.mid") if split_of(path.stem) == split)
    if not ids:
        raise DataError(f"{root}: no MIDI file of the {split} split; expected files such as 1727.mid")
    return ids


def read_parts(path: Path) -> list[Part]:
    """Read the parts of a MIDI file, drums left out.

    Raises
    ------
    DataError
        If the file is not a MIDI file or holds no note of the piano's range.
    """
    midi = open_midi(path)
    parts = [
        Part.of(
            int(instrument.program), [to_note(n) for n in instrument.notes if in_range(n.pitch) and n.end > n.start]
        )
        for instrument in midi.instruments
        if not instrument.is_drum
    ]
    sounding = [part for part in parts if part.notes]
    if not sounding:
        raise DataError(f"{path}: holds no note")
    return sounding


def open_midi(path: Path) -> pretty_midi.PrettyMIDI:
    """Open a MIDI file, its tempos on whichever tracks they are written.

    Raises
    ------
    DataError
        If it is not one or is damaged.
    """
    try:
        with warnings.catch_warnings():
            # Keys and time signatures are not used, and the tempos of all tracks have been put into the first one.
            warnings.filterwarnings("ignore", "Tempo, Key or Time signature", RuntimeWarning)
            midi = mido.MidiFile(str(path))
            if not any(message.type == "set_tempo" for track in midi.tracks[1:] for message in track):
                return pretty_midi.PrettyMIDI(str(path))
            midi.type = 1
            midi.tracks.insert(0, tempo_track(midi.tracks))
            whole = io.BytesIO()
            midi.save(file=whole)
            whole.seek(0)
            return pretty_midi.PrettyMIDI(whole)
    except (OSError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, KeySignatureError) as error:
        why = str(error) or "it ends too early"  # an EOFError has no text
        raise DataError(f"{path}: not a MIDI file, or a damaged one: {why}") from error


def tempo_track(tracks: Iterable[mido.MidiTrack]) -> mido.MidiTrack:
    """The tempos of all tracks as one track, each at its time: a reader that follows the format looks in the first."""
    alone = mido.MidiTrack()
    waited = 0
    for message in mido.merge_tracks(tracks):
        waited += message.time
        if message.type == "set_tempo":
            alone.append(message.copy(time=waited))
            waited = 0
    return alone


def piece_number(name: str) -> int:
    """A number for a piece's random choices: MusicNet's id, or one made from any other name."""
    return int(name) if name.isdecimal() else zlib.crc32(name.encode())


def to_note(note: pretty_midi.Note) -> Note:
    """Convert; MusicNet's MIDI has no dynamics, so the velocity read here is replaced later."""
    return Note(max(0.0, float(note.start)), int(note.pitch), float(note.end), max(1, int(note.velocity)))
