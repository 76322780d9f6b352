"""A baseline without training by gradient: non-negative matrix factorisation with a dictionary of single pitches.

Each pitch's spectrum is the mean of the frames of the training set in which it sounds alone (Smaragdis & Brown 2003,
"Non-negative matrix factorization for polyphonic music transcription", with the dictionary learned beforehand). A
recording's magnitudes are then explained as a sum of these spectra, by multiplicative updates under the generalised
Kullback-Leibler divergence.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import non_negative_factorization

from model.activations import Activations
from model.cqt import CqtConfig, VariableQ
from model.note import N_PITCHES

ITERATIONS = 40
RANGE_DB = 60.0  # an activation so far under the loudest one is silence
RISE_FRAMES = 2

Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Dictionary:
    """The spectra of single pitches.

    Parameters
    ----------
    spectra : ndarray, shape (N_PITCHES, n_bins), float32
        Magnitudes of the variable-Q transform; each sums to 1.
    heard : ndarray of bool, shape (N_PITCHES,)
        Pitches that were heard alone; the others' spectra are the nearest one's, moved along the frequency axis.
    cqt : CqtConfig
    """

    spectra: Frames
    heard: NDArray[np.bool_]
    cqt: CqtConfig


def learn(samples: Iterable[tuple[Frames, Frames]], cqt: CqtConfig) -> Dictionary:
    """Learn the dictionary.

    Parameters
    ----------
    samples : iterable of (waveform, targets)
        As `training.crops.CropDataset` gives them: shapes (samples,) and (3, frames, N_PITCHES).
    cqt : CqtConfig

    Raises
    ------
    ValueError
        If no pitch sounds alone anywhere.
    """
    sums = np.zeros((N_PITCHES, cqt.n_bins), dtype=np.float64)
    transform = VariableQ(cqt)
    for waveform, targets in samples:
        sounding = targets[1] > 0  # (frames, N_PITCHES)
        alone = sounding.sum(axis=1) == 1
        np.add.at(sums, sounding[alone].argmax(axis=1), magnitudes(transform, waveform)[alone])
    heard = sums.sum(axis=1) > 0
    if not heard.any():
        raise ValueError("no frame of the training set has a single pitch")
    spectra = np.stack([_spectrum(sums, heard, pitch, cqt.bins_per_octave // 12) for pitch in range(N_PITCHES)])
    return Dictionary((spectra / spectra.sum(axis=1, keepdims=True)).astype(np.float32), heard, cqt)


def _spectrum(sums: NDArray[np.float64], heard: NDArray[np.bool_], pitch: int, bins: int) -> NDArray[np.float64]:
    """A pitch's summed spectrum, or its nearest neighbour's moved by so many bins a semitone."""
    known = np.flatnonzero(heard)
    nearest = int(known[np.abs(known - pitch).argmin()])
    shift = (pitch - nearest) * bins
    moved = np.zeros(sums.shape[1])
    source = sums[nearest, max(0, -shift) : len(moved) - max(0, shift)]
    moved[max(0, shift) : max(0, shift) + len(source)] = source
    return moved + 1e-9


@torch.inference_mode()
def magnitudes(transform: VariableQ, waveform: Frames) -> Frames:
    """Magnitudes of one waveform, shape (frames, n_bins)."""
    found: Frames = transform(torch.from_numpy(waveform)[None])[0].numpy()
    return found


def levels(dictionary: Dictionary, waveform: Frames) -> Frames:
    """How loud each pitch is, shape (frames, N_PITCHES): 1 is the loudest of the recording, 0 is `RANGE_DB` below."""
    spectrum = magnitudes(VariableQ(dictionary.cqt), waveform)
    strengths, _, _ = non_negative_factorization(
        spectrum + 1e-7,
        H=dictionary.spectra,
        n_components=N_PITCHES,
        update_H=False,
        solver="mu",
        beta_loss="kullback-leibler",
        max_iter=ITERATIONS,
        tol=0,
    )
    relative_db = 20 * np.log10(strengths / (strengths.max() + 1e-12) + 1e-12)
    found: Frames = np.clip(1 + relative_db / RANGE_DB, 0, 1).astype(np.float32)
    return found


def as_activations(level: Frames, cqt: CqtConfig) -> Activations:
    """Levels as a network's activations, for the same decoding: an onset is a rise over two frames."""
    before = np.pad(level, ((RISE_FRAMES, 0), (0, 0)))[: len(level)]
    rise = np.clip(level - before, 0, 1)
    values = np.stack([rise, level, level], axis=1)
    return Activations((values * 255).round().astype(np.uint8), cqt.frame_rate)
