"""Bringing the tables up to date. Apart from app.database, as loading Alembic takes longer than loading the rest."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.database import open_database


def migrate(url: str) -> None:
    """Bring the tables to the newest revision."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = open_database(url)
    try:
        with engine.begin() as connection:
            upgrade(connection, "head")
    finally:
        engine.dispose()


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
