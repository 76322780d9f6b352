"""The tables of models that were added to a running service, and of what an administrator chose."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.jobs.table import Base, UtcDateTime

DEFAULT_MODEL = "default_model"


class ModelState(StrEnum):
    """How far an added model is."""

    CHECKING = "checking"  # a worker has yet to load it
    READY = "ready"
    REFUSED = "refused"  # it cannot be loaded; its name is free again


class AddedModel(Base):
    """A model that was sent to the service. Its file lies in the store; a ready one is never replaced."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    entry: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[ModelState] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(1000))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    added_by: Mapped[str | None] = mapped_column(String(64))


class Choice(Base):
    """Something that an administrator chose."""

    __tablename__ = "choices"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(100))
