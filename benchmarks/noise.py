"""Noisy recordings: ``python -m benchmarks.noise --data PREPARED/SET``.

Pink noise, not the one that training mixes in, is added to prepared recordings, so many decibels below them.
"""

from functools import partial
from itertools import product

import numpy as np

from benchmarks.conditions import hearing, parser_of, print_head, print_row, served
from training.augment import noises
from training.prepared import Waveform

SEED = 1
PINK = 1


def noisy(waveform: Waveform, snr_db: float) -> Waveform:
    """A recording, (n,), with noise so much weaker."""
    noise = np.resize(noises(SEED)[PINK], len(waveform))
    power = np.sqrt(np.mean(waveform**2))
    return np.asarray(waveform + noise * np.float32(power * 10 ** (-snr_db / 20)), dtype=np.float32)


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
            system=hearing(transcriber, partial(noisy, snr_db=snr_db)),
            seconds=arguments.seconds,
            frame_rate=transcriber.frame_rate,
        )


if __name__ == "__main__":
    main()
