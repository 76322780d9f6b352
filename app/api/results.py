"""Downloading what came out, and what went in."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.api.context import Context, InContext
from app.api.files import ServedFile, file_response
from app.api.lookup import FoundJob, FoundResult
from app.api.problems import documented
from app.errors import Gone, InvalidRequest, NotFound, NotReady, RangeNotSatisfiable
from app.file_names import stem
from app.jobs.table import Job
from app.jobs.versions import PIANO_ROLL, Version, versions_of
from app.storage.interface import NotStoredError, audio_key, peaks_key, result_key

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
# Type and ending of each file of a version.
RESULT_TYPES = {
    "notes.mid": ("audio/midi", ".mid"),
    "notes.csv": ("text/csv", ".csv"),
    PIANO_ROLL: ("application/json", ".json"),
    "piano-roll-frames.json": ("application/json", ".json"),
}
WhichVersion = Annotated[
    str,
    Query(
        pattern="^(newest|[0-9]{1,3})$",
        description="0 is what the service found, 1 and on are edited versions, `newest` the last of all.",
    ),
]
ROLL_EXAMPLE: dict[str, Any] = {
    "schema_version": 2,
    "duration": 180.24,
    "frame_rate": 41.666667,
    "lowest_pitch": 21,
    "highest_pitch": 108,
    "notes": [
        {
            "onset": 0.512,
            "offset": 1.024,
            "pitch": 60,
            "velocity": 80,
            "confidence": 0.97,
            "program": 40,
            "instrument": "violin",
            "instrument_confidence": 0.91,
        }
    ],
}
CSV_EXAMPLE = (
    "onset,offset,pitch,name,velocity,confidence,program,instrument,instrument_confidence\n"
    "0.512000,1.024000,60,C4,80,0.9700,40,violin,0.9100\n"
)


def file_responses(media_type: str, example: Any) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "object"} if media_type == "application/json" else {"type": "string"}
    content = {media_type: {"schema": schema, "example": example}}
    return documented(NotFound, Gone, NotReady, RangeNotSatisfiable) | {
        200: {"description": "The file.", "content": content},
        206: {"description": "The part that `Range` asked for.", "content": content},
        304: {"description": "The caller has it already (`If-None-Match`)."},
        307: {"description": "The store serves it at `Location`, where the service is set up like that."},
    }


@router.head("/piano-roll", include_in_schema=False)
@router.get("/piano-roll", response_class=Response, responses=file_responses("application/json", ROLL_EXAMPLE))
def piano_roll(
    request: Request,
    job: FoundResult,
    context: InContext,
    frames: Annotated[
        bool, Query(description="Also the network's frames, packed. Of version 0 only: edits have none.")
    ] = False,
    version: WhichVersion = "0",
) -> Response:
    """Download the notes with onset, offset (s), pitch, velocity, confidence and instrument as JSON."""
    if frames and version != "0":
        message = "an edited version has none; leave `version` out"
        raise InvalidRequest.of("frames", message)
    return result_response(request, context, job, "piano-roll-frames.json" if frames else PIANO_ROLL, version=version)


@router.head("/notes.csv", include_in_schema=False)
@router.get("/notes.csv", response_class=Response, responses=file_responses("text/csv", CSV_EXAMPLE))
def notes_csv(request: Request, job: FoundResult, context: InContext, version: WhichVersion = "0") -> Response:
    """Download the notes as a table."""
    return result_response(request, context, job, "notes.csv", version=version)


@router.head("/audio", include_in_schema=False)
@router.get("/audio", response_class=Response, responses=file_responses(BINARY, "(what was uploaded)"))
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


@router.head("/peaks", include_in_schema=False)
@router.get("/peaks", response_class=Response, responses=file_responses(BINARY, "(a byte for each hundredth)"))
def peaks(request: Request, job: FoundResult, context: InContext) -> Response:
    """Download how loud the recording is: the loudest sample of each hundredth of a second, a byte each.

    255 is full scale; the channels are averaged. A picture of the waveform is drawn from it.
    """
    facts = (job.audio or {}).get("peaks")
    if facts is None:
        raise NotFound("The recording was transcribed before its loudness was kept.")
    name = stem(job.file_name) + ".peaks"
    file = ServedFile(peaks_key(job.id), sha256=facts["sha256"], size=facts["size"], media_type=BINARY, name=name)
    try:
        return file_response(request, context.storage, file)
    except NotStoredError as error:
        raise NotFound("There is no such job.") from error


def result_response(request: Request, context: Context, job: Job, name: str, *, version: str) -> Response:
    """A file of a version. One that was replaced between reading the row and the file is looked up again."""
    media_type, ending = RESULT_TYPES[name]
    fresh: Job | None = job
    while fresh is not None and fresh.revision is not None and fresh.files is not None:
        chosen = chosen_version(fresh, version)
        facts = chosen.files[name]
        file = ServedFile(
            key=result_key(job.id, chosen.revision, name),
            sha256=facts["sha256"],
            size=facts["size"],
            media_type=media_type,
            name=stem(job.file_name) + (f" (version {chosen.number})" if chosen.number else "") + ending,
        )
        try:
            return file_response(request, context.storage, file)
        except NotStoredError:
            revision, fresh = fresh.revision, context.jobs.get(job.id)
            if fresh is not None and fresh.revision == revision:
                raise
    raise NotFound("There is no such job.")


def chosen_version(job: Job, version: str) -> Version:
    """The version that a caller means."""
    versions = versions_of(job)
    number = len(versions) - 1 if version == "newest" else int(version)
    if number >= len(versions):
        raise NotFound(f"There is no version {number}; the newest is {len(versions) - 1}.")
    return versions[number]
