"""Training samples: short cuts of prepared recordings, changed on the fly.

Sample ``i`` of a run is a function of the run's seed and ``i`` alone, so a resumed run sees what an uninterrupted one
would have seen.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from torch.utils.data import Dataset

from model.labels import NoteArrays
from training.augment import augment, pitch_shift
from training.config import FitConfig
from training.parts import PARTS
from training.prepared import read_labels, read_manifest

MARGIN_SECONDS = 0.1  # read beyond a cut on both sides before resampling, so that its edges are not the filter's


@dataclass(frozen=True)
class Recording:
    """One prepared recording: a 16 kHz mono WAV file and its notes."""

    path: Path
    seconds: float
    notes: NoteArrays


def read_set(folder: Path, split: str | None = None) -> list[Recording]:
    """Open a prepared set.

    Parameters
    ----------
    folder : Path
        Holds ``manifest.json``, and ``ID.wav`` and ``ID.tsv`` for each recording that it names.
    split : str, optional
        Only the recordings of this split.

    Raises
    ------
    DataError
        If the manifest or a label file cannot be read.
    ValueError
        If nothing is left.
    """
    chosen = [recording for recording in read_manifest(folder) if split in (None, recording.split)]
    if not chosen:
        raise ValueError(f"{folder} holds no recordings of split {split!r}")
    return [
        Recording(folder / f"{one.id}.wav", one.seconds, NoteArrays.from_notes(read_labels(folder, one)))
        for one in chosen
    ]


class CropDataset(Dataset[tuple[NDArray[np.float32], NDArray[np.float32]]]):
    """Random cuts of several sets, mixed in given shares.

    Parameters
    ----------
    config : FitConfig
    sets : dict of str to list of Recording
        The recordings of each set in ``config.sets``.
    first, count : int
        Index of the run's first sample here, and how many there are.
    augmented : bool
        Whether pitch, room, noise and the like are varied.
    """

    def __init__(
        self,
        config: FitConfig,
        sets: dict[str, list[Recording]],
        *,
        first: int = 0,
        count: int = 1,
        augmented: bool = True,
    ) -> None:
        self.config = config
        self.sets = sets
        self.first = first
        self.count = count
        self.augmented = augmented
        self.shares = np.array([config.sets.get(name, 1.0) for name in sets])
        self.lengths = {name: np.array([r.seconds for r in recordings]) for name, recordings in sets.items()}
        self.n_samples = int(config.segment_seconds * config.network.features.sr)
        self.n_frames = -(-self.n_samples // config.network.features.hop_length)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Waveform of shape ``(n_samples,)`` and the targets that the trained part draws."""
        rng = np.random.default_rng((self.config.seed, self.first + index))
        waveform, targets = self._cut(rng)
        if self.augmented and rng.random() < self.config.mix_probability:
            other, other_targets = self._cut(rng)
            waveform = waveform + other * np.float32(rng.uniform(0.3, 1.0))
            targets = np.maximum(targets, other_targets)
        if self.augmented:
            waveform = augment(waveform, rng, self.config.augment)
        return waveform.astype(np.float32), targets

    def _cut(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One cut of one recording, its pitch shifted."""
        recording = self._choose(rng)
        semitones = 0.0
        if self.augmented:
            whole = rng.integers(-self.config.max_semitones, self.config.max_semitones + 1)
            semitones = float(whole + rng.normal(0, self.config.detune_semitones))
        stretch = 2 ** (semitones / 12)  # a higher pitch plays faster: more source for the same sample
        needed = self.config.segment_seconds * stretch
        start = rng.uniform(0, max(0.0, recording.seconds - needed))
        waveform, lead = self._read(recording, start, needed)
        shifted, factor = pitch_shift(waveform, semitones=semitones)
        skip = round(lead * factor * self.config.network.features.sr)
        cut = np.zeros(self.n_samples, dtype=np.float32)
        source = shifted[skip : skip + self.n_samples]
        cut[: len(source)] = source
        return cut, self._targets(recording.notes, start - lead, factor, skip, semitones)

    def _choose(self, rng: np.random.Generator) -> Recording:
        """A recording: the set by its share, within it by length."""
        name = str(rng.choice(list(self.sets), p=self.shares / self.shares.sum()))
        lengths = self.lengths[name]
        return self.sets[name][int(rng.choice(len(lengths), p=lengths / lengths.sum()))]

    def _read(self, recording: Recording, start: float, seconds: float) -> tuple[NDArray[np.float32], float]:
        """The waveform from ``start`` on with a margin; also how much of it (s) lies before ``start``."""
        sr = self.config.network.features.sr
        first = max(0, round((start - MARGIN_SECONDS) * sr))
        stop = round((start + seconds + MARGIN_SECONDS) * sr)
        with sf.SoundFile(recording.path) as file:
            file.seek(min(first, file.frames))
            waveform = file.read(stop - first, dtype="float32")
        return waveform, start - first / sr

    def _targets(
        self, notes: NoteArrays, origin: float, factor: float, skip: int, semitones: float
    ) -> NDArray[np.float32]:
        """Targets of a cut: source time ``s`` is at ``(s - origin) * factor - skip / sr`` in the cut."""
        sr = self.config.network.features.sr
        near = notes.select(
            (notes.offset > origin) & (notes.onset < origin + (self.n_samples + skip) / sr / factor + 1)
        )
        moved = NoteArrays(
            (near.onset - origin) * factor - skip / sr,
            (near.offset - origin) * factor - skip / sr,
            near.pitch + round(semitones),
            near.velocity,
            near.program,
        )
        return PARTS[self.config.part].draw(moved, self.n_frames, self.config.network.features.frame_rate)
