"""Creating, listing, reading and deleting transcriptions."""

import base64
import binascii
import functools
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from kombu.exceptions import KombuError
from pydantic import Field
from redis import RedisError
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from starlette.status import HTTP_200_OK, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from app.api.admission import admission
from app.api.caller import Caller, InCaller
from app.api.context import Context, InContext
from app.api.idempotency import IdempotencyKey, file_sha256, fingerprint, in_flight, request_key, require_same
from app.api.length import guess_seconds
from app.api.limits import refuse_beyond
from app.api.lookup import FoundJob
from app.api.problems import documented
from app.api.query import refuse_other_query_fields
from app.api.schemas import JobBody, JobPage
from app.api.upload_limit import too_large
from app.api.views import job_body
from app.api.waiting import InWait, wait_for_end
from app.catalogue import ModelEntry
from app.clock import utc_now
from app.errors import Gone, InvalidRequest, NotFound, OutOfSpace, RequestInFlight
from app.events import error_document, forget, last_event, make_event, publish
from app.file_names import clean_name, sent_name
from app.jobs.sharing import Turns
from app.jobs.states import TERMINAL, ErrorCode, Status
from app.jobs.table import Job
from app.lanes import Lane
from app.logs import add_ids, present_request_id
from app.metrics import JOBS_ENDED, count
from app.options import HearingRequest
from app.queue import send_transcription
from app.storage.interface import Stored, audio_key, job_prefix

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/transcriptions", tags=["transcriptions"])

LARGEST_PAGE = 100
# Lists, which a form may also send a part at a time.
REPEATABLE = {"instruments"}


class TranscriptionForm(HearingRequest):
    """The multipart form of a new transcription."""

    file: Annotated[
        UploadFile,
        Field(description="The recording: wav, aiff, flac, mp3, ogg, opus, m4a, webm, or a video with sound."),
    ]
    model: Annotated[
        str | None, Field(max_length=100, description="Name of a checkpoint of /v1/models. Default: its default.")
    ] = None


async def refuse_repeated_fields(request: Request) -> None:
    """A form may name a field twice; taking one of the two in silence would be a guess."""
    form = await request.form()
    repeated = sorted({name for name in form if len(form.getlist(name)) > 1} - REPEATABLE)
    if repeated:
        errors = [{"field": name, "message": "was sent more than once"} for name in repeated]
        raise InvalidRequest(f"{', '.join(repeated)}: sent more than once", errors=errors)


@router.post(
    "",
    status_code=HTTP_202_ACCEPTED,
    response_model=JobBody,
    responses=documented(Gone, RequestInFlight, OutOfSpace)
    | {
        200: {
            "description": "The job, ended within the time that `Prefer: wait=N` gave it.",
            "model": JobBody,
        },
        202: {
            "description": "Accepted: the recording is stored and the job will run.",
            "headers": {
                "Location": {"description": "Address of the job.", "schema": {"type": "string"}},
                "Retry-After": {"description": "Seconds to wait before asking.", "schema": {"type": "integer"}},
                "Idempotency-Replayed": {
                    "description": "`true` where the job was made by an earlier request with this Idempotency-Key.",
                    "schema": {"type": "string"},
                },
            },
        },
    },
    dependencies=[Depends(refuse_repeated_fields)],
)
async def create(
    form: Annotated[TranscriptionForm, Form(media_type="multipart/form-data")],
    context: InContext,
    caller: InCaller,
    response: Response,
    wait: InWait,
    idempotency_key: IdempotencyKey = None,
) -> JobBody:
    """Upload a recording to be transcribed.

    The job is durable when 202 is answered. What is wrong with the sound itself shows in the job's `error`.
    """
    if idempotency_key is None:
        job, is_new = await run_in_threadpool(_create, context, caller, form), True
    else:
        job, is_new = await run_in_threadpool(_create_once, context, caller, form, idempotency_key)
    if not is_new:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = f"{router.prefix}/{job.id}"
    job = await wait_for_end(context, job, wait)
    if job.status in TERMINAL:
        response.status_code = HTTP_200_OK if wait else HTTP_202_ACCEPTED
    else:
        response.headers["Retry-After"] = "1"
    return await run_in_threadpool(_present, context, job)


@router.get("", response_model=JobPage, responses=documented(), dependencies=[Depends(refuse_other_query_fields)])
def list_jobs(
    context: InContext,
    caller: InCaller,
    page_size: Annotated[
        int, Query(ge=1, description=f"Jobs per page; more than {LARGEST_PAGE} gives {LARGEST_PAGE}.")
    ] = 20,
    page_token: Annotated[str, Query(max_length=200, description="`next_page_token` of the page before.")] = "",
) -> JobPage:
    """List the caller's jobs, newest first."""
    size = min(page_size, LARGEST_PAGE)
    jobs = context.jobs.page(owner=caller.owner, size=size + 1, after=_read_token(page_token))
    shown = jobs[:size]
    token = _make_token(shown[-1]) if len(jobs) > size else ""
    turns = functools.cache(context.sharing.turns)  # once for all
    return JobPage(transcriptions=[_present(context, job, turns) for job in shown], next_page_token=token)


@router.get("/{job_id}", response_model=JobBody, responses=documented(NotFound, Gone))
async def read(job: FoundJob, context: InContext, wait: InWait) -> JobBody:
    """Read a job: status, progress, and links to its results."""
    job = await wait_for_end(context, job, wait)
    return await run_in_threadpool(_present, context, job)


