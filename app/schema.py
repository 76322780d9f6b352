"""Bringing the tables up to date. Apart from app.database, as loading Alembic takes longer than loading the rest."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from app.database import open_database


def migrate(url: str) -> None:
    """Bring the tables to the newest revision."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = open_database(url)
    try:
        with engine.begin() as connection:
            config = migration_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def migration_config() -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
