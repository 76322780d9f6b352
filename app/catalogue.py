"""Which checkpoints there are: a folder's manifest.json, or one file, read without importing `model`."""

import contextlib
import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from app.checkpoint_header import HeaderError, read_header
from app.options import Decoding

MANIFEST = "manifest.json"
SUFFIX = ".safetensors"
# What somebody may call an added model.
ADDED_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
# Of a checkpoint that nobody has tuned.
UNTUNED = Decoding(onset_threshold=0.5, frame_threshold=0.5, min_note_ms=40.0)


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


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
    sha256: Sha256
    bytes: int
    parameters: int
    frame_rate: float
    trained_on: list[str]
    licence: str
    scores: list[Score]
    decoding: Decoding
    created: datetime | str
    description: str
    # Where an added model lies in the store; published ones lie beside their manifest.
    stored: str | None = None


class ModelMetadata(BaseModel):
    """What is said of a checkpoint that is added; the rest is read from the file itself.

    An entry of a manifest is also one of these.
    """

    name: Annotated[str, Field(max_length=100, pattern=f"^{ADDED_NAME}$")]
    sha256: Sha256
    trained_on: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=100)] = []
    licence: Annotated[str, Field(max_length=200)] = "not stated"
    scores: Annotated[list[Score], Field(max_length=1000)] = []
    decoding: Decoding = UNTUNED
    created: datetime | Annotated[str, Field(max_length=100)] = "not stated"
    description: Annotated[str, Field(max_length=2000)] = ""


class Catalogue(BaseModel):
    """All checkpoints, and the one that a job gets when it names none."""

    default: str
    models: list[ModelEntry]

    def get(self, name: str | None) -> ModelEntry | None:
        """The checkpoint of this name (the default one for None), or None if there is no such."""
        wanted = self.default if name is None else name
        return next((entry for entry in self.models if entry.name == wanted), None)

    def names(self) -> str:
        """All names, for a sentence."""
        return ", ".join(entry.name for entry in self.models)

    def get_or_default(self, name: str) -> ModelEntry:
        """The checkpoint of this name; the default one where it is not served any more."""
        entry = self.get(name) or self.get(None)
        if entry is None:
            raise CatalogueError(f"the default {self.default!r} is not among the models")
        return entry


def source_of(checkpoint: Path) -> Path:
    """The file that says what there is: the manifest of a folder, or the one checkpoint itself."""
    return checkpoint / MANIFEST if checkpoint.is_dir() else checkpoint


def file_of(checkpoint: Path, entry: ModelEntry) -> Path:
    """Where the weights of a published checkpoint lie."""
    return source_of(checkpoint).parent / entry.file


def require_file(checkpoint: Path, entry: ModelEntry) -> None:
    """See that a checkpoint is the one that the manifest names.

    Raises
    ------
    CatalogueError
        If it is missing or changed.
    """
    path = file_of(checkpoint, entry)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CatalogueError(f"{path} cannot be read ({error.strerror}); get it again from the project") from error
    if found != entry.sha256:
        raise CatalogueError(f"{path} is not the file that the manifest names; get it again from the project")


def load_catalogue(checkpoint: Path) -> Catalogue:
    """Read what a folder's manifest names, or the one checkpoint that `checkpoint` is.

    Raises
    ------
    CatalogueError
        If it is missing, damaged, or a manifest's default is not among its models.
    """
    path = source_of(checkpoint)
    return _one_file(path) if path.suffix == SUFFIX else _manifest(path)


def _one_file(path: Path) -> Catalogue:
    """A single checkpoint. A manifest beside it is believed, where there is one and it knows the file."""
    with contextlib.suppress(CatalogueError):
        for entry in _manifest(path.parent / MANIFEST).models:
            if entry.file == path.name:
                return Catalogue(default=entry.name, models=[entry])
    entry = _described_by_itself(path)
    return Catalogue(default=entry.name, models=[entry])


def _described_by_itself(path: Path) -> ModelEntry:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = read_header(file, size)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CatalogueError(f"no checkpoint: {path} cannot be read ({error.strerror})") from error
    except HeaderError as error:
        raise CatalogueError(f"{path} {error}") from error
    return ModelEntry(
        name=path.stem,
        file=path.name,
        sha256=sha256,
        bytes=size,
        parameters=header.parameters,
        frame_rate=header.frame_rate,
        trained_on=[],
        licence="not stated",
        scores=[],
        decoding=UNTUNED,
        created="not stated",
        description="A checkpoint without a manifest.",
    )


def _manifest(path: Path) -> Catalogue:
    try:
        catalogue = Catalogue.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CatalogueError(f"no checkpoint: {path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise CatalogueError(f"{path} is not a manifest: {error}") from error
    if catalogue.get(None) is None:
        raise CatalogueError(f"{path}: the default {catalogue.default!r} is not among the models")
    return catalogue
