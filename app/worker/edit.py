"""The task behind a saved edit: notes that a person has changed, written as a version of their own."""

import json
import logging

from app.clock import utc_now
from app.jobs.states import Status
from app.jobs.versions import version_document
from app.replies import send_reply
from app.storage.interface import NotStoredError, activations_key, edit_key, revision_prefix
from app.worker.results import store_edited
from app.worker.runtime import Runtime
from model.note import Note

log = logging.getLogger(__name__)


def edit(runtime: Runtime, job_id: str, request_id: str, base: int) -> None:
    """Write a version and tell the request that waits. The request's id names the revision."""
    try:
        outcome = _edit(runtime, job_id, request_id, base)
    except Exception:
        log.exception("job %s: the edited notes could not be written", job_id)
        outcome = "failed"
    if outcome != "done":
        runtime.storage.delete(revision_prefix(job_id, request_id))
    send_reply(runtime.redis, request_id, outcome)


def _edit(runtime: Runtime, job_id: str, request_id: str, base: int) -> str:
    job = runtime.jobs.get(job_id)
    if job is None or job.status != Status.SUCCEEDED:
        return "gone"
    if job.n_versions != base:
        return "overtaken"
    try:
        with runtime.storage.local_copy(edit_key(job_id, request_id)) as path:
            notes = [Note(**note) for note in json.loads(path.read_bytes())]
        with runtime.storage.local_copy(activations_key(job_id)) as activations:
            new = store_edited(runtime, job, notes, activations, revision=request_id)
    except NotStoredError:
        return "gone"  # deleted in the meantime, or nobody waits any more
    return "done" if runtime.jobs.add_version(job, version_document(new, utc_now())) else "overtaken"
