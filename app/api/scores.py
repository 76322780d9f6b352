"""Downloading a version's notes as a score. It is made when it is first asked for, and kept beside the version."""

import json
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import ValidationError

from app.api.asking import outcome_of
from app.api.caller import Caller, InCaller
from app.api.context import Context, InContext
from app.api.files import ServedFile, file_response
from app.api.lookup import FoundResult, find_job, find_result
from app.api.notes import OVERHANG_SECONDS
from app.api.query import refuse_other_query_fields
from app.api.results import WhichVersion, chosen_version, file_responses, result_response
from app.errors import InternalProblem, InvalidRequest, NotFound, Unavailable
from app.file_names import stem
from app.jobs.table import Job
from app.jobs.versions import Version
from app.notation import DESCRIPTION, MUSICXML, MXL, PDF, QUANTIZED_MIDI, SCORE_FACTS, Notation, page_file
from app.queue import send_score
from app.storage.interface import NotStoredError, score_key
from app.validation import fault_in_words

router = APIRouter(
    prefix="/v1/transcriptions/{job_id}", tags=["score"], dependencies=[Depends(refuse_other_query_fields)]
)

LARGEST_FACTS = 1 << 22
# A score may be forgotten for others, or lose its version to a new decoding, between being made and being read; and a
# worker may die while it writes one.
TRIES = 3
MOST_PAGES = 9999

MUSICXML_TYPE = "application/vnd.recordare.musicxml+xml"
MXL_TYPE = "application/vnd.recordare.musicxml"
TYPES = {
    MUSICXML: (MUSICXML_TYPE, ".musicxml"),
    MXL: (MXL_TYPE, ".mxl"),
    PDF: ("application/pdf", ".pdf"),
    QUANTIZED_MIDI: ("audio/midi", " (quantized).mid"),
    DESCRIPTION: ("application/json", ".score.json"),
}
DESCRIPTION_EXAMPLE: dict[str, Any] = {
    "schema_version": 1,
    "tempo": 96.2,
    "time_signature": "3/4",
    "key": "Bb",
    "first_downbeat": 0.512,
    "n_pages": 2,
    "parts": [{"name": "Piano", "program": 0}],
    "bars": [{"id": "bar0", "number": 1, "page": 1, "start": 0.512, "end": 2.383}],
    "notes": [["n0", 0.512, 1.134]],
}


def notation_asked(
    tempo: Annotated[
        float | None,
        Query(description="Beats a minute, 20 to 400; a dotted quarter is a beat in 6/8. Default: as it was played."),
    ] = None,
    time_signature: Annotated[
        str | None,
        Query(description="Such as 3/4: 1 to 16 over 1, 2, 4, 8, 16. Default: found out.", examples=["3/4"]),
    ] = None,
    key: Annotated[
        str | None,
        Query(description="Major with a capital letter, minor with a small one: Bb, f#. Default: found out."),
    ] = None,
    first_downbeat: Annotated[
        float | None, Query(description="Seconds at which a bar begins: the nearest beat does. Default: found out.")
    ] = None,
    detail: Annotated[
        str | None,
        Query(
            description="`readable` (default): plain values and full chords; `full`: all that the grid can show; "
            "`melody`: the highest line alone."
        ),
    ] = None,
) -> Notation:
    """The overrides of a request."""
    sent = {"tempo": tempo, "time_signature": time_signature, "key": key, "first_downbeat": first_downbeat}
    given = {name: value for name, value in (sent | {"detail": detail}).items() if value is not None}
    try:
        return Notation.model_validate(given)
    except ValidationError as error:
        wrong = [{"field": str(one["loc"][0]), "message": fault_in_words(one)} for one in error.errors()]
        detail_text = "; ".join(f"{one['field']}: {one['message']}" for one in wrong)
        raise InvalidRequest(detail_text, errors=wrong) from error


InNotation = Annotated[Notation, Depends(notation_asked)]


def score_responses(media_type: str, example: Any) -> dict[int | str, dict[str, Any]]:
    """As of every file, and the header that a score adds."""
    responses = file_responses(media_type, example)
    header = {"description": "How many pages the score has.", "schema": {"type": "integer"}}
    responses[200]["headers"] = {"Page-Count": header}
    return responses


@router.head("/midi", include_in_schema=False, tags=["results"])
@router.get("/midi", response_class=Response, responses=file_responses("audio/midi", "(a standard MIDI file)"))
async def midi(
    request: Request, job: FoundResult, context: InContext, caller: InCaller, notation: InNotation,
    version: WhichVersion = "0",
    quantized: Annotated[
        bool, Query(description="On the score's grid, with its tempo map and time signature; else as it was played.")
    ] = False,
) -> Response:  # fmt: skip
    """Download the notes as a standard MIDI file.

    Its times are exactly those of the notes, unless `quantized` asks for those of the score. The overrides of a score
    belong to `quantized` alone.
    """
    if quantized:
        return await score_response(request, context, caller, job, QUANTIZED_MIDI, version=version, notation=notation)
    if notation != Notation():
        message = "only a quantized file has a score; add quantized=true"
        field = next(iter(notation.model_dump(exclude_defaults=True)))
        raise InvalidRequest.of(field, message)
    return await run_in_threadpool(result_response, request, context, job, "notes.mid", version=version)


