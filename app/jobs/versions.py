"""The note lists of a job: version 0 is what the network found, the others are what people made of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.jobs.repository import ResultFiles
from app.jobs.table import Job

MOST_VERSIONS = 100
PIANO_ROLL = "piano-roll.json"


@dataclass(frozen=True)
class Version:
    """One note list and the files that it was written to."""

    number: int
    revision: str
    files: dict[str, dict[str, Any]]
    n_notes: int
    created_at: datetime

    @property
    def etag(self) -> str:
        """Equal notes, equal tag."""
        return f'"{self.files[PIANO_ROLL]["sha256"]}"'


def versions_of(job: Job) -> list[Version]:
    """All note lists of a job with results, oldest first."""
    if job.revision is None or job.files is None or job.result is None or job.finished_at is None:
        return []
    found = Version(0, job.revision, job.files, job.result["n_notes"], job.finished_at)
    return [found, *(_version(number, kept) for number, kept in enumerate(job.versions, start=1))]


def version_document(new: ResultFiles, created_at: datetime) -> dict[str, Any]:
    """What the job table keeps of an edited version."""
    return {
        "revision": new.revision,
        "files": new.files,
        "n_notes": new.result["n_notes"],
        "created_at": created_at.isoformat(),
    }


def _version(number: int, kept: dict[str, Any]) -> Version:
    created = datetime.fromisoformat(kept["created_at"])
    return Version(number, kept["revision"], kept["files"], kept["n_notes"], created)
