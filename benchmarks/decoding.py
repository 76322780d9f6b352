"""Two ways from activations to notes, on validation sets: `model.note_path`, and picking peaks over a threshold.

    python -m benchmarks.decoding data/maps_validation data/synth_validation data/recorded_validation

Each is tried with onsets where they are heard and moved earlier by 4 to 16 ms. First 60 s of each recording.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from model.note_events import Choose, DecodingOptions, decode_notes
from model.note_path import likely_notes
from model.transcriber import Transcriber
from training.scores import means, tally
from training.tune import Remembered, hear_set

FIRST_SECONDS = 60.0
LATENCIES_MS = (0.0, 4.0, 8.0, 12.0, 16.0)


def picked_notes(
    starts: NDArray[np.int64], gains: NDArray[np.float64], evidence: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every onset over its threshold begins a note, which lasts until two frames in a row are under theirs."""
    chosen = np.flatnonzero(gains > 0)
    quiet = evidence <= 0
    silent = np.append(np.flatnonzero(quiet & np.append(quiet[1:], True)), len(evidence))
    ends = silent[np.searchsorted(silent, starts[chosen] + 1)]
    return chosen, np.minimum(ends, np.append(starts[chosen][1:], len(evidence)))


def scores(heard: list[Remembered], options: DecodingOptions, choose: Choose) -> str:
    """Mean scores over the recordings of a set."""
    tallies = [
        tally(
            one.reference,
            decode_notes(one.activations, options, choose=choose),
            seconds=one.seconds,
            frame_rate=one.activations.frame_rate,
        )
        for one in heard
    ]
    return ", ".join(f"{means(tallies)[name]:.3f}" for name in ("note_f1", "note_offset_f1", "frame_f1"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    transcriber = Transcriber.load(DEFAULT_CHECKPOINT, device="cpu")
    sets = {folder.name: hear_set(folder, transcriber, FIRST_SECONDS) for folder in parser.parse_args().data}
    options = DecodingOptions(**ENTRY["decoding"])
    print("| notes from | earlier by | " + " | ".join(f"{name}: note, with offset, frame F1" for name in sets) + " |")
    print("|---" * (len(sets) + 2) + "|")
    for way, choose in {"likely course": likely_notes, "picked peaks": picked_notes}.items():
        for latency_ms in LATENCIES_MS:
            row = [scores(heard, replace(options, latency_ms=latency_ms), choose) for heard in sets.values()]
            print(f"| {way} | {latency_ms:.0f} ms | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
