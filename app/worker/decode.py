"""The task behind a new decoding: stored activations, other options, a new revision of the results."""

import logging
from typing import Any

from app.jobs.repository import ResultFiles
from app.jobs.states import Status
from app.jobs.table import Job
from app.options import Options
from app.replies import send_reply
from app.storage.interface import NotStoredError, activations_key, revision_prefix
from app.worker.results import kept_after_all, store_results
from app.worker.runtime import Runtime

log = logging.getLogger(__name__)


def decode(runtime: Runtime, job_id: str, request_id: str, options: dict[str, Any]) -> None:
    """Decode again and tell the request that waits. The request's id names the revision."""
    try:
        outcome = _decode(runtime, job_id, request_id, Options.model_validate(options))
    except Exception:
        log.exception("job %s: new decoding failed", job_id)
        outcome = "done" if kept_after_all(runtime, job_id, request_id) else "failed"
    send_reply(runtime.redis, request_id, outcome)


def _decode(runtime: Runtime, job_id: str, revision: str, options: Options) -> str:
    job = runtime.jobs.get(job_id)
    if job is None or job.status != Status.SUCCEEDED or job.result is None:
        return "gone"
    warnings = job.result.get("audio_warnings", [])
    try:
        with runtime.storage.local_copy(activations_key(job_id)) as activations:
            new = store_results(runtime, job, activations, options=options, revision=revision, warnings=warnings)
    except NotStoredError:
        return "gone"  # deleted in the meantime
    if not _replace(runtime, job, new, options):
        runtime.storage.delete(revision_prefix(job_id, revision))
        return "gone"
    return "done"


def _replace(runtime: Runtime, job: Job, new: ResultFiles, options: Options) -> bool:
    """Put the new revision in the place of whichever is there now: of two at once the later one stays, whole."""
    present: Job | None = job
    while present is not None and present.status == Status.SUCCEEDED:
        old = present.revision
        if runtime.jobs.replace_results(job.id, replaced=old, new=new, options=options.model_dump()):
            if old is not None:
                _delete_old(runtime, job.id, old)
            return True
        present = runtime.jobs.get(job.id)
    return False


def _delete_old(runtime: Runtime, job_id: str, revision: str) -> None:
    """The new revision is in its place: that the old one cannot be deleted just now must not undo it."""
    try:
        runtime.storage.delete(revision_prefix(job_id, revision))
    except OSError:
        log.exception("job %s: its former results %s stay in the store until it is deleted", job_id, revision)
