"""How long a score of ten minutes takes, from notes to PDF, and in how much memory.

    python -m benchmarks.scores

Times are of the processor, so that what else runs on the machine does not count.
"""

import random
import resource
import tempfile
import time
from pathlib import Path

from model.notation.analysis import analyse
from model.note import Note
from model.score.files import write_score

SECONDS = 600.0
STEP = 0.25  # between two notes of the melody
JITTER = 0.012  # seconds, standard deviation
SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def main() -> None:
    """Play, analyse, write."""
    notes = _played()
    started = time.process_time()
    rhythm = analyse(notes)
    analysed = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        write_score(rhythm, Path(name), title="Ten minutes")
        written = time.process_time()
        pages = len(list(Path(name).glob("*.svg")))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(notes)} notes, {pages} pages: analysis {analysed - started:.1f} s, "
        f"score {written - analysed:.1f} s, {memory:.0f} MB at most"
    )


def _played() -> list[Note]:
    """A melody in fours above a bass, a little unsteady."""
    chance = random.Random(1)
    notes = []
    for i in range(int(SECONDS / STEP)):
        onset = 0.5 + i * STEP + chance.gauss(0, JITTER)
        notes.append(Note(onset, 60 + chance.choice(SCALE), onset + 0.95 * STEP))
        if i % 4 == 0:
            notes.append(Note(onset, 36 + chance.choice(SCALE), onset + 3.6 * STEP))
    return notes


if __name__ == "__main__":
    main()
