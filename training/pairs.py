"""Any folder, with folders in it, of recordings and MIDI files of the same names."""

import errno
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.errors import DataError
from training.intake import (
    Source,
    by_stem,
    intake_jobs,
    pair_up,
    refused_jobs,
    without_twins,
)
from training.jobs import Job, alone_in
from training.midi_labels import read_midi_labels
from training.prepared import Split, read_manifest, write_manifest
from training.splits import SPLITS, Row, check_pieces, divide, of_split, pieces_of

MIDI_SUFFIXES = frozenset({".mid", ".midi"})
JOINT = "__"  # between the folders and the name of a recording in its id


@dataclass(frozen=True, slots=True)
class PairsConfig:
    """How a folder of pairs is read and divided.

    Parameters
    ----------
    validation, test : float
        Shares of the pieces, where nothing else divides them.
    seed : int
        Of the division.
    table : dict of str to Row, optional
        Splits and pieces that somebody has written down, by path without ending.
    by_folder : bool
        The first folder under the root is the split: train, validation or test.
    pedal : bool
        Whether the sustain pedal lengthens notes.
    """

    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    table: Mapping[str, Row] | None = None
    by_folder: bool = False
    pedal: bool = True


def pairs_jobs(root: Path, config: PairsConfig) -> dict[Split, list[Job]]:
    """List the recordings of a folder as jobs, by split.

    What cannot be used and therefore has no split is named with the jobs of the training split.

    Raises
    ------
    DataError
        If there is no such folder or no pair in it, or the division is not possible.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; expected recordings and MIDI files of the same names")
    pairs, problems = find_pairs(root)
    listed, unlisted = in_table(pairs, root, config.table)
    sources, twins = without_twins(listed)
    if not sources:
        raise DataError(f"{root}: no recording has a MIDI file of its name; {describe(problems | unlisted)}")
    splits = choose_splits(sources, root, config)
    jobs: dict[Split, list[Job]] = {
        split: intake_jobs(
            of_split(splits, sources, split),
            partial(read_midi_labels, pedal=config.pedal),
            origin=root.resolve().name,
            split=split,
            settings={"pedal": config.pedal},
        )
        for split in SPLITS
    }
    jobs["train"] += refused_jobs(problems | unlisted | twins)
    return jobs


def find_pairs(root: Path) -> tuple[list[Source], dict[str, str]]:
    """Look through a folder and all folders in it; also says why something in them is left out.

    A name that occurs once belongs together wherever the two files lie; one that occurs in several folders belongs
    together within each.
    """
    files, unread = walk(root)
    groups: dict[str, tuple[list[Path], list[Path]]] = defaultdict(lambda: ([], []))
    for sounds, labels in by_stem(files, files, MIDI_SUFFIXES).values():
        apart = len(sounds) > 1 or len(labels) > 1
        for folder in sorted({path.parent for path in (*sounds, *labels)}) if apart else [None]:
            here = [[path for path in kind if folder in (None, path.parent)] for kind in (sounds, labels)]
            group = groups[id_of([*here[0], *here[1]][0], root)]
            for kind, paths in zip(group, here, strict=True):
                kind.extend(paths)
    sources, problems = pair_up(groups)
    return sources, problems | unread


def walk(root: Path) -> tuple[list[Path], dict[str, str]]:
    """The files in a folder and in all folders in it, and then those that links lead to; each folder counts once.

    What a link to a folder leads to and was found before counts where it was found.

    What begins with a dot, as what systems leave behind does, is passed over. Also says what cannot be looked into, by
    its path from the root, which begins with "./" and so is no recording's id.
    """
    files: list[Path] = []
    problems: dict[str, str] = {}

    def unread(error: OSError) -> None:
        path = Path(str(error.filename))
        if path == root:
            raise DataError(f"{root}: cannot be read: {error.strerror}")
        problems[f"./{path.relative_to(root).as_posix()}"] = f"{path}: cannot be read: {error.strerror}"

    waiting, seen = [root], set[Path]()
    while waiting:
        begin = waiting.pop(0)
        known = {path.resolve() for path in files}
        for name, folders, names in os.walk(begin, onerror=unread):
            folder = Path(name)
            enterable = os.access(folder, os.X_OK)
            if not enterable:
                unread(PermissionError(errno.EACCES, os.strerror(errno.EACCES), name))
            if not enterable or folder.resolve() in seen:
                folders.clear()
                continue
            seen.add(folder.resolve())
            folders[:] = sorted(inner for inner in folders if not inner.startswith("."))
            waiting += [folder / inner for inner in folders if (folder / inner).is_symlink()]
            here = [folder / file for file in sorted(names) if not file.startswith(".")]
            files += [path for path in here if path.resolve() not in known]
    for path in files:  # a recording or MIDI file that is not there is named with its partner
        if not path.suffix and path.is_symlink() and not path.exists():
            unread(FileNotFoundError(errno.ENOENT, "a link to nothing", str(path)))
    return files, problems


def id_of(path: Path, root: Path) -> str:
    """A recording's id: its path from the root without the ending, in one word."""
    return JOINT.join(path.relative_to(root).with_suffix("").parts)


