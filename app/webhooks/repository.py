"""Every statement on the tables of webhooks but for the one that ends a job."""

import base64
import random
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session, sessionmaker

from app.clock import utc_now
from app.jobs.webhook_tables import Attempt, Delivery, DeliveryState, Endpoint
from app.webhooks.send import Outcome

# Pauses after the first, second, ... failed try, as Standard Webhooks proposes: three days in all.
PAUSES = [timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)]
# So that a receiver that was down does not get everything in the same instant.
JITTER = (0.8, 1.2)
# Another sender may take a delivery that was begun so long ago: its sender has died.
CLAIMED = timedelta(seconds=60)
SECRET_BYTES = 32


class WebhookRepository:
    """Endpoints, deliveries and their log."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    # Endpoints ---------------------------------------------------------------------------------------------------

    def add_endpoint(self, url: str, *, owner: str | None) -> Endpoint:
        """Register an address, with a new secret."""
        endpoint = Endpoint(
            id=secrets.token_hex(4),
            owner=owner,
            url=url,
            secret="whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
            created_at=utc_now(),
        )
        with self._sessions.begin() as session:
            session.add(endpoint)
        return endpoint

    def endpoints(self) -> Sequence[Endpoint]:
        """All of them, oldest first."""
        with self._sessions() as session:
            return session.scalars(select(Endpoint).order_by(Endpoint.created_at)).all()

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint of this id."""
        with self._sessions() as session:
            return session.get(Endpoint, endpoint_id)

    def remove_endpoint(self, endpoint_id: str) -> bool:
        """Remove an endpoint with its deliveries and their log."""
        theirs = select(Delivery.id).where(Delivery.endpoint_id == endpoint_id)
        with self._sessions.begin() as session:
            session.execute(delete(Attempt).where(Attempt.delivery_id.in_(theirs)))
            session.execute(delete(Delivery).where(Delivery.endpoint_id == endpoint_id))
            return _changed(session.execute(delete(Endpoint).where(Endpoint.id == endpoint_id)))

    def disable(self, endpoint_id: str) -> None:
        """Send nothing more there, waiting messages included."""
        with self._sessions.begin() as session:
            session.execute(update(Endpoint).where(Endpoint.id == endpoint_id).values(disabled_at=utc_now()))
            waiting = (Delivery.endpoint_id == endpoint_id, Delivery.state == DeliveryState.PENDING)
            session.execute(update(Delivery).where(*waiting).values(state=DeliveryState.FAILED))

    # Deliveries --------------------------------------------------------------------------------------------------

    def endpoints_with_due(self, now: datetime) -> Sequence[Endpoint]:
        """Endpoints for which something has to be sent now."""
        due = select(Delivery.endpoint_id).where(*_due(now))
        with self._sessions() as session:
            return session.scalars(select(Endpoint).where(Endpoint.id.in_(due))).all()

    def due(self, endpoint_id: str, now: datetime, *, limit: int) -> Sequence[Delivery]:
        """What has to be sent to an endpoint now, oldest first."""
        query = select(Delivery).where(Delivery.endpoint_id == endpoint_id, *_due(now))
        with self._sessions() as session:
            return session.scalars(query.order_by(Delivery.next_at, Delivery.id).limit(limit)).all()

    def claim(self, delivery: Delivery) -> bool:
        """Begin a try: True for one of several senders."""
        same = (Delivery.id == delivery.id, Delivery.attempts == delivery.attempts, *_due(utc_now()))
        values = {"attempts": Delivery.attempts + 1, "next_at": utc_now() + CLAIMED}
        with self._sessions.begin() as session:
            return _changed(session.execute(update(Delivery).where(*same).values(**values)))

    def note(self, delivery: Delivery, outcome: Outcome) -> None:
        """Write a try, the one after `delivery.attempts` others, into the log, and say how it goes on."""
        attempt = Attempt(
            delivery_id=delivery.id,
            at=utc_now(),
            milliseconds=outcome.milliseconds,
            http_status=outcome.http_status,
            error=outcome.error,
        )
        with self._sessions.begin() as session:
            session.add(attempt)
            values = _after(delivery.attempts, outcome)
            session.execute(update(Delivery).where(Delivery.id == delivery.id).values(**values))

    def log(self, *, limit: int) -> Sequence[tuple[Attempt, Delivery]]:
        """The latest tries, newest first."""
        query = select(Attempt, Delivery).join(Delivery, Delivery.id == Attempt.delivery_id)
        with self._sessions() as session:
            found = session.execute(query.order_by(Attempt.id.desc()).limit(limit))
            return [(attempt, delivery) for attempt, delivery in found]

    def forget(self, before: datetime) -> None:
        """Remove what is over and older."""
        old = select(Delivery.id).where(Delivery.state != DeliveryState.PENDING, Delivery.occurred_at < before)
        with self._sessions.begin() as session:
            session.execute(delete(Attempt).where(Attempt.delivery_id.in_(old)))
            session.execute(delete(Delivery).where(Delivery.id.in_(old)))


def _due(now: datetime) -> tuple[Any, ...]:
    return (Delivery.state == DeliveryState.PENDING, Delivery.next_at <= now)


def _after(failed_before: int, outcome: Outcome) -> dict[str, Any]:
    if outcome.is_delivered:
        return {"state": DeliveryState.DELIVERED}
    if failed_before >= len(PAUSES):
        return {"state": DeliveryState.FAILED}
    return {"next_at": utc_now() + PAUSES[failed_before] * random.uniform(*JITTER)}


def _changed(result: Any) -> bool:
    return isinstance(result, CursorResult) and result.rowcount > 0
