"""Noisy recordings: ``python -m benchmarks.noise --data PREPARED/SET``.

Pink noise, not the one that training mixes in, is added to prepared recordings, so many decibels below them.
"""

from itertools import product

import numpy as np

from benchmarks.common import ENTRY
from benchmarks.conditions import parser_of, print_head, print_row, served
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from training.augment import noises
from training.evaluate import System, Transcription
from training.prepared import Recording, Waveform

SEED = 1
PINK = 1


def system(transcriber: Transcriber, snr_db: float) -> System:
    """What hears a recording with noise so much weaker."""
    options = DecodingOptions(**ENTRY["decoding"])

    def hear(_: Recording, waveform: Waveform) -> Transcription:
        noise = np.resize(noises(SEED)[PINK], len(waveform))
        power = np.sqrt(np.mean(waveform**2))
        noisy = waveform + noise * np.float32(power * 10 ** (-snr_db / 20))
        return Transcription(decode_notes(transcriber.activations(noisy), options), None)

    return hear


def main() -> None:
    """Print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--snr", type=float, nargs="+", default=[40, 20, 10, 5], help="signal to noise ratios, dB")
    arguments = parser.parse_args()
    transcriber = served()
    print_head("set", "signal to noise, dB")
    for folder, snr_db in product(arguments.data, arguments.snr):
        print_row(
            f"{snr_db:g}",
            folder=folder,
            system=system(transcriber, snr_db),
            seconds=arguments.seconds,
            frame_rate=transcriber.frame_rate,
        )


if __name__ == "__main__":
    main()
