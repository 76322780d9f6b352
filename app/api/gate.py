"""Nobody gets past without a key, where keys are asked for, or beyond the limits.

It stands before everything that reads a request's body: who may not come in cannot fill the disk either.
"""

from dataclasses import replace
from http.cookies import CookieError, SimpleCookie

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.caller import SAFE, SESSION, Caller, host_named, is_foreign, network_of, require_scope
from app.api.limits import RequestLimiter, refuse_beyond, too_many_requests
from app.api.problems import GUARDED
from app.api.upload_limit import UPLOAD_PATH, answer_early
from app.errors import Forbidden, Problem, Unauthorized, Unavailable
from app.jobs.sharing import SharingRepository
from app.keys.admission import asks_for_keys
from app.keys.repository import KeyRepository
from app.keys.table import ApiKey
from app.settings import Settings, is_loopback

COOKIE = "amt_session"
BEARER = "bearer "


class Gate:
    """Finds out who calls, and turns away who may not."""

    def __init__(self, app: ASGIApp, *, settings: Settings, keys: KeyRepository, sharing: SharingRepository) -> None:
        self._app = app
        self._settings = settings
        self._keys = keys
        self._sharing = sharing
        self._limiter = RequestLimiter(settings)
        self._asks = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            await self._app(scope, receive, send)
            return
        caller, refusal = await run_in_threadpool(self._identify, scope)
        # Guessing keys is counted also where nothing else is.
        is_guess = isinstance(refusal, Unauthorized) or (scope["path"] == SESSION and scope["method"] == "POST")
        standing = await self._limiter.count(caller.address if is_guess else caller.submitter)
        if standing is not None:
            send = standing.watch(send)
            refusal = too_many_requests(standing) if standing.is_over else refusal
        if refusal is not None:
            await answer_early(refusal, scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def asks(self) -> bool:
        """Whether keys are asked for. Once they are, they stay so."""
        self._asks = self._asks or asks_for_keys(self._settings, self._keys)
        return self._asks

    def _identify(self, scope: Scope) -> tuple[Caller, Problem | None]:
        """Who calls, and why that one may not. Also one who may not is counted, by key or address."""
        caller = Caller(None, network_of(scope["client"][0] if scope.get("client") else ""))
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        secret = _bearer(headers)
        try:
            caller = replace(caller, key=self._key(secret, session_token(headers)))
            if secret is None and method not in SAFE and self._is_foreign(headers):
                raise Forbidden("The request comes from a page of another site.")
            if caller.key is None and self._is_led_here(headers):
                raise Forbidden(
                    "Without API keys this service answers to localhost alone, not to another name. Make a key with "
                    "`amt keys create`, or let anybody in with AMT_ALLOW_PUBLIC=without-keys."
                )
            if path != SESSION and (caller.key is not None or self.asks()):
                _require(caller.key, secret, method, path)
            if method == "POST" and path == UPLOAD_PATH and caller.submitter is not None:
                refuse_beyond(self._settings, self._sharing.usage(caller.submitter))
        except Problem as problem:
            return caller, problem
        except (OperationalError, InterfaceError):
            return caller, Unavailable("The database does not answer. Nothing was lost; try again.")
        return caller, None

    def _is_foreign(self, headers: Headers) -> bool:
        """Whether a page of another site sends this. A page that the operator has named may, as long as it brings no
        session.
        """
        is_named = headers.get("origin") in self._settings.allowed_origins and session_token(headers) is None
        return not is_named and is_foreign(headers, headers.get("host", ""))

    def _is_led_here(self, headers: Headers) -> bool:
        """Whether a browser may have been led to this machine by another site's name (DNS rebinding).

        To the browser it is that site's own page then; only the name shows it.
        """
        settings = self._settings
        is_closed = is_loopback(settings.host) and not settings.allow_public
        return is_closed and not is_loopback(host_named(headers)) and not self.asks()

    def _key(self, secret: str | None, token: str | None) -> ApiKey | None:
        if secret is not None:
            return self._keys.find(secret)
        return self._keys.find_session(token) if token else None


def session_token(headers: Headers) -> str | None:
    """The token of the page's cookie."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _bearer(headers: Headers) -> str | None:
    given = headers.get("authorization")
    if given is None:
        return None
    return given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else ""


def _require(key: ApiKey | None, secret: str | None, method: str, path: str) -> None:
    if key is not None:
        require_scope(key, method, path)
    elif secret is None:
        raise Unauthorized(
            "This service asks for an API key: send `Authorization: Bearer amt_...`, or log in on its page."
        )
    else:
        raise Unauthorized("The API key is not one of this service's, or it was revoked.")
