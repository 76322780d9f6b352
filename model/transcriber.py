"""The network at work, on a CPU or a GPU.

With the networks, their front ends and `model.checkpoint` all that imports torch.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoint import load_checkpoint
from model.cqt import VariableQ
from model.errors import DeviceError
from model.fused import CHUNK_FRAMES, FusedNetwork
from model.instruments import RATE_DIVISOR
from model.listening import Heard, Listener
from model.network import Outputs, TranscriptionNetwork
from model.networks import AnyNetwork
from model.windows import WindowConfig


def choose_device(name: str) -> torch.device:
    """``auto`` is a CUDA GPU where there is one.

    Raises
    ------
    DeviceError
        If ``name`` is not auto, cpu or cuda, or cuda is asked for and there is none.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise DeviceError(f"the device must be auto, cpu or cuda, got {name!r}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("the device cuda was asked for and PyTorch finds no CUDA GPU")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16; emulated, it would be slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


class Transcriber(Listener):
    """A loaded network on a device.

    Parameters
    ----------
    network : TranscriptionNetwork or SequenceNetwork
        In evaluation mode.
    device : torch.device
    window : WindowConfig, optional
    bfloat16 : bool, optional
        Mixed precision; by default where the device computes in it.
    """

    def __init__(
        self,
        network: AnyNetwork,
        device: torch.device,
        *,
        window: WindowConfig | None = None,
        bfloat16: bool | None = None,
    ) -> None:
        features = network.config.features
        self.network = network.to(device)
        self._front_end = self.network.front_end
        super().__init__(
            sr=features.sr,
            hop_length=features.hop_length,
            window=window or WindowConfig(),
            retunes=isinstance(self._front_end, VariableQ),
        )
        self.from_frames: Callable[[torch.Tensor], Outputs] = network.from_frames
        if isinstance(network, TranscriptionNetwork):
            self.from_frames = FusedNetwork(network, chunk_frames=CHUNK_FRAMES if device.type == "cpu" else None)
        self.device = device
        cut_within_step = self.window.window_frames % RATE_DIVISOR or self.window.context_frames % RATE_DIVISOR
        if cut_within_step and getattr(network, "instruments", None) is not None:
            raise ValueError(
                f"the network names the instrument once for {RATE_DIVISOR} frames: window_frames and context_frames "
                f"must be multiples of it, got {self.window.window_frames} and {self.window.context_frames}"
            )
        self.bfloat16 = computes_bfloat16(device) if bfloat16 is None else bfloat16

    @classmethod
    def load(
        cls, checkpoint: Path, *, sha256: str | None = None, device: str = "auto", threads: int | None = None
    ) -> "Transcriber":
        """Load a checkpoint.

        Parameters
        ----------
        checkpoint : Path
        sha256 : str, optional
            What the file's SHA-256 must be.
        device : str
            auto, cpu or cuda.
        threads : int, optional
            CPU threads for this process; PyTorch's choice by default.

        Raises
        ------
        CheckpointError
            If the file is missing, changed or not such a network.
        DeviceError
            If the device does not exist.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        return cls(load_checkpoint(checkpoint, sha256=sha256), choose_device(device))

    def hear(self, samples: NDArray[np.float32], cents: int = 0) -> Heard:
        """Hear one window of a recording that is ``cents`` sharp: (samples,) -> all its frames."""
        return self.hear_together(samples[None], [cents])[0]

    @torch.inference_mode()
    def hear_together(self, samples: NDArray[np.float32], cents: Sequence[int]) -> list[Heard]:
        """Hear windows of one length in one pass, each as sharp as it is: (windows, samples) -> all frames of each."""
        waves = torch.from_numpy(samples).to(self.device)
        frames = torch.cat([self._to_frames(wave[None], sharp) for wave, sharp in zip(waves, cents, strict=True)])
        precision: AbstractContextManager[object] = nullcontext()
        if self.bfloat16:
            precision = torch.autocast(self.device.type, torch.bfloat16)
        with precision:
            outputs = self.from_frames(frames)
        return to_bytes(outputs)

    def _to_frames(self, wave: torch.Tensor, cents: int) -> torch.Tensor:
        front_end = self._front_end.retuned(cents) if isinstance(self._front_end, VariableQ) else self._front_end
        return front_end.to_frames(wave)


def to_bytes(outputs: Outputs) -> list[Heard]:
    """Outputs as stored bytes, for each of the batch."""
    onset, frame, velocity = outputs[:3]
    values = _bytes(torch.stack([onset.sigmoid(), frame.sigmoid(), velocity.clamp(0, 1)], dim=2))
    if outputs.instrument_logits is None:
        return [Heard(one, None) for one in values]
    instruments = _bytes(outputs.instrument_logits.softmax(dim=2))
    return [Heard(*both) for both in zip(values, instruments, strict=True)]


def _bytes(probabilities: torch.Tensor) -> NDArray[np.uint8]:
    return (probabilities * 255).round().to(torch.uint8).cpu().numpy()
