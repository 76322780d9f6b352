"""How far a recording's concert pitch lies from A = 440 Hz, and reading its notes by it.

The network hears three bins a semitone, and notes that lie a quarter tone between two keys are hardly heard at all. So
the strongest peaks of the spectrum are asked how far they lie from the nearest key, and the transform's bins are moved
there (`model.cqt.VariableQ.retuned`). The deviations are averaged as angles, since a key's two neighbours are as near
as each other (the circular mean of Dressler & Streich 2007, "Tuning frequency estimation using circular statistics").

Needs numpy alone, like `model.listening`.
"""

import numpy as np
from numpy.typing import NDArray

from model.errors import OptionError

A4_HZ = 440.0
# From the French baroque's 392 Hz to the Chorton's 466 Hz; much above it the transform's octaves would not be clean.
LOWEST_A4_HZ, HIGHEST_A4_HZ = 390.0, 470.0

N_FFT = 8192  # half a second at 16 kHz
LOWEST_HZ, HIGHEST_HZ = 80.0, 1600.0  # below, bins are too wide; above, partials are many and out of tune
FAINTEST = 0.02  # peaks below this share of their spectrum's highest are not asked
# Whoever is in tune within this is heard as it always was: the estimate is no better than that, and the network does
# not mind. Chosen on the validation sets, of 0 and 12.
IN_TUNE_CENTS = 12
LEAST_AGREEMENT = 0.1  # of the peaks, 0 to 1; noise, speech and drums have less


class Tuning:
    """What a recording is tuned to, as told or as far as it was heard.

    Parameters
    ----------
    sr : int
        Of the waveform, Hz.
    a4_hz : float, optional
        The concert pitch, where it is known: `LOWEST_A4_HZ` to `HIGHEST_A4_HZ`.

    Attributes
    ----------
    cents : int
        How far it lies from 440 Hz. Where it is found, -50 to 50 at first and then never half a semitone from what it
        was before, so that all windows of a recording are read by the same keys; 0 if it is in tune, or there is no
        telling.

    Raises
    ------
    OptionError
        If ``a4_hz`` lies outside its range.
    """

    def __init__(self, sr: int, a4_hz: float | None = None) -> None:
        if a4_hz is not None and not LOWEST_A4_HZ <= a4_hz <= HIGHEST_A4_HZ:
            raise OptionError(f"a4_hz must lie in {LOWEST_A4_HZ:g}..{HIGHEST_A4_HZ:g}, got {a4_hz}")
        self._sr = sr
        self._given = a4_hz
        self._sum = 0j  # of the peaks as arrows: a semitone is a full turn
        self._weight = 0.0
        self._found = 0.0
        self.cents = 0 if a4_hz is None else round(1200 * np.log2(a4_hz / A4_HZ))

    @property
    def a4_hz(self) -> float:
        """The concert pitch; to a tenth of a Hz, where it was found."""
        return round(A4_HZ * 2 ** (self.cents / 1200), 1) if self._given is None else self._given

    def add(self, samples: NDArray[np.float32]) -> None:
        """Hear more: (samples,)."""
        if self._given is not None:
            return
        deviations, weights = peak_deviations(samples, self._sr)
        self._sum += complex(weights @ np.exp(2j * np.pi * deviations))
        self._weight += float(weights.sum())
        if not self._weight or abs(self._sum) < LEAST_AGREEMENT * self._weight:
            return
        angle = float(np.angle(self._sum)) / (2 * np.pi) * 100
        self._found += (angle - self._found + 50) % 100 - 50
        self.cents = round(self._found) if abs(self._found) >= IN_TUNE_CENTS else 0


def peak_deviations(samples: NDArray[np.float32], sr: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Peaks of the spectrum once a second: each one's distance from A4 in semitones, and its weight; both (peaks,)."""
    padded = np.pad(samples, (0, max(0, N_FFT - len(samples))))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::sr]
    levels = np.abs(np.fft.rfft(pieces * np.hanning(N_FFT).astype(np.float32)))
    lowest, highest = (round(hz * N_FFT / sr) for hz in (LOWEST_HZ, HIGHEST_HZ))
    below, here, above = (levels[:, lowest + step : highest + step] for step in (-1, 0, 1))
    loud = here > np.maximum(FAINTEST * levels.max(axis=1, keepdims=True), 1e-4 * levels.max())
    piece, bin_ = np.nonzero(loud & (here > below) & (here >= above))
    left, top, right = (np.log(part[piece, bin_] + 1e-12, dtype=np.float64) for part in (below, here, above))
    bend = left - 2 * top + right
    place = (
        lowest + bin_ + 0.5 * np.divide(left - right, bend, out=np.zeros_like(bend), where=bend < 0)
    )  # parabola's top
    return 12 * np.log2(place * sr / N_FFT / A4_HZ), np.sqrt(here[piece, bin_]).astype(np.float64)
