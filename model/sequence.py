"""Networks of the general kind: frames of any features in, one vector per frame on, 88 pitches out.

They know nothing of harmonics or of what two pitches have in common, which `model.network` builds in, and stand beside
it for comparison and for features that have no log-frequency axis. The kinds:

- ``dnn``: linear layers, each frame (and its neighbours, if asked) by itself.
- ``lstm`` and ``bilstm``: recurrent over time, forwards or both ways.
- ``transformer``: self-attention among frames at most ``reach`` apart, with rotary positions (Su et al. 2021,
  "RoFormer: enhanced transformer with rotary position embedding"). Only distances enter, so a recording may be longer
  than any training sample, and a window's content does not depend on where it was cut.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.cqt import CqtConfig
from model.features import FeatureConfig, build_front_end, features_from_dict
from model.network import Outputs
from model.note import N_PITCHES

SequenceKind: TypeAlias = Literal["dnn", "lstm", "bilstm", "transformer"]
KINDS: tuple[SequenceKind, ...] = get_args(SequenceKind)
RARE = -3.0  # first logit of onsets and frames: most are silent (Lin et al. 2017, "Focal loss", section 4.1)
ROTARY_BASE = 1000.0  # frames; the slowest turn is some 2 * pi * 1000 frames long, two and a half minutes


@dataclass(frozen=True)
class SequenceConfig:
    """The sizes of such a network, stored in its checkpoint and the only way to build it.

    Parameters
    ----------
    kind : {"dnn", "lstm", "bilstm", "transformer"}
    features : FeatureConfig
        Front end.
    hidden : int
        Width of each layer, per direction in the bilstm; in the transformer a multiple of ``2 * heads``.
    layers : int
        Number of layers between the first linear one and the last.
    neighbours : int
        Frames before and after a frame that its input vector holds beside its own.
    dropout : float
        Share of values dropped after each layer while training, 0 to below 1.
    heads, reach : int
        Of the transformer: attention heads, and how many frames away one may look.
    """

    kind: SequenceKind = "bilstm"
    features: FeatureConfig = field(default_factory=CqtConfig)
    hidden: int = 128
    layers: int = 2
    neighbours: int = 0
    dropout: float = 0.0
    heads: int = 4
    reach: int = 50

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if min(self.hidden, self.layers, self.heads, self.reach) < 1 or self.neighbours < 0:
            raise ValueError("hidden, layers, heads and reach must be at least 1, neighbours at least 0")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        if self.kind == "transformer" and self.hidden % (2 * self.heads):
            raise ValueError(f"hidden must be a multiple of 2 * heads = {2 * self.heads}, got {self.hidden}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SequenceConfig":
        """The inverse of `to_dict`.

        Raises
        ------
        TypeError
            If a key is not a field.
        ValueError
            If a value is out of range.
        """
        return cls(**{**values, "features": features_from_dict(values["features"])})


class Dense(nn.Module):
    """A linear layer with ReLU: (batch, frames, hidden) -> the same."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.hidden, config.hidden)

    def forward(self, vectors: Tensor) -> Tensor:
        return F.relu(self.linear(vectors))


class Recurrent(nn.Module):
    """An LSTM over time: (batch, frames, inputs) -> (batch, frames, hidden * directions)."""

    def __init__(self, inputs: int, hidden: int, *, both_ways: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=both_ways)

    def forward(self, vectors: Tensor) -> Tensor:
        heard: Tensor = self.lstm(vectors)[0]
        return heard


