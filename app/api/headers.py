"""Headers that every answer carries."""

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.settings import Settings

API_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI sets style attributes and draws its icons from data: addresses.
DOCS_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
API_PATHS = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json")

# What a page of another origin may send and read beyond what browsers allow anyway. Cookies are neither sent nor read.
SENT = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Prefer",
    "Range",
    "X-Request-ID",
    "traceparent",
)
READ = (
    *("Content-Disposition", "Content-Range", "ETag", "Idempotency-Replayed", "Location", "Page-Count"),
    *("Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"),
)


def add_cors(app: FastAPI, settings: Settings) -> None:
    """Let pages of the origins that the operator names use the API; without a name nothing is added."""
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=SENT,
            expose_headers=READ,
        )


class SecurityHeaders:
    """Content policy by kind of page, no guessing of types, no address sent along to others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(MutableHeaders(scope=message), policy_for(scope["path"]))
            await send(message)

        await self._app(scope, receive, send_with_headers)


def policy_for(path: str) -> str:
    """The content policy of an address."""
    if path.startswith(API_PATHS):
        return API_POLICY
    return DOCS_POLICY if path.startswith("/docs") else PAGE_POLICY


def _add(headers: MutableHeaders, policy: str) -> None:
    headers.setdefault("Content-Security-Policy", policy)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
