"""Quiet recordings, made loud enough to be heard.

The network reads levels from 100 dB under full scale on, and soft notes of a recording that is itself soft lie under
what it learned from. Recordings of usual loudness are heard as they are, to the byte.
"""

import numpy as np
from numpy.typing import NDArray

PIECE_SECONDS = 0.1
GATE_DB = 40.0  # pieces so far under the loudest are pauses
# A recording below the first is raised to the second (dB, mean power of its pieces, full scale is 0). On the validation
# sets, whose recordings lie between -37 and -15, all levels from -38 on are heard equally well.
QUIET_DB, USUAL_DB = -42.0, -36.0
MOST_DB = 40.0  # what is so quiet that it would need more is mostly noise
SILENCE_DBFS = -80.0  # a recording whose loudest sample lies below this has nothing to transcribe


class Loudness:
    """How loud a recording has been so far.

    Parameters
    ----------
    sr : int
        Of the waveform, Hz.
    """

    def __init__(self, sr: int) -> None:
        self._size = round(PIECE_SECONDS * sr)
        self._loudest = -np.inf
        self._peak = 0.0

    def raised(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Hear more, (samples,), and give it as loud as the network wants it.

        It is raised by as much as the loudest window so far needs, so that a pause is not made as loud as music.
        """
        sound = samples - samples.mean() if len(samples) else samples  # a constant offset is none
        self._loudest = max(self._loudest, level_db(sound, self._size))
        self._peak = max(self._peak, float(np.abs(sound).max(initial=0.0)))
        if self._peak < 10 ** (SILENCE_DBFS / 20) or not self._loudest < QUIET_DB:
            return samples
        return samples * np.float32(10 ** (min(USUAL_DB - self._loudest, MOST_DB) / 20))


def level_db(samples: NDArray[np.float32], size: int) -> float:
    """Mean power of the pieces of ``size`` samples that are not pauses, dB under full scale; silence is -inf."""
    powers = np.add.reduceat(np.square(samples), np.arange(0, len(samples), size)) / size if len(samples) else samples
    if not powers.any():
        return -np.inf
    return float(10 * np.log10(powers[powers >= powers.max() * 10 ** (-GATE_DB / 10)].mean()))
