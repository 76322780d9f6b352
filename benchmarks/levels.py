"""Quiet recordings: ``python -m benchmarks.levels --data PREPARED/SET``.

Prepared recordings are made so much quieter, kept in 16 bits as a file would keep them, and transcribed as they are and
raised, as the service does (`model.loudness`).
"""

import argparse
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from model.loudness import Loudness
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from training.evaluate import System, Transcription, score_set
from training.prepared import Recording, Waveform
from training.scores import means

SCORES = ("note_f1", "note_offset_f1", "frame_f1")


class AsItIs(Loudness):
    """Raises nothing."""

    def raised(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same."""
        return samples


def system(transcriber: Transcriber, db: float) -> System:
    """What hears a recording so much quieter."""
    options = DecodingOptions(**ENTRY["decoding"])

    def hear(_: Recording, waveform: Waveform) -> Transcription:
        quieter = np.rint(waveform * 10 ** (-db / 20) * 32767) / np.float32(32768)
        return Transcription(decode_notes(transcriber.activations(quieter.astype(np.float32)), options), None)

    return hear


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, metavar="PREPARED/SET")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each recording")
    parser.add_argument("--quieter", type=float, nargs="+", default=[0, 24, 36, 48], help="by so many decibels")
    arguments = parser.parse_args()
    transcriber = Transcriber.load(DEFAULT_CHECKPOINT, device="cpu", threads=2)
    print("| set | quieter, dB | heard | note F1 | with offset | frame F1 |\n|---|---|---|---|---|---|")
    for folder in arguments.data:
        for db in arguments.quieter:
            for name, loudness in (("as it is", AsItIs), ("raised", Loudness)):
                with patch("model.listening.Loudness", loudness):
                    outcome = score_set(
                        folder,
                        system(transcriber, db),
                        first_seconds=arguments.seconds,
                        frame_rate=transcriber.frame_rate,
                        report=lambda _: None,
                    )
                found = means([one.tally for one in outcome.scored])
                values = " | ".join(f"{found[score]:.3f}" for score in SCORES)
                print(f"| {folder.name} | {db:g} | {name} | {values} |", flush=True)


if __name__ == "__main__":
    main()
