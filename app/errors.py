"""What the API answers when it does not do what was asked: RFC 9457 problems, each with its status."""

import errno
from http import HTTPStatus
from typing import Any, ClassVar, Self

from starlette.exceptions import HTTPException

# What the system says when a disk, a quota or a largest file size is used up.
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Problem(HTTPException):
    """A refusal. Being Starlette's own exception it also passes through the code that parses a request's body."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self, detail: str, *, errors: list[dict[str, str]] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(self.status, detail, headers)
        self.errors = errors

    def body(self, instance: str) -> dict[str, Any]:
        """The problem document."""
        document: dict[str, Any] = {
            "type": problem_type(self.code),
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            "instance": instance,
        }
        return document | ({"errors": self.errors} if self.errors else {})


# Kinds of problem that have a name everywhere.
REGISTERED_TYPES = {"quota-exceeded": "https://iana.org/assignments/http-problem-types#quota-exceeded"}


def problem_type(code: str) -> str:
    """The name of a kind of problem. Stable; programs may compare it."""
    return REGISTERED_TYPES.get(code) or f"urn:amt:problem:{code}"


class InternalProblem(Problem):
    """Our bug."""


class MalformedRequest(Problem):
    """The body cannot be parsed."""

    status = HTTPStatus.BAD_REQUEST
    code = "malformed-request"
    title = "The request cannot be read"


class Unauthorized(Problem):
    """No key, or none of ours."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"
    title = "An API key is needed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Problem):
    """The key is good, and does not allow this."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"
    title = "This is not allowed to the caller"


class NotFound(Problem):
    """No such thing, or none of the caller's."""

    status = HTTPStatus.NOT_FOUND
    code = "not-found"
    title = "There is nothing here"


class MethodNotAllowed(Problem):
    """The address exists, the method does not."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method-not-allowed"
    title = "This address does not know the method"


class NotReady(Problem):
    """The job has no result (yet)."""

    status = HTTPStatus.CONFLICT
    code = "not-ready"
    title = "The job has no result"


class ModelExists(Problem):
    """The name of a model is taken."""

    status = HTTPStatus.CONFLICT
    code = "model-exists"
    title = "There is such a model already"


class ModelKept(Problem):
    """A model that cannot go now."""

    status = HTTPStatus.CONFLICT
    code = "model-kept"
    title = "This model is not removed"


class RequestInFlight(Problem):
    """The same request is under way already."""

    status = HTTPStatus.CONFLICT
    code = "request-in-flight"
    title = "The first request with this Idempotency-Key is not finished"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class IdempotencyKeyReused(Problem):
    """Another request under a key that stands for one."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency-key-reused"
    title = "The Idempotency-Key belongs to another request"


class TooManyVersions(Problem):
    """The job has as many edited versions as a job may have."""

    status = HTTPStatus.CONFLICT
    code = "too-many-versions"
    title = "The job has too many versions"


class PreconditionFailed(Problem):
    """What the caller wants to replace is not what is there any more."""

    status = HTTPStatus.PRECONDITION_FAILED
    code = "changed-meanwhile"
    title = "The notes were changed meanwhile"


class PreconditionRequired(Problem):
    """The caller must say what it wants to replace."""

    status = HTTPStatus.PRECONDITION_REQUIRED
    code = "precondition-required"
    title = "If-Match is missing"


class Gone(Problem):
    """The job's time is over."""

    status = HTTPStatus.GONE
    code = "expired"
    title = "The job has expired"


class TooLarge(Problem):
    """More bytes than are allowed."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too-large"
    title = "The upload is too large"


class RangeNotSatisfiable(Problem):
    """A range outside the file."""

    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    code = "range-not-satisfiable"
    title = "The range lies outside the file"


class InvalidRequest(Problem):
    """A field is missing, unknown, or has a value that is not allowed."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid-request"
    title = "A field of the request is not allowed"

    @classmethod
    def of(cls, field: str, message: str) -> Self:
        """One field, and what is wrong with it."""
        return cls(f"{field}: {message}", errors=[{"field": field, "message": message}])


class TooManyRequests(Problem):
    """The caller has taken up what it may."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "quota-exceeded"
    title = "The caller has reached a limit"

    def __init__(self, detail: str, *, policy: str, retry_after: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})
        self.policy = policy

    def body(self, instance: str) -> dict[str, Any]:
        """The problem document, which names the limit (draft-ietf-httpapi-ratelimit-headers)."""
        return super().body(instance) | {"violated-policies": [self.policy]}


class Unavailable(Problem):
    """A part of the service is away for the moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    title = "The service cannot do this at the moment"

    def __init__(self, detail: str, *, errors: list[dict[str, str]] | None = None, retry_after: int = 5) -> None:
        super().__init__(detail, errors=errors, headers={"Retry-After": str(retry_after)})


class OutOfSpace(Problem):
    """The store is full."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    code = "out-of-space"
    title = "The store is full"


ALL_PROBLEMS: tuple[type[Problem], ...] = (
    ModelKept,
    MalformedRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotReady,
    ModelExists,
    RequestInFlight,
    IdempotencyKeyReused,
    TooManyVersions,
    PreconditionFailed,
    PreconditionRequired,
    Gone,
    TooLarge,
    RangeNotSatisfiable,
    InvalidRequest,
    TooManyRequests,
    InternalProblem,
    Unavailable,
    OutOfSpace,
)
