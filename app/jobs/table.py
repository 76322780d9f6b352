"""The job table."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, DateTime, Dialect, Float, Index, Integer, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column

from app.jobs.states import Status

# The newest of app/migrations; a test compares the two.
SCHEMA_REVISION = "0005"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. SQLite forgets time zones, so all are stored as UTC and come back as such."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store as UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time zone back."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""


class Job(Base):
    """One transcription."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_status_queued_at", "status", "queued_at"),
        Index("ix_jobs_owner_created_at", "owner", "created_at", "id"),
        Index("ix_jobs_expires_at", "expires_at"),
        Index("ix_jobs_submitter_started_at", "submitter", "started_at"),
        Index("ix_jobs_request_key", "request_key", unique=True),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    # The key that may see it, none where keys are not asked for; and who takes turns with others for the workers.
    owner: Mapped[str | None] = mapped_column(String(64))
    submitter: Mapped[str | None] = mapped_column(String(64))
    # What the caller's Idempotency-Key became, and what was sent with it.
    request_key: Mapped[str | None] = mapped_column(String(64))
    request_sha256: Mapped[str | None] = mapped_column(String(64))
    # Of the upload, so that the worker's log lines can be found by it.
    request_id: Mapped[str | None] = mapped_column(String(64))
    # The trace that the request was part of (W3C), where traces are told.
    traceparent: Mapped[str | None] = mapped_column(String(55))
    status: Mapped[Status] = mapped_column(String(16))

    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    # What was uploaded. The name is data to show, never a path.
    file_name: Mapped[str] = mapped_column(String(255))
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    file_sha256: Mapped[str] = mapped_column(String(64))
    audio: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    # Guessed from its first bytes, until a worker knows better.
    seconds_expected: Mapped[float | None] = mapped_column(Float)

    model_name: Mapped[str] = mapped_column(String(100))
    model_sha256: Mapped[str] = mapped_column(String(64))
    options: Mapped[dict[str, Any]] = mapped_column(JSON)

    stage: Mapped[str | None] = mapped_column(String(32))
    seconds_done: Mapped[float] = mapped_column(Float, default=0.0)
    seconds_total: Mapped[float | None] = mapped_column(Float)

    # Who runs it. A lease that is not renewed in time is lost; only the token's holder may end the run.
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_holder: Mapped[str | None] = mapped_column(String(255))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    # The results lie in one folder per revision, so that a reader never meets a mixture of two.
    revision: Mapped[str | None] = mapped_column(String(32))
    files: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    # What people made of the notes, oldest first (app.jobs.versions); the result itself stays as it is.
    versions: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    n_versions: Mapped[int] = mapped_column(Integer, default=0)

    error_code: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(String(1000))
    files_gone: Mapped[bool] = mapped_column(default=False)


def is_value(column: InstrumentedAttribute[str | None], value: str | None) -> ColumnElement[bool]:
    """Equality that also finds NULL, in the way for which both databases use their indexes."""
    return column.is_(None) if value is None else column == value
