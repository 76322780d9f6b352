"""Making API keys, and what is kept of them.

A key is ``amt_`` and 32 random bytes in URL-safe Base64. Its first letters name it (in lists, and as the owner of
jobs); they give away 48 of its 256 bits. Of the rest only a SHA-256 is kept: with so many random bits a slow hash adds
nothing.
"""

import hashlib
import hmac
import re
import secrets

MARK = "amt_"
SECRET_BYTES = 32
ID_LENGTH = len(MARK) + 8
# 32 bytes in Base64 without its padding.
SHAPE = re.compile(MARK + r"[A-Za-z0-9_-]{43}")


def make_secret() -> str:
    """A new key, to be shown once."""
    return MARK + secrets.token_urlsafe(SECRET_BYTES)


def id_of(secret: str) -> str:
    """The name of a key."""
    return secret[:ID_LENGTH]


def digest(secret: str) -> str:
    """What is stored of a key or of a session's token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_key(text: str) -> bool:
    """Whether a text has the shape of a key; what has not does not even reach the database."""
    return SHAPE.fullmatch(text) is not None


def matches(secret: str, stored: str) -> bool:
    """Compare in a time that does not depend on where the two differ."""
    return hmac.compare_digest(digest(secret), stored)
