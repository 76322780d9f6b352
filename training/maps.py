"""MAPS-style folders: an audio file with a ``.tsv`` of notes of the same name beside it."""

from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr

from model.note import Note
from training.errors import DataError
from training.jobs import Job
from training.prepared import SAMPLE_RATE, Recording, Split, Waveform, in_range, playable, write_recording

AUDIO_SUFFIXES = frozenset({".opus", ".flac", ".wav", ".ogg"})


def maps_jobs(root: Path, split: Split) -> list[Job]:
    """List the recordings of a MAPS-style folder as jobs.

    Parameters
    ----------
    root : Path
        Folder of audio and ``.tsv`` pairs.
    split : {"train", "validation", "test"}
        What the whole folder may be used for.

    Returns
    -------
    list of Job

    Raises
    ------
    DataError
        If there is no audio, or a file has no partner.
    """
    audio = {path.stem: path for path in sorted(root.iterdir()) if path.suffix in AUDIO_SUFFIXES}
    labels = {path.stem: path for path in sorted(root.glob("*.tsv"))}
    alone = sorted(audio.keys() ^ labels.keys())
    if alone or not audio:
        raise DataError(f"{root}: {len(audio)} recordings; files without a partner: {', '.join(alone) or 'none'}")
    return [Job(name, partial(make_maps, path, labels[name], split), {"split": split}) for name, path in audio.items()]


def make_maps(audio: Path, labels: Path, split: Split, folder: Path) -> Recording:
    """Bring one MAPS-style recording into the prepared layout."""
    waveform = read_any_rate(audio)
    notes, dropped = read_maps_labels(labels)
    return write_recording(
        folder,
        audio.stem,
        waveform,
        playable(notes),
        source="MAPS",
        split=split,
        made={"settings": {"split": split}, "audio": audio.name, "pitches_outside_the_keyboard": dropped},
    )


def read_any_rate(path: Path) -> Waveform:
    """Read audio, mix it down and resample it to the rate of the prepared layout.

    The rate is taken from the decoder: an Opus file may come back at 48 kHz or at the rate it was made from.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(f"{path}: audio cannot be read: {error}") from error
    mono = samples.mean(axis=1)
    resampled = mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE)
    # A lossy decoder may overshoot full scale a little; PCM16 would wrap or clip, so the level is lowered as a whole.
    return np.asarray(resampled / max(1.0, float(np.abs(resampled).max())), dtype=np.float32)


def read_maps_labels(path: Path) -> tuple[list[Note], int]:
    """Read onset, offset, pitch and velocity lines; also counts the notes outside the piano's range."""
    try:
        rows = np.loadtxt(path, delimiter="\t" if "\t" in path.read_text()[:2000] else ",", skiprows=1, ndmin=2)
        notes = [
            Note(float(onset), int(pitch), float(max(offset, onset + 0.02)), int(np.clip(velocity, 1, 127)))
            for onset, offset, pitch, velocity in rows
            if in_range(int(pitch))
        ]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a table of onset, offset, pitch and velocity: {error}") from error
    return notes, len(rows) - len(notes)
