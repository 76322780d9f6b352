"""How much the notes depend on the window: the choice of `model.windows.WindowConfig`.

    python -m benchmarks.windows AUDIO [AUDIO ...]

Compares windowed runs with one window over the whole recording: the worst recording's share of notes that have a
partner of the same pitch with an onset within 10 ms, and of those whose offset agrees too (50 ms or 20 % of length).
A slowly fading note's offset moves with the smallest change of the activations: the second share is the lower one.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from mir_eval.transcription import precision_recall_f1_overlap
from mir_eval.util import midi_to_hz

from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from benchmarks.speed import read
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from model.windows import WindowConfig


def share_of_same(ours: list[Note], theirs: list[Note], **offsets: float | None) -> float:
    """Note F1 of one list against the other, onsets within 10 ms."""
    pairs = [
        (np.array([(n.onset, n.offset) for n in notes]), np.array([midi_to_hz(n.pitch) for n in notes]))
        for notes in (theirs, ours)
    ]
    arguments = [part for pair in pairs for part in pair]
    scores = precision_recall_f1_overlap(*arguments, onset_tolerance=0.01, **offsets)
    return float(scores[2])


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
    print("| window s | context s | same notes | with offset | times real time |\n|---|---|---|---|---|")
    for window_frames in (1000, 2500, 5000):
        for context_frames in (0, 25, 125, 250):
            start = time.perf_counter()
            found = notes_with(WindowConfig(window_frames, context_frames))
            speed = sum(map(len, waves)) / 16000 / (time.perf_counter() - start)
            pairs = list(zip(found, whole, strict=True))
            onset = min(share_of_same(a, b, offset_ratio=None) for a, b in pairs)
            offset = min(share_of_same(a, b) for a, b in pairs)
            sizes = f"{window_frames / base.frame_rate:.0f} | {context_frames / base.frame_rate:.1f}"
            print(f"| {sizes} | {onset:.4f} | {offset:.4f} | {speed:.0f} |", flush=True)


if __name__ == "__main__":
    main()
