"""Which checkpoints there are: model/checkpoints/manifest.json, read without importing `model`."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from app.options import Decoding


class CatalogueError(Exception):
    """The manifest is missing or does not say what it must."""


class Score(BaseModel):
    """One measured figure of a model."""

    data: str
    metric: str
    value: float


class ModelEntry(BaseModel):
    """One checkpoint."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    file: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: int
    parameters: int
    frame_rate: float
    trained_on: list[str]
    licence: str
    scores: list[Score]
    decoding: Decoding
    created: datetime | str
    description: str


class Catalogue(BaseModel):
    """All checkpoints, and the one that a job gets when it names none."""

    default: str
    models: list[ModelEntry]

    def get(self, name: str | None) -> ModelEntry | None:
        """The checkpoint of this name (the default one for None), or None if there is no such."""
        wanted = self.default if name is None else name
        return next((entry for entry in self.models if entry.name == wanted), None)

    def get_or_default(self, name: str) -> ModelEntry:
        """The checkpoint of this name; the default one where it is not served any more."""
        entry = self.get(name) or self.get(None)
        if entry is None:
            raise CatalogueError(f"the default {self.default!r} is not among the models")
        return entry


def require_file(folder: Path, entry: ModelEntry) -> None:
    """See that a checkpoint is the one that the manifest names.

    Raises
    ------
    CatalogueError
        If it is missing or changed.
    """
    path = folder / entry.file
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CatalogueError(f"{path} cannot be read ({error.strerror}); get it again from the project") from error
    if found != entry.sha256:
        raise CatalogueError(f"{path} is not the file that the manifest names; get it again from the project")


def load_catalogue(folder: Path) -> Catalogue:
    """Read ``manifest.json`` in `folder`.

    Raises
    ------
    CatalogueError
        If it is missing, damaged, or its default is not among its models.
    """
    path = folder / "manifest.json"
    try:
        catalogue = Catalogue.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CatalogueError(f"no checkpoint: {path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise CatalogueError(f"{path} is not a manifest: {error}") from error
    if catalogue.get(None) is None:
        raise CatalogueError(f"{path}: the default {catalogue.default!r} is not among the models")
    return catalogue
