"""Serving the API with uvicorn."""

import tempfile

import uvicorn

from app.api.application import create_app
from app.settings import Settings

# An event stream lasts as long as its job; at the end of the process it is cut after this time and resumed elsewhere.
GRACE_SECONDS = 3


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    settings.temporary.mkdir(parents=True, exist_ok=True)
    # Starlette spools uploads in the process's temporary folder; the system's may be small, or memory.
    tempfile.tempdir = str(settings.temporary)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        log_config=None,
        access_log=settings.log_level == "debug",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
