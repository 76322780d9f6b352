"""What `benchmarks/capacity.py` is fed with: the work of jobs, requests, Redis, database and storage, measured here.

Work is time on the processor of all of the service's processes, not time by the clock: it is nearly the same on a busy
machine, and it is what a core is paid for. The worker has one thread, so that its work is what it is busy for.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from redis import Redis
from sqlalchemy import event

from app.clock import utc_now
from app.connections import open_redis
from app.cores import usable_cores
from app.database import open_database, session_factory
from app.jobs.lanes import Lanes
from app.jobs.repository import JobRepository, ResultFiles
from app.jobs.sharing import SharingRepository
from app.jobs.states import Status
from app.jobs.table import Job
from app.lanes import Lane
from app.schema import migrate
from app.settings import Settings
from app.storage import open_storage
from benchmarks.common import generated_music
from benchmarks.service import running, wait_until

POLL_SECONDS = 1.0
REQUESTS = 20
LIFE_CYCLES = 200
CLIENTS = 8
REDIS_COMMANDS = 10_000
KEPT_JOBS = 10_000
STORED_BYTES = 32 * 2**20


def measure(folder: Path, lengths: list[float], database_url: str) -> dict[str, Any]:
    """Everything."""
    music = generated_music(60.0)
    with running(["serve"], folder, "/readyz", threads="1") as (url, _):
        redis = open_redis(Settings(var=folder))
        with httpx.Client(base_url=url, timeout=600) as client:
            run_job(client, recording(folder, music, 10.0))  # warm
            jobs = [measure_job(client, redis, folder, music, seconds) for seconds in lengths]
            requests = measure_requests(client, folder, recording(folder, music, 180.0))
        command = redis_seconds_per_command(redis)
    databases = {"sqlite": f"sqlite:///{folder / 'measured.sqlite3'}"}
    if database_url:
        databases["postgresql"] = database_url
    return {
        "cores": usable_cores(),
        "jobs": jobs,
        "requests": requests,
        "redis": {"seconds_per_command": command},
        "databases": {name: measure_database(url) for name, url in databases.items()},
        "storage": {"bytes_per_second": measure_storage(folder)},
    }


def recording(folder: Path, music: np.ndarray, seconds: float) -> Path:
    """So many seconds of music as FLAC."""
    path = folder / f"{seconds:g}.flac"
    soundfile.write(path, np.resize(music, int(seconds * 16000)), 16000)
    return path


def run_job(client: httpx.Client, audio: Path) -> str:
    """Upload it and ask for it every second until it has ended; gives its address."""
    with audio.open("rb") as file:
        job = client.post("/v1/transcriptions", files={"file": file}).raise_for_status().json()
    address: str = job["links"]["self"]
    while (status := client.get(address).json()["status"]) in ("queued", "running"):
        time.sleep(POLL_SECONDS)
    assert status == "succeeded", status
    return address


def measure_job(
    client: httpx.Client, redis: Redis, folder: Path, music: np.ndarray, seconds: float
) -> dict[str, float]:
    """Work, commands and bytes of one job, its polls included."""
    audio = recording(folder, music, seconds)
    work, commands, stored = cpu_seconds(folder), redis_commands(redis), bytes_below(folder / "storage")
    run_job(client, audio)
    return {
        "audio_seconds": seconds,
        "work_seconds": cpu_seconds(folder) - work,
        "redis_commands": redis_commands(redis) - commands,
        "upload_bytes": audio.stat().st_size,
        "stored_bytes": bytes_below(folder / "storage") - stored,
    }


def measure_requests(client: httpx.Client, folder: Path, audio: Path) -> dict[str, float]:
    """Work of the API for an upload of three minutes and for asking after a job."""
    address = run_job(client, audio)

    def upload() -> None:
        with audio.open("rb") as file:
            answer = client.post("/v1/transcriptions", files={"file": file}).raise_for_status()
        addresses.append(answer.headers["Location"])

    addresses: list[str] = []
    per_upload = api_work(folder, upload)
    for one in addresses:
        client.delete(one)
    wait_until(lambda: client.get(address).status_code == 200, "an answer after the deletions")
    return {"upload_seconds": per_upload, "poll_seconds": api_work(folder, lambda: client.get(address), times=5)}


def api_work(folder: Path, request: Callable[[], object], times: int = 1) -> float:
    """Processor seconds of the API for one request."""
    before = cpu_seconds(folder, "app.cli api")
    for _ in range(REQUESTS * times):
        request()
    return (cpu_seconds(folder, "app.cli api") - before) / (REQUESTS * times)


def measure_database(url: str) -> dict[str, float]:
    """Statements of a job's life, and lives a second, among jobs that are kept; one client and several at once."""
    migrate(url)
    engine = open_database(url)
    sessions = session_factory(engine)
    jobs, sharing = JobRepository(sessions), SharingRepository(sessions, Lanes())
    with sessions.begin() as session:
        session.add_all(new_job(f"kept {number}", status=Status.SUCCEEDED) for number in range(KEPT_JOBS))
    statements = 0

    def note(*_: object) -> None:
        nonlocal statements
        statements += 1

    event.listen(engine, "before_cursor_execute", note)
    alone = lives_per_second(jobs, sharing, clients=1)
    per_job = statements / LIFE_CYCLES
    together = lives_per_second(jobs, sharing, clients=CLIENTS)
    engine.dispose()
    return {"statements_per_job": per_job, "jobs_per_second_alone": alone, "jobs_per_second": together}


