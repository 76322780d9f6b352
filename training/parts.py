"""What a run trains: the part that finds the notes, or the one beside it that names their instruments.

A part has its targets, its loss, and hits and errors to watch. Whatever is outside of it stays as it is, the statistics
of batch norms included.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.labels import NoteArrays, instrument_targets, note_targets
from model.network import Outputs, TranscriptionNetwork
from model.networks import AnyNetwork
from training.config import LossConfig
from training.errors import FitError
from training.losses import instrument_loss, transcription_loss

FRAME_THRESHOLD = 0.5


@dataclass(frozen=True)
class Part:
    """A part of a network.

    Parameters
    ----------
    draw : callable
        Notes, number of frames and frame rate to the targets of one sample.
    trained : callable
        The network to the module whose weights are trained.
    hear : callable
        The network and log magnitudes (batch, frames, n_bins) to what loss and counts take.
    loss : callable
        What was heard, a batch of targets and the loss's settings to named scalars, ``total`` among them.
    count : callable
        What was heard and a batch of targets to hits, misses and false alarms, a tensor of three.
    """

    draw: Callable[[NoteArrays, int, float], NDArray[np.float32]]
    trained: Callable[[AnyNetwork], nn.Module]
    hear: Callable[[AnyNetwork, Tensor], Any]
    loss: Callable[[Any, Tensor, LossConfig], dict[str, Tensor]]
    count: Callable[[Any, Tensor], Tensor]


def frame_counts(found: Tensor, truth: Tensor) -> Tensor:
    """Hits, misses and false alarms of two boolean tensors of one shape, as a tensor of three."""
    return torch.stack([(found & truth).sum(), (~found & truth).sum(), (found & ~truth).sum()])


def _draw_notes(notes: NoteArrays, n_frames: int, frame_rate: float) -> NDArray[np.float32]:
    drawn = note_targets(notes, n_frames=n_frames, frame_rate=frame_rate)
    return np.stack([drawn.onset, drawn.frame, drawn.velocity])


def _hear_notes(network: AnyNetwork, frames: Tensor) -> Outputs:
    return network.hear_notes(frames) if isinstance(network, TranscriptionNetwork) else network.from_frames(frames)


def _all_but_instruments(network: AnyNetwork) -> nn.Module:
    if getattr(network, "instruments", None) is None:
        return network
    return nn.ModuleList(child for name, child in network.named_children() if name != "instruments")


def _count_notes(outputs: Outputs, targets: Tensor) -> Tensor:
    return frame_counts(outputs.frame_logits.sigmoid() > FRAME_THRESHOLD, targets[:, 1] > 0)


def _draw_instruments(notes: NoteArrays, n_frames: int, frame_rate: float) -> NDArray[np.float32]:
    return instrument_targets(notes, n_frames=n_frames, frame_rate=frame_rate)


def _hear_instruments(network: AnyNetwork, frames: Tensor) -> Tensor:
    if not isinstance(network, TranscriptionNetwork):
        raise FitError("only the network of kind convolution can tell instruments apart")
    return network.hear_instruments(frames)


def _instrument_head(network: AnyNetwork) -> nn.Module:
    head = getattr(network, "instruments", None)
    if head is None:
        raise FitError('part "instruments" needs a network with an instrument head: set network.instrument_channels')
    return cast(nn.Module, head)


def _count_instruments(logits: Tensor, targets: Tensor) -> Tensor:
    """An instrument named wrongly is a miss of the one and a false alarm of the other."""
    named = targets.gather(2, logits.argmax(dim=2, keepdim=True))[:, :, 0]
    known = targets.amax(dim=2) > 0
    hits, wrong = (known & (named > 0)).sum(), (known & (named == 0)).sum()
    return torch.stack([hits, wrong, wrong])


PARTS = {
    "notes": Part(
        draw=_draw_notes,
        trained=_all_but_instruments,
        hear=_hear_notes,
        loss=transcription_loss,
        count=_count_notes,
    ),
    "instruments": Part(
        draw=_draw_instruments,
        trained=_instrument_head,
        hear=_hear_instruments,
        loss=instrument_loss,
        count=_count_instruments,
    ),
}
