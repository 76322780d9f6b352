"""Recordings that are not tuned to A = 440 Hz: ``python -m benchmarks.tuning --data PREPARED/SET``.

Prepared recordings are played so many cents sharper (and as much faster; the notes' times are put back before they are
scored) and transcribed three times: read by 440 Hz as if they were in tune, by the concert pitch that is found, and by
the true one as if a caller had told it.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import soxr

from benchmarks.common import ENTRY
from benchmarks.conditions import parser_of, print_head, print_row, served
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from model.tuning import A4_HZ, HIGHEST_A4_HZ, LOWEST_A4_HZ
from training.evaluate import System, Transcription
from training.prepared import Recording, Waveform

Reading = Callable[[float], float | None]
READINGS: dict[str, Reading] = {"as if in tune": lambda _: A4_HZ, "found": lambda _: None, "told": lambda a4_hz: a4_hz}


def system(transcriber: Transcriber, cents: float, reading: Reading) -> System:
    """What hears a recording ``cents`` sharper than it is."""
    ratio = 2 ** (cents / 1200)
    options = DecodingOptions(**ENTRY["decoding"])

    def slowed(note: Note) -> Note:
        return replace(note, onset=note.onset * ratio, offset=note.offset * ratio)

    def hear(_: Recording, waveform: Waveform) -> Transcription:
        sharper = soxr.resample(waveform, transcriber.sr, transcriber.sr / ratio).astype(np.float32)
        activations = transcriber.activations(sharper, a4_hz=reading(A4_HZ * ratio))
        return Transcription([slowed(note) for note in decode_notes(activations, options)], None)

    return hear


def main() -> None:
    """Print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--cents", type=float, nargs="+", default=[0, -20, -32, -40, 40, -101])
    arguments = parser.parse_args()
    transcriber = served()
    print_head("set", "cents", "A4, Hz", "read")
    for folder, cents in product(arguments.data, arguments.cents):
        a4_hz = A4_HZ * 2 ** (cents / 1200)
        for name, reading in READINGS.items():
            if name == "told" and not LOWEST_A4_HZ <= a4_hz <= HIGHEST_A4_HZ:
                continue
            print_row(
                f"{cents:+g}",
                f"{a4_hz:.1f}",
                name,
                folder=folder,
                system=system(transcriber, cents, reading),
                seconds=arguments.seconds,
                frame_rate=transcriber.frame_rate,
            )


if __name__ == "__main__":
    main()
