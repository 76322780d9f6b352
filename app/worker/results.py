"""Decoding notes into files and putting them into the store as one revision."""

import tempfile
from pathlib import Path

from app.file_names import stem
from app.jobs.repository import ResultFiles
from app.jobs.table import Job
from app.options import Options
from app.storage.interface import result_key
from app.worker.runtime import Runtime
from model.note_events import DecodingOptions
from model.results import ResultSummary, write_results


def store_results(
    runtime: Runtime, job: Job, activations: Path, *, options: Options, revision: str, warnings: list[str]
) -> ResultFiles:
    """Write a new revision. The job table does not know of it yet."""
    with tempfile.TemporaryDirectory(dir=runtime.settings.temporary, prefix="results-") as name:
        folder = Path(name)
        summary = _write(activations, folder, options=options, title=stem(job.file_name))
        files = {path.name: _put(runtime, job.id, revision, path) for path in sorted(folder.iterdir())}
    result = {
        "n_notes": summary.n_notes,
        "warnings": [*warnings, *summary.warnings],
        "audio_warnings": warnings,
    }
    return ResultFiles(revision=revision, files=files, result=result)


def _write(activations: Path, folder: Path, *, options: Options, title: str) -> ResultSummary:
    decoding = DecodingOptions(**options.model_dump(exclude={"tempo"}))
    return write_results(activations, folder, options=decoding, tempo=options.tempo, title=title)


def _put(runtime: Runtime, job_id: str, revision: str, path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        stored = runtime.storage.put(result_key(job_id, revision, path.name), file)
    return {"sha256": stored.sha256, "size": stored.size}
