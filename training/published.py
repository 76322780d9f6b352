"""MusicNet as it is published (Zenodo record 5120004): folders of WAV files and of label tables, by split.

``train_data/ID.wav`` with ``train_labels/ID.csv``, and the same with ``test_``. Times in the labels are sample indices
at 44.1 kHz; the instrument is a 1-based General MIDI program; there is no velocity. The labels come from aligning
scores: some 4 % are wrong, and onsets are off by tens of milliseconds.
"""

import csv
from functools import partial
from pathlib import Path

from model.note import Note
from training.errors import DataError
from training.jobs import Job
from training.maps import read_any_rate
from training.musicnet import split_of
from training.prepared import SAMPLE_RATE, Recording, Split, in_range, write_recording

LABEL_RATE = 44100
NO_VELOCITY = 64
FOLDERS: dict[Split, str] = {"train": "train", "validation": "train", "test": "test"}


def published_jobs(root: Path, split: Split) -> list[Job]:
    """List the recordings of one of our splits; validation is taken from the published training set.

    Parameters
    ----------
    root : Path
        Folder that holds ``train_data``, ``train_labels``, ``test_data`` and ``test_labels``.
    split : {"train", "validation", "test"}

    Returns
    -------
    list of Job

    Raises
    ------
    DataError
        If a folder is missing or a file has no partner; names it.
    """
    audio, labels = (root / f"{FOLDERS[split]}_{kind}" for kind in ("data", "labels"))
    for folder in (audio, labels):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; MusicNet's archive unpacks into it")
    names = {path.stem for path in audio.glob("*.wav")}
    alone = sorted(names ^ {path.stem for path in labels.glob("*.csv")})
    if alone:
        raise DataError(f"{root}: recordings without labels, or labels without a recording: {', '.join(alone)}")
    return [
        Job(
            name,
            partial(make_published, audio / f"{name}.wav", labels / f"{name}.csv", split),
            {"split": split},
        )
        for name in sorted(names)
        if split_of(name) == split
    ]


def make_published(audio: Path, labels: Path, split: Split, folder: Path) -> Recording:
    """Bring one published recording into the prepared layout."""
    waveform = read_any_rate(audio)
    notes, dropped = read_published_labels(labels)
    seconds = len(waveform) / SAMPLE_RATE
    late = sum(note.onset >= seconds for note in notes)
    if late:
        raise DataError(
            f"{audio}: {late} labels begin after its end at {seconds:.1f} s; the file may have been cut short"
        )
    return write_recording(
        folder,
        audio.stem,
        waveform,
        notes,
        source="MusicNet",
        split=split,
        made={"settings": {"split": split}, "pitches_outside_the_keyboard": dropped},
    )


def read_published_labels(path: Path) -> tuple[list[Note], int]:
    """Read a table of labels; also counts the notes outside the piano's range.

    Several players of one instrument may hold one pitch at once, so overlapping notes are all kept.

    Raises
    ------
    DataError
        If a column is missing or a row is not a note; names file and line.
    """
    notes: list[Note] = []
    dropped = 0
    try:
        with path.open(newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                if in_range(int(row["note"])):
                    notes.append(published_note(row, path, number))
                else:
                    dropped += 1
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: not a table of MusicNet labels: {error!r}") from error
    return notes, dropped


def published_note(row: dict[str, str], path: Path, number: int) -> Note:
    """Turn a row into a note."""
    try:
        onset, offset = int(row["start_time"]) / LABEL_RATE, int(row["end_time"]) / LABEL_RATE
        return Note(onset, int(row["note"]), offset, NO_VELOCITY, program=int(row["instrument"]) - 1)
    except ValueError as error:
        raise DataError(f"{path}, line {number}: not a note: {error}") from error