@router.head("/score", include_in_schema=False)
@router.get("/score", response_class=Response, responses=score_responses("application/json", DESCRIPTION_EXAMPLE))
async def describe(
    request: Request, job: FoundResult, context: InContext, caller: InCaller, notation: InNotation,
    version: WhichVersion = "0",
) -> Response:  # fmt: skip
    """Read what the score says: tempo, time signature, key, parts, and when each bar and note sounds (s).

    `id`s are those of the engraved pages and of the MusicXML.
    """
    return await score_response(request, context, caller, job, DESCRIPTION, version=version, notation=notation)


@router.head("/score.musicxml", include_in_schema=False)
@router.get("/score.musicxml", response_class=Response, responses=score_responses(MUSICXML_TYPE, "<score-partwise/>"))
async def musicxml(
    request: Request, job: FoundResult, context: InContext, caller: InCaller, notation: InNotation,
    version: WhichVersion = "0",
) -> Response:  # fmt: skip
    """Download the score as MusicXML 4.0, for MuseScore and every other notation program."""
    return await score_response(request, context, caller, job, MUSICXML, version=version, notation=notation)


@router.head("/score.mxl", include_in_schema=False)
@router.get("/score.mxl", response_class=Response, responses=score_responses(MXL_TYPE, "(a zip file)"))
async def mxl(
    request: Request, job: FoundResult, context: InContext, caller: InCaller, notation: InNotation,
    version: WhichVersion = "0",
) -> Response:  # fmt: skip
    """Download the score as compressed MusicXML."""
    return await score_response(request, context, caller, job, MXL, version=version, notation=notation)


@router.head("/score.pdf", include_in_schema=False)
@router.get("/score.pdf", response_class=Response, responses=score_responses("application/pdf", "(a PDF file)"))
async def pdf(
    request: Request, job: FoundResult, context: InContext, caller: InCaller, notation: InNotation,
    version: WhichVersion = "0",
) -> Response:  # fmt: skip
    """Download the engraved score, to be printed on A4."""
    return await score_response(request, context, caller, job, PDF, version=version, notation=notation)


@router.head("/score.svg", include_in_schema=False)
@router.get("/score.svg", response_class=Response, responses=score_responses("image/svg+xml", "<svg/>"))
async def svg(
    request: Request, job: FoundResult, context: InContext, caller: InCaller, notation: InNotation,
    version: WhichVersion = "0",
    page: Annotated[int, Query(ge=1, le=MOST_PAGES, description="From 1; `Page-Count` says how many there are.")] = 1,
) -> Response:  # fmt: skip
    """Download a page of the engraved score."""
    return await score_response(request, context, caller, job, page_file(page), version=version, notation=notation)


async def score_response(
    request: Request, context: Context, caller: Caller, job: Job, name: str, *, version: str, notation: Notation
) -> Response:
    """A file of a score, which is made if it is not there."""
    _see_that_it_lies_within(job, notation)
    for _ in range(TRIES):
        chosen = chosen_version(job, version)
        facts = await run_in_threadpool(_facts, context, job.id, chosen, notation)
        if facts is None:
            request_id = secrets.token_urlsafe(16)
            outcome = await outcome_of(
                context,
                request_id,
                *(send_score, context.celery, job.id, request_id, chosen.revision, notation.message()),
                seconds=context.settings.score_seconds,
                tries=TRIES,
            )
            if outcome == "failed":
                raise InternalProblem("The score could not be written.")
        elif (
            answer := await run_in_threadpool(_answer, request, context, job, chosen, notation, name, facts)
        ) is not None:
            return answer
        job = find_result(await run_in_threadpool(find_job, job.id, context, caller))  # it may be another by now
    raise Unavailable("The notes change faster than their score can be written; try again.")


def _see_that_it_lies_within(job: Job, notation: Notation) -> None:
    duration = (job.audio or {}).get("duration", 0.0)
    # What a player's clock says at the end may be a little more.
    if notation.first_downbeat is not None and notation.first_downbeat > duration + OVERHANG_SECONDS:
        message = f"lies outside the recording, which ends at {duration:.3f} s"
        raise InvalidRequest.of("first_downbeat", message)


def _facts(context: Context, job_id: str, version: Version, notation: Notation) -> dict[str, Any] | None:
    """Sizes and hashes of the files of a score; None where it has not been made."""
    try:
        key = score_key(job_id, version.revision, notation.digest, SCORE_FACTS)
        facts: dict[str, Any] = json.loads(b"".join(context.storage.read(key, 0, LARGEST_FACTS)))
    except NotStoredError:
        return None
    return facts


def _answer(
    request: Request,
    context: Context,
    job: Job,
    version: Version,
    notation: Notation,
    name: str,
    facts: dict[str, Any],
) -> Response | None:
    """The file; None where it has been forgotten meanwhile."""
    n_pages = sum(file.endswith(".svg") for file in facts)
    if name not in facts:
        raise NotFound(f"The score has no such page; it has {n_pages}.")
    media_type, ending = TYPES.get(name, ("image/svg+xml", f" ({name.removesuffix('.svg')}).svg"))
    file = ServedFile(
        key=score_key(job.id, version.revision, notation.digest, name),
        sha256=facts[name]["sha256"],
        size=facts[name]["size"],
        media_type=media_type,
        name=stem(job.file_name) + (f" (version {version.number})" if version.number else "") + ending,
    )
    try:
        response = file_response(request, context.storage, file)
    except NotStoredError:
        return None
    response.headers["Page-Count"] = str(n_pages)
    return response
