"""`amt doctor`: what is missing or wrong, and what to do."""

import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from redis import RedisError
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue import CatalogueError, load_catalogue, require_file
from app.connections import open_redis
from app.database import is_current, open_database, session_factory
from app.keys.admission import OpenToAllError, refuse_to_be_open
from app.keys.repository import KeyRepository
from app.settings import Settings
from app.storage import open_storage
from app.supervisor.redis_server import find_redis_server
from app.worker.confined.sandbox import missing

OLDEST_PYTHON = (3, 11)
PACKAGES = (
    "alembic",
    "av",
    "celery",
    "fastapi",
    "mido",
    "numpy",
    "psycopg",
    "redis",
    "safetensors",
    "soxr",
    "sqlalchemy",
    "torch",
    "uvicorn",
)
LEAST_FREE_BYTES = 2 * 2**30

# What is found, and whether it is well.
Finding = tuple[bool, str]


def examine(settings: Settings) -> bool:
    """Look at everything and say it; True if nothing is wrong."""
    console = Console()
    all_well = True
    for name, check in CHECKS.items():
        for well, text in check(settings):
            all_well = all_well and well
            mark = "[green]ok[/green]   " if well else "[red]wrong[/red]"
            console.print(f"{mark}  {name}: ", end="", highlight=False)
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    return all_well


def _python(_: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    well = sys.version_info >= OLDEST_PYTHON
    yield well, version if well else f"{version} is too old; install Python 3.11 or later"


def _packages(_: Settings) -> Iterator[Finding]:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    yield not missing, f"missing {', '.join(missing)}; run `make setup`" if missing else "all there"


def _redis(settings: Settings) -> Iterator[Finding]:
    server = find_redis_server()
    if not settings.redis_url:
        yield server is not None, str(server) if server else "no redis-server; run `make setup`, or install Redis"
    try:
        open_redis(settings).ping()
    except RedisError as error:
        yield (
            not settings.redis_url,
            f"does not answer at {_without_password(settings.redis)}"
            + (f": {error}" if settings.redis_url else " (it does while `amt serve` runs)"),
        )
    else:
        yield True, f"answers at {_without_password(settings.redis)}"


def _database(settings: Settings) -> Iterator[Finding]:
    if _is_new(settings):
        yield True, "not there yet; `amt serve` or `amt migrate` makes it"
        return
    engine = open_database(settings.database)
    try:
        current = is_current(engine)
    except SQLAlchemyError as error:
        yield False, f"does not answer at {engine.url!r}: {str(error).splitlines()[0]}; check AMT_DATABASE_URL"
    else:
        yield current, "up to date" if current else "its tables are of another version; run `amt migrate`"
    finally:
        engine.dispose()


def _is_new(settings: Settings) -> bool:
    """Whether SQLite's file is not there yet; opening it would make it."""
    path = settings.database.removeprefix("sqlite:///")
    return path != settings.database and not Path(path).exists()


def _keys(settings: Settings) -> Iterator[Finding]:
    if _is_new(settings):
        yield settings.is_private, "none" if settings.is_private else "none; make one with `amt keys create NAME`"
        return
    engine = open_database(settings.database)
    try:
        keys = KeyRepository(session_factory(engine))
        refuse_to_be_open(settings, keys)
        valid = sum(key.revoked_at is None for key in keys.all())
    except SQLAlchemyError:
        yield settings.is_private, "cannot be seen; see what is said of the database"
    except OpenToAllError as error:
        yield False, str(error)
    else:
        yield True, f"{valid} valid" if keys.any() else "none: nobody is asked for one"
    finally:
        engine.dispose()


def _storage(settings: Settings) -> Iterator[Finding]:
    try:
        open_storage(settings).check()
    except OSError as error:
        yield False, f"{settings.storage} cannot be written to ({error.strerror}); check AMT_STORAGE_URL"
    else:
        yield True, settings.storage


def _checkpoints(settings: Settings) -> Iterator[Finding]:
    try:
        catalogue = load_catalogue(settings.checkpoint)
    except CatalogueError as error:
        yield False, str(error)
        return
    for entry in catalogue.models:
        try:
            require_file(settings.checkpoint, entry)
        except CatalogueError as error:
            yield False, str(error)
        else:
            yield True, f"{entry.name}, {entry.bytes / 1e6:.1f} MB"


def _decoders(_: Settings) -> Iterator[Finding]:
    """A fence that is missing is said and nothing that keeps the service from running."""
    lack = missing()
    yield True, lack or "confined in memory, time, files and system calls; no network"


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = next(parent for parent in (settings.var, *settings.var.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GiB free at {settings.var}"
    yield free >= LEAST_FREE_BYTES, text if free >= LEAST_FREE_BYTES else f"only {text}; make room or set AMT_VAR"


def _port(settings: Settings) -> Iterator[Finding]:
    address = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        yield (
            False,
            f"{address} is taken ({error.strerror}); does the service run, or should AMT_PORT be another?",
        )
    else:
        yield True, f"{address} is free"


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2]


CHECKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "python": _python,
    "packages": _packages,
    "redis": _redis,
    "database": _database,
    "keys": _keys,
    "storage": _storage,
    "checkpoint": _checkpoints,
    "decoders": _decoders,
    "disk": _disk,
    "port": _port,
}
