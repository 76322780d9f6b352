"""The task behind a transcription: claim, hear, write, finish.

Every message may come twice and every process may die at any line: the claim lets one run begin, results lie in a
folder of their own until the job's row names it, and only the lease's holder writes that row. So a message is done with
when its job was heard; what is left is done beside the next job, and lost with its process like all else.
"""

import logging
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kombu.exceptions import KombuError
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue import ModelEntry
from app.errors import NO_SPACE
from app.events import Event, error_document, make_event, publish
from app.heartbeats import note_consumption
from app.jobs.repository import Lease, ResultFiles
from app.jobs.states import ACTIVE, ErrorCode, Status
from app.jobs.table import Job
from app.lanes import Lane
from app.logs import begin_work
from app.metrics import AUDIO_SECONDS, COMPUTING_SECONDS, JOBS_ENDED, count, observe_stages
from app.options import Options
from app.queue import send_transcription
from app.settings import Settings
from app.storage.interface import (
    StoreAwayError,
    activations_key,
    audio_key,
    job_prefix,
    peaks_key,
    results_prefix,
    revision_prefix,
)
from app.worker.results import put_file, store_results
from app.worker.runtime import Runtime
from app.worker.shared.client import SharedLostError
from app.worker.watch import HandBackError, LeaseLostError, TimedOutError, Watch
from model.audio import AudioLimits, AudioSummary
from model.errors import ModelError

if TYPE_CHECKING:
    from model.listening import Listener

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# Before a job is handed back whose store or network is away: the next worker would find it no other way at once.
PAUSE = 5.0


@dataclass(frozen=True)
class Outcome:
    """What a finished run has to say."""

    files: ResultFiles
    audio: dict[str, Any]
    model: ModelEntry
    seconds: dict[str, float]


def transcribe_next(runtime: Runtime) -> None:
    """Run the job whose turn it is. A message says that some job waits; which one is next, the table says."""
    lane = Lane(runtime.queue)
    while (job_id := runtime.sharing.next_job(lane)) is not None:
        if transcribe(runtime, job_id):
            return


def transcribe(runtime: Runtime, job_id: str) -> bool:
    """Run a job if it still waits; whether it did."""
    settings = runtime.settings
    try:
        note_consumption(runtime.redis, runtime.queue)
    except RedisError as error:
        log.warning("Redis does not answer: %s", error)
    try:
        leftovers = list(runtime.storage.folders(results_prefix(job_id)))
    except StoreAwayError as error:
        _wait_for_others(settings, job_id, error)
        return True  # it was not claimed; the sweeper announces it again
    lease = runtime.jobs.claim(job_id, holder=runtime.worker, seconds=settings.lease_seconds)
    job = runtime.jobs.get(job_id)
    if lease is None or job is None:
        log.info("job %s does not wait any more", job_id)
        return False
    begin_work(request_id=job.request_id, job_id=job_id)
    _remove_leftovers(runtime, job_id, leftovers)
    log.info("job %s: start, attempt %d", job_id, job.attempts)
    _Run(runtime, lease, job).go()
    return True


@dataclass(frozen=True)
class _Heard:
    """A recording that was heard and is not written yet."""

    activations: Path
    peaks: Path
    summary: AudioSummary
    model: ModelEntry
    seconds: float
    held: ExitStack  # the watch and the folder of both files


