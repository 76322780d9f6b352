"""How log lines look: for people, or one JSON document a line, each with the request and the job that it belongs to."""

import logging
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from app.settings import Settings

# These say a line or two for every message, canaries included; the service says what matters itself.
CHATTY = ("celery.worker.strategy", "celery.app.trace", "alembic", "httpx", "httpcore")
# Of this thread or task. structlog has such a thing, too, but costs every process a fifth of a second at its start.
IDS: ContextVar[Mapping[str, str]] = ContextVar("ids", default=MappingProxyType({}))
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
    IDS.set({name: value for name, value in ids.items() if value is not None})


def add_ids(**ids: str) -> None:
    """Have every line from here on carry these ids too."""
    IDS.set({**IDS.get(), **ids})


def present_request_id() -> str | None:
    """The request that is being served, for whoever works on it later."""
    return IDS.get().get("request_id")


def _json_lines() -> logging.Formatter:
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _add_ids,
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


def _add_ids(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.update(IDS.get())
    return line


def _in_order(_logger: Any, _method: str, line: Mapping[str, Any]) -> dict[str, Any]:
    """What every line has comes first."""
    first = ("timestamp", "level", "logger", "event")
    return {name: line[name] for name in first if name in line} | {k: v for k, v in line.items() if k not in first}
