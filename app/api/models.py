"""The checkpoints that are served, and adding one to a running service."""

import contextlib
import re
import secrets
from typing import Annotated

from fastapi import APIRouter, Body, Form, Path, Response, UploadFile
from kombu.exceptions import KombuError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from redis import RedisError
from starlette.status import HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from app.api.caller import InCaller
from app.api.context import Context, InContext
from app.api.problems import documented
from app.api.schemas import MODEL_EXAMPLE, ModelBody, ModelList
from app.catalogue import ADDED_NAME, ModelEntry, ModelMetadata
from app.checkpoint_header import Header, HeaderError, read_header
from app.errors import InvalidRequest, ModelExists, ModelKept, NotFound, OutOfSpace
from app.queue import send_model_check
from app.served.repository import StillUsedError, new_model
from app.served.table import AddedModel, ModelState
from app.storage.interface import model_key

router = APIRouter(prefix="/v1/models", tags=["models"])

ModelName = Annotated[str, Path(max_length=100, description="The model's name.", examples=["piano"])]


class ModelForm(BaseModel):
    """The multipart form of a new model."""

    model_config = ConfigDict(extra="forbid")

    file: Annotated[UploadFile, Field(description="The checkpoint, as `training` writes it: safetensors.")]
    metadata: Annotated[
        str,
        Field(
            description="JSON, as an entry of a manifest: `name` and `sha256` are needed; `licence`, `trained_on`, "
            "`description`, `scores` and `decoding` (its default options) are shown to callers."
        ),
    ]


