"""Decoding notes again from the stored activations."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.concurrency import run_in_threadpool

from app.api.asking import outcome_of
from app.api.caller import InCaller
from app.api.context import InContext
from app.api.lookup import FoundResult, find_job, find_result
from app.api.problems import documented
from app.api.schemas import JobBody
from app.api.views import job_body
from app.errors import Gone, InternalProblem, NotFound, NotReady
from app.options import Decoding, Options, OptionsRequest
from app.queue import send_decoding

router = APIRouter(prefix="/v1/transcriptions/{job_id}", tags=["results"])

DECODE_EXAMPLES: dict[str, Any] = {
    "stricter": {"value": {"onset_threshold": 0.6, "min_note_ms": 80}},
    "string quartet": {"value": {"instruments": ["violin", "viola", "cello"]}},
}


@router.post("/decode", response_model=JobBody, responses=documented(NotFound, Gone, NotReady))
async def decode(
    job: FoundResult,
    context: InContext,
    caller: InCaller,
    wanted: Annotated[OptionsRequest | None, Body(openapi_examples=DECODE_EXAMPLES)] = None,
) -> JobBody:
    """Decode the notes again with other options, without running the network.

    What is absent takes the model's default, not the job's former value: the same request always gives the same notes.
    Where another checkpoint has taken the model's name since, the job's former values stay. The new notes become the
    job's result.
    """
    catalogue = await run_in_threadpool(context.models.catalogue)
    model = catalogue.get(job.model_name)
    same = model if model and model.sha256 == job.model_sha256 else None
    defaults = same.decoding if same else Decoding.model_validate(job.options)
    was_heard = {"a4_hz": Options.model_validate(job.options).a4_hz}
    options = (wanted or OptionsRequest()).resolve(defaults).model_copy(update=was_heard)
    request_id = secrets.token_urlsafe(16)
    outcome = await outcome_of(
        context, request_id, send_decoding, context.celery, job.id, request_id, options.model_dump()
    )
    fresh = find_result(await run_in_threadpool(find_job, job.id, context, caller))  # it may be deleted by now
    if outcome != "done":
        raise InternalProblem("The notes could not be decoded again.")
    return job_body(fresh)
