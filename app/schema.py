"""Bringing the tables up to date. Apart from app.database, as loading Alembic takes longer than loading the rest."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from app.database import open_database


class MigrationError(Exception):
    """The tables cannot be brought there. The message says why."""


def migrate(url: str, revision: str = "head") -> None:
    """Bring the tables to a revision: the newest one, or back to an older one.

    Raises
    ------
    MigrationError
        If the revision is not known, the tables are of a newer version than this code, or the database does not obey.
    """
    if revision != "head" and revision not in known_revisions():
        raise MigrationError(f"there is no revision {revision!r}; there are {', '.join(sorted(known_revisions()))}")
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = open_whole(url)
    try:
        with engine.begin() as connection:
            present = _present(connection)
            if present is not None and present not in known_revisions():
                raise MigrationError(
                    f"the tables are of revision {present}, which is newer than this version of the service; "
                    "take them back with the version that made them, or run that one"
                )
            if revision != "head" and present is not None and revision < present:
                downgrade(connection, revision)
            else:
                upgrade(connection, revision)
    except SQLAlchemyError as error:
        cause = str(error).partition("\n")[0]
        raise MigrationError(f"the tables cannot be brought up to date: {cause}; check AMT_DATABASE_URL") from error
    finally:
        engine.dispose()


def open_whole(url: str) -> Engine:
    """An engine whose transactions hold changes of the tables, too, and exclude one another; for nothing else.

    Python's sqlite3 begins none before such a change: a process killed between two would leave half of them.
    """
    engine = open_database(url)
    alone = "SELECT pg_advisory_xact_lock(hashtextextended('tables', 0))"
    if engine.dialect.name == "sqlite":
        alone = "BEGIN IMMEDIATE"
        event.listen(engine, "connect", _begin_nothing)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(alone))
    return engine


def _begin_nothing(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Leave it to us where a transaction begins."""
    connection.isolation_level = None


def _present(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def downgrade(connection: Connection, revision: str) -> None:
    """Take the tables back to an older revision, and what it does not know with them."""
    config = migration_config()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the tables to a revision that is not older than theirs."""
    config = migration_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def known_revisions() -> set[str]:
    """Every revision that this code can bring tables to."""
    return {script.revision for script in ScriptDirectory.from_config(migration_config()).walk_revisions()}


def migration_config() -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
