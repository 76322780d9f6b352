"""How many threads a worker should have: the same recordings through the whole service, with the cores divided in turn.

    python -m benchmarks.threads [--files 50] [--seconds 180] [--rounds 1]

All recordings are uploaded at once; counted is the time from the start of the first job to the end of the last. The
bare model hears as many, one after the other, in the same run, since machines differ and only ratios count.
"""

import argparse
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from app.cores import usable_cores
from benchmarks.common import generated_music, write_mp3
from benchmarks.service import bare_model, post_to_midi, running

ASK_SECONDS = 1.0  # who asks more often takes the time of those who work


def throughput(audio: Path, seconds: float, files: int, *, processes: int, threads: int) -> float:
    """Seconds of audio that the service hears in a second."""
    settings = {"concurrency": str(processes), "threads": str(threads)}
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        running(["serve"], Path(folder), "/readyz", **settings) as (url, _),
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        post_to_midi(url, audio)  # warm
        addresses = [upload(client, audio) for _ in range(files)]
        jobs = [ended(client, address) for address in addresses]
    begun = min(moment(job, "started_at") for job in jobs)
    return files * seconds / (max(moment(job, "finished_at") for job in jobs) - begun).total_seconds()


def upload(client: httpx.Client, audio: Path) -> str:
    """Address of a new job."""
    with audio.open("rb") as file:
        answer = client.post("/v1/transcriptions", files={"file": file}).raise_for_status()
    return str(answer.headers["Location"])


def ended(client: httpx.Client, address: str) -> dict[str, Any]:
    """A job once it is over, which must have gone well."""
    while (job := client.get(address).json())["status"] in ("queued", "running"):
        time.sleep(ASK_SECONDS)
    assert job["status"] == "succeeded", job["error"]
    return job


def moment(job: dict[str, Any], name: str) -> datetime:
    """A moment of a job's life."""
    return datetime.fromisoformat(job[name])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many counts")
    arguments = parser.parse_args()
    cores = usable_cores()
    divisions = sorted({(1, cores), (cores, 1), (cores, cores)})
    with tempfile.TemporaryDirectory() as name:
        audio = Path(name) / "recording.mp3"
        write_mp3(generated_music(arguments.seconds, sr=44100), audio, sr=44100)
        found = dict.fromkeys(divisions, 0.0)
        for _ in range(arguments.rounds):
            for processes, threads in divisions:
                speed = throughput(audio, arguments.seconds, arguments.files, processes=processes, threads=threads)
                found[processes, threads] = max(found[processes, threads], speed)
        bare, tuned = (
            arguments.seconds / bare_model(audio, runs=arguments.files, as_worker=tuned) for tuned in (False, True)
        )
    print(f"{arguments.files} recordings of {arguments.seconds:g} s on {cores} cores\n")
    print("| recordings at once | threads of each | times real time | of the bare model | of it set up as a worker |")
    print("|---|---|---|---|---|")
    for (processes, threads), speed in found.items():
        print(f"| {processes} | {threads} | {speed:.0f} | {speed / bare:.2f} | {speed / tuned:.2f} |")
    print(f"| the bare model | 2 | {bare:.0f} | 1.00 | |")
    print(f"| the same in a process set up as a worker | 2 | {tuned:.0f} | | 1.00 |")


if __name__ == "__main__":
    main()