@router.delete("/{job_id}", status_code=HTTP_204_NO_CONTENT, responses=documented(NotFound, Gone))
def delete(job: FoundJob, context: InContext) -> None:
    """Cancel a queued or running job, or delete a finished one.

    Audio and results are removed in both cases. A cancelled job can still be read, and deleted by a second request; a
    deleted one answers 404 from then on.
    """
    add_ids(job_id=job.id)
    if context.jobs.cancel(job.id):
        count(context.redis, JOBS_ENDED, status=Status.CANCELLED, error_code=ErrorCode.CANCELLED)
        context.storage.delete(job_prefix(job.id))
        error = error_document(ErrorCode.CANCELLED, "The job was cancelled.")
        publish(context.redis, job.id, make_event(Status.CANCELLED, error=error))
    elif context.jobs.mark_deleted(job.id):
        context.storage.delete(job_prefix(job.id))
        forget(context.redis, job.id)
        context.jobs.remove(job.id)


def _create(context: Context, caller: Caller, form: TranscriptionForm, request: str | None = None) -> Job:
    """Store the recording, make its job durable, and tell the workers."""
    if caller.submitter is not None:
        refuse_beyond(context.settings, context.sharing.usage(caller.submitter))
    model = _chosen_model(context, form.model)
    job_id = secrets.token_urlsafe(16)
    stored = _store(context, job_id, form.file)
    job = _new_job(context, caller, job_id, form, model, stored)
    if request is not None:
        job.request_key, job.request_sha256 = request, fingerprint(stored.sha256, form.model, form)
    try:
        context.jobs.add(job, admit=admission(context.settings, caller, model))
    except (OperationalError, InterfaceError):
        kept = _kept_after_all(context, job_id)
        if kept is None:
            raise
        job = kept
    except BaseException:
        context.storage.delete(job_prefix(job_id))
        raise
    add_ids(job_id=job_id)
    log.info("job %s: accepted, %d bytes", job_id, stored.size)
    _announce(context, job)
    return job


def _kept_after_all(context: Context, job_id: str) -> Job | None:
    """The job, where it is durable although the database's word on it was lost.

    Where the database does not tell, the recording stays; one without a job is removed after a day.
    """
    try:
        kept = context.jobs.get(job_id)
    except SQLAlchemyError:
        return None
    if kept is None:
        context.storage.delete(job_prefix(job_id))
    return kept


def _create_once(context: Context, caller: Caller, form: TranscriptionForm, key: str) -> tuple[Job, bool]:
    """The job of an Idempotency-Key, and whether this request made it."""
    request = request_key(caller, key)
    first = context.jobs.by_request_key(request)
    if first is None:
        with in_flight(context, request):
            try:
                return _create(context, caller, form, request), True
            except IntegrityError:
                first = context.jobs.by_request_key(request)
                if first is None:
                    raise
    require_same(first, fingerprint(file_sha256(form.file.file), form.model, form))
    return first, False


def _chosen_model(context: Context, name: str | None) -> ModelEntry:
    catalogue = context.models.catalogue()
    model = catalogue.get(name)
    if model is None:
        message = f"there is no such model; there are {catalogue.names()}"
        raise InvalidRequest.of("model", message)
    return model


def _store(context: Context, job_id: str, file: UploadFile) -> Stored:
    if file.size == 0:
        raise InvalidRequest.of("file", "is empty")
    if (file.size or 0) > context.settings.max_upload_bytes:
        raise too_large(context.settings.max_upload_bytes)
    return context.storage.put(audio_key(job_id), file.file)


def _new_job(
    context: Context, caller: Caller, job_id: str, form: TranscriptionForm, model: ModelEntry, stored: Stored
) -> Job:
    now = utc_now()
    return Job(
        id=job_id,
        owner=caller.owner,
        submitter=caller.submitter,
        request_id=present_request_id(),
        traceparent=context.tracing.present(),
        status=Status.QUEUED,
        created_at=now,
        queued_at=now,
        expires_at=now + timedelta(days=context.settings.retention_days),
        file_name=clean_name(sent_name(form.file.filename)),
        file_bytes=stored.size,
        file_sha256=stored.sha256,
        seconds_expected=guess_seconds(form.file.file, stored.size, longest=context.settings.max_seconds),
        model_name=model.name,
        model_sha256=model.sha256,
        options=form.resolve(model.decoding).model_dump(),
        seconds_done=0.0,
        attempts=0,
        files_gone=False,
    )


def _announce(context: Context, job: Job) -> None:
    """Tell the workers. Where that fails the sweeper does it later: the job is safe already."""
    publish(context.redis, job.id, make_event(Status.QUEUED))
    try:
        send_transcription(context.celery, job.id, 0, context.sharing.lanes.of(job))
    except (KombuError, RedisError, OSError) as error:
        log.warning("job %s is stored but not announced: %s", job.id, error)
    except Exception:  # whoever is told of an error sends the recording again
        log.exception("job %s is stored but not announced", job.id)


def _present(context: Context, job: Job, turns: Callable[[Lane], Turns] | None = None) -> JobBody:
    event = last_event(context.redis, job.id) if job.status == Status.RUNNING else None
    position = context.sharing.position(job, turns) if job.status == Status.QUEUED else None
    return job_body(job, event=event, queue_position=position)


def _make_token(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()}|{job.id}".encode()).decode()


def _read_token(token: str) -> tuple[datetime, str] | None:
    if not token:
        return None
    try:
        created, _, job_id = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii").partition("|")
        moment = datetime.fromisoformat(created)
        if moment.tzinfo is None or "\0" in job_id:
            raise ValueError("not one of ours")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError, binascii.Error) as error:
        message = "is not a token of this list"
        raise InvalidRequest.of("page_token", message) from error
    return moment, job_id
