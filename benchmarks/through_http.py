"""Real recordings through a running service: upload each, wait, keep its MIDI file for `evaluate --midi-folder`.

python -m benchmarks.through_http http://127.0.0.1:8000 FOLDER_OF_AUDIO OUT
python -m training evaluate --midi-folder OUT --data data/maps_validation --seconds 60
"""

import sys
import time
from pathlib import Path

import httpx

AUDIO = {".flac", ".wav", ".mp3", ".opus", ".ogg"}


def upload(client: httpx.Client, path: Path) -> str:
    """Upload a recording; gives the job's address."""
    with path.open("rb") as file:
        return client.post("/v1/transcriptions", files={"file": file}).raise_for_status().headers["Location"]


def take_midi(client: httpx.Client, address: str) -> bytes:
    """Wait for a job's end and take its MIDI file."""
    while (job := client.get(address).raise_for_status().json())["status"] in ("queued", "running"):
        time.sleep(0.1)
    if job["status"] != "succeeded":
        sys.exit(f"{address}: {job['error']}")
    return client.get(f"{address}/midi").raise_for_status().content


def main() -> None:
    """Upload all at once, then collect."""
    address, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    target.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with httpx.Client(base_url=address, timeout=60) as client:
        jobs = {path.stem: upload(client, path) for path in sorted(source.iterdir()) if path.suffix in AUDIO}
        for name, job in jobs.items():
            (target / f"{name}.mid").write_bytes(take_midi(client, job))
    print(f"{len(jobs)} recordings in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
