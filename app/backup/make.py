"""Making a backup while the service runs.

All tables are read in one transaction. The files follow afterwards: none ever changes under its name, so what a row
names is either there as it was or gone. Where it is gone, its job was deleted or decoded again in the meantime, and the
row as it stands now is taken instead.
"""

import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, select

from app.backup.layout import (
    FORMAT,
    BackupError,
    Manifest,
    copy_out,
    expected_files,
    file_path,
    manifest_path,
    model_file,
    read_lines,
    table_path,
    write_lines,
)
from app.clock import utc_now
from app.database import is_current
from app.jobs import webhook_tables  # noqa: F401  all tables that belong to Base are saved
from app.jobs.table import SCHEMA_REVISION, Base, Job
from app.keys import table as _keys  # noqa: F401
from app.served.table import AddedModel, ModelState
from app.storage.interface import NotStoredError, Storage

JOBS = Base.metadata.tables[Job.__tablename__]
ROWS_AT_ONCE = 1000
# How often a job may be changed while it is being copied.
TRIES = 5


def make_backup(engine: Engine, storage: Storage, folder: Path) -> Manifest:
    """Write a backup to a new folder, whole or not at all.

    Raises
    ------
    BackupError
        If the folder exists or the tables are not up to date.
    """
    if folder.exists():
        raise BackupError(f"{folder} exists; name a new folder")
    if not is_current(engine):
        raise BackupError("the tables are not up to date; run `amt migrate` first")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _write_tables(engine, unfinished)
        jobs = write_lines(unfinished / "jobs", _with_files(engine, storage, unfinished))
        _copy_models(storage, unfinished)
        (unfinished / "jobs").replace(table_path(unfinished, JOBS.name))
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
    found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
    for row in found.mappings():
        yield _line(dict(row))


def _with_files(engine: Engine, storage: Storage, folder: Path) -> Iterator[str]:
    """The rows of all jobs whose files could be copied, as they were when that succeeded."""
    for line in read_lines(table_path(folder, JOBS.name)):
        row: dict[str, Any] | None = json.loads(line)
        for _ in range(TRIES):
            if row is None:  # deleted in the meantime
                break
            if _copy_files(storage, row, folder):
                yield _line(row)
                break
            shutil.rmtree(file_path(folder, f"jobs/{row['id']}"), ignore_errors=True)
            row = _fresh(engine, row["id"])
        else:
            raise BackupError(f"the files of job {json.loads(line)['id']} are missing; the store is damaged")


def _copy_models(storage: Storage, folder: Path) -> None:
    """The checkpoints of added models; one that was refused has none."""
    for line in read_lines(table_path(folder, AddedModel.__tablename__)):
        row = json.loads(line)
        if row["state"] != ModelState.REFUSED:
            key, _ = model_file(row)
            copy_out(storage, key, file_path(folder, key))


def _copy_files(storage: Storage, row: dict[str, Any], folder: Path) -> bool:
    try:
        for key in expected_files(row):
            copy_out(storage, key, file_path(folder, key))
    except (NotStoredError, FileNotFoundError):
        return False
    return True


def _fresh(engine: Engine, job_id: str) -> dict[str, Any] | None:
    with engine.connect() as connection:
        row = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
        return None if row is None else json.loads(_line(dict(row)))


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a backup cannot hold a {type(value).__name__}")