def lives_per_second(jobs: JobRepository, sharing: SharingRepository, *, clients: int) -> float:
    """How many jobs can come, be asked after, run and end within a second."""

    def live(number: int) -> None:
        jobs.add(new_job(f"{clients} {number}"))
        for _ in range(2):
            if (waiting := jobs.get(f"{clients} {number}")) is not None:
                sharing.position(waiting)
        job_id = sharing.next_job(Lane.USUAL)
        lease = jobs.claim(job_id, holder="me", seconds=60) if job_id else None
        if lease is None:
            return  # another client has taken it
        jobs.get(lease.job_id)
        for _ in range(2):
            jobs.renew(lease, seconds=60, stage="transcribing", seconds_done=1.0)
        files = ResultFiles("r", {}, {"n_notes": 0})
        jobs.succeed(lease, files, audio={"duration": 3.0}, model_name="default", model_sha256="0" * 64)
        jobs.get(lease.job_id)

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(live, range(LIFE_CYCLES)))
    return LIFE_CYCLES / (time.perf_counter() - start)


def new_job(name: str, *, status: Status = Status.QUEUED) -> Job:
    """A row as the API writes it."""
    now = utc_now()
    return Job(
        id=name,
        status=status,
        created_at=now,
        queued_at=now,
        started_at=None if status == Status.QUEUED else now,
        expires_at=now + timedelta(days=7),
        file_name="x.flac",
        file_bytes=1,
        file_sha256="0" * 64,
        seconds_expected=180.0,
        model_name="default",
        model_sha256="0" * 64,
        options={},
    )


def measure_storage(folder: Path) -> float:
    """Bytes a second that the store takes in."""
    storage, data = open_storage(Settings(storage_url=(folder / "measured").as_uri())), folder / "data"
    data.write_bytes(os.urandom(STORED_BYTES))
    start = time.perf_counter()
    with data.open("rb") as file:
        storage.put("measured/data", file)
    return STORED_BYTES / (time.perf_counter() - start)


def bytes_below(folder: Path) -> int:
    """What lies in the store."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def redis_commands(redis: Redis) -> int:
    """Commands that Redis has carried out."""
    return int(redis.info("stats")["total_commands_processed"])


def redis_seconds_per_command(redis: Redis) -> float:
    """Processor seconds of Redis for a command that comes by itself and is kept on disk."""
    before = redis.info("cpu")
    for number in range(REDIS_COMMANDS):
        redis.set("amt:measured", number)
    after = redis.info("cpu")
    redis.delete("amt:measured")
    return sum(float(after[name] - before[name]) for name in ("used_cpu_user", "used_cpu_sys")) / REDIS_COMMANDS


def cpu_seconds(folder: Path, words: str = "") -> float:
    """Processor seconds of the service's processes in this folder whose command line holds `words`."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            is_ours = f"AMT_VAR={folder}".encode() in (process / "environ").read_bytes().split(b"\0")
            # utime, stime, and those of children that have ended (proc(5), fields 14 to 17).
            fields = (process / "stat").read_text().rpartition(")")[2].split()[11:15]
        except OSError:
            continue
        if is_ours and words in line:
            ticks += sum(map(int, fields))
    return ticks / os.sysconf("SC_CLK_TCK")


def save(measured: dict[str, Any], path: Path) -> None:
    """Write it as JSON that people can read, to four digits."""
    exact = json.dumps(measured)
    rounded = json.loads(exact, parse_float=lambda text: float(f"{float(text):.4g}"))
    path.write_text(json.dumps(rounded, indent=2) + "\n")
