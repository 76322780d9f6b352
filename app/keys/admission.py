"""Whether the service may be reached by others."""

from app.keys.repository import KeyRepository
from app.settings import PREFIX, Settings


class OpenToAllError(Exception):
    """Others could come in and nobody would ask them for a key. The message says what to do."""


def refuse_to_be_open(settings: Settings, keys: KeyRepository) -> None:
    """See at the start that a service without keys listens on this machine only.

    Raises
    ------
    OpenToAllError
        If it would listen for others, has no key, and the operator has not said in words that this is meant.
    """
    if settings.is_private or keys.any():
        return
    raise OpenToAllError(
        f"{PREFIX}HOST={settings.host} lets other machines in and there are no API keys; make one with "
        "`amt keys create NAME`, listen on 127.0.0.1, or set "
        f"{PREFIX}ALLOW_PUBLIC=without-keys if that is what you want"
    )


def asks_for_keys(settings: Settings, keys: KeyRepository) -> bool:
    """Whether callers must show a key: always where others come in unasked, and wherever there has ever been a key."""
    return not settings.is_private or keys.any()
