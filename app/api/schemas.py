"""The documents that the API answers with."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.catalogue import Score
from app.jobs.states import ErrorCode
from app.options import Decoding, Options

PublicStatus = Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]


class Progress(BaseModel):
    """How far a job is."""

    stage: str | None = Field(description="What is done just now: starting, transcribing, writing.")
    percent: float = Field(ge=0, le=100)
    seconds_done: float = Field(description="Seconds of audio that are transcribed.")
    seconds_total: float | None = Field(description="Seconds of audio in all, as far as the file says it.")
    eta_seconds: float | None = Field(description="Seconds until the job is done, guessed from its pace so far.")
    queue_position: int | None = Field(description="1 for the job of its queue that starts next; null once it runs.")


class JobError(BaseModel):
    """Why a job ended without notes."""

    code: ErrorCode
    message: str
    retryable: bool = Field(description="Whether the same file may succeed at another time.")


class UploadedFile(BaseModel):
    """What was uploaded."""

    name: str
    bytes: int
    sha256: str


class Audio(BaseModel):
    """What the file turned out to be."""

    duration: float = Field(description="Seconds of decoded audio.")
    sr: int = Field(description="Sample rate of the file, in Hz.")
    channels: int
    codec: str
    container: str
    a4_hz: float = Field(440.0, description="Concert pitch that the notes were read by, in Hz.")


class JobModel(BaseModel):
    """The checkpoint that transcribes."""

    name: str
    sha256: str


class JobResult(BaseModel):
    """What came out."""

    revision: str = Field(description="Changes with every decoding.")
    n_notes: int
    warnings: list[str]
    version: int = Field(description="Number of the newest edited version of the notes; 0 where there is none.")


class Links(BaseModel):
    """Addresses of a job's parts. Those of results answer 409 until the job has succeeded."""

    self: str
    events: str
    midi: str
    piano_roll: str
    notes_csv: str
    score: str
    audio: str
    peaks: str
    decode: str
    notes: str
    versions: str


JOB_EXAMPLE: dict[str, Any] = {
    "id": "q3fX0mI0R2uVJm4s9o3f7Q",
    "status": "succeeded",
    "created_at": "2026-03-01T09:30:00Z",
    "started_at": "2026-03-01T09:30:01Z",
    "finished_at": "2026-03-01T09:30:04Z",
    "expires_at": "2026-03-08T09:30:00Z",
    "file": {
        "name": "Nocturne.mp3",
        "bytes": 4321987,
        "sha256": "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
    },
    "audio": {"duration": 180.2, "sr": 44100, "channels": 2, "codec": "mp3", "container": "mp3", "a4_hz": 440.0},
    "model": {"name": "piano", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    "options": {
        "onset_threshold": 0.5,
        "frame_threshold": 0.4,
        "min_note_ms": 50.0,
        "latency_ms": 0.0,
        "lowest_pitch": 21,
        "highest_pitch": 108,
        "tempo": 120.0,
        "instruments": "auto",
        "a4_hz": "auto",
    },
    "progress": {
        "stage": None,
        "percent": 100.0,
        "seconds_done": 180.2,
        "seconds_total": 180.2,
        "eta_seconds": None,
        "queue_position": None,
    },
    "result": {"revision": "m1S9f0f7r8r2cN0r5m4ZQA", "n_notes": 1042, "warnings": [], "version": 0},
    "error": None,
    "links": {
        "self": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q",
        "events": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/events",
        "midi": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/midi",
        "piano_roll": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/piano-roll",
        "notes_csv": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/notes.csv",
        "score": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/score",
        "audio": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/audio",
        "peaks": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/peaks",
        "decode": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/decode",
        "notes": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/notes",
        "versions": "/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/versions",
    },
}


class JobBody(BaseModel):
    """A transcription. Terminal states are succeeded, failed, cancelled and expired."""

    model_config = ConfigDict(json_schema_extra={"example": JOB_EXAMPLE})

    id: str
    status: PublicStatus
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime = Field(description="From then on the job answers 410, and its audio and results are removed.")
    file: UploadedFile
    audio: Audio | None
    model: JobModel
    options: Options
    progress: Progress
    result: JobResult | None
    error: JobError | None
    links: Links


class JobPage(BaseModel):
    """Some jobs, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"transcriptions": [JOB_EXAMPLE], "next_page_token": ""}})

    transcriptions: list[JobBody]
    next_page_token: str = Field(description="Send it as `page_token` for the next page; empty on the last one.")


class JobEvent(BaseModel):
    """The data of a server-sent event."""

    id: str
    status: PublicStatus
    progress: Progress
    error: JobError | None


MODEL_EXAMPLE: dict[str, Any] = {
    "name": "piano",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "bytes": 3145728,
    "parameters": 780000,
    "frame_rate": 31.25,
    "trained_on": ["maps/train"],
    "licence": "CC-BY-NC-SA-4.0",
    "scores": [{"data": "maps/validation", "metric": "note F1 (onset 50 ms)", "value": 0.8}],
    "decoding": {"onset_threshold": 0.5, "frame_threshold": 0.4, "min_note_ms": 50.0},
    "created": "2026-03-01",
    "description": "Piano, 88 keys.",
}
MODELS_EXAMPLE: dict[str, Any] = {"default": "piano", "models": [MODEL_EXAMPLE]}


class ModelBody(BaseModel):
    """A checkpoint that is served."""

    name: str
    sha256: str
    bytes: int
    parameters: int
    frame_rate: float = Field(description="Frames of the piano roll per second.")
    trained_on: list[str]
    licence: str
    scores: list[Score]
    decoding: Decoding = Field(description="Defaults of the options.")
    created: str
    description: str


class ModelList(BaseModel):
    """All checkpoints that are served."""

    model_config = ConfigDict(json_schema_extra={"example": MODELS_EXAMPLE})

    default: str
    models: list[ModelBody]
