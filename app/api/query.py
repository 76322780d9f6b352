"""Reading the query of an address."""

from collections import Counter

from fastapi import Request

from app.errors import InvalidRequest


def refuse_other_query_fields(request: Request) -> None:
    """See that a GET asks with fields of its address alone, each once: a mistyped one would change nothing, in silence.

    Raises
    ------
    InvalidRequest
        If it has others.
    """
    operation = request.app.openapi()["paths"][request.scope["route"].path_format]["get"]
    known = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
    errors = []
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            errors.append({"field": name, "message": f"is not a known field; these are: {', '.join(known)}"})
        elif times > 1:
            errors.append({"field": name, "message": "was sent more than once"})
    if errors:
        raise InvalidRequest("; ".join(f"{one['field']}: {one['message']}" for one in errors), errors=errors)
