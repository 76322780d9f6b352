"""How much the notes depend on the window: the choice of `model.windows.WindowConfig`.

    python -m benchmarks.windows AUDIO [AUDIO ...]

Compares windowed runs with one window over the whole recording. A note is the same when its partner has the same pitch
and both ends lie within 10 ms.
"""

import argparse
import time
from pathlib import Path

from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from benchmarks.speed import read
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from model.windows import WindowConfig


def share_of_same(ours: list[Note], theirs: list[Note]) -> float:
    """Share of notes with a partner in the other list."""
    left = list(theirs)
    same = 0
    for note in ours:
        for other in left:
            near = abs(note.onset - other.onset) <= 0.01 and abs(note.offset - other.offset) <= 0.01
            if near and note.pitch == other.pitch:
                left.remove(other)
                same += 1
                break
            if other.onset > note.onset + 1:
                break
    return 2 * same / max(1, len(ours) + len(theirs))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path, nargs="+")
    arguments = parser.parse_args()
    waves = [read(path) for path in arguments.audio]
    options = DecodingOptions(**ENTRY["decoding"])
    base = Transcriber.load(DEFAULT_CHECKPOINT, device="cpu")

    def notes_with(window: WindowConfig) -> list[list[Note]]:
        windowed = Transcriber(base.network, base.device, window=window)
        return [decode_notes(windowed.activations(wave), options) for wave in waves]

    whole = notes_with(WindowConfig(window_frames=10**7))
    print("| window s | context s | same notes | times real time |\n|---|---|---|---|")
    for window_frames in (1000, 2500, 5000):
        for context_frames in (0, 25, 62, 125, 250):
            start = time.perf_counter()
            found = notes_with(WindowConfig(window_frames, context_frames))
            speed = sum(map(len, waves)) / 16000 / (time.perf_counter() - start)
            shares = [share_of_same(a, b) for a, b in zip(found, whole, strict=True)]
            sizes = f"{window_frames / base.frame_rate:.0f} | {context_frames / base.frame_rate:.1f}"
            print(f"| {sizes} | {min(shares):.4f} | {speed:.0f} |", flush=True)


if __name__ == "__main__":
    main()
