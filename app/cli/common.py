"""What all commands share."""

import os
import sys
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from app.settings import Settings


def read_settings(*, private: bool = True) -> "Settings":
    """The settings of the environment; a wrong one ends the command.

    What a private command writes, recordings and the secrets of webhooks among it, no other user of the machine reads.
    """
    from app.logs import configure_logs
    from app.settings import SettingsError, load_settings
    from app.tracing import require_if_wanted

    try:
        settings = load_settings()
        require_if_wanted()
    except SettingsError as error:
        refuse(str(error))
    configure_logs(settings)
    if private:
        os.umask(0o077)
    return settings


def refuse(message: str, *, status: int = 2) -> NoReturn:
    """Say why the command does not do it, and end it."""
    print(f"amt: {message}", file=sys.stderr)
    raise typer.Exit(status)