class _Run:
    """A claimed job until its end: heard in this thread, then written and noted by the finisher's."""

    def __init__(self, runtime: Runtime, lease: Lease, job: Job) -> None:
        self._runtime, self._lease, self._job = runtime, lease, job
        self._span = runtime.tracing.begin_job(job.traceparent, job_id=job.id, attempt=job.attempts)
        # What ended its process before may do so again, and shall take no other job along.
        self._is_alone = job.attempts > 1

    def go(self) -> None:
        """Hear it, and leave the rest to the finisher."""
        with ExitStack() as over:
            over.callback(self._end_span)
            heard = self._to_an_end(self._hear)
            if heard is None:
                return
            self._runtime.finisher.submit(partial(self._finish, heard, over.pop_all()))
        if self._is_alone:
            self._runtime.finisher.wait()

    def _hear(self) -> _Heard:
        with ExitStack() as held:
            begun = time.monotonic()
            watch = held.enter_context(Watch(self._runtime, self._lease))
            folder = tempfile.TemporaryDirectory(dir=self._runtime.settings.temporary, prefix="run-")
            activations, peaks = (Path(held.enter_context(folder)) / name for name in ("activations", "peaks"))
            watch.progress("starting", 0.0, None)
            if self._is_alone:
                self._runtime.finisher.wait()
            heard_by = self._runtime.listener(self._job.model_name, alone=self._is_alone)
            summary = self._hear_by(heard_by.transcriber, watch, activations, peaks)
            watch.progress("writing", summary.duration, summary.duration)
            spent = time.monotonic() - begun
            return _Heard(activations, peaks, summary, heard_by.entry, spent, held.pop_all())

    def _hear_by(self, transcriber: "Listener", watch: Watch, activations: Path, peaks: Path) -> AudioSummary:
        runtime, settings = self._runtime, self._runtime.settings
        limits = AudioLimits(
            max_seconds=settings.max_seconds, max_channels=settings.max_channels, max_sr=settings.max_sr
        )
        with (
            runtime.tracing.span("transcribing"),
            runtime.storage.local_copy(audio_key(self._job.id)) as file,
            runtime.audio.open(file, sr=transcriber.sr, limits=limits) as audio,
        ):
            return transcriber.write_activations(
                audio,
                activations,
                on_progress=lambda at: watch.progress("transcribing", at.seconds_done, at.seconds_total),
                peaks=peaks,
                **Options.model_validate(self._job.options).for_hearing(),
            )

    def _finish(self, heard: _Heard, over: ExitStack) -> None:
        with over:
            self._to_an_end(partial(self._write_and_note, heard))

    def _write_and_note(self, heard: _Heard) -> None:
        with heard.held:
            outcome = self._write(heard)
        _note_success(self._runtime, self._lease, self._job, outcome)

    def _write(self, heard: _Heard) -> Outcome:
        runtime, job, summary = self._runtime, self._job, heard.summary
        begun = time.monotonic()
        with runtime.tracing.span("writing"):
            audio = _audio_document(summary) | {"peaks": put_file(runtime, peaks_key(job.id), heard.peaks)}
            files = _store(runtime, job, heard.activations, heard.model, summary.warnings)
        seconds = {"transcribing": heard.seconds, "writing": time.monotonic() - begun}
        return Outcome(files, audio, heard.model, seconds)

    def _to_an_end(self, part: Callable[[], Result]) -> Result | None:
        """Do a part of the run; None where an error ended the job, which is noted then."""
        runtime, lease, job = self._runtime, self._lease, self._job
        with runtime.tracing.within(self._span):
            try:
                return part()
            except HandBackError:
                _hand_back(runtime, lease, job)
            except LeaseLostError:
                _clean_up(runtime, job.id)
            except TimedOutError:
                _fail(runtime, lease, ErrorCode.TIMED_OUT, "The recording took too long to transcribe.")
            except MemoryError:
                # Celery would raise this one again in the parent, and take the whole worker down.
                _fail(runtime, lease, ErrorCode.INTERNAL, "The service ran out of memory over this recording.")
            except SQLAlchemyError as error:
                # Nothing can be noted now. The lease runs out, and the job is run again once the table is back.
                log.error("job %s: the job table does not answer: %s", job.id, error)
            except ModelError as error:
                _fail(runtime, lease, _public_code(error), error.message)
            except (StoreAwayError, SharedLostError) as error:
                _wait_for_others(runtime.settings, job.id, error)
                # The shared network may have died of this recording: it counts, and next time it is heard alone.
                _hand_back(runtime, lease, job, counted=isinstance(error, SharedLostError))
            except OSError as error:
                log.error("job %s: a file cannot be read or written: %s", job.id, error)
                _fail(runtime, lease, *_file_failure(error))
            except Exception:
                log.exception("job %s failed", job.id)
                _fail(runtime, lease, ErrorCode.INTERNAL, "Something went wrong on our side.")
        return None

    def _end_span(self) -> None:
        if self._span is not None:
            self._span.end()


def _wait_for_others(settings: Settings, job_id: str, error: Exception) -> None:
    """Say that a job waits again, and leave what is away a moment to come back."""
    log.error("job %s: %s; it waits again", job_id, error)
    time.sleep(min(PAUSE, settings.lease_seconds / 3))


def _remove_leftovers(runtime: Runtime, job_id: str, revisions: list[str]) -> None:
    """Remove what lost workers wrote.

    It was listed before the claim: the claim shows that none of those workers can end the run any more, and what a
    later one writes is not in the list, however long this process is held up here.
    """
    for revision in revisions:
        runtime.storage.delete(revision_prefix(job_id, revision))


