"""The checkpoints that are served."""

from typing import Any

from fastapi import APIRouter

from app.api.context import InContext
from app.api.problems import documented
from app.api.schemas import ModelBody, ModelList

router = APIRouter(prefix="/v1/models", tags=["models"])

EXAMPLE: dict[str, Any] = {
    "default": "piano",
    "models": [
        {
            "name": "piano",
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "bytes": 3145728,
            "parameters": 780000,
            "frame_rate": 31.25,
            "trained_on": ["maps/train"],
            "licence": "CC-BY-NC-SA-4.0",
            "scores": [{"data": "maps/validation", "metric": "note F1 (onset 50 ms)", "value": 0.8}],
            "decoding": {"onset_threshold": 0.5, "frame_threshold": 0.4, "min_note_ms": 50.0},
            "created": "2026-03-01",
            "description": "Piano, 88 keys.",
        }
    ],
}


@router.get(
    "",
    response_model=ModelList,
    responses=documented()
    | {200: {"description": "All models.", "content": {"application/json": {"example": EXAMPLE}}}},
)
def list_models(context: InContext) -> ModelList:
    """List the checkpoints: what each was trained on, how well it does, and its default options."""
    catalogue = context.catalogue
    bodies = [
        ModelBody.model_validate(entry.model_dump() | {"created": str(entry.created)}) for entry in catalogue.models
    ]
    return ModelList(default=catalogue.default, models=bodies)
