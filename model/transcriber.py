"""The network at work: audio of any length to activations, in windows.

With the networks, their front ends and `model.checkpoint` all that imports torch.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from model.activations import Activations, ActivationsWriter
from model.audio import AudioSource, AudioSummary
from model.checkpoint import load_checkpoint
from model.fused import CHUNK_FRAMES, FusedNetwork
from model.instruments import RATE_DIVISOR
from model.network import Outputs, TranscriptionNetwork
from model.networks import AnyNetwork
from model.note import N_PITCHES
from model.peaks import Peaks
from model.windows import WindowConfig, windows

SILENCE_DBFS = -80.0  # a recording whose loudest sample lies below this has nothing to transcribe


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Parameters
    ----------
    seconds_done : float
        Audio that the network has heard.
    seconds_total : float or None
        Length of the audio as its header states it; None when it states none.
    """

    seconds_done: float
    seconds_total: float | None


def choose_device(name: str) -> torch.device:
    """``auto`` is a CUDA GPU where there is one.

    Raises
    ------
    ValueError
        If ``name`` is not auto, cpu or cuda, or cuda is asked for and there is none.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise ValueError(f"the device must be auto, cpu or cuda, got {name!r}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ValueError("the device cuda was asked for and PyTorch finds no CUDA GPU")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16; emulated, it would be slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


class Heard(NamedTuple):
    """What was heard in a window, as in `Activations`."""

    values: NDArray[np.uint8]
    instruments: NDArray[np.uint8] | None

    def kept(self, frames: slice) -> "Heard":
        """Some frames of it, from a multiple of `RATE_DIVISOR` on."""
        steps = slice(frames.start // RATE_DIVISOR, -(-frames.stop // RATE_DIVISOR))
        return Heard(self.values[frames], None if self.instruments is None else self.instruments[steps])


class Transcriber:
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
        self.network = network.to(device)
        self.from_frames: Callable[[torch.Tensor], Outputs] = network.from_frames
        if isinstance(network, TranscriptionNetwork):
            self.from_frames = FusedNetwork(network, chunk_frames=CHUNK_FRAMES if device.type == "cpu" else None)
        self.device = device
        self.window = window or WindowConfig()
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
        ValueError
            If the device does not exist.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        return cls(load_checkpoint(checkpoint, sha256=sha256), choose_device(device))

    @property
    def sr(self) -> int:
        """Sampling rate (Hz) of the waveforms that the network hears."""
        return self.network.config.features.sr

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.network.config.features.frame_rate

    def activations(self, waveform: NDArray[np.float32]) -> Activations:
        """Hear a waveform that is in memory.

        Parameters
        ----------
        waveform : ndarray, shape (samples,), float32
            Mono at `sr`, full scale at 1.

        Returns
        -------
        Activations
            ``ceil(samples / hop_length)`` frames.
        """
        parts = list(self.stream([waveform]))
        instruments = [part.instruments for part in parts if part.instruments is not None]
        return Activations(
            np.concatenate([np.zeros((0, 3, N_PITCHES), dtype=np.uint8), *(part.values for part in parts)]),
            self.frame_rate,
            np.concatenate(instruments) if instruments else None,
        )

    def stream(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[Heard]:
        """Hear blocks of a waveform as they come.

        Parameters
        ----------
        blocks : iterable of ndarray, shape (n,), float32

        Yields
        ------
        Heard
            One piece per window.
        """
        for window in windows(blocks, self.window, hop_length=self.network.config.features.hop_length):
            yield self._hear(window.samples).kept(window.keep)

    def write_activations(
        self,
        audio: AudioSource,
        target: Path,
        *,
        on_progress: Callable[[Progress], None],
        peaks: Path | None = None,
    ) -> AudioSummary:
        """Hear a recording and write what was heard; memory does not grow with its length.

        Parameters
        ----------
        audio : AudioSource
            A file opened for decoding at `sr`.
        target : Path
            Where the activations go (`model.activations`).
        on_progress : callable
            Called after each window. An exception that it raises stops the run and is passed on.
        peaks : Path, optional
            Where the loudness of each hundredth of a second goes, a byte each (`model.peaks`).

        Returns
        -------
        AudioSummary

        Raises
        ------
        ModelError
            If the file cannot be read as audio within the limits.
        """
        heard = Peaks(self.sr)
        with ActivationsWriter(target, self.frame_rate) as writer:
            for part in self.stream(heard.watch(audio.blocks())):
                writer.append(part.values, part.instruments)
                on_progress(Progress(writer.n_frames / self.frame_rate, audio.claimed_seconds))
        if peaks is not None:
            peaks.write_bytes(heard.to_bytes())
        if heard.dbfs < SILENCE_DBFS:
            audio.summary.warnings.append("the recording is silent: there is nothing to transcribe")
        return audio.summary

    @torch.inference_mode()
    def _hear(self, samples: NDArray[np.float32]) -> Heard:
        """One window: (samples,) -> all its frames."""
        waveform = torch.from_numpy(samples)[None].to(self.device)
        frames = self.network.to_frames(waveform)
        precision: AbstractContextManager[object] = nullcontext()
        if self.bfloat16:
            precision = torch.autocast(self.device.type, torch.bfloat16)
        with precision:
            outputs = self.from_frames(frames)
        return to_bytes(outputs)


def to_bytes(outputs: Outputs) -> Heard:
    """Outputs of a batch of one as stored bytes."""
    onset, frame, velocity = (part[0] for part in outputs[:3])
    values = torch.stack([onset.sigmoid(), frame.sigmoid(), velocity.clamp(0, 1)], dim=1)
    instruments = None
    if outputs.instrument_logits is not None:
        instruments = _bytes(outputs.instrument_logits[0].softmax(dim=1))
    return Heard(_bytes(values), instruments)


def _bytes(probabilities: torch.Tensor) -> NDArray[np.uint8]:
    return (probabilities * 255).round().to(torch.uint8).cpu().numpy()
