"""The tables of API keys and of the page's sessions."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.jobs.table import Base, UtcDateTime


class Scope(StrEnum):
    """What a key allows."""

    TRANSCRIBE = "transcribe"  # create, change, cancel and delete the key's own jobs
    READ = "read"  # read them, and the list of models
    ADMIN = "admin"  # add models and choose the default one


class ApiKey(Base):
    """A key. Revoked ones stay, so that a service that has ever had a key never opens to all again."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Session(Base):
    """A browser that has shown a key once. It ends with its key."""

    __tablename__ = "sessions"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
