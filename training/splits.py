"""Which recordings are for training, validation and testing: by piece, never by segment.

Recordings that share a piece stay together: those that a table gives one piece, and those whose label files are the
same. A network that has learned a piece's notes by one recording knows them in another.
"""

import csv
import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from training.errors import DataError
from training.intake import Source
from training.prepared import Split, sha256_of

SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True)
class Row:
    """What a table says of a recording; None where it says nothing."""

    split: Split | None
    piece: str | None


def parse_split(name: str) -> Split:
    """Check the name of a split."""
    for split in SPLITS:
        if split == name:
            return split
    raise DataError(f"split must be one of {', '.join(SPLITS)}, got {name}")


def read_table(path: Path, *, file_column: str, split_column: str, piece_column: str) -> dict[str, Row]:
    """Read a CSV table of recordings.

    Parameters
    ----------
    path : Path
    file_column : str
        Names an audio or MIDI file, as a path from the root; the ending does not matter.
    split_column, piece_column : str
        Either may be missing.

    Returns
    -------
    dict of str to Row
        By path without ending.

    Raises
    ------
    DataError
        If the table cannot be read, names a file twice, or says nothing of splits and pieces.
    """
    rows: dict[str, Row] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, strict=True)
            columns = set(table.fieldnames or ())
            if file_column not in columns or not columns & {split_column, piece_column}:
                raise DataError(
                    f"{path}: needs a column {file_column}, and {split_column} or {piece_column}; has {sorted(columns)}"
                )
            for row in table:
                name = Path(row[file_column]).with_suffix("").as_posix()
                if name in rows:
                    raise DataError(f"{path}, line {table.line_num}: {name} is named twice")
                try:
                    split = parse_split(row[split_column]) if row.get(split_column) else None
                except DataError as error:
                    raise DataError(f"{path}, line {table.line_num}: {error.message}") from error
                rows[name] = Row(split, row.get(piece_column) or None)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV table: {error}") from error
    return rows


def pieces_of(sources: Iterable[Source], named: Mapping[str, str]) -> dict[str, str]:
    """The piece of each recording.

    Parameters
    ----------
    sources : iterable of Source
    named : mapping of str to str
        Pieces by id, as far as somebody has said; any other recording is a piece of its own.

    Returns
    -------
    dict of str to str
        By id; the first of the ids that belong together stands for the piece.
    """
    ids = {}
    parent: dict[str, str] = {}

    def first(node: str) -> str:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for source in sources:
        ids[source.id] = node = first(f"piece {named[source.id]}" if source.id in named else f"id {source.id}")
        parent[first(f"notes {sha256_of(source.labels)}")] = node
    groups: dict[str, list[str]] = {}
    for name, node in ids.items():
        groups.setdefault(first(node), []).append(name)
    return {name: min(group) for group in groups.values() for name in group}


def divide(pieces: Iterable[str], *, validation: float, test: float, seed: int) -> dict[str, Split]:
    """Draw the pieces for validation and testing; what is left is for training.

    Each piece draws by its own name, so that those which come later move no other. Few pieces meet the shares roughly;
    where none of them draws a split that wants one, the next in order is taken, and a later piece may take its place.

    Parameters
    ----------
    pieces : iterable of str
    validation, test : float
        Shares of the pieces, together less than 1; one that is not 0 gets a piece at least, and so does training.
    seed : int
        What is drawn depends on it and on the names alone.

    Raises
    ------
    DataError
        If nothing would be left for training.
    """
    if validation + test >= 1:
        raise DataError(f"--validation {validation:g} and --test {test:g} leave nothing for training")
    lots = {piece: lot(piece, seed) for piece in set(pieces)}
    order = sorted(lots, key=lots.__getitem__)
    wants_validation, wants_test = int(validation > 0), int(test > 0)
    most = len(order) - 1
    if wants_validation + wants_test > most:
        raise DataError(
            f"{len(order)} pieces: {wants_validation} for validation and {wants_test} for testing leave none for "
            "training; add pieces, or give --validation 0 or --test 0"
        )
    below, below_both = (bisect_left(order, share, key=lots.__getitem__) for share in (validation, validation + test))
    n_validation = min(max(below, wants_validation), most - wants_test)
    last = min(max(below_both, n_validation + wants_test), most)
    drawn: dict[str, Split] = dict.fromkeys(order[last:], "train")
    return {
        **drawn,
        **dict.fromkeys(order[:n_validation], "validation"),
        **dict.fromkeys(order[n_validation:last], "test"),
    }


def lot(piece: str, seed: int) -> float:
    """What a piece draws, 0 to 1."""
    return int.from_bytes(hashlib.sha256(f"{seed} {piece}".encode()).digest()[:6]) / 2**48


def check_pieces(pieces: Mapping[str, str], splits: Mapping[str, Split]) -> None:
    """Refuse a given division that puts one piece into two splits.

    Parameters
    ----------
    pieces, splits : mapping of str
        By id.
    """
    of_piece: dict[str, dict[Split, str]] = {}
    for name, piece in pieces.items():
        of_piece.setdefault(piece, {})[splits[name]] = name
    torn = [
        " and ".join(f"{name} ({split})" for split, name in found.items())
        for found in of_piece.values()
        if len(found) > 1
    ]
    if torn:
        raise DataError(
            f"{len(torn)} pieces lie in several splits, which tests what was learned by heart: {'; '.join(torn[:5])}; "
            "they have the same notes or the same piece in the table"
        )


def of_split(splits: Mapping[str, Split], sources: Sequence[Source], split: Split) -> list[Source]:
    """The sources of one split."""
    return [source for source in sources if splits[source.id] == split]
