"""Many clients at once against the whole service on this machine: what it answers, how long it takes, what it holds.

    python -m benchmarks.load [--clients 200] [--seconds 300] [--recording 4]

Starts `amt serve` in a folder of its own. Each client uploads a short recording, follows it to its end, every other
one by polling and the others by the stream of events, downloads its MIDI, deletes it, and begins again. After the given
time nobody uploads any more, and what was accepted is followed to its end. Exit status 1 if a job was lost, an answer
was neither a success nor a documented refusal (429, 503, 507), or a process grew by more than 5 %.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

from benchmarks.common import generated_music
from benchmarks.service import running

TERMINAL = {"succeeded", "failed", "cancelled", "expired"}
REFUSALS = {429, 503, 507}
POLL_SECONDS = 1.0
# The longest that the last accepted jobs may take after the last upload.
DRAIN_SECONDS = 600.0
# Memory is first read when every process has done its work a few times.
WARM_UP_SHARE = 0.2
MOST_GROWTH = 0.05


@dataclass
class Tally:
    """What happened."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    answers: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    accepted: int = 0

    async def request(
        self, client: httpx.AsyncClient, name: str, method: str, path: str, **more: Any
    ) -> httpx.Response:
        """Send a request and note how it went."""
        start = time.perf_counter()
        answer = await client.request(method, path, **more)
        self.note(name, answer.status_code, time.perf_counter() - start)
        return answer

    def note(self, name: str, status: int, seconds: float) -> None:
        """Note an answer."""
        self.seconds[name].append(seconds)
        self.answers[f"{name} {status}"] += 1
        if status >= 400 and status not in REFUSALS:
            self.errors[f"{name} {status}"] += 1


async def follow_by_polling(client: httpx.AsyncClient, tally: Tally, address: str) -> str:
    """Ask until the job has ended."""
    while True:
        answer = await tally.request(client, "GET job", "GET", address)
        if answer.status_code == 200 and (status := answer.json()["status"]) in TERMINAL:
            return str(status)
        await asyncio.sleep(POLL_SECONDS)


async def follow_by_events(client: httpx.AsyncClient, tally: Tally, address: str) -> str:
    """Listen until the job has ended; a stream that is cut is taken up again."""
    last_id: str | None = None
    while True:
        start = time.perf_counter()
        headers = {"Last-Event-ID": last_id} if last_id else {}
        async with client.stream("GET", f"{address}/events", headers=headers) as stream:
            tally.note("GET events, first byte", stream.status_code, time.perf_counter() - start)
            async for line in stream.aiter_lines():
                if line.startswith("id: "):
                    last_id = line[4:]
                if line.startswith("data: ") and (status := json.loads(line[6:])["status"]) in TERMINAL:
                    return str(status)
        await asyncio.sleep(POLL_SECONDS)


async def one_job(client: httpx.AsyncClient, tally: Tally, recording: bytes, *, listens: bool) -> None:
    """From the upload to the deletion."""
    begun = time.perf_counter()
    answer = await tally.request(client, "POST", "POST", "/v1/transcriptions", files={"file": ("load.flac", recording)})
    if answer.status_code != 202:
        await asyncio.sleep(float(answer.headers.get("Retry-After", POLL_SECONDS)))
        return
    tally.accepted += 1
    address = answer.headers["Location"]
    status = await (follow_by_events if listens else follow_by_polling)(client, tally, address)
    tally.seconds["POST to the end"].append(time.perf_counter() - begun)
    tally.ended[status] += 1
    if status == "succeeded":
        midi = await tally.request(client, "GET midi", "GET", f"{address}/midi")
        if not midi.content.startswith(b"MThd"):
            tally.errors["not a MIDI file"] += 1
    await tally.request(client, "DELETE", "DELETE", address)


async def one_client(url: str, tally: Tally, recording: bytes, until: float, *, listens: bool) -> None:
    """Job after job until the time is over."""
    limits = httpx.Limits(max_connections=2, max_keepalive_connections=1)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        while time.monotonic() < until:
            try:
                await one_job(client, tally, recording, listens=listens)
            except httpx.HTTPError as error:
                tally.errors[type(error).__name__] += 1


async def load(url: str, folder: Path, recording: bytes, clients: int, seconds: float) -> tuple[Tally, Any, Any]:
    """Everything; gives what happened and the memory of all processes at the start and at the end."""
    tally = Tally()
    until = time.monotonic() + seconds
    running_clients = [
        asyncio.create_task(one_client(url, tally, recording, until, listens=bool(number % 2)))
        for number in range(clients)
    ]
    await asyncio.sleep(seconds * WARM_UP_SHARE)
    before = memory_of(folder)
    await asyncio.wait(running_clients, timeout=seconds + DRAIN_SECONDS)
    for client in running_clients:
        client.cancel()
    return tally, before, memory_of(folder)


def memory_of(folder: Path) -> dict[str, int]:
    """Resident bytes of each process of the service."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            is_ours = str(folder) in line or f"AMT_VAR={folder}".encode() in (process / "environ").read_bytes()
            pages = int((process / "statm").read_text().split()[1])
        except OSError:
            continue
        if is_ours:
            found[f"{name_of(line)} {process.name}"] = pages * os.sysconf("SC_PAGE_SIZE")
    return found


def name_of(line: str) -> str:
    """What a command line is called here."""
    if "redis" in line:
        return "redis"
    return " ".join(word for word in line.partition("app.cli ")[2].split() if not word.startswith("-")) or "child"


def show(tally: Tally, before: dict[str, int], after: dict[str, int]) -> bool:
    """Print the report; True if all is well."""
    lost = tally.accepted - sum(tally.ended.values())
    print(f"accepted {tally.accepted}, ended {dict(tally.ended)}, lost {lost}")
    print(f"answers  {dict(sorted(tally.answers.items()))}\nerrors   {dict(tally.errors) or 'none'}\n")
    print("| | number | p50, s | p95, s | p99, s | longest, s |\n|---|---|---|---|---|---|")
    for name, spent in tally.seconds.items():
        cuts = statistics.quantiles(spent, n=100, method="inclusive") if len(spent) > 1 else spent * 99
        print(f"| {name} | {len(spent)} | {cuts[49]:.3f} | {cuts[94]:.3f} | {cuts[98]:.3f} | {max(spent):.3f} |")
    print("\n| process | MB after a fifth | MB at the end | growth |\n|---|---|---|---|")
    growths = []
    for name in sorted(before.keys() & after.keys()):
        growths.append(after[name] / before[name] - 1)
        print(f"| {name} | {before[name] / 1e6:.1f} | {after[name] / 1e6:.1f} | {100 * growths[-1]:.1f} % |")
    replaced = sorted(before.keys() - after.keys())
    print(f"\nprocesses that ended: {', '.join(replaced) or 'none'}")
    return not lost and not tally.errors and not replaced and max(growths, default=0.0) <= MOST_GROWTH


def short_recording(folder: Path, seconds: float) -> bytes:
    """A few seconds of music."""
    path = folder / "load.flac"
    soundfile.write(path, np.asarray(generated_music(seconds)), 16000)
    return path.read_bytes()


def main() -> None:
    """Run it and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--recording", type=float, default=4.0, help="length of each recording, in seconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as name, running(["serve"], Path(name), "/readyz") as (url, _):
        recording = short_recording(Path(name), arguments.recording)
        found = asyncio.run(load(url, Path(name), recording, arguments.clients, arguments.seconds))
    sys.exit(0 if show(*found) else 1)


if __name__ == "__main__":
    main()