class ModelStatus(BaseModel):
    """How far an added model is."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"state": "ready", "reason": None, "added_by": None, "model": MODEL_EXAMPLE}}
    )

    state: ModelState = Field(description="`checking` until a worker has loaded it; then `ready`, or `refused`.")
    reason: str | None = Field(description="Why it was refused.")
    added_by: str | None = Field(description="The key that added it.")
    model: ModelBody


class DefaultModel(BaseModel):
    """The choice of the default model."""

    model_config = ConfigDict(extra="forbid")

    default: Annotated[str, Field(max_length=100, description="Name of a model that is served.")]


@router.get("", response_model=ModelList, responses=documented())
def list_models(context: InContext) -> ModelList:
    """List the checkpoints: what each was trained on, how well it does, and its default options."""
    catalogue = context.models.catalogue()
    return ModelList(default=catalogue.default, models=[_body(entry) for entry in catalogue.models])


@router.post(
    "",
    status_code=HTTP_202_ACCEPTED,
    response_model=ModelStatus,
    responses=documented(ModelExists, OutOfSpace)
    | {
        202: {
            "description": "Stored: a worker will load it.",
            "headers": {"Location": {"description": "Where to ask for its state.", "schema": {"type": "string"}}},
        }
    },
)
def add_model(
    form: Annotated[ModelForm, Form(media_type="multipart/form-data")],
    context: InContext,
    caller: InCaller,
    response: Response,
) -> ModelStatus:
    """Add a checkpoint to the running service. Needs a key with the scope admin, where keys are asked for.

    Its SHA-256 is compared at once; then a worker loads it and lets it listen, between two jobs. Jobs under way go on
    with the model that they began with. A name that is served is never replaced.
    """
    metadata = _read_metadata(form.metadata)
    if context.models.catalogue().get(metadata.name) is not None:
        raise _exists(metadata.name)
    row = _store(context, form.file, metadata, caller.owner)
    if not context.models.added.add(row):
        context.storage.delete(row.entry["stored"])
        raise _exists(metadata.name)
    _tell_workers(context)
    response.headers["Location"] = f"{router.prefix}/{row.name}"
    return _status(row)


@router.get("/{name}", response_model=ModelStatus, responses=documented(NotFound))
def read_model(name: ModelName, context: InContext) -> ModelStatus:
    """Read a model: also one that is not served yet, or was refused."""
    entry = context.models.catalogue().get(name)
    row = context.models.added.get(name) if re.fullmatch(ADDED_NAME, name) else None
    if row is not None and (entry is None or entry.stored is not None):
        return _status(row)
    if entry is None:
        raise NotFound("There is no such model.")
    return ModelStatus(state=ModelState.READY, reason=None, added_by=None, model=_body(entry))


@router.delete("/{name}", status_code=HTTP_204_NO_CONTENT, responses=documented(NotFound, ModelKept))
def remove_model(name: ModelName, context: InContext) -> None:
    """Remove an added checkpoint and its file. Needs a key with the scope admin, where keys are asked for.

    Jobs that have ended keep their results. As long as jobs wait for the model or run with it, or as long as it is the
    default one, it stays (409).
    """
    if context.models.folder.current().get(name) is not None:
        raise ModelKept(f"{name!r} is published with the service, not added to it; take it out of its manifest.")
    try:
        removed = context.models.added.remove(name) if re.fullmatch(ADDED_NAME, name) else None
    except StillUsedError as error:
        raise ModelKept(str(error)) from error
    if removed is None:
        raise NotFound("There is no such model.")
    context.storage.delete(removed.entry["stored"])


@router.patch("", response_model=ModelList, responses=documented())
def choose_default(
    choice: Annotated[DefaultModel, Body(openapi_examples={"piano": {"value": {"default": "piano"}}})],
    context: InContext,
) -> ModelList:
    """Choose the model of those jobs that name none. Needs a key with the scope admin, where keys are asked for."""
    catalogue = context.models.catalogue()
    if catalogue.get(choice.default) is None:
        raise InvalidRequest.of("default", f"there is no such model; there are {catalogue.names()}")
    context.models.added.choose_default(choice.default)
    return list_models(context)


def _read_metadata(text: str) -> ModelMetadata:
    try:
        return ModelMetadata.model_validate_json(text)
    except ValidationError as error:
        errors = [
            {"field": ".".join(["metadata", *map(str, one["loc"])]), "message": str(one["msg"])}
            for one in error.errors()
        ]
        raise InvalidRequest("; ".join(f"{one['field']}: {one['message']}" for one in errors), errors=errors) from error


def _store(context: Context, file: UploadFile, metadata: ModelMetadata, added_by: str | None) -> AddedModel:
    header = _read_header(file)
    key = model_key(secrets.token_hex(16))
    stored = context.storage.put(key, file.file)
    if stored.sha256 != metadata.sha256:
        context.storage.delete(key)
        raise InvalidRequest.of("file", f"has SHA-256 {stored.sha256}, the metadata say {metadata.sha256}")
    entry = ModelEntry(
        **metadata.model_dump(),
        file=f"{metadata.name}-{stored.sha256[:8]}.safetensors",
        bytes=stored.size,
        parameters=header.parameters,
        frame_rate=header.frame_rate,
        stored=key,
    )
    return new_model(entry.name, entry.sha256, entry.model_dump(mode="json"), added_by)


def _tell_workers(context: Context) -> None:
    """Where that fails a worker finds it by itself, at the next job or within seconds."""
    with contextlib.suppress(KombuError, RedisError, OSError):
        send_model_check(context.celery)


def _read_header(file: UploadFile) -> Header:
    try:
        return read_header(file.file, file.size or 0)
    except HeaderError as error:
        raise InvalidRequest.of("file", str(error)) from error
    finally:
        file.file.seek(0)


def _status(row: AddedModel) -> ModelStatus:
    entry = ModelEntry.model_validate(row.entry)
    return ModelStatus(state=row.state, reason=row.reason, added_by=row.added_by, model=_body(entry))


def _body(entry: ModelEntry) -> ModelBody:
    return ModelBody.model_validate(entry.model_dump() | {"created": str(entry.created)})


def _exists(name: str) -> ModelExists:
    return ModelExists(f"There is a model {name!r} already, and it is not replaced; choose another name.")
