"""How log lines look."""

import logging

from app.settings import Settings

# These say a line or two for every message, canaries included; the service says what matters itself.
CHATTY = ("celery.worker.strategy", "celery.app.trace", "alembic", "httpx")


def configure_logs(settings: Settings) -> None:
    """Write lines of this process to standard error."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if settings.log_level != "debug":
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
