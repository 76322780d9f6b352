"""What the service asks of a file store.

A key is a relative path of our own making (``jobs/<id>/audio``); a client's file name is never part of one. What is put
appears whole or not at all, and outlives a power cut once `put` has returned.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


class NotStoredError(Exception):
    """There is nothing under this key."""


class StoreAwayError(OSError):
    """The store does not answer at the moment. What was asked of it can be asked again later."""


@dataclass(frozen=True)
class Stored:
    """What was put."""

    sha256: str
    size: int


class Storage(Protocol):
    """A file store: a folder or a bucket. Where it is full, its calls raise OSError with ENOSPC."""

    def put(self, key: str, source: BinaryIO) -> Stored:
        """Store a stream from its present position to its end."""
        ...

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Open a range now and give its bytes in pieces. Raises `NotStoredError` at the call, not later."""
        ...

    def exists(self, key: str) -> bool:
        """Whether something lies under `key`."""
        ...

    def delete(self, prefix: str) -> None:
        """Remove `prefix` and all that lies below it; nothing happens where nothing is."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Names of the folders directly below `prefix`."""
        ...

    def is_untouched(self, prefix: str, *, seconds: float) -> bool:
        """Whether a folder is there in which nothing has changed for so long."""
        ...

    def remove_unfinished(self, *, untouched_seconds: float) -> None:
        """Remove what interrupted calls of `put` have left behind."""
        ...

    def local_copy(self, key: str) -> AbstractContextManager[Path]:
        """A file of this machine with the content of `key`, to be read within the context. Never written to."""
        ...

    def check(self) -> None:
        """Write and remove a small file. Raises OSError where that fails."""
        ...

    def link(self, key: str, *, seconds: int, media_type: str, disposition: str) -> str | None:
        """An address under which the store itself serves `key` for so long, or None if it serves nobody."""
        ...


def check_key(key: str) -> None:
    """Keys stay below the store's root, and none is hidden. Raises ValueError."""
    if any(part.startswith(".") or not part for part in key.split("/")):
        raise ValueError(f"not a key: {key!r}")


JOBS = "jobs"
MODELS = "models"


def model_key(token: str) -> str:
    """The checkpoint of an added model."""
    return f"{MODELS}/{token}.safetensors"


def job_prefix(job_id: str) -> str:
    """All files of a job."""
    return f"{JOBS}/{job_id}"


def audio_key(job_id: str) -> str:
    """What was uploaded."""
    return f"{job_prefix(job_id)}/audio"


def activations_key(job_id: str) -> str:
    """What the network said, from which notes can be decoded again."""
    return f"{job_prefix(job_id)}/activations"


def peaks_key(job_id: str) -> str:
    """How loud the recording is, moment by moment."""
    return f"{job_prefix(job_id)}/peaks"


def edit_key(job_id: str, request_id: str) -> str:
    """An edited note list on its way to the worker that writes its files."""
    return f"{job_prefix(job_id)}/edits/{request_id}"


def results_prefix(job_id: str) -> str:
    """All revisions of a job's results."""
    return f"{job_prefix(job_id)}/results"


def revision_prefix(job_id: str, revision: str) -> str:
    """One revision of the results."""
    return f"{results_prefix(job_id)}/{revision}"


def result_key(job_id: str, revision: str, name: str) -> str:
    """One file of a revision."""
    return f"{revision_prefix(job_id, revision)}/{name}"


def scores_prefix(job_id: str, revision: str) -> str:
    """The scores of a revision that were asked for: a cache, made again at need."""
    return f"{revision_prefix(job_id, revision)}/scores"


def score_key(job_id: str, revision: str, digest: str, name: str) -> str:
    """One file of a score; `digest` stands for what was asked."""
    return f"{scores_prefix(job_id, revision)}/{digest}/{name}"
