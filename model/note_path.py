"""The most likely course of one pitch through silence and sound: which candidates begin notes, and when those end.

A semi-Markov decoding (segments with a score each, found by dynamic programming; compare Yan et al. 2021, "Skipping the
frame-level: event-based piano transcription with neural semi-CRFs"), with few states because a note can only begin at
a candidate: a local maximum of the onset activation. The score of a course is the sum of

- the gain of each onset that begins a note: its log odds over those of the onset threshold, and
- the evidence of each frame inside a note: its log odds over those of the frame threshold, weighed low, since
  neighbouring frames say nearly the same.

So a doubtful onset counts if a held note follows, a clear one if nothing contradicts it, and a dip of the frame
activation ends a note only when what follows the dip does not make up for it.
"""

import numpy as np
from numpy.typing import NDArray


def likely_notes(
    starts: NDArray[np.int64], gains: NDArray[np.float64], evidence: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose notes among the candidates of one pitch.

    Parameters
    ----------
    starts : ndarray, shape (n,), int64
        Frames of the candidates, rising, at least one.
    gains : ndarray, shape (n,)
        What each adds to the score if it begins a note.
    evidence : ndarray, shape (frames,)
        What each frame adds to the score if it lies inside a note.

    Returns
    -------
    chosen : ndarray, shape (k,), int64
        Indices of the candidates that begin notes, rising.
    ends : ndarray, shape (k,), int64
        The frame after the last of each note; no later than the next note's start.
    """
    total = np.concatenate([[0.0], np.cumsum(evidence)])  # total[t] is the evidence before frame t
    stops = np.append(starts[1:], len(evidence))
    through = total[stops] - total[starts]  # of a note that goes on to the next candidate
    partly = np.maximum.reduceat(total[1:], starts) - total[starts]  # of one that ends, at its best, before it
    held, begins, silent_again = _forward(gains.tolist(), through.tolist(), partly.tolist())
    chosen: list[int] = []
    ends: list[int] = []
    sounding, end = held, len(evidence)
    for j in reversed(range(len(starts))):
        if not sounding and silent_again[j]:  # a note ends in this stretch
            sounding = True
            end = int(starts[j]) + 1 + int(np.argmax(total[starts[j] + 1 : stops[j] + 1]))
        if sounding and begins[j]:
            chosen.append(j)
            ends.append(end)
            # Before it another note may have sounded up to here.
            sounding, end = begins[j] == FROM_SOUND, int(starts[j])
    return np.array(chosen[::-1], dtype=np.int64), np.array(ends[::-1], dtype=np.int64)


FROM_SILENCE, FROM_SOUND = 1, 2


def _forward(gains: list[float], through: list[float], partly: list[float]) -> tuple[bool, list[int], list[bool]]:
    """The best course up to each candidate.

    Returns
    -------
    bool
        Whether the best course sounds to the end.
    list of int
        For each candidate: 0 if a course that sounds after it has no onset there, else what came before the onset.
    list of bool
        For each candidate: whether a course that is silent at the next one sounded after this one.
    """
    sound, silence = -np.inf, 0.0
    begins: list[int] = []
    silent_again: list[bool] = []
    for gain, whole, part in zip(gains, through, partly, strict=True):
        onset = max(sound, silence) + gain
        begins.append(0 if onset < sound else FROM_SOUND if sound > silence else FROM_SILENCE)
        sound = max(onset, sound)
        silent_again.append(sound + part > silence)
        silence = max(silence, sound + part)
        sound += whole
    return sound > silence, begins, silent_again
