"""Reading something and writing what follows from it, with nobody in between."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def begin_alone(session: Session, *names: str) -> None:
    """Begin a transaction that waits for all others that began so with one of these names.

    What it reads of them still holds when it commits. SQLite has one writer in all, and no use for names.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("BEGIN IMMEDIATE"))
        return
    for name in sorted(names):
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def jobs_of(submitter: str) -> str:
    """The name of what one submitter has taken up."""
    return f"jobs of {submitter}"


def use_of(model: str) -> str:
    """The name of the fact that jobs wait for an added model."""
    return f"use of {model}"
