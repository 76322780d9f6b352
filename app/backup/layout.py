"""What lies where in a backup."""

import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydantic import BaseModel

from app.jobs.states import Status
from app.served.table import ModelState
from app.storage.interface import Storage, activations_key, audio_key, peaks_key, result_key

FORMAT = 2
# Backups of the first format lack the files of edited versions and the waveform's peaks.
FIRST_FORMAT = 1


class BackupError(Exception):
    """It cannot be made or restored. The message says why and what to do."""


class Manifest(BaseModel):
    """``backup.json``."""

    format: int
    revision: str
    created: datetime
    jobs: int


def manifest_path(folder: Path) -> Path:
    """What says what the folder is. Written last."""
    return folder / "backup.json"


def table_path(folder: Path, table: str) -> Path:
    """The rows of a table."""
    return folder / "tables" / f"{table}.jsonl"


def file_path(folder: Path, key: str) -> Path:
    """A file of the store."""
    return folder / "files" / key


def expected_files(row: dict[str, Any]) -> dict[str, str | None]:
    """Keys of the files that a job's row promises, with their sha256 where the row knows it."""
    if row["files_gone"] or row["status"] in (Status.CANCELLED, Status.EXPIRED, Status.DELETED):
        return {}
    job_id = row["id"]
    found: dict[str, str | None] = {audio_key(job_id): row["file_sha256"]}
    if row["revision"] is not None:
        found[activations_key(job_id)] = None
        if peaks := (row["audio"] or {}).get("peaks"):
            found[peaks_key(job_id)] = peaks["sha256"]
        found |= _result_files(job_id, row["revision"], row["files"] or {})
        for version in row.get("versions") or []:  # earlier versions of the service had none
            found |= _result_files(job_id, version["revision"], version["files"])
    return found


def as_held(row: dict[str, Any], format: int) -> dict[str, Any]:
    """A job's row without what a backup of this format has no files of."""
    if format > FIRST_FORMAT:
        return row
    audio = row["audio"] and {name: value for name, value in row["audio"].items() if name != "peaks"}
    edited = {"versions": [], "n_versions": 0} if "versions" in row else {}
    return row | {"audio": audio} | edited


def _result_files(job_id: str, revision: str, files: dict[str, dict[str, Any]]) -> dict[str, str | None]:
    return {result_key(job_id, revision, name): facts["sha256"] for name, facts in files.items()}


def model_files(row: dict[str, Any]) -> dict[str, str | None]:
    """Key and sha256 of an added model's checkpoint; one that was refused has none."""
    return {} if row["state"] == ModelState.REFUSED else {row["entry"]["stored"]: row["sha256"]}


def copy_out(storage: Storage, key: str, target: Path) -> None:
    """Copy a file from the store. Raises `NotStoredError`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with storage.local_copy(key) as source:
        shutil.copyfile(source, target)


def open_file(path: Path) -> BinaryIO:
    """Open a file of a backup."""
    try:
        return cast(BinaryIO, path.open("rb"))
    except OSError as error:
        raise BackupError(f"{path} cannot be read ({error.strerror}): the backup is not whole") from error


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write lines; gives their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = 0
    with path.open("w") as file:
        for line in lines:
            file.write(line + "\n")
            number += 1
    return number


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a table's file."""
    with open_file(path) as file:
        for line in file:
            yield line.decode()
