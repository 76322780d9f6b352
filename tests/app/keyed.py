"""Keys for a service that a test has started."""

import httpx

from app.database import open_database, session_factory
from app.keys.repository import KeyRepository
from app.keys.table import Scope
from tests.app.service import Service

ALL = frozenset(Scope)


def new_key(service: Service, scopes: frozenset[Scope] = ALL) -> str:
    engine = open_database(service.configuration().database)
    _, secret = KeyRepository(session_factory(engine)).create("a test", scopes)
    engine.dispose()
    return secret


def as_key(service: Service, secret: str) -> httpx.Client:
    return httpx.Client(base_url=service.url, timeout=60, headers={"Authorization": f"Bearer {secret}"})
