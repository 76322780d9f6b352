"""What was tried to make the network quicker, each beside what is served, in one run.

    python -m benchmarks.attempts [--threads 2]

A minute of generated melody, from the variable-Q transform's frames to activations, in float32 unless said. Needs a C++
compiler for torch.compile; without one that row says so. What differs from what is served by more than rounding is
told by the largest difference of an onset's probability.
"""

import argparse
import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.common import DEFAULT_CHECKPOINT, generated_music
from benchmarks.speed import best_of_three
from model.fused import FusedNetwork
from model.network import Outputs, TranscriptionNetwork
from model.recurrence import BothWays
from model.transcriber import Transcriber
from model.windows import WindowConfig

SECONDS = 60.0
WINDOWS = (624, 1248, 2500, 5000, 10_000)  # frames
LONG_SECONDS = 600.0

Run = Callable[[Tensor], Outputs]


class OneAfterTheOther(nn.Module):
    """PyTorch's own bidirectional LSTM in the place of `BothWays`."""

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.lstm = lstm

    def forward(self, sequences: Tensor) -> Tensor:
        """(time, batch, channels) -> (time, batch, 2 * hidden)."""
        heard: Tensor = self.lstm(sequences)[0]
        return heard


def with_lstms(served: FusedNetwork, change: Callable[[BothWays], nn.Module]) -> FusedNetwork:
    """A copy whose LSTMs are others."""
    changed = copy.copy(served)
    changed._modules = dict(served._modules)
    changed.lstm, changed.context_lstm = change(served.lstm), change(served.context_lstm)  # type: ignore[assignment]
    return changed


def in_eight_bits(lstm: BothWays) -> nn.Module:
    """Weights as int8, activations quantised as they come."""
    return OneAfterTheOther(torch.ao.quantization.quantize_dynamic(nn.ModuleList([lstm.whole]), {nn.LSTM})[0])


def compiled(served: FusedNetwork) -> FusedNetwork:
    """The convolutions through torch.compile."""
    changed = copy.copy(served)
    changed._modules = dict(served._modules)
    object.__setattr__(changed, "_convolve", torch.compile(served._convolve, dynamic=False))
    return changed


def attempts(network: TranscriptionNetwork, served: FusedNetwork) -> dict[str, Run]:
    """What is served first."""
    found: dict[str, Run] = {
        "as served": served,
        "as trained: norms apart, channels first, all frames at once": network.from_frames,
        "all frames at once": FusedNetwork(network, chunk_frames=None),
    }
    for frames in (125, 500, 1000):
        found[f"convolutions over {frames} frames at once"] = FusedNetwork(network, chunk_frames=frames)
    found["both directions of the LSTMs one after the other"] = with_lstms(served, lambda x: OneAfterTheOther(x.whole))
    found["LSTMs in int8"] = with_lstms(served, in_eight_bits)
    found["convolutions through torch.compile"] = compiled(served)

    def in_bfloat16(frames: Tensor) -> Outputs:
        with torch.autocast("cpu", torch.bfloat16):
            return served(frames)

    found["bfloat16"] = in_bfloat16
    return found


def row(name: str, run: Run, served: Run, frames: Tensor) -> str:
    """A line of the table; what is served is measured beside it, since a machine is not the same for minutes."""
    try:
        found = run(frames)[0].sigmoid()
    except Exception as error:
        return f"| {name} | {type(error).__name__} | | |"
    difference = float((found - served(frames)[0].sigmoid()).abs().max())
    seconds, beside = best_of_three(lambda: run(frames)), best_of_three(lambda: served(frames))
    return f"| {name} | {seconds * 1000:.0f} | {seconds / beside:.2f} | {difference:.1g} |"


@torch.inference_mode()
def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    transcriber = Transcriber.load(DEFAULT_CHECKPOINT, device="cpu", threads=arguments.threads)
    network, served = transcriber.network, transcriber.from_frames
    if not isinstance(network, TranscriptionNetwork) or not isinstance(served, FusedNetwork):
        raise SystemExit("only networks of kind convolution can be run in these ways")
    frames = network.to_frames(torch.from_numpy(generated_music(SECONDS))[None])
    print(f"{SECONDS:.0f} s of audio, {arguments.threads} threads, PyTorch {torch.__version__}\n")
    print("| | ms | of what is served | largest difference |\n|---|---|---|---|")
    for name, run in attempts(network, served).items():
        print(row(name, run, served, frames), flush=True)
    print("\n| window, frames | ten minutes, s | frames heard for each that is kept |\n|---|---|---|")
    wave = generated_music(LONG_SECONDS)
    for size in WINDOWS:
        window = WindowConfig(window_frames=size)
        windowed = Transcriber(network, transcriber.device, window=window, bfloat16=False)
        kept = size - 2 * window.context_frames
        print(
            f"| {size} | {best_of_three(lambda w=windowed: w.activations(wave)):.2f} | {size / kept:.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
