"""The service's settings: the only reader of the environment.

Each field is an environment variable with the prefix ``AMT_``; its description is its documentation.
"""

import ipaddress
import os
import re
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.cores import usable_cores
from app.lanes import DECODE, SCORE, Lane, lanes_above
from app.validation import fault_in_words

PREFIX = "AMT_"
# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included; some room for temporary suffixes.
LONGEST_SOCKET_PATH = 100
ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")
BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?")


class SettingsError(Exception):
    """The environment does not describe a service that can start. The message says which variable and why."""


class Settings(BaseSettings):
    """Everything that an operator can set."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, allow_inf_nan=False)

    host: str = Field("127.0.0.1", description="Address that the API and the page listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port that the API and the page listen on.")
    allow_public: Literal["", "without-keys"] = Field(
        "",
        description="`without-keys` allows an address that others can reach, although there are no API keys.",
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        description="Addresses of reverse proxies, by commas, whose word for a caller's address is taken.",
    )
    var: Path = Field(Path("var"), description="Folder of everything the service keeps.")
    database_url: str = Field(
        "", description="SQLAlchemy URL of the job table: SQLite in `AMT_VAR` if unset, or PostgreSQL."
    )
    redis_url: str = Field(
        "", description="redis://, rediss:// or unix:// URL; unset means the Redis that `amt serve` starts."
    )
    storage_url: str = Field(
        "",
        description="Where audio and results lie: file:// and a folder, or s3:// and a bucket with a prefix; "
        "unset means `storage` in `AMT_VAR`.",
    )
    s3_endpoint: str = Field("", description="Address of the S3 service; unset means Amazon's.")
    s3_region: str = Field("", description="Region of the bucket, where the S3 service knows regions.")
    s3_access_key: str = Field(
        "",
        description="Access key of the bucket; unset means what AWS's own variables, files or the machine's role say.",
    )
    s3_secret_key: SecretStr = Field(SecretStr(""), description="The secret of `AMT_S3_ACCESS_KEY`.")
    s3_public_endpoint: str = Field(
        "",
        description="Address of the S3 service for callers, in redirects, if it is another one than `AMT_S3_ENDPOINT`.",
    )
    redirect_seconds: int = Field(
        0,
        ge=0,
        le=604_800,
        description="With a bucket: seconds for which the signed addresses are good to which downloads are redirected; "
        "0 means that the API sends the files itself.",
    )
    checkpoint: Path = Field(
        default_factory=lambda: _shipped_checkpoints(),
        description="Folder with manifest.json and the checkpoints it names, or one checkpoint (.safetensors).",
    )
    max_model_bytes: int = Field(256 * 2**20, ge=1, description="Largest checkpoint that can be added, in bytes.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the network runs.")
    threads: int | None = Field(None, ge=1, description="Threads of one network run; unset means its share of cores.")
    concurrency: int = Field(1, ge=1, le=64, description="Recordings that one transcription worker runs at once.")
    batch: int = Field(
        1,
        ge=1,
        le=64,
        description="Windows of different recordings that are heard in one pass: above 1, one process holds the network"
        " for all `AMT_CONCURRENCY` recordings of a worker, which is for GPUs.",
    )
    long_seconds: float | None = Field(
        None,
        gt=0,
        description="Recordings that are expected to be longer wait in a queue of their own, `transcribe-long`, for"
        " workers of their own; unset means one queue for all. The same for API, workers and sweeper.",
    )
    cors_origins: str = Field(
        "",
        description="Origins, by commas, whose pages may use the API from a browser, or `*` for all; unset means none.",
    )
    max_upload_bytes: int = Field(512 * 2**20, ge=1, description="Largest upload, in bytes.")
    max_seconds: float = Field(7200.0, gt=0, description="Longest recording, in seconds of decoded audio.")
    max_channels: int = Field(8, ge=1, description="Most channels of a recording.")
    max_sr: int = Field(192_000, ge=8000, description="Highest sample rate of a recording, in Hz.")
    audio_memory_bytes: int = Field(
        512 * 2**20, ge=2**20, description="Memory that decoding one recording may take, in bytes."
    )
    audio_cpu_seconds: int = Field(
        600, ge=1, description="Time on the processor that decoding one recording may take, in seconds."
    )
    audio_wait_seconds: float = Field(
        60.0, gt=0, description="Longest wait for the next second of decoded sound; then the decoder is ended."
    )
    retention_days: float = Field(
        7.0, gt=0, le=36_500, description="Days after which a job's audio and results are removed."
    )
    job_base_seconds: float = Field(
        300.0, gt=0, description="Time that every job may take, in seconds, whatever its length."
    )
    job_seconds_per_second: float = Field(
        4.0, gt=0, description="Further seconds that a job may take for each second of audio."
    )
    lease_seconds: float = Field(
        15.0, gt=0.5, le=86_400, description="A worker that is silent for so long has lost its job."
    )
    max_attempts: int = Field(3, ge=1, description="A job that loses so many workers is given up as `poisoned`.")
    sweep_seconds: float = Field(2.0, gt=0, description="Pause between two rounds of the sweeper.")
    message_grace_seconds: float = Field(
        5.0, ge=0, description="Age at which the sweeper expects a queued job's message."
    )
    canary_seconds: float = Field(10.0, gt=0, description="An idle queue is tried with an empty task this often.")
    consumer_seconds: float = Field(
        60.0, gt=0, description="A queue that nobody has consumed for so long is not ready."
    )
    decode_seconds: float = Field(10.0, gt=0, description="Longest wait for a new decoding before 503 is answered.")
    score_seconds: float = Field(60.0, gt=0, description="Longest wait for a score before 503 is answered.")
    limit_requests: int = Field(600, ge=0, description="Requests of one caller in a minute; 0 is without limit.")
    limit_jobs: int = Field(1000, ge=0, description="Jobs of one caller that wait or run; 0 is without limit.")
    limit_streams: int = Field(
        100, ge=0, description="Event streams of one caller that one API process holds open; 0 is without limit."
    )
    limit_queued_minutes: float = Field(
        6000.0, ge=0, description="Minutes of audio of one caller that wait; 0 is without limit."
    )
    limit_stored_bytes: int = Field(
        50 * 2**30, ge=0, description="Bytes of recordings and edits kept for one caller; 0 is without limit."
    )
    worker_name: str = Field("", description="Name of this worker among all; unset means host name and process id.")
    webhook_networks: str = Field(
        "",
        description="Networks, such as `10.0.0.0/8,fd00::/8`, into which webhooks may go although they are private.",
    )
    metrics: Literal["local", "open", "off"] = Field(
        "local", description="Who may read `/metrics`: programs of this machine, everybody who reaches it, or nobody."
    )
    log_format: Literal["text", "json"] = Field("text", description="Log lines for people, or one JSON document each.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line to write."
    )

    @field_validator("var", "checkpoint")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _psycopg(cls, url: str) -> str:
        """Name the driver that is installed; a bare postgresql:// would mean another."""
        for prefix in ("postgres://", "postgresql://"):
            if url.startswith(prefix):
                return "postgresql+psycopg://" + url.removeprefix(prefix)
        if url and not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        return url

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, url: str) -> str:
        if url and not url.startswith(("redis://", "rediss://", "unix:///")):
            raise ValueError("must start with redis://, rediss:// or unix:///")
        return url

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, text: str) -> str:
        for origin in _split(text):
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError("must be origins such as https://example.org, without a path, or *")
        return text

    @field_validator("storage_url")
    @classmethod
    def _storage_scheme(cls, url: str) -> str:
        if url and not url.startswith("file:///") and not BUCKET.fullmatch(url):
            raise ValueError("must be file:/// and a folder, or s3://bucket or s3://bucket/prefix")
        return url

    @field_validator("s3_endpoint", "s3_public_endpoint")
    @classmethod
    def _endpoint(cls, url: str) -> str:
        if url and not ORIGIN.fullmatch(url):
            raise ValueError("must be an address such as https://s3.example.org, without a path")
        return url

    @field_validator("webhook_networks")
    @classmethod
    def _networks(cls, text: str) -> str:
        _parse_networks(text)
        return text

    @property
    def is_private(self) -> bool:
        """Whether only this machine may come in, or the operator has said in words that anybody may."""
        return is_loopback(self.host) or self.allow_public == "without-keys"

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the job table."""
        return self.database_url or f"sqlite:///{self.var / 'jobs.sqlite3'}"

    @property
    def storage(self) -> str:
        """URL of the file store."""
        return self.storage_url or (self.var / "storage").as_uri()

    @property
    def temporary(self) -> Path:
        """Folder for unfinished files."""
        return self.var / "tmp"

    @property
    def run(self) -> Path:
        """Folder for sockets and locks of the running service."""
        return self.var / "run"

    @property
    def redis(self) -> str:
        """URL of Redis as redis-py wants it."""
        return self.redis_url or local_redis_url(self.run)

    @property
    def broker(self) -> str:
        """URL of Redis as kombu wants it."""
        return (
            "redis+socket://" + self.redis.removeprefix("unix://") if self.redis.startswith("unix://") else self.redis
        )

    @property
    def worker(self) -> str:
        """Name that leases are held under."""
        return self.worker_name or f"{socket.gethostname()}-{os.getpid()}"

    @property
    def allowed_origins(self) -> list[str]:
        """Origins whose pages may use the API from a browser."""
        return _split(self.cors_origins)

    @property
    def webhook_allowed_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Private networks into which webhooks may go."""
        return _parse_networks(self.webhook_networks)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Queues of recordings."""
        return lanes_above(self.long_seconds)

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that has to be worked on."""
        return (*(lane.value for lane in self.lanes), DECODE, SCORE)

    def threads_each(self, processes: int) -> int:
        """Threads of one network run where so many processes of this machine transcribe."""
        return self.threads or max(1, usable_cores() // processes)

    @property
    def longest_job_seconds(self) -> float:
        """Time that a job of the longest allowed recording may take."""
        return self.job_base_seconds + self.job_seconds_per_second * self.max_seconds


def load_settings() -> Settings:
    """Read the environment.

    Raises
    ------
    SettingsError
        If a variable is unknown or its value is not allowed.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(dict(one)) for one in error.errors())) from None


def child_environment(**settings: str) -> dict[str, str]:
    """This process's environment for one that it starts, with some settings replaced."""
    return dict(os.environ) | {PREFIX + name.upper(): value for name, value in settings.items()}


def local_redis_url(run: Path) -> str:
    """URL of the Redis that `amt serve` runs: a private socket, or the port it noted where the path is too long."""
    path = run / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return f"unix://{path}"
    noted = run / "redis.url"
    return noted.read_text().strip() if noted.exists() else "redis://127.0.0.1:6379"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(part) for part in _split(text)]


def _sentence(error: dict[str, object]) -> str:
    place = error["loc"]
    text = fault_in_words(error)
    name = PREFIX + str(place[0]).upper() if isinstance(place, tuple) and place else ""
    return f"{name}: {text}, got {error['input']!r}" if name else text


def _shipped_checkpoints() -> Path:
    """Folder of the checkpoints that come with the project, found without importing `model`."""
    found = find_spec("model")
    if found is None or not found.submodule_search_locations:
        return Path("model/checkpoints")
    return Path(next(iter(found.submodule_search_locations))) / "checkpoints"
