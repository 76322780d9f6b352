"""A name for every request: in its answer, in every log line, and in the message that it sends to a worker."""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import begin_work

HEADER = "X-Request-ID"
# A caller's own id is taken where it is one; anything else would be a way to write into the logs.
TAKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Gives the request its id, or takes the caller's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if TAKEN.fullmatch(given) else secrets.token_hex(8)
        begin_work(request_id=request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)
