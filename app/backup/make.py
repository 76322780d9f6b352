"""Making a backup while the service runs.

All tables are read in one transaction. The files follow afterwards: none ever changes under its name, so what a row
names is either there as it was or gone. Where it is gone, its row was deleted or changed in the meantime, and the
row as it stands now is taken instead.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, select

from app.backup.layout import (
    FORMAT,
    BackupError,
    Manifest,
    copy_out,
    expected_files,
    file_path,
    manifest_path,
    model_files,
    read_lines,
    table_path,
    write_lines,
)
from app.clock import utc_now
from app.database import is_current
from app.jobs import webhook_tables  # noqa: F401  all tables that belong to Base are saved
from app.jobs.states import Status
from app.jobs.table import SCHEMA_REVISION, Base, Job
from app.keys import table as _keys  # noqa: F401
from app.served.table import AddedModel
from app.storage.interface import NotStoredError, Storage

JOBS, MODELS = (Base.metadata.tables[of.__tablename__] for of in (Job, AddedModel))
ROWS_AT_ONCE = 1000
# How often a row may be changed while its files are being copied.
TRIES = 5

# The files that a row promises, by their keys.
FilesOf = Callable[[dict[str, Any]], Mapping[str, str | None]]


def make_backup(engine: Engine, storage: Storage, folder: Path) -> Manifest:
    """Write a backup to a new folder, whole or not at all.

    Raises
    ------
    BackupError
        If the folder exists, the tables are of another version, or the store has lost files.
    """
    if folder.exists():
        raise BackupError(f"{folder} exists; name a new folder")
    if not is_current(engine):
        raise BackupError("the tables are of another version; run `amt migrate` first")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _write_tables(engine, unfinished)
        jobs = _copy_files(engine, storage, unfinished, JOBS, expected_files)
        _copy_files(engine, storage, unfinished, MODELS, model_files)
        manifest = Manifest(format=FORMAT, revision=SCHEMA_REVISION, created=utc_now(), jobs=jobs)
        manifest_path(unfinished).write_text(manifest.model_dump_json(indent=2) + "\n")
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return manifest


def _write_tables(engine: Engine, folder: Path) -> None:
    """Every table as it was at one moment."""
    if engine.dialect.name != "sqlite":  # there a transaction in WAL mode reads one moment anyway
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection, connection.begin():
        for table in Base.metadata.sorted_tables:
            write_lines(table_path(folder, table.name), _rows(connection, table))


def _rows(connection: Connection, table: Table) -> Iterator[str]:
    found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(_worth_keeping(table))
    for row in found.mappings():
        yield _line(dict(row))


def _worth_keeping(table: Table) -> Select[Any]:
    """Its rows without those of deleted jobs."""
    return select(table).where(JOBS.c.status != Status.DELETED) if table is JOBS else select(table)


def _copy_files(engine: Engine, storage: Storage, folder: Path, table: Table, files_of: FilesOf) -> int:
    """Copy the files that a table's rows promise, and keep the rows that have them; gives their number."""
    kept = folder / "kept"
    number = write_lines(kept, _with_files(engine, storage, folder, table, files_of))
    kept.replace(table_path(folder, table.name))
    return number


def _with_files(engine: Engine, storage: Storage, folder: Path, table: Table, files_of: FilesOf) -> Iterator[str]:
    """The rows whose files could be copied, as they were when that succeeded."""
    (key,) = table.primary_key
    for line in read_lines(table_path(folder, table.name)):
        row: dict[str, Any] | None = json.loads(line)
        for _ in range(TRIES):
            if row is None:  # deleted in the meantime
                break
            files = files_of(row)
            if _copied(storage, files, folder):
                yield _line(row)
                break
            for half_copied in files:
                file_path(folder, half_copied).unlink(missing_ok=True)
            row = _fresh(engine, table, row[key.name])
        else:
            raise BackupError(f"files of {table.name}, {json.loads(line)[key.name]}, are missing; the store is damaged")


def _copied(storage: Storage, files: Iterable[str], folder: Path) -> bool:
    try:
        for key in files:
            copy_out(storage, key, file_path(folder, key))
    except (NotStoredError, FileNotFoundError):
        return False
    return True


def _fresh(engine: Engine, table: Table, key: str) -> dict[str, Any] | None:
    (column,) = table.primary_key
    with engine.connect() as connection:
        row = connection.execute(_worth_keeping(table).where(column == key)).mappings().first()
        return None if row is None else json.loads(_line(dict(row)))


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a backup cannot hold a {type(value).__name__}")
