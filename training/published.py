"""MusicNet as it is published (Zenodo record 5120004): folders of WAV files and of label tables, by split.

``train_data/ID.wav`` with ``train_labels/ID.csv``, and the same with ``test_``. Times in the labels are sample indices
at 44.1 kHz; the instrument is a 1-based General MIDI program; there is no velocity. The labels come from aligning
scores: some 4 % are wrong, and onsets are off by tens of milliseconds.
"""

import csv
from collections import Counter
from pathlib import Path

from model.note import Note
from training.errors import DataError
from training.intake import (
    Labels,
    Source,
    by_stem,
    intake_jobs,
    pair_up,
    refused_jobs,
    without_twins,
)
from training.jobs import Job
from training.musicnet import split_of
from training.prepared import Split, in_range

LABEL_RATE = 44100
NO_VELOCITY = 64
COLUMNS = ("start_time", "end_time", "instrument", "note")
FOLDERS = ("test", "train")  # of two copies of a recording the one for testing counts


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
        Those of recordings that cannot be used fail and say why.

    Raises
    ------
    DataError
        If a folder is missing or nothing in it can be used; names it.
    """
    sources, problems, tests = find_published(root)
    names = [*(source.id for source in sources), *problems]
    splits: dict[str, Split] = {name: "test" if name in tests else split_of(name) for name in names}
    jobs = intake_jobs(
        [source for source in sources if splits[source.id] == split],
        read_published_labels,
        origin="MusicNet",
        split=split,
        sr=LABEL_RATE,
    )
    return [*jobs, *refused_jobs({name: why for name, why in problems.items() if splits[name] == split})]


def find_published(root: Path) -> tuple[list[Source], dict[str, str], set[str]]:
    """Look through MusicNet's four folders.

    Returns
    -------
    sources : list of Source
    problems : dict of str to str
        Why each of the other ids is left out.
    tests : set of str
        Ids that lie in the folders for testing, whatever they are called.
    """
    pairs: list[Source] = []
    problems: dict[str, str] = {}
    tests: set[str] = set()
    for name in FOLDERS:
        audio, labels = root / f"{name}_data", root / f"{name}_labels"
        for folder in (audio, labels):
            if not folder.is_dir():
                raise DataError(f"{folder}: no such folder; MusicNet's archive unpacks into it (see `download`)")
        groups = by_stem(audio.iterdir(), labels.iterdir(), {".csv"})
        for twice in tests & groups.keys():
            problems[f"{twice} of {audio.name}"] = f"{audio / twice}: lies in the folders for testing, too"
            del groups[twice]
        if name == "test":
            tests = set(groups)
        found, alone = pair_up(groups)
        pairs += found
        problems |= alone
    sources, twins = without_twins(pairs)
    if not sources:
        raise DataError(f"{root}: no recording has labels; expected files such as train_data/1727.wav")
    return sources, problems | twins, tests


def read_published_labels(path: Path) -> Labels:
    """Read a table of labels.

    Several players of one instrument may hold one pitch at once, so overlapping notes are all kept.

    Raises
    ------
    DataError
        If a column is missing or a row is not a note; names file and line.
    """
    remarks: Counter[str] = Counter()
    notes: dict[Note, None] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, strict=True)
            missing = set(COLUMNS) - set(table.fieldnames or ())
            if missing:
                raise DataError(f"{path}: not a table of MusicNet labels: it lacks {', '.join(sorted(missing))}")
            for row in table:
                note = published_note(row, path, table.line_num)
                remarks["notes outside the keyboard"] += note is None
                remarks["notes given twice"] += note in notes
                if note is not None:
                    notes[note] = None
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: not a table of MusicNet labels: {error}") from error
    return Labels(list(notes), +remarks)


def published_note(row: dict[str, str], path: Path, number: int) -> Note | None:
    """Turn a row into a note; None if its pitch lies outside the keyboard."""
    try:
        start, end, instrument, pitch = (int(row[column]) for column in COLUMNS)
        if not in_range(pitch):
            return None
        return Note(start / LABEL_RATE, pitch, end / LABEL_RATE, NO_VELOCITY, program=instrument - 1)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}, line {number}: not a note: {error}") from error
