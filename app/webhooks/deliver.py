"""Sending what is due, beside the sweeper's rounds: a receiver that is slow holds up nobody but itself."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from redis import Redis
from sqlalchemy.exc import SQLAlchemyError

from app.clock import utc_now
from app.jobs.webhook_tables import Endpoint
from app.metrics import WEBHOOK_TRIES, count
from app.settings import Settings
from app.webhooks.repository import WebhookRepository
from app.webhooks.send import message_of, send

log = logging.getLogger(__name__)

ENDPOINTS_AT_ONCE = 8
MESSAGES_AT_ONCE = 50


class Deliverer:
    """Any number may run: each try is claimed by one of them."""

    def __init__(self, settings: Settings, webhooks: WebhookRepository, redis: Redis) -> None:
        self._redis = redis
        self._networks = settings.webhook_allowed_networks
        self._webhooks = webhooks
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def run(self, over: threading.Event, *, pause: float) -> None:
        """Send until told to stop."""
        with ThreadPoolExecutor(ENDPOINTS_AT_ONCE, thread_name_prefix="webhooks") as pool:
            while not over.wait(pause):
                try:
                    waiting = self._webhooks.endpoints_with_due(utc_now())
                except SQLAlchemyError as error:
                    log.warning("webhooks wait: %s", error)
                    continue
                for endpoint in waiting:
                    if self._begin(endpoint.id):
                        pool.submit(self._serve, endpoint, over)

    def deliver(self, endpoint: Endpoint, over: threading.Event) -> None:
        """Send what is due to one endpoint, until one try fails."""
        for delivery in self._webhooks.due(endpoint.id, utc_now(), limit=MESSAGES_AT_ONCE):
            if over.is_set() or not self._webhooks.claim(delivery):
                return
            outcome = send(endpoint, delivery.id, message_of(delivery), self._networks)
            self._webhooks.note(delivery, outcome)
            count(self._redis, WEBHOOK_TRIES, outcome="delivered" if outcome.is_delivered else "failed")
            log.info("webhook %s: %s", delivery.id, outcome.http_status or outcome.error)
            if outcome.is_unwanted:
                log.warning("webhook endpoint %s answered 410 and is disabled", endpoint.id)
                self._webhooks.disable(endpoint.id)
            if not outcome.is_delivered:
                return

    def _serve(self, endpoint: Endpoint, over: threading.Event) -> None:
        try:
            self.deliver(endpoint, over)
        except SQLAlchemyError as error:
            log.warning("webhooks of endpoint %s wait: %s", endpoint.id, error)
        except Exception:
            log.exception("webhooks of endpoint %s wait", endpoint.id)
        finally:
            with self._lock:
                self._busy.discard(endpoint.id)

    def _begin(self, endpoint_id: str) -> bool:
        with self._lock:
            if endpoint_id in self._busy:
                return False
            self._busy.add(endpoint_id)
            return True
