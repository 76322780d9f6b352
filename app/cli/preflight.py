"""`amt preflight`: whether the secrets of a deployment are any, before anything is made with them."""

import re
from collections.abc import Iterator

from app.settings import PREFIX, Settings

SHORTEST = 16
FEWEST_LETTERS = 8  # different ones
# What would have to be escaped in an address.
LETTERS = re.compile(r"[A-Za-z0-9._~-]*")
KNOWN = (
    "changeme",
    "change-me",
    "change_me",
    "password",
    "secret",
    "example",
    "default",
    "replace",
    "letmein",
    "12345",
)
MAKE_ONE = "make one with: openssl rand -hex 24"


def weaknesses(settings: Settings) -> list[str]:
    """What is wrong with each secret, in words; nothing if all are good."""
    return [f"{name}: {what}" for name, secret in _secrets(settings) if (what := weakness(secret))]


def weakness(secret: str) -> str | None:
    """Why a secret is none."""
    if not secret:
        return f"is empty; {MAKE_ONE}"
    if word := next((one for one in KNOWN if one in secret.lower()), None):
        return f"contains {word!r}, which others know; {MAKE_ONE}"
    if len(secret) < SHORTEST:
        return f"has {len(secret)} characters and needs {SHORTEST}; {MAKE_ONE}"
    if len(set(secret)) < FEWEST_LETTERS:
        return f"has fewer than {FEWEST_LETTERS} different characters; {MAKE_ONE}"
    if not LETTERS.fullmatch(secret):
        return f"may have letters, digits and . _ ~ - only, as it becomes part of an address; {MAKE_ONE}"
    return None


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    """Passwords that cross a network. A socket, a file and a machine's role have none."""
    for name, url in (("DATABASE_URL", settings.database_url), ("REDIS_URL", settings.redis_url)):
        if url.startswith(("postgresql+psycopg://", "redis://", "rediss://")):
            yield f"the password in {PREFIX}{name}", _password(url)
    if settings.s3_access_key:
        # Its alphabet is the service's own; it never stands in an address.
        yield f"{PREFIX}S3_SECRET_KEY", re.sub(r"[/+=]", "-", settings.s3_secret_key.get_secret_value())


def _password(url: str) -> str:
    """What stands between the first colon and the last @, also where it would break the address."""
    user, at, _ = url.partition("://")[2].rpartition("@")
    return user.partition(":")[2] if at else ""
