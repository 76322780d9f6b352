"""The network as it is run: the same function as `model.network`, arranged for speed.

- Each batch norm is folded into the convolution before it (`torch.nn.utils.fusion`).
- Channels lie last in memory. The convolutions, above all the one within each channel, are quicker so, and what they
  leave behind is already the sequence that the LSTM reads.
- On a CPU the convolutions run over pieces of the recording small enough for its caches, with as many frames around
  each as the convolutions reach; what was computed of those is thrown away, so nothing but rounding differs.
"""

import copy
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.network import Outputs, TranscriptionNetwork
from model.recurrence import BothWays

CHUNK_FRAMES = 250  # 4 MB of activations at the transform's resolution


class FusedNetwork(nn.Module):
    """A trained `TranscriptionNetwork`, for inference alone.

    Parameters
    ----------
    network : TranscriptionNetwork
        In evaluation mode; it is copied.
    chunk_frames : int or None
        Frames that the convolutions hear at once; None for all, which is best on a GPU.
    """

    def __init__(self, network: TranscriptionNetwork, *, chunk_frames: int | None = CHUNK_FRAMES) -> None:
        super().__init__()
        self.chunk_frames = chunk_frames
        self.stack = network.stack
        self.partials = _folded(network.partials)
        self.refine = _folded(network.refine)
        self.to_pitches = _folded(network.to_pitches)
        self.octaves = _folded(network.octaves)
        self.neighbours = _folded(network.neighbours)
        self.reach = sum(part.kernel_size[0] // 2 for part in self.modules() if isinstance(part, nn.Conv2d))
        self.context_read, self.context_write = network.context.read, network.context.write
        self.context_lstm = BothWays(network.context.lstm)
        self.lstm = BothWays(network.lstm)
        self.head = network.head
        self.instruments = _all_folded(network.instruments) if network.instruments else None

    def forward(self, frames: Tensor) -> Outputs:
        """As `TranscriptionNetwork.from_frames`: log magnitudes of shape (batch, frames, n_bins) to `Outputs`."""
        columns = self.columns(frames)  # (batch, frames, pitches, channels), contiguous
        sequences = torch.cat([columns, self.context(columns)], dim=3)
        batch, n_frames, pitches, channels = sequences.shape
        by_time = sequences.transpose(0, 1).reshape(n_frames, batch * pitches, channels)
        values = self.head(self.lstm(by_time)).float()
        onset, frame, velocity = values.view(n_frames, batch, pitches, 3).permute(3, 1, 0, 2)
        instruments = self.hear_instruments(frames, columns) if self.instruments is not None else None
        return Outputs(onset, frame, velocity, instruments)

    def columns(self, frames: Tensor) -> Tensor:
        """All convolutions, piece by piece: (batch, frames, n_bins) -> (batch, frames, pitches, channels)."""
        n_frames = frames.shape[1]
        step = self.chunk_frames or n_frames
        pieces = []
        for start in range(0, n_frames, step):
            before = max(0, start - self.reach)
            heard = self._convolve(frames[:, before : start + step + self.reach])
            pieces.append(heard[:, start - before : start - before + step])
        return torch.cat(pieces, dim=1)

    def hear_instruments(self, frames: Tensor, columns: Tensor) -> Tensor:
        """The instruments' logits as in `Outputs`, from what `columns` takes and gives."""
        if self.instruments is None:
            raise ValueError("the network has no instrument head")
        stacked = self.stack(frames).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.instruments(stacked, columns.permute(0, 3, 1, 2))
        return logits

    def _convolve(self, frames: Tensor) -> Tensor:
        """As `columns`, of one piece."""
        stacked = self.stack(frames).contiguous(memory_format=torch.channels_last)
        fine = F.relu(self.partials(stacked))
        fine = fine + F.relu(self.refine(fine))
        columns = F.relu(self.to_pitches(fine))
        columns = columns + F.relu(self.octaves(columns))
        columns = columns + F.relu(self.neighbours(columns))
        return columns.permute(0, 2, 3, 1)

    def context(self, columns: Tensor) -> Tensor:
        """As `KeyboardContext`, channels last: (batch, frames, pitches, channels) -> (..., context channels)."""
        batch, n_frames, pitches, _ = columns.shape
        weight, bias = self.context_read.weight, self.context_read.bias
        read = F.linear(columns, weight[:, :, 0, 0], bias)  # (batch, frames, pitches, projection)
        flat = read.permute(1, 0, 3, 2).reshape(n_frames, batch, -1)
        written: Tensor = self.context_write(self.context_lstm(flat))  # (frames, batch, context channels * pitches)
        return written.view(n_frames, batch, -1, pitches).permute(1, 0, 3, 2)


FEW_CHANNELS = 16  # a vector of oneDNN's


class WithinChannels(nn.Module):
    """A convolution within each channel that comes to an end on every processor.

    oneDNN compiles a kernel for whole frames, and others for parts of a frame and of the channels where the threads
    cannot share the frames evenly (jit_brdgmm_dw_conv.cpp, ``init_brdgmm_conf``). On processors that compute in
    bfloat16 it never ends compiling one of 16 channels or fewer for kernels of 17 pitches or more (seen with PyTorch
    2.13). So there are always as many frames as the threads share evenly - silent ones are appended, and a convolution
    sees the same beyond the end - and few channels are computed in float32.

    Parameters
    ----------
    convolution : nn.Conv2d
        Of stride 1 over frames, which keeps their number.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, values: Tensor) -> Tensor:
        """As the convolution: (batch, channels, frames, pitches) -> the same shape."""
        if values.device.type != "cpu":
            heard: Tensor = self.convolution(values)
            return heard
        n_frames = values.shape[2]
        if missing := -n_frames % torch.get_num_threads():
            values = F.pad(values, (0, 0, 0, missing))
        if values.shape[1] > FEW_CHANNELS:
            heard = self.convolution(values)
        else:
            with torch.autocast("cpu", enabled=False):
                heard = self.convolution(values.float()).to(values.dtype)
        return heard[:, :, :n_frames]


def _folded(block: nn.Module) -> nn.Module:
    """The convolution of a `model.blocks.block` with its batch norm folded in; the ReLU is left to the caller."""
    convolution, norm, _ = cast(nn.Sequential, block)
    folded = fuse_conv_bn_eval(cast(nn.Conv2d, convolution), cast(nn.BatchNorm2d, norm))
    folded.weight.data = folded.weight.contiguous(memory_format=torch.channels_last)
    return WithinChannels(folded) if folded.groups > 1 else folded


def _all_folded(part: nn.Module) -> nn.Module:
    """A copy of a part with every block in it folded."""
    copied = copy.deepcopy(part)
    for module in list(copied.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Sequential):
                setattr(module, name, nn.Sequential(_folded(child), nn.ReLU()))
    return copied
