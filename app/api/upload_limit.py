"""Counting a request's bytes before anybody reads them.

FastAPI parses a whole form before the handler runs, and Starlette bounds the size of fields but not of files; so the
bytes are counted here, where they come in. A declared length that is too large is refused before one byte is read.
"""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem_response
from app.errors import Problem, TooLarge

UPLOAD_PATH = "/v1/transcriptions"
MODEL_PATH = "/v1/models"
# Boundaries, part headers and the other fields of the form.
FORM_BYTES = 64 * 1024
# A hundred thousand notes of a hundred and some bytes.
NOTES_BYTES = 16 * 2**20
# Every other request carries a small JSON document at most.
OTHER_BYTES = 64 * 1024
# A client that sends before it listens sees the answer only if we take what it sends; so much time, nothing is kept.
DRAIN_SECONDS = 10.0


class UploadLimit:
    """413 for a body that is too large, by its declared length or by count."""

    def __init__(self, app: ASGIApp, *, max_upload_bytes: int, max_model_bytes: int) -> None:
        self._app = app
        self._largest_files = {UPLOAD_PATH: max_upload_bytes, MODEL_PATH: max_model_bytes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, problem = self._limit(scope)
        if _declared_length(scope) > limit:
            await answer_early(problem, scope, receive, send)
            return
        counter = _Counter(receive, limit, problem)
        await self._app(scope, counter.receive, counter.watch(send))
        if counter.passed:
            await answer_early(counter.problem, scope, receive, send)

    def _limit(self, scope: Scope) -> tuple[int, TooLarge]:
        """How many bytes a request may have, and what is answered to more."""
        if scope["method"] == "POST" and scope["path"] in self._largest_files:
            largest = self._largest_files[scope["path"]]
            return largest + FORM_BYTES, too_large(largest)
        is_edit = scope["method"] == "PUT" and scope["path"].endswith("/notes")
        limit = NOTES_BYTES if is_edit else OTHER_BYTES
        return limit, TooLarge(f"The request's body may have at most {limit} bytes.")


def too_large(max_upload_bytes: int) -> TooLarge:
    """The refusal of a file."""
    return TooLarge(f"The file may have at most {max_upload_bytes} bytes.")


class _Counter:
    """Counts what is received. Past the limit the app gets an exception, and its answer is dropped for ours."""

    def __init__(self, receive: Receive, limit: int, problem: TooLarge) -> None:
        self._receive = receive
        self._left = limit
        self.problem = problem
        self.passed = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.passed = True
            raise self.problem
        return message

    def watch(self, send: Send) -> Send:
        async def send_unless_passed(message: Message) -> None:
            if not self.passed:
                await send(message)

        return send_unless_passed


async def answer_early(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer first, then take in what still comes, so that the client is not cut off before it has read the answer."""
    answer = problem_response(problem, scope["path"])
    answer.headers["Connection"] = "close"
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await _drain(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


def _declared_length(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "0")
    return int(declared) if declared.isdigit() else 0
