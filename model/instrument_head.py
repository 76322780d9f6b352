"""Which instrument plays, at every pitch and a quarter of the frame rate.

The head reads the stacked harmonics, whose balance and its course over time are what timbre is, and the columns that
find the notes, which say which partials belong together. From there on it sees a second and two octaves around each
place, a channel at a time, as the network itself does. Nothing that finds notes reads from it, so it can be trained
afterwards and leaves them as they are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.blocks import block
from model.instruments import INSTRUMENTS, RATE_DIVISOR

N_LAYERS = 3


class Surroundings(nn.Module):
    """What is around in time and in pitch, a channel at a time, then all channels: the shape stays."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.time = block(channels, channels, (9, 1), groups=channels)
        self.pitch = block(channels, channels, (1, 25), groups=channels)
        self.mix = block(channels, channels, (1, 1))

    def forward(self, columns: Tensor) -> Tensor:
        return columns + self.mix(self.pitch(self.time(columns)))  # type: ignore[no-any-return]


class InstrumentHead(nn.Module):
    """The head.

    Parameters
    ----------
    channels : int
        Its width.
    n_harmonics, note_channels : int
        Channels of the stacked harmonics and of the columns that find notes.
    bins_per_pitch : int
        Transform bins per semitone.
    """

    def __init__(self, channels: int, n_harmonics: int, note_channels: int, *, bins_per_pitch: int) -> None:
        super().__init__()
        self.timbre = block(n_harmonics, channels, (7, 5), stride=(RATE_DIVISOR, bins_per_pitch))
        self.join = block(channels + note_channels, channels, (1, 1))
        self.layers = nn.ModuleList(Surroundings(channels) for _ in range(N_LAYERS))
        self.name = nn.Conv2d(channels, len(INSTRUMENTS), 1)

    def forward(self, stacked: Tensor, columns: Tensor) -> Tensor:
        """Logits of the instruments.

        Parameters
        ----------
        stacked : Tensor, shape (batch, n_harmonics, frames, pitches * bins_per_pitch)
        columns : Tensor, shape (batch, note_channels, frames, pitches)

        Returns
        -------
        Tensor, shape (batch, ceil(frames / RATE_DIVISOR), N_INSTRUMENTS, pitches), float32
        """
        missing = -stacked.shape[2] % RATE_DIVISOR  # silence after the end, so that the last step is whole
        timbre = self.timbre(F.pad(stacked, (0, 0, 0, missing)))
        notes = F.avg_pool2d(F.pad(columns, (0, 0, 0, missing)), (RATE_DIVISOR, 1))
        heard = self.join(torch.cat([timbre, notes], dim=1))
        for layer in self.layers:
            heard = layer(heard)
        logits: Tensor = self.name(heard)
        return logits.float().permute(0, 2, 1, 3)
