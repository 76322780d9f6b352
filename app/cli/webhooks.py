"""`amt webhooks`: who is told when jobs end."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn
from urllib.parse import urlsplit

import typer

from app.cli.common import read_settings, refuse

if TYPE_CHECKING:
    from app.settings import Settings
    from app.webhooks.repository import WebhookRepository
    from app.webhooks.send import Outcome

LONGEST_URL = 2000

cli = typer.Typer(no_args_is_help=True, help="Say who is told when jobs end.")

EndpointId = Annotated[str, typer.Argument(help="The endpoint's id, as `amt webhooks list` shows it.")]


@cli.command()
def add(
    url: Annotated[str, typer.Argument(help="Address that takes the POST.")],
    owner: Annotated[str | None, typer.Option(help="Id of a key, to tell of that key's jobs alone.")] = None,
) -> None:
    """Register an address; prints its id and the secret to check signatures with."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or len(url) > LONGEST_URL:
        refuse(f"the address must be http:// or https:// with a host, at most {LONGEST_URL} characters, got {url!r}")
    if "@" in parts.netloc:
        refuse("the address must hold no user and no password: what is sent is signed instead")
    with _webhooks(read_settings()) as webhooks:
        endpoint = webhooks.add_endpoint(url, owner=owner)
    print(f"id      {endpoint.id}\nsecret  {endpoint.secret}")


@cli.command("list")
def list_endpoints() -> None:
    """Show all addresses."""
    with _webhooks(read_settings()) as webhooks:
        endpoints = webhooks.endpoints()
    for endpoint in endpoints:
        state = "disabled" if endpoint.disabled_at else "on"
        print(f"{endpoint.id}  {state:8}  {endpoint.owner or 'all jobs'}  {endpoint.url}")


@cli.command()
def remove(endpoint_id: EndpointId) -> None:
    """Forget an address, with its messages and their log."""
    with _webhooks(read_settings()) as webhooks:
        if not webhooks.remove_endpoint(endpoint_id):
            _refuse_unknown(endpoint_id)
    print(f"{endpoint_id} removed")


@cli.command()
def test(endpoint_id: EndpointId) -> None:
    """Send a signed message of type webhook.test, once. Exit status 1 if it was not accepted."""
    from app.webhooks.send import send, trial_message

    settings = read_settings()
    with _webhooks(settings) as webhooks:
        endpoint = webhooks.endpoint(endpoint_id)
    if endpoint is None:
        _refuse_unknown(endpoint_id)
    outcome = send(endpoint, f"msg_test_{secrets.token_hex(8)}", trial_message(), settings.webhook_allowed_networks)
    print(_described(outcome))
    raise typer.Exit(0 if outcome.is_delivered else 1)


@cli.command()
def log(limit: Annotated[int, typer.Option(help="Number of lines.", min=1)] = 50) -> None:
    """Show the latest tries, newest first."""
    from app.webhooks.send import Outcome

    with _webhooks(read_settings()) as webhooks:
        tries = webhooks.log(limit=limit)
    for attempt, delivery in tries:
        outcome = Outcome(attempt.milliseconds, attempt.http_status, attempt.error)
        print(f"{attempt.at:%Y-%m-%d %H:%M:%S}  {delivery.id}  {delivery.status:9}  {_described(outcome)}")


def _refuse_unknown(endpoint_id: str) -> NoReturn:
    refuse(f"there is no endpoint {endpoint_id!r}; `amt webhooks list` shows all")


def _described(outcome: "Outcome") -> str:
    mark = "delivered" if outcome.is_delivered else "failed"
    answer = f"HTTP {outcome.http_status}" if outcome.http_status else outcome.error
    return f"{mark}: {answer} after {outcome.milliseconds} ms"


@contextmanager
def _webhooks(settings: "Settings") -> Iterator["WebhookRepository"]:
    from app.database import open_database, session_factory
    from app.webhooks.repository import WebhookRepository

    engine = open_database(settings.database)
    try:
        yield WebhookRepository(session_factory(engine))
    finally:
        engine.dispose()
