"""What decides a training run, as one typed file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model.network import NetworkConfig
from training.augment import AugmentConfig


@dataclass(frozen=True)
class LossConfig:
    """Weights of the parts of the loss.

    Parameters
    ----------
    onset_weight : float
        Weight of a positive onset target against a negative one; onsets are rare.
    velocity_weight : float
        Weight of the squared error of the velocity, taken where an onset is.
    """

    onset_weight: float = 2.0
    velocity_weight: float = 0.5


@dataclass(frozen=True)
class FitConfig:
    """One training run.

    Parameters
    ----------
    sets : dict of str to float
        Prepared sets (folders under the data root) and the share of samples drawn from each.
    validation_sets : tuple of str
        Prepared sets whose loss is watched.
    network : NetworkConfig
    loss : LossConfig
    augment : AugmentConfig
    segment_seconds : float
        Length of a sample.
    batch_size : int
    total_steps, warmup_steps, decay_steps : int
        The learning rate rises linearly, stays, and falls linearly to zero over the last `decay_steps`. A run may be
        resumed with other totals, so a budget in hours need not be known in steps beforehand.
    learning_rate, weight_decay, clip_norm : float
        AdamW's settings and the largest gradient norm.
    average_decay : float
        Decay per step of the exponential moving average of the weights, which is what gets evaluated and published.
    max_semitones, detune_semitones : float
        Pitch augmentation (Thickstun 2018): a whole number of semitones up to the first, plus a normal deviate of the
        second.
    mix_probability : float
        Share of samples that are two recordings played at once.
    bfloat16 : bool
        Mixed precision; the front end stays in float32.
    seed : int
    """

    sets: dict[str, float]
    validation_sets: tuple[str, ...] = ()
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    segment_seconds: float = 6.0
    batch_size: int = 8
    total_steps: int = 5000
    warmup_steps: int = 200
    decay_steps: int = 1500
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    clip_norm: float = 3.0
    average_decay: float = 0.998
    max_semitones: int = 2
    detune_semitones: float = 0.1
    mix_probability: float = 0.12
    bfloat16: bool = True
    seed: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FitConfig":
        """The inverse of `to_dict`; missing keys take their defaults.

        Raises
        ------
        TypeError
            If a key is not a field.
        """
        known = dict(values)
        if "network" in known:
            known["network"] = NetworkConfig.from_dict({**NetworkConfig().to_dict(), **known["network"]})
        if "loss" in known:
            known["loss"] = LossConfig(**known["loss"])
        if "augment" in known:
            fields_of_augment: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in known["augment"].items()
            }
            known["augment"] = AugmentConfig(**fields_of_augment)
        known["validation_sets"] = tuple(known.get("validation_sets", ()))
        return cls(**known)

    @classmethod
    def read(cls, path: Path) -> "FitConfig":
        """Read a JSON file."""
        return cls.from_dict(json.loads(path.read_text()))

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of step ``step`` (from 0)."""
        rise = min(1.0, (step + 1) / self.warmup_steps)
        fall = min(1.0, (self.total_steps - step) / self.decay_steps)
        return self.learning_rate * max(0.0, min(rise, fall))
