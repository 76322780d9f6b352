"""What the benchmarks share: the served checkpoint, and music made on the spot."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

import model

CHECKPOINTS = Path(model.__file__).parent / "checkpoints"
MANIFEST = json.loads((CHECKPOINTS / "manifest.json").read_text())
ENTRY = next(entry for entry in MANIFEST["models"] if entry["name"] == MANIFEST["default"])
DEFAULT_CHECKPOINT = CHECKPOINTS / ENTRY["file"]


def tone(pitch: int, seconds: float, sr: int) -> NDArray[np.float32]:
    """Eight decaying partials."""
    time = np.arange(int(seconds * sr)) / sr
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    partials = [k for k in range(1, 9) if k * frequency < 0.45 * sr]
    waves = [np.sin(2 * np.pi * k * frequency * time) / k * np.exp(-time * (1 + k)) for k in partials]
    return (0.15 * np.sum(waves, axis=0)).astype(np.float32)


def generated_music(seconds: float, *, sr: int = 16000, seed: int = 0) -> NDArray[np.float32]:
    """Chords at random, six notes a second, shape (samples,); the same for the same seed."""
    rng = np.random.default_rng(seed)
    wave = np.zeros(int(seconds * sr), dtype=np.float32)
    for onset in np.arange(0.1, seconds - 2, 0.5):
        for pitch in rng.choice(np.arange(36, 96), size=3, replace=False):
            sound = tone(int(pitch), float(rng.uniform(0.3, 1.5)), sr)
            start = int(onset * sr)
            wave[start : start + len(sound)] += sound[: len(wave) - start]
    return wave / np.float32(max(1.0, np.abs(wave).max() / 0.9))


def write_mp3(wave: NDArray[np.float32], path: Path, *, sr: int) -> None:
    """Encode a mono wave of shape (samples,) at 128 kbit/s."""
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=sr, layout="mono", bit_rate=128_000)
        for start in range(0, len(wave), 1152):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1152], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = sr, start, Fraction(1, sr)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
