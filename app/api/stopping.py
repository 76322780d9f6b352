"""The end of the process: what runs may end, what only waits makes room, and what is cut off is told so."""

import asyncio
import socket
from threading import Event

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem_response
from app.errors import Unavailable

# Longer than a request takes whose database or queue has to be waited for; an upload over a slow line takes longer.
GRACE_SECONDS = 20


class Server(uvicorn.Server):
    """Says that it stops before it waits for requests to end.

    Parameters
    ----------
    config : uvicorn.Config
    stopping : Event
        Set when no new request is taken any more. Streams and waiting answers end then: they are asked for again.
    """

    def __init__(self, config: uvicorn.Config, stopping: Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what can end within the grace time, and cancel the rest."""
        self._stopping.set()
        await super().shutdown(sockets)


class CutOff:
    """Answers a request that is cancelled at the end of the process, if it has no answer yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        has_begun = False

        async def noting_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except asyncio.CancelledError:
            if scope["type"] != "http" or has_begun:
                raise
            problem = Unavailable(
                "The service is stopping and this took too long; it may be done all the same. Send it again, an upload "
                "with its Idempotency-Key."
            )
            await problem_response(problem, scope["path"])(scope, receive, send)
