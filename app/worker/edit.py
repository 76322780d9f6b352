"""The task behind a saved edit: notes that a person has changed, written as a version of their own."""

import json
import logging
from typing import Any

from app.clock import utc_now
from app.jobs.states import Status
from app.jobs.table import Job
from app.jobs.versions import PIANO_ROLL, version_document, versions_of
from app.replies import send_reply
from app.storage.interface import NotStoredError, activations_key, edit_key, result_key, revision_prefix
from app.worker.results import kept_after_all, store_edited
from app.worker.runtime import Runtime
from model.note import Note

log = logging.getLogger(__name__)


def edit(runtime: Runtime, job_id: str, request_id: str, base: int) -> None:
    """Write a version and tell the request that waits. The request's id names the revision."""
    try:
        outcome = _edit(runtime, job_id, request_id, base)
    except Exception:
        log.exception("job %s: the edited notes could not be written", job_id)
        outcome = "done" if kept_after_all(runtime, job_id, request_id) else "failed"
    send_reply(runtime.redis, request_id, outcome)


def _edit(runtime: Runtime, job_id: str, request_id: str, base: int) -> str:
    job = runtime.jobs.get(job_id)
    if job is None or job.status != Status.SUCCEEDED:
        return "gone"
    if job.n_versions != base:
        return "overtaken"
    try:
        wanted = _read(runtime, edit_key(job_id, request_id))
        present = _present(runtime, job)
        notes = with_instruments(wanted["notes"], present["notes"])
        names = present.get("track_names", {}) if wanted["track_names"] is None else wanted["track_names"]
        with runtime.storage.local_copy(activations_key(job_id)) as activations:
            new = store_edited(runtime, job, notes, activations, track_names=names, revision=request_id)
    except NotStoredError:
        return "gone"  # deleted in the meantime, or nobody waits any more
    if runtime.jobs.add_version(job, version_document(new, utc_now())):
        return "done"
    runtime.storage.delete(revision_prefix(job_id, request_id))
    return "overtaken"


def with_instruments(wanted: list[dict[str, Any]], present: list[dict[str, Any]]) -> list[Note]:
    """The wanted notes; one that names no instrument has that of the present note at its onset and pitch, else piano.

    Present notes that were written before there were instruments are a piano's.
    """
    players = {
        (note["onset"], note["pitch"]): (note.get("program", 0), note.get("instrument_confidence", 1.0))
        for note in present
    }
    notes = []
    for note in wanted:
        program, confidence = note["program"], note["instrument_confidence"]
        if program is None:
            program, known = players.get((note["onset"], note["pitch"]), (0, 1.0))
            confidence = known if confidence is None else confidence
        player = {"program": program, "instrument_confidence": 1.0 if confidence is None else confidence}
        notes.append(Note(**note | player))
    return notes


def _present(runtime: Runtime, job: Job) -> Any:
    """The piano roll of the newest notes. Where those were replaced just now by another decoding, the new ones."""
    newest = versions_of(job)[-1]
    try:
        return _read(runtime, result_key(job.id, newest.revision, PIANO_ROLL))
    except NotStoredError:
        fresh = runtime.jobs.get(job.id)
        if fresh is None or fresh.status != Status.SUCCEEDED or versions_of(fresh)[-1].revision == newest.revision:
            raise
        return _present(runtime, fresh)


def _read(runtime: Runtime, key: str) -> Any:
    with runtime.storage.local_copy(key) as path:
        return json.loads(path.read_bytes())
