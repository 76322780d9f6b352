"""Notes into files, and the files into the store as one revision."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from app.file_names import stem
from app.jobs.repository import ResultFiles
from app.jobs.table import Job
from app.jobs.versions import versions_of
from app.options import Options
from app.storage.interface import result_key, revision_prefix
from app.worker.runtime import Runtime
from model.note import Note
from model.note_events import DecodingOptions
from model.results import write_edited, write_results


def store_results(
    runtime: Runtime, job: Job, activations: Path, *, options: Options, revision: str, warnings: list[str]
) -> ResultFiles:
    """Decode the notes and write a new revision. The job table does not know of it yet."""
    decoding = DecodingOptions(**options.for_decoding())
    with _results_folder(runtime) as folder:
        summary = write_results(activations, folder, options=decoding, tempo=options.tempo, title=stem(job.file_name))
        files = _put_all(runtime, job.id, revision, folder)
    result = {
        "n_notes": summary.n_notes,
        "warnings": [*warnings, *summary.warnings],
        "audio_warnings": warnings,
    }
    return ResultFiles(revision=revision, files=files, result=result)


def store_edited(
    runtime: Runtime, job: Job, notes: list[Note], activations: Path, *, track_names: Mapping[str, str], revision: str
) -> ResultFiles:
    """Write a revision of notes that a person has edited. The job table does not know of it yet."""
    tempo = Options.model_validate(job.options).tempo
    with _results_folder(runtime) as folder:
        summary = write_edited(
            notes, activations, folder, tempo=tempo, title=stem(job.file_name), track_names=track_names
        )
        files = _put_all(runtime, job.id, revision, folder)
    return ResultFiles(revision=revision, files=files, result={"n_notes": summary.n_notes})


def kept_after_all(runtime: Runtime, job_id: str, revision: str) -> bool:
    """Whether a job names a revision although the note of it went wrong: the database's word may have been lost.

    If it does not, the revision's files are removed; where the table does not tell, they stay until the job is deleted.
    """
    try:
        job = runtime.jobs.get(job_id)
    except SQLAlchemyError:
        return False
    if job is not None and revision in [version.revision for version in versions_of(job)]:
        return True
    runtime.storage.delete(revision_prefix(job_id, revision))
    return False


def put_file(runtime: Runtime, key: str, path: Path) -> dict[str, object]:
    """Store a file; gives what an answer with it needs to know."""
    with path.open("rb") as file:
        stored = runtime.storage.put(key, file)
    return {"sha256": stored.sha256, "size": stored.size}


@contextmanager
def _results_folder(runtime: Runtime) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=runtime.settings.temporary, prefix="results-") as name:
        yield Path(name)


def _put_all(runtime: Runtime, job_id: str, revision: str, folder: Path) -> dict[str, dict[str, object]]:
    return {
        path.name: put_file(runtime, result_key(job_id, revision, path.name), path) for path in sorted(folder.iterdir())
    }
