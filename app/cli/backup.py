"""`amt backup` and `amt restore`."""

from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from app.backup import make_backup, restore_backup
from app.backup.layout import BackupError
from app.database import open_database
from app.schema import open_whole
from app.settings import Settings
from app.storage import open_storage
from app.supervisor.lock import StartError, only_one

__all__ = ["BackupError", "backup", "restore"]


def backup(settings: Settings, folder: Path) -> str:
    """Make a backup; gives what there is to say about it."""
    engine = open_database(settings.database)
    try:
        manifest = make_backup(engine, open_storage(settings), folder)
    except (SQLAlchemyError, OSError) as error:
        raise BackupError(f"the backup could not be made: {_first_line(error)}") from error
    finally:
        engine.dispose()
    return f"{manifest.jobs} jobs in {folder}"


def restore(settings: Settings, folder: Path) -> str:
    """Restore a backup; gives what there is to say about it."""
    if settings.database.startswith("sqlite:///"):
        Path(settings.database.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = open_whole(settings.database)
    try:
        with only_one(settings.run):
            manifest = restore_backup(engine, open_storage(settings), folder)
    except StartError as error:
        raise BackupError(f"{error}; or stop it first") from error
    except (SQLAlchemyError, OSError) as error:
        raise BackupError(f"the backup could not be restored: {_first_line(error)}") from error
    finally:
        engine.dispose()
    return f"{manifest.jobs} jobs of {manifest.created:%Y-%m-%d %H:%M} restored; `amt serve` goes on with them"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
