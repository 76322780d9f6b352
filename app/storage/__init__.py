"""Audio and results: one interface, a folder or a bucket behind it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.settings import Settings
from app.storage.interface import Storage
from app.storage.local import LocalStorage


def open_storage(settings: Settings) -> Storage:
    """The store that the settings name. What a bucket needs is loaded only for one."""
    parts = urlsplit(settings.storage)
    if parts.scheme != "s3":
        return LocalStorage(Path(unquote(parts.path)))
    from app.storage.s3 import S3Access, S3Storage

    access = S3Access(
        endpoint=settings.s3_endpoint,
        public_endpoint=settings.s3_public_endpoint,
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
    )
    return S3Storage(parts.netloc, unquote(parts.path), access, temporary=settings.temporary)
