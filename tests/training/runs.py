"""A short run for tests."""

from dataclasses import replace

from model.features import MelConfig
from model.sequence import SequenceConfig
from training.config import FitConfig
from training.engine import Engine

HERE = Engine("cpu", workers=0)

LSTM = SequenceConfig(kind="lstm", features=MelConfig(n_fft=512, n_mels=24), hidden=8, layers=1, dropout=0.2)


def settings(**changes: object) -> FitConfig:
    """A run of eight steps on half seconds."""
    plain = FitConfig(
        sets={"tunes": 1.0},
        validation_sets=("check",),
        network=LSTM,
        segment_seconds=0.5,
        batch_size=2,
        total_steps=8,
        warmup_steps=2,
        decay_steps=4,
        precision="32-true",
        report_every=1,
        validate_every=2,
        save_every=3,
        validation_batches=1,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
