"""The key, by the pitch classes of the whole piece and the bass it ends on.

Profiles of Albrecht and Shanahan (2013), "The use of large corpora to train a new type of key-finding algorithm": how often each
degree occurs in major and minor pieces.
"""

import numpy as np
from numpy.typing import NDArray

from model.notation.types import Key, Mode
from model.note import Note

PROFILES: dict[Mode, NDArray[np.float64]] = {
    "major": np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081]),
    "minor": np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052]),
}
LONGEST_SECONDS = 2.0  # a held note counts for no more
FINAL_BASS = 0.15  # what it adds to a correlation that the piece ends on the tonic
END_SECONDS = 0.1


def find_key(notes: list[Note]) -> Key:
    """The likeliest key; C major where there are no notes.

    Parameters
    ----------
    notes : list of Note
        Sorted.
    """
    if not notes:
        return Key.of(0, "major")
    sounding = np.zeros(12)
    for note in notes:
        sounding[note.pitch % 12] += min(note.offset - note.onset, LONGEST_SECONDS)
    last = notes[-1].onset
    final = min(note.pitch for note in notes if note.offset > last + END_SECONDS or note.onset == last) % 12
    scores: dict[tuple[int, Mode], float] = {}
    for mode, profile in PROFILES.items():
        for tonic in range(12):
            fit = np.corrcoef(np.roll(profile, tonic), sounding)[0, 1] if np.ptp(sounding) else 0.0
            scores[tonic, mode] = float(fit) + FINAL_BASS * (tonic == final)
    return Key.of(*max(scores, key=lambda key: scores[key]))
