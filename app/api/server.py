"""Serving the API with uvicorn."""

import contextlib
import sys
import tempfile

import uvicorn
from sqlalchemy.exc import OperationalError

from app.api.application import create_app
from app.api.stopping import GRACE_SECONDS, Server
from app.keys.admission import refuse_to_be_open
from app.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until told to stop.

    Raises
    ------
    OpenToAllError
        If others could come in and there are no keys.
    """
    app = create_app(settings)
    with contextlib.suppress(OperationalError):  # away for the moment; keys are asked for as soon as it is back
        refuse_to_be_open(settings, app.state.context.keys)
    settings.temporary.mkdir(parents=True, exist_ok=True)
    # Starlette spools uploads in the process's temporary folder; the system's may be small, or memory.
    tempfile.tempdir = str(settings.temporary)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        log_config=None,
        access_log=settings.log_level == "debug",
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_SECONDS,
        # Else a request may find the trace of the one before on its connection.
        reset_contextvars=True,
    )
    server = Server(config, app.state.context.stopping)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)
