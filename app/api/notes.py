"""Edited notes: reading the newest, replacing them, listing all versions."""

import io
import secrets
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Self

from fastapi import APIRouter, Body, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.api.asking import outcome_of
from app.api.caller import InCaller
from app.api.context import InContext
from app.api.limits import refuse_more_bytes
from app.api.lookup import FoundResult, find_job, find_result
from app.api.problems import documented
from app.api.results import ROLL_EXAMPLE, file_responses, result_response
from app.errors import (
    Gone,
    InternalProblem,
    InvalidRequest,
    NotFound,
    NotReady,
    OutOfSpace,
    PreconditionFailed,
    PreconditionRequired,
    TooManyVersions,
)
from app.instruments import PROGRAMS, InstrumentName
from app.jobs.table import Job
from app.jobs.versions import MOST_VERSIONS, Version, versions_of
from app.options import Pitch
from app.queue import send_edit
from app.storage.interface import edit_key

router = APIRouter(prefix="/v1/transcriptions/{job_id}", tags=["notes"])

MOST_NOTES = 100_000
# The last note may end a little behind the last sample, as the network's last frame does.
OVERHANG_SECONDS = 1.0
# What the piano roll says beside its notes.
ROLL_FACTS = frozenset({"schema_version", "duration", "frame_rate", "lowest_pitch", "highest_pitch"})
MOMENT = Field(ge=0, allow_inf_nan=False)
PROGRAM_LIST = ", ".join(f"{program} ({name})" for name, program in PROGRAMS.items())
UNNAMED = (
    "A note that names no instrument keeps that of the note at its onset and pitch, and is a piano's where none is."
)
NOTES_EXAMPLE: dict[str, Any] = {"notes": ROLL_EXAMPLE["notes"], "track_names": {"violin": "Violin I"}}
# No control characters: a name goes into files that other programs read.
TrackName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _known(program: int) -> int:
    if program not in PROGRAMS.values():
        raise ValueError(f"{program} is none of {PROGRAM_LIST}")
    return program


class NoteBody(BaseModel):
    """One note."""

    model_config = ConfigDict(extra="forbid")

    onset: Annotated[float, MOMENT, Field(description="Seconds from the start of the recording.")]
    offset: Annotated[float, MOMENT, Field(description="Seconds, after the onset.")]
    pitch: Annotated[Pitch, Field(description="MIDI note number; 60 is C4.")]
    velocity: Annotated[int, Field(ge=1, le=127)]
    confidence: Annotated[
        float, Field(ge=0, le=1, allow_inf_nan=False, description="1 for a note that a person has set.")
    ] = 1.0
    program: Annotated[
        Annotated[int, AfterValidator(_known)] | None,
        Field(description=f"General MIDI program, 0-based: {PROGRAM_LIST}. {UNNAMED}", examples=[40]),
    ] = None
    instrument: Annotated[
        InstrumentName | None, Field(description="The program's name; either of the two is enough.")
    ] = None
    instrument_confidence: Annotated[
        float | None,
        Field(ge=0, le=1, allow_inf_nan=False, description="1 where a person has set the instrument. Default: 1."),
    ] = None

    @model_validator(mode="after")
    def _one_instrument(self) -> Self:
        """From here on the program says it alone."""
        named = None if self.instrument is None else PROGRAMS[self.instrument]
        if named is not None and self.program not in (None, named):
            raise ValueError(f"program {self.program} is not {self.instrument}, which is {named}; send one of the two")
        self.program = self.program if named is None else named
        return self


class NotesRequest(BaseModel):
    """A whole note list; it replaces the one that is there."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": NOTES_EXAMPLE})

    notes: Annotated[list[NoteBody], Field(max_length=MOST_NOTES)]
    track_names: Annotated[
        dict[InstrumentName, TrackName] | None,
        Field(
            description="What the tracks of instruments are called in the files, for those that are not called after "
            "their instrument. Default: as they are called now."
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _as_read(cls, body: Any) -> Any:
        """What a piano roll says beside its notes goes back with them, and changes nothing."""
        if not isinstance(body, dict):
            return body
        return {name: value for name, value in body.items() if name not in ROLL_FACTS}

    def for_worker(self) -> bytes:
        """As the worker reads them, JSON."""
        return self.model_dump_json(exclude={"notes": {"__all__": {"instrument"}}}).encode()

    @model_validator(mode="after")
    def _notes_last(self) -> Self:
        """Times are kept to the microsecond, and so they are compared."""
        for index, note in enumerate(self.notes):
            note.onset, note.offset = round(note.onset, 6), round(note.offset, 6)
            if note.offset <= note.onset:
                raise ValueError(f"note {index} must end after it begins, got {note.onset} and {note.offset}")
        return self

    @model_validator(mode="after")
    def _one_pitch_sounds_once(self) -> Self:
        by_pitch = sorted(self.notes, key=lambda note: (note.pitch, note.onset))
        for before, after in pairwise(by_pitch):
            if before.pitch == after.pitch and after.onset < before.offset:
                raise ValueError(
                    f"notes of one pitch must not overlap: {before.pitch} sounds from {before.onset} to "
                    f"{before.offset} and again from {after.onset}; end the first one earlier"
                )
        return self


class VersionLinks(BaseModel):
    """Addresses of a version's files."""

    midi: str
    piano_roll: str
    notes_csv: str


