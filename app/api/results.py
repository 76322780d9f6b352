"""Downloading what came out, and what went in."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.api.context import Context, InContext
from app.api.files import ServedFile, file_response
from app.api.lookup import FoundJob, FoundResult
from app.api.problems import documented
from app.errors import Gone, NotFound, NotReady, RangeNotSatisfiable
from app.file_names import stem
from app.jobs.table import Job
from app.storage.interface import NotStoredError, audio_key, result_key

router = APIRouter(prefix="/v1/transcriptions/{job_id}", tags=["results"])

BINARY = "application/octet-stream"
# By the demuxer's first name. What else was uploaded is served as bytes: the client's word for it is not to be trusted.
AUDIO_TYPES = {
    "wav": "audio/wav",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "mov": "audio/mp4",
    "mp4": "audio/mp4",
    "aac": "audio/aac",
    "matroska": "audio/webm",
    "webm": "audio/webm",
}
MIDI_EXAMPLE = "(a standard MIDI file)"
ROLL_EXAMPLE = {
    "notes": [{"onset": 0.512, "offset": 1.024, "pitch": 60, "velocity": 80, "confidence": 0.97}],
}
CSV_EXAMPLE = "onset,offset,pitch,velocity,confidence\n0.512,1.024,60,80,0.97\n"


def _file_responses(media_type: str, example: Any) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "object"} if media_type == "application/json" else {"type": "string"}
    content = {media_type: {"schema": schema, "example": example}}
    return documented(NotFound, Gone, NotReady, RangeNotSatisfiable) | {
        200: {"description": "The file.", "content": content},
        206: {"description": "The part that `Range` asked for.", "content": content},
        304: {"description": "The caller has it already (`If-None-Match`)."},
    }


@router.head("/midi", include_in_schema=False)
@router.get("/midi", response_class=Response, responses=_file_responses("audio/midi", MIDI_EXAMPLE))
def midi(request: Request, job: FoundResult, context: InContext) -> Response:
    """Download the notes as a standard MIDI file."""
    return _result(request, context, job, "notes.mid", "audio/midi", ".mid")


@router.head("/piano-roll", include_in_schema=False)
@router.get("/piano-roll", response_class=Response, responses=_file_responses("application/json", ROLL_EXAMPLE))
def piano_roll(
    request: Request,
    job: FoundResult,
    context: InContext,
    frames: Annotated[bool, Query(description="Also the network's frames, packed.")] = False,
) -> Response:
    """Download the notes with onset, offset (s), pitch, velocity and confidence as JSON."""
    name = "piano-roll-frames.json" if frames else "piano-roll.json"
    return _result(request, context, job, name, "application/json", ".json")


@router.head("/notes.csv", include_in_schema=False)
@router.get("/notes.csv", response_class=Response, responses=_file_responses("text/csv", CSV_EXAMPLE))
def notes_csv(request: Request, job: FoundResult, context: InContext) -> Response:
    """Download the notes as a table."""
    return _result(request, context, job, "notes.csv", "text/csv", ".csv")


@router.head("/audio", include_in_schema=False)
@router.get("/audio", response_class=Response, responses=_file_responses(BINARY, "(what was uploaded)"))
def audio(request: Request, job: FoundJob, context: InContext) -> Response:
    """Download what was uploaded."""
    container = (job.audio or {}).get("container", "").split(",")[0]
    file = ServedFile(
        key=audio_key(job.id),
        sha256=job.file_sha256,
        size=job.file_bytes,
        media_type=AUDIO_TYPES.get(container, BINARY),
        name=job.file_name,
    )
    try:
        return file_response(request, context.storage, file)
    except NotStoredError as error:
        raise NotReady("The job was cancelled; its audio was removed.") from error


def _result(request: Request, context: Context, job: Job, name: str, media_type: str, ending: str) -> Response:
    """A file of the present revision. One that was replaced between reading the row and the file is looked up again."""
    fresh: Job | None = job
    while fresh is not None and fresh.revision is not None and fresh.files is not None:
        revision, facts = fresh.revision, fresh.files[name]
        file = ServedFile(
            key=result_key(job.id, revision, name),
            sha256=facts["sha256"],
            size=facts["size"],
            media_type=media_type,
            name=stem(job.file_name) + ending,
        )
        try:
            return file_response(request, context.storage, file)
        except NotStoredError:
            fresh = context.jobs.get(job.id)
            if fresh is not None and fresh.revision == revision:
                raise
    raise NotFound("There is no such job.")
