"""The whole service, from POST to MIDI, against the bare model and basic-pitch on the same recording.

    python -m benchmarks.service [--runs 5]

Starts `amt serve` in a folder of its own (real Redis, API and workers), uploads a three-minute mp3 until the worker is
warm, then measures. basic-pitch is measured when `benchmarks/basic_pitch.py` has installed it under var/.
"""

import argparse
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from redis import Redis, RedisError

from app.connections import open_redis
from app.heartbeats import silence
from app.queue import TRANSCRIBE, build_celery, send_canary
from app.schema import migrate
from app.settings import load_settings
from app.supervisor.redis_server import prepare_redis
from benchmarks.common import DEFAULT_CHECKPOINT, generated_music, write_mp3

SECONDS = 180.0
PATIENCE = 600.0
BASIC_PITCH = Path("var/basic-pitch/bin/python")
BARE = """
import sys, time
from pathlib import Path
import numpy as np
if sys.argv[4] == "as a worker":
    import benchmarks
from model.audio import AudioLimits, AudioReader
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
transcriber = Transcriber.load(Path(sys.argv[1]), device="cpu", threads=2)
with open(sys.argv[2], "rb") as file, AudioReader(file, sr=transcriber.sr, limits=AudioLimits()) as reader:
    wave = np.concatenate(list(reader.blocks()))
decode_notes(transcriber.activations(wave), DecodingOptions())
start = time.perf_counter()
for _ in range(int(sys.argv[3])):
    decode_notes(transcriber.activations(wave), DecodingOptions())
print((time.perf_counter() - start) / int(sys.argv[3]))
"""


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str) -> float:
    """Seconds until the condition holds."""
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > PATIENCE:
            sys.exit(f"{what} did not happen within {PATIENCE} s")
        time.sleep(0.02)
    return time.perf_counter() - start


