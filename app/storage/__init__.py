"""Audio and results: one interface, a local folder behind it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.storage.interface import Storage
from app.storage.local import LocalStorage


def open_storage(url: str) -> Storage:
    """The store that a URL names."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise ValueError(f"no store for {parts.scheme}:// addresses, only file://")
    return LocalStorage(Path(unquote(parts.path)))
