"""Quiet recordings: ``python -m benchmarks.levels --data PREPARED/SET``.

Prepared recordings are made so much quieter, kept in 16 bits as a file would keep them, and transcribed as they are and
raised, as the service does (`model.loudness`).
"""

from functools import partial
from itertools import product
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.conditions import hearing, parser_of, print_head, print_row, served
from model.loudness import Loudness
from training.prepared import Waveform


class AsItIs(Loudness):
    """Raises nothing."""

    def raised(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same."""
        return samples


def quieter(waveform: Waveform, db: float) -> Waveform:
    """A recording, (n,), so much quieter in 16 bits."""
    return np.asarray(np.rint(waveform * 10 ** (-db / 20) * 32767) / np.float32(32768), dtype=np.float32)


def main() -> None:
    """Print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--quieter", type=float, nargs="+", default=[0, 24, 36, 48], help="by so many decibels")
    arguments = parser.parse_args()
    transcriber = served()
    print_head("set", "quieter, dB", "heard")
    for folder, db in product(arguments.data, arguments.quieter):
        for name, loudness in (("as it is", AsItIs), ("raised", Loudness)):
            with patch("model.listening.Loudness", loudness):
                print_row(
                    f"{db:g}",
                    name,
                    folder=folder,
                    system=hearing(transcriber, partial(quieter, db=db)),
                    seconds=arguments.seconds,
                    frame_rate=transcriber.frame_rate,
                )


if __name__ == "__main__":
    main()
