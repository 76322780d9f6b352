"""Play the labels of a prepared set again on a recorded piano: the same hands and pedal in another place."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from model.note import Note
from training.arrange import Rng
from training.errors import DataError
from training.intake import refused_jobs
from training.jobs import Job
from training.musicnet import Part, piece_number
from training.prepared import (
    Json,
    Recording,
    Split,
    Waveform,
    in_range,
    labels_fault,
    playable,
    read_manifest,
    read_notes,
    sha256_of,
    write_recording,
)
from training.room import in_room, rooms
from training.salamander import PROGRAM, load_piano
from training.sampler import SamplerConfig, play

TAIL_SECONDS = 1.5
N_ROOMS = 256


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """How varied the playing is.

    Parameters
    ----------
    samples : str
        Folder of the piano's samples.
    most_semitones : int
        Largest transposition.
    tempo : tuple of float
        Slowest and fastest, times the written one.
    touch : tuple of float
        Exponents between which a recording's velocities are bent: under 1 louder, over 1 softer.
    room : float
        Probability of a room.
    tuning_cents : float
        Largest detuning of the piano.
    """

    samples: str
    most_semitones: int = 5
    tempo: tuple[float, float] = (0.9, 1.12)
    touch: tuple[float, float] = (0.7, 1.4)
    room: float = 0.7
    tuning_cents: float = 20.0

    def to_json(self) -> dict[str, Json]:
        """The settings as they go into a manifest, wherever the samples lie."""
        return {
            "most_semitones": self.most_semitones,
            "tempo": list(self.tempo),
            "touch": list(self.touch),
            "room": self.room,
            "tuning_cents": self.tuning_cents,
        }


def replay_jobs(source: Path, config: ReplayConfig, *, seed: int) -> list[Job]:
    """One job per recording of a prepared set; what is drawn for it depends on the seed and its id alone.

    Parameters
    ----------
    source : Path
        A prepared set.
    config : ReplayConfig
    seed : int

    Returns
    -------
    list of Job
        Those of recordings whose labels cannot be read fail and say why.

    Raises
    ------
    DataError
        If the set is empty.
    """
    recordings = read_manifest(source)
    if not recordings:
        raise DataError(f"{source}: no prepared set, or an empty one")
    settings: dict[str, Json] = {"seed": seed, **config.to_json()}
    jobs = []
    lost: dict[str, str] = {}
    for recording in recordings:
        labels = source / f"{recording.id}.tsv"
        if fault := labels_fault(source, recording):
            lost[recording.id] = fault
            continue
        of_this = settings | {"split": recording.split, "labels_sha256": sha256_of(labels)}
        make = partial(make_replay, labels, recording.split, config, [seed, piece_number(recording.id)], of_this)
        jobs.append(Job(recording.id, make, of_this))
    return [*jobs, *refused_jobs(lost)]


def make_replay(
    labels: Path, split: Split, config: ReplayConfig, seed: list[int], settings: dict[str, Json], folder: Path
) -> Recording:
    """Play one recording's notes and write what was played."""
    rng = np.random.default_rng(seed)
    semitones = int(rng.integers(-config.most_semitones, config.most_semitones + 1))
    notes = played_anew(read_notes(labels), semitones, config, rng)
    seconds = max(note.offset for note in notes) + TAIL_SECONDS
    played = play(
        Part.of(PROGRAM, notes),
        load_piano(Path(config.samples)),
        seconds=seconds,
        rng=rng,
        config=SamplerConfig(cents=0.0),
        cents=float(rng.uniform(-1, 1) * config.tuning_cents),
    )
    return write_recording(
        folder,
        labels.stem,
        in_a_room(played.audio, config, rng),
        played.notes,
        source="Labels played by the Salamander Grand Piano",
        split=split,
        made={"settings": settings, "semitones": semitones, "unplayable": played.unplayable},
    )


def played_anew(notes: list[Note], semitones: int, config: ReplayConfig, rng: Rng) -> list[Note]:
    """Transpose, change the tempo and bend the velocities, each by one amount for the whole recording."""
    stretch = 1 / float(rng.uniform(*config.tempo))
    touch = float(np.exp(rng.uniform(*np.log(config.touch))))
    return playable(
        Note(
            note.onset * stretch,
            note.pitch + semitones,
            note.offset * stretch,
            max(1, round(127 * (note.velocity / 127) ** touch)),
        )
        for note in notes
        if in_range(note.pitch + semitones)
    )


def in_a_room(audio: Waveform, config: ReplayConfig, rng: Rng) -> Waveform:
    """Put a room around a recording and set its peak."""
    wet = in_room(audio, rooms(0, N_ROOMS)[int(rng.integers(N_ROOMS))]) if rng.random() < config.room else audio
    peak = float(np.abs(wet).max()) + 1e-9
    return np.asarray(wet * (10 ** (rng.uniform(-18, -1) / 20) / peak), dtype=np.float32)