def in_table(
    sources: Iterable[Source], root: Path, table: Mapping[str, Row] | None
) -> tuple[list[Source], dict[str, str]]:
    """Keep what the table names; also says of what only one of the two has."""
    if table is None:
        return list(sources), {}
    kept, problems = [], {}
    waiting = set(table)
    for source in sources:
        names = {path.relative_to(root).with_suffix("").as_posix() for path in (source.audio, source.labels)}
        if names & table.keys():
            kept.append(source)
        else:
            problems[source.id] = f"{source.audio}: the table does not name it"
        waiting -= names
    problems |= {
        name.replace("/", JOINT): f"{root / name}: the table names it, and there is no such pair" for name in waiting
    }
    return kept, problems


def choose_splits(sources: list[Source], root: Path, config: PairsConfig) -> dict[str, Split]:
    """The split of each recording by id: from the table, from the folder, or drawn by piece."""
    rows = {source.id: row_of(source, root, config.table or {}) for source in sources}
    pieces = pieces_of(sources, {name: row.piece for name, row in rows.items() if row.piece is not None})
    if config.by_folder:
        given = {source.id: folder_split(source, root) for source in sources}
    else:
        given = {name: row.split for name, row in rows.items() if row.split is not None}
    if not given:
        drawn = divide(pieces.values(), validation=config.validation, test=config.test, seed=config.seed)
        return {name: drawn[piece] for name, piece in pieces.items()}
    if len(given) < len(sources):
        without = sorted(rows.keys() - given.keys())
        raise DataError(
            f"the table gives a split to some recordings and none to {len(without)}: {', '.join(without[:5])}"
        )
    check_pieces(pieces, given)
    return given


def row_of(source: Source, root: Path, table: Mapping[str, Row]) -> Row:
    """What the table says of a recording, by its audio or its MIDI file."""
    for path in (source.audio, source.labels):
        row = table.get(path.relative_to(root).with_suffix("").as_posix())
        if row is not None:
            return row
    return Row(None, None)


def folder_split(source: Source, root: Path) -> Split:
    """The split that a recording's first folder names."""
    name = source.audio.relative_to(root).parts[0]
    for split in SPLITS:
        if split == name:
            return split
    raise DataError(
        f"{source.audio}: lies in {name}; with --by-folder all lie in folders {', '.join(SPLITS)} of {root}"
    )


def forget_moved(folder: Path, elsewhere: Iterable[str]) -> list[str]:
    """Remove from a set the recordings that are now in another split, so that none is in two.

    Parameters
    ----------
    folder : Path
        ``PREPARED/<set>``, which may not exist yet.
    elsewhere : iterable of str
        Ids of the other splits.

    Returns
    -------
    list of str
        What was removed.

    Raises
    ------
    DataError
        If another process is at work in the set.
    """
    if not folder.exists():
        return []
    with alone_in(folder):
        recordings = read_manifest(folder)
        moved = {recording.id for recording in recordings} & set(elsewhere)
        if moved:
            write_manifest(folder, [recording for recording in recordings if recording.id not in moved])
        for name in moved:
            for suffix in (".wav", ".tsv"):
                (folder / f"{name}{suffix}").unlink(missing_ok=True)
    return sorted(moved)


def describe(problems: Mapping[str, str]) -> str:
    """The first few problems, for an error."""
    return "; ".join(list(problems.values())[:3]) or "found neither recordings nor MIDI files"
