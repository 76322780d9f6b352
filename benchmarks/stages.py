"""The path from waveform to notes stage by stage, beside what these cores can do.

    python -m benchmarks.stages [--threads 2] [--bfloat16] [--checkpoint FILE]

A minute of generated melody. For each stage: its time, its arithmetic, and the share of a matrix product's rate on the
same cores that it reaches; for stages that only move data, the bytes and the share of a copy's rate. Arithmetic of
convolutions and products is counted by PyTorch (`torch.utils.flop_counter`), that of the LSTMs by hand.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import DEFAULT_CHECKPOINT, generated_music
from benchmarks.speed import best_of_three
from model.fused import FusedNetwork
from model.network import TranscriptionNetwork
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber, to_bytes

SECONDS = 60.0
SIZE = 2048  # of the square matrices that are multiplied
COPIED = 64 << 20  # bytes; larger than any cache


@dataclass(frozen=True)
class Stage:
    """A stage and what it computes or moves."""

    name: str
    run: Callable[[], Any]
    flops: float = 0.0
    bytes: float = 0.0


def lstm_flops(lstm: nn.LSTM, rows: int) -> float:
    """Multiplications and additions of both directions over so many (step, sequence) pairs."""
    return 2.0 * 2 * rows * 4 * lstm.hidden_size * (lstm.input_size + lstm.hidden_size)


def counted(name: str, run: Callable[[], Any]) -> Stage:
    """A stage of convolutions and products, its arithmetic counted."""
    with FlopCounterMode(display=False) as counter:
        run()
    return Stage(name, run, float(counter.get_total_flops()))


def stages(transcriber: Transcriber) -> list[Stage]:
    """All stages on a minute of audio; each gets what the one before it gives."""
    network, fused = transcriber.network, transcriber.from_frames
    if not isinstance(network, TranscriptionNetwork) or not isinstance(fused, FusedNetwork):
        raise SystemExit("only networks of kind convolution have these stages")
    wave = generated_music(SECONDS)
    waveform = torch.from_numpy(wave)[None]
    frames = to_frames(network, waveform)
    columns = fused.columns(frames)
    sequences = torch.cat([columns, fused.context(columns)], dim=3)[0]
    outputs = fused(frames)
    heard = transcriber.activations(wave)
    n_frames, n_pitches = columns.shape[1:3]
    found = [
        counted("variable-Q transform", lambda: to_frames(network, waveform)),
        counted("convolutions", lambda: fused.columns(frames)),
        Stage("keyboard's LSTM", lambda: fused.context(columns), lstm_flops(network.context.lstm, n_frames)),
        Stage("shared LSTM", lambda: fused.lstm(sequences), lstm_flops(network.lstm, n_frames * n_pitches)),
    ]
    if fused.instruments is not None:
        found.append(counted("instruments", lambda: fused.hear_instruments(frames, columns)))
    return [
        *found,
        Stage("to bytes", lambda: to_bytes(outputs), bytes=3.0 * n_frames * n_pitches * (4 + 1)),
        Stage("decoding", lambda: decode_notes(heard, DecodingOptions())),
    ]


def to_frames(network: TranscriptionNetwork, waveform: torch.Tensor) -> torch.Tensor:
    """The transform, in float32 as always."""
    with torch.autocast("cpu", enabled=False):
        return network.to_frames(waveform)


def row(stage: Stage, *, matrix_rate: float, copy_rate: float) -> str:
    """One line of the table."""
    seconds = best_of_three(stage.run)
    share = ""
    if stage.flops:
        share = f"{stage.flops / 1e9:.1f} GFLOP | {stage.flops / seconds / matrix_rate:.0%}"
    elif stage.bytes:
        share = f"{stage.bytes / 1e6:.0f} MB | {stage.bytes / seconds / copy_rate:.0%} of a copy"
    return f"| {stage.name} | {seconds * 1000:.0f} | {share or ' | '} |"


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT)
    parser.add_argument("--bfloat16", action="store_true", help="mixed precision; the transform stays in float32")
    arguments = parser.parse_args()
    transcriber = Transcriber.load(arguments.checkpoint, device="cpu", threads=arguments.threads)
    transcriber.bfloat16 = arguments.bfloat16
    precision = "bfloat16" if arguments.bfloat16 else "float32"
    with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
        matrix, block = torch.randn(SIZE, SIZE), torch.zeros(COPIED, dtype=torch.uint8)
        matrix = matrix.bfloat16() if arguments.bfloat16 else matrix
        matrix_rate = 2.0 * SIZE**3 / best_of_three(lambda: matrix @ matrix)
        copy_rate = 2.0 * COPIED / best_of_three(block.clone)
        print(
            f"{SECONDS:.0f} s of audio, {arguments.threads} threads, {precision}, PyTorch {torch.__version__}; ", end=""
        )
        print(f"a matrix product does {matrix_rate / 1e9:.0f} GFLOP/s, a copy moves {copy_rate / 1e9:.1f} GB/s\n")
        print("| stage | ms | work | share of the matrix product's rate |\n|---|---|---|---|")
        for stage in stages(transcriber):
            print(row(stage, matrix_rate=matrix_rate, copy_rate=copy_rate))


if __name__ == "__main__":
    main()
