"""`amt keys`: who may call."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.common import read_settings, refuse

if TYPE_CHECKING:
    from app.jobs.repository import JobRepository
    from app.keys.repository import KeyRepository
    from app.keys.table import ApiKey, Scope

NOBODY = "nobody"

cli = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")


@cli.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for the list.", metavar="NAME")],
    scopes: Annotated[
        str, typer.Option(help="What it allows, by commas: transcribe, read, admin (add models).")
    ] = "transcribe,read",
    adopt: Annotated[
        str, typer.Option(help=f"Id of a key whose jobs become the new one's; `{NOBODY}`: those made without a key.")
    ] = "",
) -> None:
    """Make a key and print it: the only time that it can be seen."""
    chosen = _read_scopes(scopes)
    label = name.strip()
    if not 0 < len(label) <= 100 or not label.isprintable():
        refuse("the name must have 1 to 100 printable characters")
    with _tables() as (keys, jobs):
        if adopt not in ("", NOBODY) and adopt not in {key.id for key in keys.all()}:
            refuse(f"there is no key {adopt!r} whose jobs could be adopted; see `amt keys list`")
        key, secret = keys.create(label, chosen)
        moved = jobs.change_owner(None if adopt == NOBODY else adopt, key.id) if adopt else 0
    print(secret)
    print(f"key {key.id} for {label!r}: {', '.join(key.scopes)}. It is not shown again; keep it safe.", file=sys.stderr)
    if adopt:
        print(f"{moved} jobs are its own now", file=sys.stderr)


def create_first(name: str) -> None:
    """Make a key that may do everything and print it, unless there has ever been one."""
    from app.keys.table import Scope

    with _tables() as (keys, _):
        if keys.any():
            return
        key, secret = keys.create(name, list(Scope))
    print(f"the first API key, {key.id}, shown this once: {secret}")


@cli.command("list")
def list_keys() -> None:
    """List all keys, without what is secret of them."""
    from rich.console import Console
    from rich.table import Table

    with _tables() as (keys, _):
        rows = keys.all()
    if not rows:
        print("there are no keys; make one with `amt keys create NAME`")
        return
    table = Table("id", "name", "scopes", "created", "revoked", box=None, pad_edge=False)
    for key in rows:
        table.add_row(key.id, key.name, ",".join(key.scopes), f"{key.created_at:%Y-%m-%d}", _revoked(key))
    Console(highlight=False, markup=False, soft_wrap=True).print(table)


@cli.command()
def revoke(key: Annotated[str, typer.Argument(help="Its id, as listed.", metavar="ID")]) -> None:
    """End a key, and the sessions of the page that it began, at once. Its jobs stay."""
    with _tables() as (keys, _):
        known = {one.id: one for one in keys.all()}
        if not keys.revoke(key):
            why = "was revoked before" if key in known else "is not known; see `amt keys list`"
            refuse(f"the key {key!r} {why}", status=1)
    print(f"{key} ({known[key].name}) is revoked")


def _read_scopes(text: str) -> "list[Scope]":
    from app.keys.table import Scope

    names = [part.strip() for part in text.split(",") if part.strip()]
    wrong = [one for one in names if one not in list(Scope)]
    if wrong or not names:
        refuse(f"unknown scope {', '.join(wrong) or text!r}; there are {', '.join(Scope)}")
    return [Scope(one) for one in names]


def _revoked(key: "ApiKey") -> str:
    return f"{key.revoked_at:%Y-%m-%d}" if key.revoked_at else ""


@contextmanager
def _tables() -> "Iterator[tuple[KeyRepository, JobRepository]]":
    from sqlalchemy.exc import SQLAlchemyError

    from app.database import open_database, session_factory
    from app.jobs.repository import JobRepository
    from app.keys.repository import KeyRepository
    from app.schema import MigrationError, migrate

    settings = read_settings()
    try:
        migrate(settings.database)
        engine = open_database(settings.database)
        sessions = session_factory(engine)
        yield KeyRepository(sessions), JobRepository(sessions)
        engine.dispose()
    except MigrationError as error:
        refuse(str(error), status=1)
    except SQLAlchemyError as error:
        refuse(f"the database does not answer: {str(error).splitlines()[0]}; check AMT_DATABASE_URL", status=1)
