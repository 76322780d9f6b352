"""The page's login: a key is typed once, and a cookie that no script can read stands for it.

EventSource, audio elements and links cannot send an Authorization header.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.status import HTTP_204_NO_CONTENT

from app.api.caller import SESSION, InCaller
from app.api.context import InContext
from app.api.gate import COOKIE, session_token
from app.api.problems import documented
from app.errors import Unauthorized
from app.keys.admission import asks_for_keys
from app.keys.repository import SESSION_LIFE
from app.keys.table import ApiKey, Scope

router = APIRouter(prefix=SESSION, tags=["session"])

EXAMPLE: dict[str, Any] = {
    "required": True,
    "key": {"id": "amt_q3fX0mI0", "name": "Anna's laptop", "scopes": ["read", "transcribe"]},
}


class SessionKey(BaseModel):
    """The key that a session stands for."""

    id: str
    name: str
    scopes: list[Scope]


class SessionBody(BaseModel):
    """Whether a key is asked for, and which one the caller has shown."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    required: bool
    key: SessionKey | None


class Login(BaseModel):
    """What is typed into the page."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, Field(max_length=200, description="An API key.")]


@router.get("", response_model=SessionBody, responses=documented())
def read_session(caller: InCaller, context: InContext, response: Response) -> SessionBody:
    """Read whether this service asks for keys, and whose session this is."""
    response.headers["Cache-Control"] = "no-store"
    return _body(caller.key, required=asks_for_keys(context.settings, context.keys))


@router.post("", response_model=SessionBody, responses=documented(Unauthorized))
def log_in(
    login: Annotated[Login, Body(openapi_examples={"key": {"value": {"key": "amt_..."}}})],
    request: Request,
    response: Response,
    context: InContext,
) -> SessionBody:
    """Exchange a key for a session cookie, for browsers. Programs send the key itself with each request."""
    key = context.keys.find(login.key.strip())
    if key is None:
        raise Unauthorized("The API key is not one of this service's, or it was revoked.")
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        COOKIE,
        context.keys.open_session(key),
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return _body(key, required=True)


@router.delete("", status_code=HTTP_204_NO_CONTENT, responses=documented())
def log_out(request: Request, response: Response, context: InContext) -> None:
    """End the session, here and in the service."""
    if token := session_token(request.headers):
        context.keys.close_session(token)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")


def _body(key: ApiKey | None, *, required: bool) -> SessionBody:
    shown = SessionKey(id=key.id, name=key.name, scopes=[Scope(one) for one in key.scopes]) if key else None
    return SessionBody(required=required, key=shown)
