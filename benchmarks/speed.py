"""Decoded audio to notes: where the time goes.

    python -m benchmarks.speed [AUDIO] [--threads 2]

Without AUDIO three minutes of generated melody are heard. Each stage is the best of three runs.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common import DEFAULT_CHECKPOINT, generated_music
from model.audio import AudioLimits, AudioReader
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber


def best_of_three(run: Callable[[], object]) -> float:
    """Seconds of the fastest of three runs."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def read(path: Path) -> NDArray[np.float32]:
    """A file's waveform at the network's rate."""
    with path.open("rb") as file, AudioReader(file, sr=16000, limits=AudioLimits()) as reader:
        return np.concatenate(list(reader.blocks()))


def row(checkpoint: Path, wave: NDArray[np.float32], *, bfloat16: bool) -> str:
    """One line of the table."""
    transcriber = Transcriber.load(checkpoint, device="cpu")
    transcriber.bfloat16 = bfloat16
    heard = transcriber.activations(wave)  # warm
    transform = best_of_three(lambda: transcriber.network.to_frames(torch.from_numpy(wave)[None]))
    whole = best_of_three(lambda: transcriber.activations(wave))
    decoding = best_of_three(lambda: decode_notes(heard, DecodingOptions()))
    name = "bfloat16" if bfloat16 else "float32"
    speed = len(wave) / 16000 / (whole + decoding)
    return f"| {name} | {transform:.3f} | {whole:.2f} | {decoding:.3f} | {speed:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path, nargs="?")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    wave = read(arguments.audio) if arguments.audio else generated_music(180.0)
    print(f"{len(wave) / 16000:.0f} s of audio, {arguments.threads} threads, PyTorch {torch.__version__}\n")
    print(
        "| precision | transform s | waveform to activations s | decoding s | times real time |\n|---|---|---|---|---|"
    )
    for bfloat16 in (False, True):
        print(row(arguments.checkpoint, wave, bfloat16=bfloat16))


if __name__ == "__main__":
    main()
