"""The network: a waveform becomes, for every frame and pitch, the logits of onset and frame, and a velocity.

1. The variable-Q transform of `model.cqt`, log magnitudes.
2. Harmonic stacking (Bittner et al. 2017, "Deep salience representations for f0 estimation in polyphonic music"): the
   transform shifted by the bins of each harmonic becomes a channel, so that one small filter sees all partials of a
   note, whatever its pitch (the translation invariance of Thickstun et al. 2018).
3. Convolutions, the third with a stride of one semitone: from there on one column per pitch.
4. A bidirectional LSTM over a narrow projection of all columns: what the whole keyboard does, given back to each
   pitch as a few channels.
5. One bidirectional LSTM, shared by all pitches, over time within each pitch's column; then a linear layer.
6. Beside it, if there is one, what says which instrument plays at a pitch (`model.instrument_head`).
"""

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.blocks import block
from model.cqt import CqtConfig, VariableQ
from model.instrument_head import InstrumentHead
from model.note import N_PITCHES


@dataclass(frozen=True)
class NetworkConfig:
    """The sizes of the network, stored in its checkpoint and the only way to build it.

    Parameters
    ----------
    cqt : CqtConfig
        Front end; its lowest bin is the lowest pitch and ``bins_per_octave`` a multiple of 12.
    harmonics : tuple of float
        Multiples of a pitch's frequency stacked as channels.
    fine_channels : int
        Channels at the transform's frequency resolution.
    pitch_channels : int
        Channels at one column per pitch.
    context_projection, context_hidden, context_channels : int
        Channels read from each column, hidden size per direction and channels given back by the keyboard-wide LSTM.
    pitch_hidden : int
        Hidden size per direction of the LSTM shared by all pitches.
    instrument_channels : int
        Channels of what tells instruments apart; 0 leaves it out.
    """

    cqt: CqtConfig = field(default_factory=CqtConfig)
    harmonics: tuple[float, ...] = (0.5, 1, 2, 3, 4, 5, 6, 7)
    fine_channels: int = 16
    pitch_channels: int = 32
    context_projection: int = 4
    context_hidden: int = 64
    context_channels: int = 4
    pitch_hidden: int = 48
    instrument_channels: int = 0

    def __post_init__(self) -> None:
        if self.cqt.bins_per_octave % 12:
            raise ValueError(f"cqt.bins_per_octave must be a multiple of 12, got {self.cqt.bins_per_octave}")
        sizes = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        small = [f"{name} {value}" for name, value in sizes.items() if value < (name != "instrument_channels")]
        if small or not self.harmonics or min(self.harmonics) <= 0:
            raise ValueError(f"sizes must be at least 1, harmonics positive; got {', '.join(small) or self.harmonics}")

    @property
    def features(self) -> CqtConfig:
        """The front end, under the name that all networks' configurations share."""
        return self.cqt

    @property
    def bins_per_pitch(self) -> int:
        """Transform bins per semitone."""
        return self.cqt.bins_per_octave // 12

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "NetworkConfig":
        """The inverse of `to_dict`.

        Raises
        ------
        TypeError
            If a key is not a field.
        """
        rest = {key: value for key, value in values.items() if key not in {"cqt", "harmonics"}}
        return cls(cqt=CqtConfig(**values["cqt"]), harmonics=tuple(values["harmonics"]), **rest)


class Outputs(NamedTuple):
    """What the network says, each of shape ``(batch, frames, N_PITCHES)``; probabilities are the logits' sigmoid.

    The instruments are at `model.instruments.RATE_DIVISOR` frames a step, ``(batch, steps, N_INSTRUMENTS, N_PITCHES)``,
    and their probabilities the logits' softmax; None where the network does not tell them apart.
    """

    onset_logits: Tensor
    frame_logits: Tensor
    velocity: Tensor
    instrument_logits: Tensor | None = None


