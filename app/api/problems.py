"""Every error as an RFC 9457 problem, the framework's own included."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from redis import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.errors import (
    NO_SPACE,
    Forbidden,
    InternalProblem,
    InvalidRequest,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    OutOfSpace,
    Problem,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    problem_type,
)
from app.storage.interface import StoreAwayError
from app.validation import fault_in_words

log = logging.getLogger(__name__)

# As SQLite and PostgreSQL say it.
DISK_IS_FULL = ("database or disk is full", "No space left on device")

MEDIA_TYPE = "application/problem+json"
# Where a caller has to be known; app.api.gate turns away the others before any handler is asked.
GUARDED = "/v1/"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemBody(BaseModel):
    """An RFC 9457 problem document."""

    type: str = Field(description="Stable name of the kind of problem; compare this.")
    title: str
    status: int
    detail: str = Field(description="What was wrong this time, for a person.")
    instance: str = Field(description="The address that was asked for.")
    errors: list[FieldError] | None = Field(None, description="The fields, where fields were wrong.")
    violated_policies: list[str] | None = Field(
        None, alias="violated-policies", description="The limits that were reached, where the caller has reached some."
    )


class ProblemResponse(JSONResponse):
    """A problem document as answer."""

    media_type = MEDIA_TYPE


def problem_response(problem: Problem, instance: str) -> ProblemResponse:
    """The answer for a problem."""
    return ProblemResponse(problem.body(instance), status_code=problem.status_code, headers=problem.headers)


def documented(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problems that a handler may answer with; every one may answer 422, 500 and 503."""
    always: tuple[type[Problem], ...] = (MalformedRequest, TooLarge, InvalidRequest, InternalProblem, Unavailable)
    every = {problem.status: problem for problem in (*problems, *always)}
    return {int(status): _described(problem) for status, problem in sorted(every.items())}


def tidy_openapi(document: dict[str, Any]) -> dict[str, Any]:
    """Put problems under their own type, where FastAPI has application/json, and say what the gate asks for."""
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, where the service asks for keys."}
    }
    document["security"] = [{}, {"key": []}]
    for address, path in document["paths"].items():
        for operation in path.values():
            if address.startswith(GUARDED):
                operation["responses"] |= _guarded_responses()
            for response in operation["responses"].values():
                content = response.get("content", {})
                if MEDIA_TYPE in content and "application/json" in content:
                    content[MEDIA_TYPE] |= content.pop("application/json")
    return document


def _guarded_responses() -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}
    return {
        str(int(problem.status)): {
            "description": problem.title,
            "content": {MEDIA_TYPE: _described(problem)["content"][MEDIA_TYPE] | {"schema": schema}},
        }
        for problem in (Unauthorized, Forbidden, TooManyRequests)
    }


def add_problem_handlers(app: FastAPI) -> None:
    """Answer with problems only."""
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _invalid)
    for gone in (OperationalError, InterfaceError, RedisError):
        app.add_exception_handler(gone, _part_is_gone)
    app.add_exception_handler(OSError, _os_error)
    app.add_exception_handler(Exception, _our_bug)


def _http_exception(request: Request, error: Exception) -> ProblemResponse:
    if isinstance(error, Problem):
        return problem_response(error, request.url.path)
    if isinstance(error.__cause__, OSError):  # FastAPI calls a full disk under an upload a body that cannot be parsed
        return _os_error(request, error.__cause__)
    problem = _from_framework(request, error) if isinstance(error, HTTPException) else InternalProblem("")
    return problem_response(problem, request.url.path)