def _store(runtime: Runtime, job: Job, activations: Path, model: ModelEntry, warnings: list[str]) -> ResultFiles:
    options = Options.model_validate(job.options)
    if model.sha256 != job.model_sha256:
        options = options.model_copy(update={"latency_ms": model.decoding.latency_ms})
        warnings = [*warnings, f"the model {model.name} was replaced while this waited; the new one heard it"]
    revision = secrets.token_urlsafe(16)
    with activations.open("rb") as file:
        runtime.storage.put(activations_key(job.id), file)
    return store_results(runtime, job, activations, options=options, revision=revision, warnings=warnings)


def _audio_document(summary: Any) -> dict[str, Any]:
    return {name: getattr(summary, name) for name in ("duration", "sr", "channels", "codec", "container", "a4_hz")}


def _note_success(runtime: Runtime, lease: Lease, job: Job, outcome: Outcome) -> None:
    model = outcome.model
    if not runtime.jobs.succeed(
        lease, outcome.files, audio=outcome.audio, model_name=model.name, model_sha256=model.sha256
    ):
        runtime.storage.delete(revision_prefix(job.id, outcome.files.revision))
        _clean_up(runtime, job.id)
        return
    duration = outcome.audio["duration"]
    log.info("job %s: %d notes in %.1f s of audio", job.id, outcome.files.result["n_notes"], duration)
    publish(runtime.redis, job.id, make_event(Status.SUCCEEDED, seconds_done=duration, seconds_total=duration))
    _measure(runtime, job, outcome)


def _measure(runtime: Runtime, job: Job, outcome: Outcome) -> None:
    count(runtime.redis, JOBS_ENDED, status=Status.SUCCEEDED, error_code="")
    count(runtime.redis, AUDIO_SECONDS, outcome.audio["duration"])
    count(runtime.redis, COMPUTING_SECONDS, sum(outcome.seconds.values()))
    waited = (job.started_at - job.queued_at).total_seconds() if job.started_at else 0.0
    observe_stages(runtime.redis, outcome.seconds | {"waiting": max(0.0, waited)})


def _fail(runtime: Runtime, lease: Lease, code: ErrorCode, message: str) -> None:
    if not runtime.jobs.fail(lease, code, message):
        _clean_up(runtime, lease.job_id)
        return
    for half_written in (results_prefix(lease.job_id), activations_key(lease.job_id), peaks_key(lease.job_id)):
        runtime.storage.delete(half_written)
    log.info("job %s: failed, %s: %s", lease.job_id, code, message)
    runtime.tracing.note_failure(code)
    count(runtime.redis, JOBS_ENDED, status=Status.FAILED, error_code=code)
    publish(runtime.redis, lease.job_id, _failed_event(code, message))


def _failed_event(code: ErrorCode, message: str) -> Event:
    return make_event(Status.FAILED, error=error_document(code, message))


def _hand_back(runtime: Runtime, lease: Lease, job: Job, *, counted: bool = False) -> None:
    """The worker stops: the job waits again, and the next worker starts it from its beginning."""
    if not runtime.jobs.hand_back(lease, counted=counted):
        _clean_up(runtime, job.id)
        return
    log.info("job %s: handed back", job.id)
    publish(runtime.redis, job.id, make_event(Status.QUEUED))
    try:
        send_transcription(runtime.celery, job.id, job.attempts, runtime.sharing.lanes.of(job))
    except (KombuError, RedisError, OSError) as error:
        log.warning("job %s waits and is not announced: %s", job.id, error)


def _clean_up(runtime: Runtime, job_id: str) -> None:
    """The job is not ours any more. Where it is over, nothing may be left of what we wrote after its removal."""
    job = runtime.jobs.get(job_id)
    log.info("job %s: lost to %s", job_id, "its deletion" if job is None else job.status)
    if job is None or job.status in (Status.CANCELLED, Status.EXPIRED, Status.DELETED):
        runtime.storage.delete(job_prefix(job_id))
    elif job.status in ACTIVE:
        log.info("job %s: another worker runs it", job_id)


def _file_failure(error: OSError) -> tuple[ErrorCode, str]:
    if error.errno in NO_SPACE:
        return ErrorCode.OUT_OF_SPACE, "The service has no space left for the results; try again later."
    return ErrorCode.INTERNAL, "The service could not read or write its files."


def _public_code(error: ModelError) -> ErrorCode:
    """The job's code for an error of the model; what is our own mistake (a damaged checkpoint) stays internal."""
    try:
        return ErrorCode(error.code)
    except ValueError:
        log.error("a recording failed for a reason of our own: %s", error)
        return ErrorCode.INTERNAL
