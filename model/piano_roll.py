"""The piano roll as JSON: the notes, and on request the activations that they were found in.

Both files follow ``model/schemas/piano-roll.schema.json``. They are written piece by piece, so that a recording of
hours needs no more memory than one of minutes. The activations are packed: a zlib stream of bytes (row by row, frame
after frame), in base64.
"""

import base64
import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from os import SEEK_END
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from model.activations import Activations
from model.instruments import instrument_name
from model.note import HIGHEST_PITCH, LOWEST_PITCH, Note

# Version 1 had no instruments: its notes lack program, instrument and instrument_confidence.
SCHEMA_VERSION = 2
CHUNK_FRAMES = 4096
FRAME_KINDS = ("onset", "frame")
END = "}\n"


def write_piano_roll(
    notes: list[Note],
    path: Path,
    *,
    activations: Activations,
    track_names: Mapping[str, str] | None = None,
) -> None:
    """Write a piano roll.

    Parameters
    ----------
    notes : list of Note
    path : Path
    activations : Activations
        Gives the duration and frame rate.
    track_names : mapping from str to str, optional
        What a person calls an instrument's track, by the instrument's name.
    """
    head: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "duration": round(activations.duration, 6),
        "frame_rate": activations.frame_rate,
        "lowest_pitch": LOWEST_PITCH,
        "highest_pitch": HIGHEST_PITCH,
    }
    if track_names:
        head["track_names"] = dict(track_names)
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1])
        _write_notes(notes, file)
        file.write(END)


def add_frames(piano_roll: Path, path: Path, *, activations: Activations) -> None:
    """Write a piano roll anew, with the packed onset and frame activations.

    Parameters
    ----------
    piano_roll : Path
        A file of `write_piano_roll`.
    path : Path
    activations : Activations
    """
    shutil.copyfile(piano_roll, path)
    with path.open("r+", encoding="utf-8") as file:
        file.truncate(path.stat().st_size - len(END))
        file.seek(0, SEEK_END)
        _write_frames(activations, file)
        file.write(END)


def _write_notes(notes: list[Note], file: TextIO) -> None:
    """``, "notes": [...]``, a line each."""
    file.write(', "notes": [')
    for index, note in enumerate(notes):
        value = {
            "onset": round(note.onset, 6),
            "offset": round(note.offset, 6),
            "pitch": note.pitch,
            "velocity": note.velocity,
            "confidence": note.confidence,
            "program": note.program,
            "instrument": instrument_name(note.program),
            "instrument_confidence": note.instrument_confidence,
        }
        file.write(("," if index else "") + "\n" + json.dumps(value))
    file.write("]")


def _write_frames(activations: Activations, file: TextIO) -> None:
    """``, "frames": {...}`` with one packed array for each of `FRAME_KINDS`."""
    shape = [len(activations.values), activations.values.shape[2]]
    file.write(f', "frames": {{"dtype": "uint8", "encoding": "zlib+base64", "shape": {json.dumps(shape)}')
    for kind in FRAME_KINDS:
        file.write(f', "{kind}": "')
        for text in packed(getattr(activations, kind)):
            file.write(text)
            activations.release()
        file.write('"')
    file.write("}")


def packed(rows: NDArray[np.uint8]) -> Iterator[str]:
    """Pieces of the base64 text of a zlib stream of ``rows``; joined, they decode as one text."""
    compressor = zlib.compressobj(level=4)
    held = b""
    for start in range(0, len(rows), CHUNK_FRAMES):
        held += compressor.compress(np.ascontiguousarray(rows[start : start + CHUNK_FRAMES]).tobytes())
        whole = len(held) // 3 * 3  # base64 of three bytes at a time needs no padding in between
        yield base64.b64encode(held[:whole]).decode()
        held = held[whole:]
    yield base64.b64encode(held + compressor.flush()).decode()
