"""The task behind a score: the notes of a version read as music, written and engraved."""

import io
import json
import logging
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

from app.file_names import stem
from app.jobs.states import Status
from app.jobs.table import Job
from app.jobs.versions import PIANO_ROLL, versions_of
from app.notation import SCORE_FACTS, Notation
from app.replies import send_reply
from app.storage.interface import NotStoredError, result_key, revision_prefix, score_key, scores_prefix
from app.worker.results import put_file
from app.worker.runtime import Runtime
from model.notation.analysis import analyse
from model.notation.types import NotationOptions
from model.note import Note
from model.score.files import write_score

log = logging.getLogger(__name__)

# Of one version. One more, and those that were made before are forgotten.
MOST_SCORES = 8
NOTE_FIELDS = frozenset(field.name for field in fields(Note))


def score(runtime: Runtime, job_id: str, request_id: str, revision: str, notation: dict[str, Any]) -> None:
    """Write a score, unless it is there, and tell the request that waits."""
    wanted = Notation.model_validate(notation)
    try:
        outcome = _score(runtime, job_id, revision, wanted)
    except Exception:
        log.exception("job %s: the score could not be written", job_id)
        outcome = "failed"
    send_reply(runtime.redis, request_id, outcome)


def _score(runtime: Runtime, job_id: str, revision: str, wanted: Notation) -> str:
    job = runtime.jobs.get(job_id)
    if job is None or not _has(job, revision):
        return "gone"
    if runtime.storage.exists(score_key(job_id, revision, wanted.digest, SCORE_FACTS)):
        return "done"
    try:
        with runtime.storage.local_copy(result_key(job_id, revision, PIANO_ROLL)) as path:
            roll = json.loads(path.read_bytes())
    except NotStoredError:
        return "gone"  # deleted in the meantime
    if len(list(runtime.storage.folders(scores_prefix(job_id, revision)))) >= MOST_SCORES:
        runtime.storage.delete(scores_prefix(job_id, revision))
    _store(runtime, job, revision, wanted, roll)
    present = runtime.jobs.get(job_id)
    if present is None or not _has(present, revision):
        runtime.storage.delete(revision_prefix(job_id, revision))
        return "gone"
    return "done"


def _store(runtime: Runtime, job: Job, revision: str, wanted: Notation, roll: dict[str, Any]) -> None:
    rhythm, names = analyse(_notes(roll), overrides=_options(wanted)), roll.get("track_names")
    with tempfile.TemporaryDirectory(dir=runtime.settings.temporary, prefix="score-") as name:
        folder = Path(name)
        write_score(rhythm, folder, title=stem(job.file_name), track_names=names)
        facts = {
            path.name: put_file(runtime, score_key(job.id, revision, wanted.digest, path.name), path)
            for path in sorted(folder.iterdir())
        }
    runtime.storage.put(score_key(job.id, revision, wanted.digest, SCORE_FACTS), io.BytesIO(json.dumps(facts).encode()))


def _has(job: Job, revision: str) -> bool:
    """Whether a version of the job still has these files."""
    return job.status == Status.SUCCEEDED and revision in [version.revision for version in versions_of(job)]


def _notes(roll: dict[str, Any]) -> list[Note]:
    """The notes of a piano roll; what else it says of a note is for others."""
    return [Note(**{name: value for name, value in note.items() if name in NOTE_FIELDS}) for note in roll["notes"]]


def _options(wanted: Notation) -> NotationOptions:
    numerator, _, denominator = (wanted.time_signature or "").partition("/")
    return NotationOptions(
        tempo=wanted.tempo,
        metre=(int(numerator), int(denominator)) if denominator else None,
        key=wanted.key,
        first_downbeat=wanted.first_downbeat,
        detail=wanted.detail,
    )
