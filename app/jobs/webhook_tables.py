"""The tables of webhooks, and what the end of a job writes into them.

A delivery is written in the transaction that ends its job: there is no end without its deliveries, and none of an end
that was rolled back.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, String, insert, literal, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.jobs.states import Status
from app.jobs.table import Base, Job, UtcDateTime


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Endpoint(Base):
    """An address that wants to know when jobs end. Without an owner it is told of all jobs."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    owner: Mapped[str | None] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(String(2000))
    # Signing needs it as it is; it can do nothing but sign.
    secret: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Delivery(Base):
    """One message to one endpoint. Its id is the same on every try."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index("ix_webhook_deliveries_state_next_at", "state", "next_at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    job_id: Mapped[str] = mapped_column(String(32))
    status: Mapped[Status] = mapped_column(String(16))
    error_code: Mapped[str | None] = mapped_column(String(32))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[DeliveryState] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Attempt(Base):
    """One try of a delivery: the log."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (Index("ix_webhook_attempts_delivery_id", "delivery_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("webhook_deliveries.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    milliseconds: Mapped[int]
    http_status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(String(300))


def write_deliveries(session: Session, job_id: str, status: Status, error_code: str | None, at: datetime) -> None:
    """Note that every endpoint of the job's owner has to be told of its end."""
    columns = {
        "id": literal("msg_").concat(Job.id).concat("_").concat(Endpoint.id),
        "endpoint_id": Endpoint.id,
        "job_id": Job.id,
        "status": literal(status.value),
        "error_code": literal(error_code, String),
        "occurred_at": literal(at, UtcDateTime),
        "state": literal(DeliveryState.PENDING.value),
        "attempts": literal(0),
        "next_at": literal(at, UtcDateTime),
    }
    concerned = or_(Endpoint.owner.is_(None), Endpoint.owner == Job.owner)
    rows = select(*columns.values()).join_from(Job, Endpoint, concerned)
    rows = rows.where(Job.id == job_id, Endpoint.disabled_at.is_(None))
    session.execute(insert(Delivery).from_select(list(columns), rows))
