"""From the id in an address to the job, or to the right refusal."""

import re
from typing import Annotated

from fastapi import Depends, Path

from app.api.caller import InCaller
from app.api.context import InContext
from app.errors import Gone, NotFound, NotReady
from app.jobs.states import Status
from app.jobs.table import Job

# 128 random bits in URL-safe Base64.
JOB_ID = re.compile(r"[A-Za-z0-9_-]{22}")

JobId = Annotated[str, Path(description="The job's `id`.", examples=["q3fX0mI0R2uVJm4s9o3f7Q"])]


def find_job(job_id: JobId, context: InContext, caller: InCaller) -> Job:
    """The job of an id. What was never ours does not even reach the database, and another's does not exist."""
    job = context.jobs.get(job_id) if JOB_ID.fullmatch(job_id) else None
    if job is None or job.status == Status.DELETED or job.owner != caller.owner:
        raise NotFound("There is no such job.")
    if job.status == Status.EXPIRED:
        raise Gone(f"The job expired on {job.expires_at.isoformat()}.")
    return job


def find_result(job: Annotated[Job, Depends(find_job)]) -> Job:
    """The job of an id, with results."""
    if job.status != Status.SUCCEEDED:
        raise NotReady(_why_not(job))
    return job


def _why_not(job: Job) -> str:
    if job.status == Status.FAILED:
        return f"The job failed and has no result: {job.error_message}"
    if job.status == Status.CANCELLED:
        return "The job was cancelled and has no result."
    return f"The job is {job.status}; it has no result yet."


FoundJob = Annotated[Job, Depends(find_job)]
FoundResult = Annotated[Job, Depends(find_result)]