def _from_framework(request: Request, error: HTTPException) -> Problem:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound("There is nothing at this address.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted(_methods(request)))
        return MethodNotAllowed(f"This address knows {allowed}.", headers={"Allow": allowed})
    if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return MalformedRequest(str(error.detail))
    return InternalProblem("The request could not be served.")


def _methods(request: Request) -> set[str]:
    """All methods of an address; the router names those of the first route only."""
    return {method for method in METHODS if _knows(request, method)}


def _knows(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def _invalid(request: Request, error: Exception) -> ProblemResponse:
    errors = [_field_error(one) for one in error.errors()] if isinstance(error, RequestValidationError) else []
    problem = InvalidRequest("; ".join(f"{one['field']}: {one['message']}" for one in errors), errors=errors)
    return problem_response(problem, request.url.path)


def _field_error(error: dict[str, Any]) -> dict[str, str]:
    place = [str(part) for part in error["loc"][1:] if not str(part).startswith("function-")]
    message = fault_in_words(error)
    if error["type"] == "extra_forbidden":
        message = "is not a known field"
    if "Expected UploadFile" in message:
        message = "must be a file with a name, as of curl -F file=@recording.wav"
    return {"field": ".".join(place) or "body", "message": message}


def _part_is_gone(request: Request, error: Exception) -> ProblemResponse:
    log.error("%s %s: %s", request.method, request.url.path, error)
    if any(words in str(error) for words in DISK_IS_FULL):
        return problem_response(OutOfSpace("The service has no space left. Nothing was changed."), request.url.path)
    part = "queue" if isinstance(error, RedisError) else "database"
    return problem_response(Unavailable(f"The {part} does not answer. Nothing was lost; try again."), request.url.path)


def _os_error(request: Request, error: Exception) -> ProblemResponse:
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        log.error("%s %s: %s", request.method, request.url.path, error)
        return problem_response(OutOfSpace("The service has no space left. Nothing was stored."), request.url.path)
    if isinstance(error, StoreAwayError):
        log.error("%s %s: %s", request.method, request.url.path, error)
        return problem_response(
            Unavailable("The store does not answer. Nothing was lost; try again."), request.url.path
        )
    return _our_bug(request, error)


def _our_bug(request: Request, error: Exception) -> ProblemResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(InternalProblem("The request could not be served."), request.url.path)


EXAMPLES: dict[str, str] = {
    "malformed-request": "There was an error parsing the body",
    "unauthorized": "The API key is not one of this service's, or it was revoked.",
    "forbidden": "This needs a key with the scope admin; amt_q3fX0mI0 has read, transcribe.",
    "not-found": "There is no job q3fX0mI0R2uVJm4s9o3f7Q.",
    "method-not-allowed": "This address knows GET, POST.",
    "not-ready": "The job is running; it has no result yet.",
    "model-exists": "There is a model 'piano' already, and it is not replaced; choose another name.",
    "model-kept": "3 jobs wait for it or run with it; try again when they have ended.",
    "request-in-flight": "A request with this Idempotency-Key is just being stored; ask again in a second.",
    "idempotency-key-reused": "The Idempotency-Key was used for another file or other options; choose a new one.",
    "too-many-versions": "The job has 100 versions, the most that are kept.",
    "changed-meanwhile": "The notes were changed meanwhile: version 3 is the newest.",
    "precondition-required": "Send If-Match with the ETag of the notes that yours shall replace.",
    "expired": "The job expired on 2026-03-08T09:30:00+00:00.",
    "too-large": "The file may have at most 536870912 bytes.",
    "range-not-satisfiable": "The file has 4096 bytes.",
    "invalid-request": "onset_threshold: Input should be less than or equal to 0.99",
    "quota-exceeded": "More than 600 requests within 60 s; wait 12 s.",
    "internal": "The request could not be served.",
    "unavailable": "The queue does not answer. Nothing was lost; try again.",
    "out-of-space": "The service has no space left. Nothing was stored.",
}


def _described(problem: type[Problem]) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": problem_type(problem.code),
        "title": problem.title,
        "status": int(problem.status),
        "detail": EXAMPLES[problem.code],
        "instance": "/v1/transcriptions",
    }
    if problem is InvalidRequest:
        example["errors"] = [{"field": "onset_threshold", "message": "Input should be less than or equal to 0.99"}]
    return {"description": problem.title, "model": ProblemBody, "content": {MEDIA_TYPE: {"example": example}}}
