"""One POST of a signed message."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpcore
from standardwebhooks import Webhook

from app.clock import utc_now
from app.jobs.states import RETRYABLE
from app.jobs.webhook_tables import Delivery, Endpoint
from app.webhooks.address import CheckedNetwork, ForbiddenAddressError, Network

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True)
class Outcome:
    """What came of a try."""

    milliseconds: int
    http_status: int | None = None
    error: str | None = None

    @property
    def is_delivered(self) -> bool:
        """2xx, and nothing else; a redirect is not followed."""
        return self.http_status is not None and 200 <= self.http_status < 300

    @property
    def is_unwanted(self) -> bool:
        """The endpoint does not want any more messages."""
        return self.http_status == HTTPStatus.GONE


def message_of(delivery: Delivery) -> dict[str, Any]:
    """The body: what happened to which job, with links in the place of results."""
    base = f"/v1/transcriptions/{delivery.job_id}"
    code = delivery.error_code
    return {
        "type": f"transcription.{delivery.status}",
        "timestamp": delivery.occurred_at.isoformat(),
        "data": {
            "id": delivery.job_id,
            "status": delivery.status,
            "error": {"code": code, "retryable": code in RETRYABLE} if code else None,
            "links": {"self": base, "midi": f"{base}/midi", "piano_roll": f"{base}/piano-roll"},
        },
    }


def trial_message() -> dict[str, Any]:
    """What `amt webhooks test` sends."""
    return {"type": "webhook.test", "timestamp": utc_now().isoformat(), "data": {}}


def send(endpoint: Endpoint, message_id: str, message: dict[str, Any], networks: Iterable[Network]) -> Outcome:
    """Send a message once. Never raises for what the other side does."""
    started = time.monotonic()
    body = json.dumps(message)
    try:
        status = _post(endpoint.url, body, _headers(endpoint, message_id, body), networks)
    except ForbiddenAddressError as error:
        return Outcome(_since(started), error=f"{error}; name its network in AMT_WEBHOOK_NETWORKS to allow it")
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
        return Outcome(_since(started), error=(str(error) or type(error).__name__)[:300])
    return Outcome(_since(started), http_status=status)


def _headers(endpoint: Endpoint, message_id: str, body: str) -> dict[str, str]:
    now = utc_now()
    return {
        "content-type": "application/json",
        "user-agent": "amt-service",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(endpoint.secret).sign(msg_id=message_id, timestamp=now, data=body),
    }


def _post(url: str, body: str, headers: dict[str, str], networks: Iterable[Network]) -> int:
    """The answer's status. Its body is not read."""
    checked = CheckedNetwork(networks, seconds=TIMEOUT_SECONDS)
    named = [*headers.items(), ("host", urlsplit(url).netloc.rpartition("@")[2])]
    with (
        httpcore.ConnectionPool(network_backend=checked) as pool,
        pool.stream("POST", url, headers=named, content=body.encode()) as answer,
    ):
        return answer.status


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
