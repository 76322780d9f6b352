"""The description of the API and what the API does are the same."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.notes import VERSION_EXAMPLE, VersionBody
from app.api.schemas import JOB_EXAMPLE, MODELS_EXAMPLE, JobBody, ModelList
from tests.app.service import Service


@pytest.fixture(scope="session")
def description(idle_service: Service) -> dict[str, Any]:
    document: dict[str, Any] = httpx.get(f"{idle_service.url}/openapi.json", timeout=60).json()
    return document


OPERATIONS = [
    "POST /v1/transcriptions", "GET /v1/transcriptions", "GET /v1/transcriptions/{job_id}",
    "DELETE /v1/transcriptions/{job_id}", "GET /v1/transcriptions/{job_id}/events",
    "GET /v1/transcriptions/{job_id}/midi", "GET /v1/transcriptions/{job_id}/piano-roll",
    "GET /v1/transcriptions/{job_id}/score", "GET /v1/transcriptions/{job_id}/score.musicxml",
    "GET /v1/transcriptions/{job_id}/score.mxl", "GET /v1/transcriptions/{job_id}/score.pdf",
    "GET /v1/transcriptions/{job_id}/score.svg",
    "GET /v1/transcriptions/{job_id}/notes.csv", "GET /v1/transcriptions/{job_id}/audio",
    "GET /v1/transcriptions/{job_id}/peaks", "GET /v1/transcriptions/{job_id}/notes",
    "PUT /v1/transcriptions/{job_id}/notes", "GET /v1/transcriptions/{job_id}/versions",
    "POST /v1/transcriptions/{job_id}/decode", "GET /v1/models", "POST /v1/models",
    "PATCH /v1/models", "GET /v1/models/{name}", "DELETE /v1/models/{name}",
    "GET /v1/session", "POST /v1/session", "DELETE /v1/session", "GET /healthz", "GET /readyz",
]  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_is_sent_gets_a_documented_answer(
    idle_service: Service, description: dict[str, Any], name: str
) -> None:
    method, path = name.split()
    operation = schemathesis.openapi.from_dict(description)[path][method]

    @given(case=operation.as_strategy())
    @settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def send(case: Any) -> None:
        # Nobody works here: whoever prefers to wait would wait in vain.
        case.headers = {name: value for name, value in case.headers.items() if name.lower() != "prefer"}
        answer = case.call(base_url=idle_service.url, timeout=20)
        assert answer.status_code != 500
        case.validate_response(
            answer, checks=[status_code_conformance, content_type_conformance, response_schema_conformance]
        )

    send()


def test_no_operation_is_left_out(description: dict[str, Any]) -> None:
    assert sorted(OPERATIONS) == sorted(name for name, _ in operations(description))


def operations(description: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", one) for path, item in description["paths"].items() for method, one in item.items()
    ]


def test_every_answer_has_an_example(description: dict[str, Any]) -> None:
    missing = []
    for name, operation in operations(description):
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                reference = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                schema = description["components"]["schemas"].get(reference, {})
                if "example" not in content and "example" not in schema:
                    missing.append((name, status, media_type))
    assert missing == []


def test_every_error_is_a_problem(description: dict[str, Any]) -> None:
    for name, operation in operations(description):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (name, status)
                assert response["content"]["application/problem+json"]["schema"] == {
                    "$ref": "#/components/schemas/ProblemBody"
                }
                assert response["content"]["application/problem+json"]["example"]["status"] == int(status)


def test_every_option_is_documented(description: dict[str, Any]) -> None:
    form = description["components"]["schemas"]["TranscriptionForm"]["properties"]
    assert set(form) == {
        "file",
        "model",
        "onset_threshold",
        "frame_threshold",
        "min_note_ms",
        "lowest_pitch",
        "highest_pitch",
        "tempo",
        "instruments",
        "a4_hz",
    }
    assert all("description" in field for field in form.values())
    assert all("Default" in field["description"] for name, field in form.items() if name != "file")


def test_the_examples_are_true(description: dict[str, Any]) -> None:
    assert JobBody.model_validate(JOB_EXAMPLE).model_dump(mode="json") == JOB_EXAMPLE
    ModelList.model_validate(MODELS_EXAMPLE)
    assert VersionBody.model_validate(VERSION_EXAMPLE).model_dump(mode="json") == VERSION_EXAMPLE
