"""From a row of the job table to the document that a caller sees."""

from datetime import datetime
from typing import cast

from app.api.schemas import (
    Audio,
    JobBody,
    JobError,
    JobEvent,
    JobModel,
    JobResult,
    Links,
    Progress,
    PublicStatus,
    UploadedFile,
)
from app.clock import utc_now
from app.events import Event, error_document, make_event
from app.jobs.states import ErrorCode, Status
from app.jobs.table import Job
from app.options import Options


def job_body(job: Job, *, event: Event | None = None, queue_position: int | None = None) -> JobBody:
    """The document of a job. `event` is fresher than the row while the job runs, and only then."""
    if event is None or job.status != Status.RUNNING or event["status"] != Status.RUNNING:
        event = event_of(job)
    return JobBody(
        id=job.id,
        status=public_status(job.status),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        expires_at=job.expires_at,
        file=UploadedFile(name=job.file_name, bytes=job.file_bytes, sha256=job.file_sha256),
        audio=Audio.model_validate(job.audio) if job.audio else None,
        model=JobModel(name=job.model_name, sha256=job.model_sha256),
        options=Options.model_validate(job.options),
        progress=progress_of(event, started_at=job.started_at, queue_position=queue_position),
        result=_result(job),
        error=JobError.model_validate(event["error"]) if event["error"] else None,
        links=links_of(job.id),
    )


def job_event(job_id: str, event: Event, *, started_at: datetime | None, queue_position: int | None) -> JobEvent:
    """The data of a server-sent event."""
    return JobEvent(
        id=job_id,
        status=public_status(event["status"]),
        progress=progress_of(event, started_at=started_at, queue_position=queue_position),
        error=JobError.model_validate(event["error"]) if event["error"] else None,
    )


def event_of(job: Job) -> Event:
    """What the row itself says of the job's progress."""
    return make_event(
        job.status,
        stage=job.stage if job.status == Status.RUNNING else None,
        seconds_done=job.seconds_done,
        seconds_total=job.seconds_total,
        error=error_document(ErrorCode(job.error_code), job.error_message or "") if job.error_code else None,
    )


def progress_of(event: Event, *, started_at: datetime | None, queue_position: int | None) -> Progress:
    """How far a job is."""
    done, total = event["seconds_done"], event["seconds_total"]
    return Progress(
        stage=event["stage"],
        percent=_percent(event["status"], done, total),
        seconds_done=round(done, 3),
        seconds_total=None if total is None else round(total, 3),
        eta_seconds=_eta(done, total, started_at) if event["status"] == Status.RUNNING else None,
        queue_position=queue_position,
    )


def links_of(job_id: str) -> Links:
    """Addresses of a job's parts."""
    base = f"/v1/transcriptions/{job_id}"
    return Links(
        self=base,
        events=f"{base}/events",
        midi=f"{base}/midi",
        piano_roll=f"{base}/piano-roll",
        notes_csv=f"{base}/notes.csv",
        score=f"{base}/score",
        audio=f"{base}/audio",
        peaks=f"{base}/peaks",
        decode=f"{base}/decode",
        notes=f"{base}/notes",
        versions=f"{base}/versions",
    )


def public_status(status: str) -> PublicStatus:
    """The status as callers know it; a job that is being deleted is never shown."""
    return cast(PublicStatus, str(status))


def _result(job: Job) -> JobResult | None:
    if job.result is None or job.revision is None:
        return None
    return JobResult(
        revision=job.revision,
        n_notes=job.result["n_notes"],
        warnings=job.result["warnings"],
        version=job.n_versions,
    )


def _percent(status: str, done: float, total: float | None) -> float:
    if status == Status.SUCCEEDED:
        return 100.0
    # Headers lie: more may be done than was announced.
    return round(min(99.9, 100 * done / total), 1) if total else 0.0


def _eta(done: float, total: float | None, started_at: datetime | None) -> float | None:
    if not total or done <= 0 or started_at is None:
        return None
    elapsed = (utc_now() - started_at).total_seconds()
    return round(max(0.0, elapsed * (total - done) / done), 1)