class VersionBody(BaseModel):
    """One note list of a job."""

    number: int = Field(description="0 is what the service found; edited ones count from 1.")
    created_at: datetime
    n_notes: int
    etag: str = Field(description="Send it as `If-Match` to replace this version by a newer one.")
    links: VersionLinks


VERSION_EXAMPLE: dict[str, Any] = {
    "number": 1,
    "created_at": "2026-03-01T09:41:12Z",
    "n_notes": 1040,
    "etag": '"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"',
    "links": {
        "midi": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/midi?version=1",
        "piano_roll": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/piano-roll?version=1",
        "notes_csv": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/notes.csv?version=1",
    },
}


class VersionSaved(VersionBody):
    """The version that was made."""

    model_config = ConfigDict(json_schema_extra={"example": VERSION_EXAMPLE})


class VersionList(BaseModel):
    """All note lists of a job, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"versions": [VERSION_EXAMPLE]}})

    versions: list[VersionBody]


@router.head("/notes", include_in_schema=False)
@router.get("/notes", response_class=Response, responses=file_responses("application/json", ROLL_EXAMPLE))
def newest_notes(request: Request, job: FoundResult, context: InContext) -> Response:
    """Download the newest notes: the last edited version, or what the service found where there is none.

    The `ETag` is what a `PUT` to this address has to name.
    """
    return result_response(request, context, job, "piano-roll.json", version="newest")


@router.get("/versions", response_model=VersionList, responses=documented(NotFound, Gone, NotReady))
def list_versions(job: FoundResult) -> VersionList:
    """List the note lists of a job, newest first."""
    return VersionList(versions=[_body(job.id, version) for version in reversed(versions_of(job))])


@router.put(
    "/notes",
    response_model=VersionSaved,
    responses=documented(NotFound, Gone, NotReady, PreconditionFailed, PreconditionRequired, OutOfSpace)
    | {
        200: {
            "description": "The notes are kept as a new version.",
            "headers": {"ETag": {"description": "Of the new notes.", "schema": {"type": "string"}}},
        }
    },
)
async def replace_notes(
    job: FoundResult,
    context: InContext,
    caller: InCaller,
    response: Response,
    wanted: Annotated[NotesRequest, Body()],
    if_match: Annotated[
        str | None, Header(description="`ETag` of the notes that these replace; `*` for whichever are there.")
    ] = None,
) -> VersionSaved:
    """Replace the notes by edited ones. They become a version of their own; every older one stays as it is.

    The MIDI file, the table and the piano roll of the version are under its links.
    """
    _see_that_it_may_be_saved(job, wanted, if_match)
    if caller.submitter is not None:
        refuse_more_bytes(context.settings, await run_in_threadpool(context.sharing.usage, caller.submitter))
    request_id = secrets.token_urlsafe(16)
    key = edit_key(job.id, request_id)
    await run_in_threadpool(lambda: context.storage.put(key, io.BytesIO(wanted.for_worker())))
    try:
        outcome = await outcome_of(context, request_id, send_edit, context.celery, job.id, request_id, job.n_versions)
    finally:
        await run_in_threadpool(context.storage.delete, key)
    fresh = find_result(await run_in_threadpool(find_job, job.id, context, caller))  # it may be deleted by now
    saved = _saved(fresh, request_id, outcome)
    response.headers["ETag"] = saved.etag
    return saved


def _see_that_it_may_be_saved(job: Job, wanted: NotesRequest, if_match: str | None) -> None:
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag of the notes that yours shall replace.")
    newest = versions_of(job)[-1]
    if if_match != "*" and newest.etag not in [tag.strip() for tag in if_match.split(",")]:
        raise _changed(newest)
    if newest.number >= MOST_VERSIONS:
        raise TooManyVersions(f"The job has {MOST_VERSIONS} versions, the most that are kept.")
    longest = (job.audio or {}).get("duration", 0.0) + OVERHANG_SECONDS
    for index, note in enumerate(wanted.notes):
        if note.offset > longest:
            message = f"lies outside the recording, which ends at {longest - OVERHANG_SECONDS:.3f} s"
            field = f"notes.{index}.offset"
            raise InvalidRequest.of(field, message)


def _saved(job: Job, request_id: str, outcome: str) -> VersionSaved:
    """The version that the worker has made of a request."""
    versions = versions_of(job)
    if outcome == "overtaken":
        raise _changed(versions[-1])
    made = next((version for version in versions if version.revision == request_id), None)
    if made is None:
        raise InternalProblem("The notes could not be saved.")
    return VersionSaved.model_validate(_body(job.id, made).model_dump())


def _changed(newest: Version) -> PreconditionFailed:
    which = f"version {newest.number} is the newest" if newest.number else "the service has found others"
    detail = f"The notes were changed meanwhile: {which}. Read them, and send yours again with the ETag of those."
    return PreconditionFailed(detail, headers={"ETag": newest.etag})


def _body(job_id: str, version: Version) -> VersionBody:
    base = f"/v1/transcriptions/{job_id}"
    links = {
        name: f"{base}/{part}?version={version.number}"
        for name, part in (("midi", "midi"), ("piano_roll", "piano-roll"), ("notes_csv", "notes.csv"))
    }
    return VersionBody(
        number=version.number,
        created_at=version.created_at,
        n_notes=version.n_notes,
        etag=version.etag,
        links=VersionLinks(**links),
    )