class HarmonicStack(nn.Module):
    """(batch, frames, n_bins) -> (batch, harmonics, frames, N_PITCHES * bins_per_pitch), by shifted copies."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.width = N_PITCHES * config.bins_per_pitch
        self.shifts = [int(np.rint(config.cqt.bins_per_octave * np.log2(h))) for h in config.harmonics]

    def forward(self, frames: Tensor) -> Tensor:
        below = max(0, -min(self.shifts))
        above = max(0, max(self.shifts) + self.width - frames.shape[2])
        padded = F.pad(frames, (below, above))  # zeros are silence on the log scale
        starts = [below + shift for shift in self.shifts]
        return torch.stack([padded[:, :, start : start + self.width] for start in starts], dim=1)


class KeyboardContext(nn.Module):
    """What the whole keyboard does over time: (batch, channels, frames, pitches) -> the same with context channels."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.channels = config.context_channels
        self.read = nn.Conv2d(config.pitch_channels, config.context_projection, 1)
        self.lstm = nn.LSTM(
            config.context_projection * N_PITCHES, config.context_hidden, batch_first=True, bidirectional=True
        )
        self.write = nn.Linear(2 * config.context_hidden, config.context_channels * N_PITCHES)

    def forward(self, columns: Tensor) -> Tensor:
        batch, _, frames, pitches = columns.shape
        flat = (
            self.read(columns).permute(0, 2, 1, 3).reshape(batch, frames, -1)
        )  # (batch, frames, projection * pitches)
        context = self.write(self.lstm(flat)[0])
        shaped: Tensor = context.view(batch, frames, self.channels, pitches)
        return shaped.transpose(1, 2)


class TranscriptionNetwork(nn.Module):
    """The network that is trained and served.

    Parameters
    ----------
    config : NetworkConfig
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        fine, wide = config.fine_channels, config.pitch_channels
        self.front_end = VariableQ(config.cqt)
        self.stack = HarmonicStack(config)
        self.partials = block(len(config.harmonics), fine, (3, 7))
        self.refine = block(fine, fine, (3, 3))
        self.to_pitches = block(fine, wide, (3, 3), stride=config.bins_per_pitch)
        self.octaves = block(wide, wide, (1, 25), groups=wide)  # two octaves of neighbours, a channel at a time
        self.neighbours = block(wide, wide, (5, 3))
        self.context = KeyboardContext(config)
        width = wide + config.context_channels
        self.lstm = nn.LSTM(width, config.pitch_hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * config.pitch_hidden, 3)
        self.instruments: InstrumentHead | None = None
        if config.instrument_channels:
            self.instruments = InstrumentHead(
                config.instrument_channels, len(config.harmonics), wide, bins_per_pitch=config.bins_per_pitch
            )

    def forward(self, waveform: Tensor) -> Outputs:
        """Listen to a batch of waveforms.

        Parameters
        ----------
        waveform : Tensor, shape (batch, samples), float32
            Mono at ``config.cqt.sr``.

        Returns
        -------
        Outputs
            ``ceil(samples / hop_length)`` frames.
        """
        return self.from_frames(self.to_frames(waveform))

    def to_frames(self, waveform: Tensor) -> Tensor:
        """The front end alone: waveforms to log magnitudes of shape (batch, frames, n_bins)."""
        return self.front_end.to_frames(waveform)

    def from_frames(self, frames: Tensor) -> Outputs:
        """The network after its front end: log magnitudes of shape (batch, frames, n_bins) to `Outputs`."""
        stacked = self.stack(frames)
        columns = self._columns(stacked)
        outputs = self._notes(columns)
        if self.instruments is None:
            return outputs
        return outputs._replace(instrument_logits=self.instruments(stacked, columns))

    def hear_notes(self, frames: Tensor) -> Outputs:
        """As `from_frames`, without the instruments."""
        return self._notes(self._columns(self.stack(frames)))

    def hear_instruments(self, frames: Tensor) -> Tensor:
        """The instruments alone, as in `Outputs`; no gradient reaches what finds the notes.

        Raises
        ------
        ValueError
            If the network does not tell instruments apart.
        """
        if self.instruments is None:
            raise ValueError("the network has no instrument head: its instrument_channels is 0")
        with torch.no_grad():
            stacked = self.stack(frames)
            columns = self._columns(stacked)
        logits: Tensor = self.instruments(stacked, columns)
        return logits

    def _columns(self, stacked: Tensor) -> Tensor:
        """All convolutions: (batch, harmonics, frames, pitches * bins_per_pitch) -> (batch, wide, frames, pitches)."""
        fine = self.partials(stacked)
        fine = fine + self.refine(fine)
        columns = self.to_pitches(fine)
        columns = columns + self.octaves(columns)
        neighbours: Tensor = self.neighbours(columns)
        return columns + neighbours  # type: ignore[no-any-return]

    def _notes(self, columns: Tensor) -> Outputs:
        """Both LSTMs, the shared one along each pitch's own time: (batch, wide, frames, pitches) -> `Outputs`."""
        columns = torch.cat([columns, self.context(columns)], dim=1)
        batch, channels, frames, pitches = columns.shape
        sequences = columns.permute(0, 3, 2, 1).reshape(batch * pitches, frames, channels)
        values = self.head(self.lstm(sequences)[0]).float()
        onset, frame, velocity = values.view(batch, pitches, frames, 3).permute(3, 0, 2, 1)
        return Outputs(onset, frame, velocity)