class Attention(nn.Module):
    """A transformer layer, normalised before each part: (batch, frames, hidden) -> the same."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.heads, self.reach = config.heads, config.reach
        self.before_attention = nn.LayerNorm(config.hidden)
        self.query_key_value = nn.Linear(config.hidden, 3 * config.hidden)
        self.mix = nn.Linear(config.hidden, config.hidden)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(config.hidden),
            nn.Linear(config.hidden, 4 * config.hidden),
            nn.GELU(),
            nn.Linear(4 * config.hidden, config.hidden),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        vectors = vectors + self.mix(self._attend(self.before_attention(vectors)))
        return vectors + self.feed_forward(vectors)  # type: ignore[no-any-return]

    def _attend(self, vectors: Tensor) -> Tensor:
        batch, frames, hidden = vectors.shape
        split = self.query_key_value(vectors).view(batch, frames, 3, self.heads, hidden // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each (batch, heads, frames, hidden / heads)
        time = torch.arange(frames, device=vectors.device)
        near = (time[:, None] - time[None, :]).abs() <= self.reach
        heard = F.scaled_dot_product_attention(rotate(query, time), rotate(key, time), value, attn_mask=near)
        return heard.transpose(1, 2).reshape(batch, frames, hidden)


def rotate(vectors: Tensor, time: Tensor) -> Tensor:
    """Turn pairs of values by an angle that grows with time, so that products see only distances.

    Parameters
    ----------
    vectors : Tensor, shape (batch, heads, frames, size)
        ``size`` is even.
    time : Tensor, shape (frames,)
    """
    half = vectors.shape[-1] // 2
    speeds = ROTARY_BASE ** (-torch.arange(half, device=vectors.device) / half)
    angles = time[:, None] * speeds  # (frames, half)
    cosine, sine = angles.cos().to(vectors.dtype), angles.sin().to(vectors.dtype)
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


class SequenceNetwork(nn.Module):
    """A network of such a kind.

    Parameters
    ----------
    config : SequenceConfig
    """

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.config = config
        self.front_end = build_front_end(config.features)
        width = config.features.n_bins * (2 * config.neighbours + 1)
        self.normalise = nn.BatchNorm1d(width)  # features differ in level and spread, cepstra a hundredfold
        self.read = nn.Linear(width, config.hidden)
        self.layers = nn.ModuleList(_layer(config, first=index == 0) for index in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)
        directions = 2 if config.kind == "bilstm" else 1
        self.head = nn.Linear(directions * config.hidden, 3 * N_PITCHES)
        nn.init.constant_(self.head.bias[: 2 * N_PITCHES], RARE)

    def forward(self, waveform: Tensor) -> Outputs:
        """Listen to a batch of waveforms.

        Parameters
        ----------
        waveform : Tensor, shape (batch, samples), float32
            Mono at ``config.features.sr``.

        Returns
        -------
        Outputs
            ``ceil(samples / hop_length)`` frames.
        """
        return self.from_frames(self.to_frames(waveform))

    def to_frames(self, waveform: Tensor) -> Tensor:
        """The front end alone: waveforms to frames of shape (batch, frames, n_bins)."""
        return self.front_end.to_frames(waveform)

    def from_frames(self, frames: Tensor) -> Outputs:
        """The network after its front end: frames of shape (batch, frames, n_bins) to `Outputs`."""
        stacked = self._with_neighbours(frames)
        vectors = self.read(self.normalise(stacked.transpose(1, 2)).transpose(1, 2))
        for layer in self.layers:
            vectors = self.dropout(layer(vectors))
        values = self.head(vectors).float()
        onset, frame, velocity = values.unflatten(2, (3, N_PITCHES)).unbind(2)
        return Outputs(onset, frame, velocity)

    def _with_neighbours(self, frames: Tensor) -> Tensor:
        """(batch, frames, n_bins) -> (batch, frames, n_bins * (2 * neighbours + 1)), silence beyond the edges."""
        reach = self.config.neighbours
        padded = F.pad(frames, (0, 0, reach, reach))
        return padded.unfold(1, 2 * reach + 1, 1).flatten(2)


def _layer(config: SequenceConfig, *, first: bool) -> nn.Module:
    """One layer of the network's kind."""
    match config.kind:
        case "dnn":
            return Dense(config)
        case "lstm":
            return Recurrent(config.hidden, config.hidden, both_ways=False)
        case "bilstm":
            return Recurrent(config.hidden * (1 if first else 2), config.hidden, both_ways=True)
        case "transformer":
            return Attention(config)
