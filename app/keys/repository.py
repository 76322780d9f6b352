"""Every statement on keys and sessions."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session, sessionmaker

from app.clock import utc_now
from app.keys import table
from app.keys.secret import digest, id_of, is_key, make_secret, matches
from app.keys.table import ApiKey, Scope

SESSION_LIFE = timedelta(days=14)


class KeyRepository:
    """Keys and sessions, for the command line and the API."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def create(self, name: str, scopes: Iterable[Scope]) -> tuple[ApiKey, str]:
        """Make a key; gives its row and the key itself, which nobody can read again."""
        secret = make_secret()
        key = ApiKey(
            id=id_of(secret), sha256=digest(secret), name=name, scopes=sorted(set(scopes)), created_at=utc_now()
        )
        with self._sessions.begin() as session:
            session.add(key)
        return key, secret

    def all(self) -> Sequence[ApiKey]:
        """Every key, oldest first, the revoked ones too."""
        with self._sessions() as session:
            return session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)).all()

    def revoke(self, key_id: str) -> bool:
        """End a key and its sessions at once. False if there is no such key, or it was revoked before."""
        with self._sessions.begin() as session:
            statement = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
            result = session.execute(statement.values(revoked_at=utc_now()))
            session.execute(delete(table.Session).where(table.Session.key_id == key_id))
            return isinstance(result, CursorResult) and result.rowcount > 0

    def any(self) -> bool:
        """Whether there has ever been a key."""
        with self._sessions() as session:
            return session.scalar(select(ApiKey.id).limit(1)) is not None

    def find(self, secret: str) -> ApiKey | None:
        """The key that `secret` is, unless it was revoked."""
        if not is_key(secret):
            return None
        with self._sessions() as session:
            key = session.get(ApiKey, id_of(secret))
        return key if key is not None and key.revoked_at is None and matches(secret, key.sha256) else None

    def is_valid(self, key_id: str) -> bool:
        """Whether the key of this id has not been revoked."""
        with self._sessions() as session:
            key = session.get(ApiKey, key_id)
        return key is not None and key.revoked_at is None

    def open_session(self, key: ApiKey) -> str:
        """Start a session; gives its token. Sessions whose time is over are forgotten on the way."""
        token = secrets.token_urlsafe(32)
        now = utc_now()
        with self._sessions.begin() as session:
            session.execute(delete(table.Session).where(table.Session.expires_at < now))
            session.add(table.Session(sha256=digest(token), key_id=key.id, expires_at=now + SESSION_LIFE))
        return token

    def find_session(self, token: str) -> ApiKey | None:
        """The key behind a session's token, as long as both are valid."""
        query = (
            select(ApiKey)
            .join(table.Session, table.Session.key_id == ApiKey.id)
            .where(
                table.Session.sha256 == digest(token),
                table.Session.expires_at > utc_now(),
                ApiKey.revoked_at.is_(None),
            )
        )
        with self._sessions() as session:
            return session.scalar(query)

    def close_session(self, token: str) -> None:
        """End a session."""
        with self._sessions.begin() as session:
            session.execute(delete(table.Session).where(table.Session.sha256 == digest(token)))