def answers(url: str) -> bool:
    """Whether a GET gives 200."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url).status_code == 200
    return False


@contextlib.contextmanager
def running(words: list[str], folder: Path, path: str, **settings: str) -> Iterator[tuple[str, float]]:
    """An `amt` command in a folder of its own: its address and the seconds until `path` answered."""
    port = free_port()
    environment = os.environ | {"AMT_VAR": str(folder), "AMT_PORT": str(port), "AMT_THREADS": "2"}
    environment |= {f"AMT_{name.upper()}": value for name, value in settings.items()}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "app.cli", *words], env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            yield url, wait_until(lambda: answers(url + path), f"{words}: {path}")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def post_to_midi(url: str, audio: Path) -> float:
    """Seconds from the first byte of the POST to the last byte of the MIDI file; the POST waits for the end."""
    with httpx.Client(base_url=url, timeout=120) as client, audio.open("rb") as file:
        start = time.perf_counter()
        answer = client.post("/v1/transcriptions", files={"file": file}, headers={"Prefer": "wait=60"})
        job = answer.raise_for_status().json()
        wait_until(lambda: ended(client, job), "the end of the job")
        midi = client.get(job["links"]["midi"]).raise_for_status().content
        assert midi.startswith(b"MThd")
        return time.perf_counter() - start


def ended(client: httpx.Client, job: dict[str, Any]) -> bool:
    """Whether a job has ended; one that came back ended is not asked for again."""
    running = ("queued", "running")
    return job["status"] not in running or client.get(job["links"]["self"]).json()["status"] not in running


def post_alone(url: str, audio: Path) -> float:
    """Seconds until a POST is answered; the job is deleted afterwards."""
    with httpx.Client(base_url=url, timeout=120) as client, audio.open("rb") as file:
        start = time.perf_counter()
        answer = client.post("/v1/transcriptions", files={"file": file}).raise_for_status()
        spent = time.perf_counter() - start
        client.delete(answer.headers["Location"]).raise_for_status()
        return spent


def decode_again(url: str, audio: Path) -> float:
    """Seconds of decoding a finished job again with another threshold, best of three."""
    with httpx.Client(base_url=url, timeout=600) as client, audio.open("rb") as file:
        job = client.post("/v1/transcriptions", files={"file": file}).raise_for_status().json()
        address = f"/v1/transcriptions/{job['id']}"
        wait_until(lambda: client.get(address).json()["status"] == "succeeded", "the end of the job")
        spent = []
        for threshold in (0.3, 0.5, 0.6):
            start = time.perf_counter()
            client.post(f"{address}/decode", json={"onset_threshold": threshold}).raise_for_status()
            spent.append(time.perf_counter() - start)
        return min(spent)


def bare_model(audio: Path, *, runs: int, as_worker: bool = False) -> float:
    """Seconds from decoded audio to notes without the service, the mean of so many in a row.

    In a process as Python starts it, or in one that is set up `as_worker`.
    """
    how = "as a worker" if as_worker else "plain"
    command = [sys.executable, "-c", BARE, str(DEFAULT_CHECKPOINT), str(audio), str(runs), how]
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def basic_pitch(audio: Path) -> float | None:
    """Seconds that basic-pitch takes for the file, warm, or None when it is not installed."""
    if not BASIC_PITCH.exists():
        return None
    script = Path(__file__).with_name("run_basic_pitch.py")
    command = [str(BASIC_PITCH.absolute()), "-P", str(script)]
    lines = f"{audio}\t{audio.with_suffix('.bp.mid')}"
    environment = {**os.environ, "PYTHONPATH": ""}
    run = subprocess.run(command, input=lines, text=True, capture_output=True, env=environment, check=True)
    return float(next(line.split()[1] for line in run.stdout.splitlines() if line.startswith("SECONDS")))


def measure_service(folder: Path, audio: Path, runs: int) -> dict[str, float]:
    """Everything that is measured on a running service."""
    large, long = folder / "10mb.wav", folder / "ten-minutes.flac"
    soundfile.write(large, np.resize(generated_music(60.0), 5_242_880), 16000)
    soundfile.write(long, np.resize(generated_music(180.0), 600 * 16000), 16000)
    with running(["serve"], folder, "/readyz") as (url, ready):
        post_to_midi(url, audio)
        whole = statistics.median(post_to_midi(url, audio) for _ in range(runs))
        post = statistics.median(post_alone(url, large) for _ in range(runs))
        time.sleep(3)  # the worker gives up what was deleted
        again = decode_again(url, long)
    return {"ready": ready, "whole": whole, "post": post, "again": again}


def worker_start(folder: Path) -> float:
    """Seconds from the start of a transcription worker until it has done its first, empty task."""
    folder.mkdir()
    os.environ["AMT_VAR"] = str(folder)
    settings = load_settings()
    migrate(settings.database)
    settings.run.mkdir(parents=True)
    redis_server = subprocess.Popen(prepare_redis(settings)[0], stdout=subprocess.DEVNULL)
    redis = open_redis(settings)
    wait_until(lambda: pings(redis), "Redis")
    send_canary(build_celery(settings), TRANSCRIBE)
    command = [sys.executable, "-m", "app.cli", "worker", "--queue", TRANSCRIBE]
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log)
        spent = wait_until(lambda: silence(redis, TRANSCRIBE) is not None, "the first task")
    for process in (worker, redis_server):
        process.terminate()
        process.wait()
    return spent


def pings(redis: Redis) -> bool:
    """Whether Redis answers."""
    with contextlib.suppress(RedisError):
        return bool(redis.ping())
    return False


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        audio = folder / "three-minutes.mp3"
        write_mp3(generated_music(SECONDS, sr=44100), audio, sr=44100)
        found = measure_service(folder, audio, arguments.runs)
        with running(["api"], folder, "/healthz") as (_, api_start):
            pass
        starts = [worker_start(folder / f"worker-{number}") for number in range(arguments.runs)]
        bare, other = bare_model(audio, runs=arguments.runs), basic_pitch(audio)
    rows = [
        (
            "three-minute mp3, POST to MIDI, worker warm",
            found["whole"],
            f"{found['whole'] / bare:.2f} x the bare model",
        ),
        ("the bare model, decoded audio to notes", bare, f"{SECONDS / bare:.0f} x real time"),
        ("answer to the POST of 10 MB", found["post"], ""),
        ("decode again, ten minutes", found["again"], ""),
        ("`amt api` until it answers", api_start, ""),
        ("`amt serve` until it is ready", found["ready"], ""),
        ("`amt worker` until its first task is done", statistics.median(starts), ""),
    ]
    if other is not None:
        rows.append(("basic-pitch, the same mp3", other, f"{other / found['whole']:.1f} x the whole service"))
    print("| | seconds | in relation |\n|---|---|---|")
    for what, seconds, relation in rows:
        print(f"| {what} | {seconds:.3f} | {relation} |")


if __name__ == "__main__":
    main()
