"""How log lines look: for people, or one JSON document a line, each with the request and the job that it belongs to."""

import logging
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars, merge_contextvars

from app.settings import Settings

# These say a line or two for every message, canaries included; the service says what matters itself.
CHATTY = ("celery.worker.strategy", "celery.app.trace", "alembic", "httpx", "httpcore")
PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logs(settings: Settings) -> None:
    """Write lines of this process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_json_lines() if settings.log_format == "json" else PlainLines(PLAIN))
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


def begin_work(**ids: str | None) -> None:
    """Have every line from here on carry these ids, in this thread or task and in those that it starts."""
    clear_contextvars()
    bind_contextvars(**{name: value for name, value in ids.items() if value is not None})


def add_ids(**ids: str) -> None:
    """Have every line from here on carry these ids too."""
    bind_contextvars(**ids)


def present_request_id() -> str | None:
    """The request that is being served, for whoever works on it later."""
    found = get_contextvars().get("request_id")
    return None if found is None else str(found)


def _json_lines() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _in_order,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
    )


def _in_order(_logger: Any, _method: str, line: Mapping[str, Any]) -> dict[str, Any]:
    """What every line has comes first."""
    first = ("timestamp", "level", "logger", "event")
    return {name: line[name] for name in first if name in line} | {k: v for k, v in line.items() if k not in first}
