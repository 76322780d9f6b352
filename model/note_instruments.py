"""Which instrument plays each note: what was heard along the note, and who plays in the piece at all.

A note alone often fits two instruments; a viola is told from a violin best by the other notes of the piece. So the
share of each instrument in the piece is estimated together with the notes' own, by expectation maximisation (Dempster
et al. 1977): a note's probabilities are what was heard along it times the shares, and the shares are the mean of those.
An instrument that is only ever second best fades away.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model.activations import Activations
from model.errors import OptionError
from model.instruments import INSTRUMENTS, N_INSTRUMENTS, PROGRAMS, RATE_DIVISOR

HEARD_STEPS = 8  # of the start of a note, three quarters of a second: an end is the least of its timbre
EVIDENCE = 1.0  # how many independent looks the steps of a note are worth together; chosen on the validation sets
ROUNDS = 12  # of expectation maximisation; the shares of ten minutes stand still well before
LEAST_SHARE = 1e-4
# By how much all notes of an instrument together must be its own rather than the next one's, in log odds, for it to
# play in the piece: one that is beyond doubt is enough. Of 3, 4, 5, 10 and 20 the largest that costs nothing on the
# validation sets.
LEAST_CLEAR = 4.0
CHUNK_STEPS = 5_000  # searched at once, as in `model.note_events`
LOG = np.log(np.maximum(np.arange(256), 0.5) / 255)


def check_names(names: tuple[str, ...]) -> None:
    """Refuse names that are no instrument's.

    Raises
    ------
    OptionError
        Names the allowed ones.
    """
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown:
        raise OptionError(f"instruments must be among {', '.join(PROGRAMS)}, got {', '.join(map(repr, unknown))}")


def name_instruments(
    activations: Activations,
    onsets: NDArray[np.int64],
    ends: NDArray[np.int64],
    pitches: NDArray[np.int64],
    *,
    allowed: tuple[str, ...] = (),
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give every note its instrument.

    Parameters
    ----------
    activations : Activations
    onsets, ends, pitches : ndarray, shape (n,)
        First frame, frame after the last one and pitch column of each note.
    allowed : tuple of str
        Names of the instruments that may play; all if empty.

    Returns
    -------
    programs : ndarray, shape (n,)
        General MIDI programs.
    confidence : ndarray, shape (n,)
        0 to 1. It is 1 where there was no choice, and 0 where there was one and nothing heard.
    """
    names = [instrument.name for instrument in INSTRUMENTS]
    outputs = np.array([index for index, name in enumerate(names) if name in allowed or not allowed])
    programs = np.array([INSTRUMENTS[index].program for index in outputs])
    if len(outputs) == 1 or activations.instruments is None:
        certain = 1.0 if len(outputs) == 1 else 0.0
        return np.full(len(onsets), programs[0]), np.full(len(onsets), certain)
    if not len(onsets):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    evidence = _evidence(activations.instruments, onsets, ends, pitches, release=activations.release)[:, outputs]
    playing = np.arange(len(outputs)) if allowed else _playing(evidence)
    probabilities = _posterior(evidence[:, playing])
    best = probabilities.argmax(axis=1)
    return programs[playing[best]], probabilities[np.arange(len(onsets)), best]


def _playing(evidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which instruments play in a piece: all whose notes say so clearly enough. A few stray notes are mistakes."""
    playing = np.arange(evidence.shape[1])
    while len(playing) > 1:
        posterior = _posterior(evidence[:, playing])
        second, first = np.sort(np.log(np.maximum(posterior, 1e-12)), axis=1)[:, -2:].T
        clear = np.bincount(posterior.argmax(axis=1), weights=first - second, minlength=len(playing))
        if clear.min() >= LEAST_CLEAR:
            break
        never = np.bincount(posterior.argmax(axis=1), minlength=len(playing)) == 0
        playing = playing[~never] if never.any() else np.delete(playing, clear.argmin())
    return playing


def _evidence(
    heard: NDArray[np.uint8],
    onsets: NDArray[np.int64],
    ends: NDArray[np.int64],
    pitches: NDArray[np.int64],
    *,
    release: Callable[[], None],
) -> NDArray[np.float64]:
    """Log likelihood of each instrument for each note, shape (n, N_INSTRUMENTS): the mean over its steps, weighted."""
    first = onsets // RATE_DIVISOR
    n_steps = np.clip((ends - 1) // RATE_DIVISOR - first + 1, 1, HEARD_STEPS)
    total = np.zeros((len(onsets), N_INSTRUMENTS))
    for start in range(0, len(heard), CHUNK_STEPS):
        nearby = np.flatnonzero((first >= start) & (first < start + CHUNK_STEPS))
        for step in range(HEARD_STEPS):
            mine = nearby[n_steps[nearby] > step]
            total[mine] += LOG[heard[first[mine] + step, :, pitches[mine]]]
        release()
    return np.asarray(EVIDENCE * total / n_steps[:, None])


def _posterior(evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of each note's instrument, shape (n, instruments), with the piece's shares."""
    n_notes, n_instruments = evidence.shape
    likelihood = np.exp(evidence - evidence.max(axis=1, keepdims=True)) if n_notes else evidence
    shares = np.full(n_instruments, 1 / n_instruments)
    posterior = likelihood
    for _ in range(ROUNDS):
        posterior = likelihood * shares
        posterior /= posterior.sum(axis=1, keepdims=True)
        shares = np.maximum(posterior.mean(axis=0), LEAST_SHARE) if n_notes else shares
    return posterior
