"""How log lines look."""

import logging

from app.settings import Settings

# These say a line or two for every message, canaries included; the service says what matters itself.
CHATTY = ("celery.worker.strategy", "celery.app.trace", "alembic", "httpx")


def configure_logs(settings: Settings) -> None:
    """Write lines of this process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainLines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    if settings.log_level != "debug":
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)


class PlainLines(logging.Formatter):
    """Lines in which nothing that came from outside can start a line, or a command of the terminal that shows it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        """The line without control characters; a traceback may follow it."""
        return "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode() for c in super().formatMessage(record)
        )
