"""Restoring a backup into an empty table and an empty store.

The tables are made as they were when the backup was made, filled, and then brought up to date: a backup outlives the
versions of the service.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, DateTime, Engine, MetaData, Table, func, insert, select

from app.backup.layout import (
    FIRST_FORMAT,
    FORMAT,
    BackupError,
    Manifest,
    as_held,
    expected_files,
    file_path,
    manifest_path,
    model_files,
    open_file,
    read_lines,
    table_path,
)
from app.jobs.repository import NO_LEASE
from app.jobs.states import Status
from app.jobs.table import Job
from app.schema import known_revisions, upgrade
from app.served.table import AddedModel, Choice
from app.storage.interface import JOBS, MODELS, Storage

ROWS_AT_ONCE = 500
# Their files are removed where restoring fails, so that none may be somebody else's.
EMPTY_BEFORE = {Job.__tablename__, AddedModel.__tablename__, Choice.__tablename__}


def restore_backup(engine: Engine, storage: Storage, folder: Path) -> Manifest:
    """Put a backup in the place of nothing. Files come first: a row never names one that is not there.

    Raises
    ------
    BackupError
        If there is something already, or the backup is damaged or of a newer version.
    """
    manifest = _read_manifest(folder)
    if next(storage.folders(JOBS), None) is not None:
        raise BackupError("the store holds jobs already; restore into an empty one (AMT_VAR, AMT_STORAGE_URL)")
    with engine.begin() as connection:
        upgrade(connection, manifest.revision)
        tables = _reflected(connection)
        for name in EMPTY_BEFORE & tables.keys():
            held = select(func.count()).select_from(tables[name])
            if name == Job.__tablename__:  # of deleted ones a row may be left, and no file
                held = held.where(tables[name].c.status != Status.DELETED)
            if connection.scalar(held):
                raise BackupError(
                    f"there are {name} already; restore into an empty database (AMT_VAR, AMT_DATABASE_URL)"
                )
    try:
        for row in _rows(folder, tables[Job.__tablename__]):
            _restore_files(storage, folder, expected_files(as_held(row, manifest.format)))
        if AddedModel.__tablename__ in tables:  # earlier versions had none
            for row in _rows(folder, tables[AddedModel.__tablename__]):
                _restore_files(storage, folder, model_files(row))
        with engine.begin() as connection:
            for table in tables.values():
                _restore_rows(connection, table, folder, manifest.format)
    except BaseException:
        for prefix in (JOBS, MODELS):
            storage.delete(prefix)
        raise
    with engine.begin() as connection:
        upgrade(connection, "head")
    return manifest


def _read_manifest(folder: Path) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(manifest_path(folder).read_bytes())
    except OSError as error:
        raise BackupError(f"{folder} is not a backup: backup.json cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise BackupError(f"{folder} is not a backup: backup.json does not say what it must") from error
    if manifest.format not in (FIRST_FORMAT, FORMAT) or manifest.revision not in known_revisions():
        raise BackupError(f"{folder} was made by a newer version of the service; restore it with that version")
    return manifest


def _reflected(connection: Connection) -> dict[str, Table]:
    """The tables as they are just now, in an order that keeps references whole."""
    found = MetaData()
    found.reflect(connection)
    return {table.name: table for table in found.sorted_tables if table.name != "alembic_version"}


def _rows(folder: Path, table: Table) -> Iterator[dict[str, Any]]:
    path = table_path(folder, table.name)
    for line in read_lines(path):
        yield json.loads(line)


def _restore_rows(connection: Connection, table: Table, folder: Path, format: int) -> None:
    of_jobs = table.name == Job.__tablename__
    rows = (_typed(table, _waiting(as_held(row, format)) if of_jobs else row) for row in _rows(folder, table))
    while some := list(islice(rows, ROWS_AT_ONCE)):
        connection.execute(insert(table), some)


def _restore_files(storage: Storage, folder: Path, files: Mapping[str, str | None]) -> None:
    for key, sha256 in files.items():
        path = file_path(folder, key)
        with open_file(path) as file:
            stored = storage.put(key, file)
        if sha256 is not None and stored.sha256 != sha256:
            raise BackupError(f"{path} is damaged: its SHA-256 is not the one that its row states")


def _waiting(row: dict[str, Any]) -> dict[str, Any]:
    """A job that ran then has no worker now: it waits, and the sweeper announces it."""
    if row["status"] == Status.RUNNING:
        return row | NO_LEASE | {"status": Status.QUEUED, "stage": None}
    return row


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no moments; and numbers that a database gives by itself it shall give again, and go on behind them."""
    given = table.autoincrement_column
    moments = {column.name for column in table.columns if isinstance(column.type, DateTime)}
    return {
        name: datetime.fromisoformat(value) if name in moments and value is not None else value
        for name, value in row.items()
        if given is None or name != given.name
    }
