"""What decides a training run, as one typed file."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from model.features import FEATURES
from model.instruments import N_INSTRUMENTS
from model.network import NetworkConfig
from model.networks import CONVOLUTION, NETWORK_KINDS, AnyNetworkConfig
from model.sequence import SequenceConfig
from training.augment import AugmentConfig
from training.errors import ConfigError
from training.typed import Count, Decay, NotNegative, Positive, Seed, Share, choice, read_object, strict

SHORTEST_SEGMENT = 0.1  # seconds: a few frames, less than any note
Precision: TypeAlias = Literal["32-true", "bf16-mixed", "16-mixed"]


def one_each(shares: tuple[float, ...]) -> tuple[float, ...]:
    """See that shares are of all instruments, or none."""
    if len(shares) not in (0, N_INSTRUMENTS):
        raise ValueError(f"one for each of the {N_INSTRUMENTS} instruments, or none to count them, got {len(shares)}")
    return shares


@dataclass(frozen=True)
class LossConfig:
    """What is made small, and the weights of its parts.

    Parameters
    ----------
    kind : {"bce", "focal", "mse"}
        Of onsets and frames: binary cross-entropy; the same with what is nearly right counting less; or the squared
        error of 128-wide multi-hot targets (`training.losses`).
    onset_weight : float
        Weight of a positive onset target against a negative one; onsets are rare.
    velocity_weight : float
        Weight of the squared error of the velocity, taken where an onset is.
    focal_gamma : float
        Power of the distance to the target in the focal loss; 0 is binary cross-entropy.
    instrument_shares : tuple of float
        How much of the training data each instrument of `model.instruments` plays, which the loss takes out of what the
        head says (Menon et al. 2021, "Long-tail learning via logit adjustment"). Empty: counted in the sets.
    """

    kind: Literal["bce", "focal", "mse"] = "bce"
    onset_weight: Positive = 2.0
    velocity_weight: NotNegative = 0.5
    focal_gamma: NotNegative = 2.0
    instrument_shares: Annotated[tuple[Share, ...], AfterValidator(one_each)] = ()


@dataclass(frozen=True)
class FitConfig:
    """One training run.

    Parameters
    ----------
    part : {"notes", "instruments"}
        What is trained: all that finds the notes, or only what tells instruments apart, on top of a network that finds
        notes (`--init`); the rest of its weights stays as it is.
    sets : dict of str to float
        Prepared sets (folders under the data root) and the share of samples drawn from each.
    validation_sets : tuple of str
        Prepared sets whose loss is watched.
    network : NetworkConfig or SequenceConfig
        In JSON the ``kind`` (convolution, dnn, lstm, bilstm or transformer; convolution if absent) says which.
    loss : LossConfig
    augment : AugmentConfig
    segment_seconds : float
        Length of a sample, at least 0.1.
    batch_size : int
        Samples in a step, over all devices together; a multiple of their number.
    total_steps, warmup_steps, decay_steps : int
        The learning rate rises linearly, stays, and falls linearly to zero over the last `decay_steps`. A run may be
        resumed with other totals, so a budget in hours need not be known in steps beforehand.
    learning_rate, weight_decay, clip_norm : float
        AdamW's settings and the largest gradient norm.
    average_decay : float
        Decay per step of the exponential moving average of the weights, which is what gets evaluated and published.
    max_semitones, detune_semitones : float
        Pitch augmentation (Thickstun 2018): a whole number of semitones up to the first, plus a normal deviate of the
        second, which is at most 1.
    mix_probability : float
        Share of samples that are two recordings played at once.
    precision : {"32-true", "bf16-mixed", "16-mixed"}
        Mixed precision in bfloat16, or in float16 for GPUs without it; the front end stays in float32.
    report_every, validate_every, save_every : int
        Steps between two rows of losses, two looks at the validation sets, and two saves; a kill loses no more.
    validation_batches : int
        Batches heard of each validation set, the same ones each time.
    patience : int
        Stop early after so many looks at the validation sets without a lower loss; 0 never does.
    seed : int
    """

    sets: Annotated[dict[str, Positive], Field(min_length=1)]
    validation_sets: tuple[str, ...] = ()
    part: Literal["notes", "instruments"] = "notes"
    network: AnyNetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    segment_seconds: Annotated[float, Field(ge=SHORTEST_SEGMENT, allow_inf_nan=False)] = 6.0
    batch_size: Count = 8
    total_steps: Count = 5000
    warmup_steps: Count = 200
    decay_steps: Count = 1500
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 1e-2
    clip_norm: Positive = 3.0
    average_decay: Decay = 0.998
    max_semitones: Annotated[int, Field(ge=0, le=12)] = 2
    detune_semitones: Share = 0.1
    mix_probability: Share = 0.12
    precision: Precision = "bf16-mixed"
    report_every: Count = 20
    validate_every: Count = 500
    save_every: Count = 100
    validation_batches: Count = 12
    patience: Annotated[int, Field(ge=0)] = 0
    seed: Seed = 1

    def __post_init__(self) -> None:
        if self.patience and not self.validation_sets:
            raise ValueError("patience needs validation_sets: without them nothing says when to stop")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FitConfig":
        """The inverse of `to_dict`; missing keys take their defaults.

        Raises
        ------
        ConfigError
            If a key is not a setting or a value is not allowed; names it and what is.
        """
        rest = with_precision(values)
        network = read_network(rest.pop("network", {}))
        return replace(strict(cls, rest, leave_out=("network",)), network=network)

    @classmethod
    def read(cls, path: Path) -> "FitConfig":
        """Read a JSON file.

        Raises
        ------
        ConfigError
            If it cannot be read, or as `from_dict`; names the file.
        """
        try:
            return cls.from_dict(read_object(path.read_text()))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        except ConfigError as error:
            raise ConfigError(f"{path}: {error.message}") from error

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(self.to_dict(), indent=1) + "\n")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of step ``step`` (from 0)."""
        rise = min(1.0, (step + 1) / self.warmup_steps)
        fall = min(1.0, (self.total_steps - step) / self.decay_steps)
        return self.learning_rate * max(0.0, min(rise, fall))


def with_precision(values: dict[str, Any]) -> dict[str, Any]:
    """Read ``bfloat16``, true or false, as earlier configurations had it, as the precision that it meant."""
    rest = dict(values)
    if "bfloat16" not in rest:
        return rest
    if "precision" in rest or not isinstance(rest["bfloat16"], bool):
        raise ConfigError("bfloat16: true or false, and not beside precision, which replaces it")
    rest["precision"] = "bf16-mixed" if rest.pop("bfloat16") else "32-true"
    return rest


def read_network(values: Any) -> AnyNetworkConfig:
    """A network's configuration from plain values.

    Raises
    ------
    ConfigError
        As `FitConfig.from_dict`.
    """
    kind, rest = choice(values, "network", NETWORK_KINDS, CONVOLUTION)
    if kind == CONVOLUTION:
        return strict(NetworkConfig, rest, where="network")
    feature_kind, sizes = choice(rest.pop("features", {}), "network.features", tuple(FEATURES), "cqt")
    features = strict(FEATURES[feature_kind], sizes, where="network.features")
    network = strict(SequenceConfig, {"kind": kind, **rest}, where="network", leave_out=("features",))
    return replace(network, features=features)
