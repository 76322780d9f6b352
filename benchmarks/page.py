"""The page under load, by the browser's own tracing: frame times with 20,000 notes, memory on an hour, first paint.

    python -m benchmarks.page [--url http://127.0.0.1:8000] [--minutes 60] [--notes 20000] [--instruments 1]

Needs a running service and Chromium. A recording of that length is made, transcribed by the service, given so many
notes as a version, looked at and played in a real page, and deleted. Chromium draws in software here, without a
graphics card.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from app.instruments import INSTRUMENTS
from benchmarks.common import generated_music, write_mp3

SR = 16000
WIDTH, HEIGHT = 1280, 900
FRAMES = 240
FRAME_CATEGORIES = ("devtools.timeline", "disabled-by-default-devtools.timeline.frame")
MEMORY_CATEGORIES = ("disabled-by-default-memory-infra",)
# What the page's main thread does for a frame.
WORK = ("FireAnimationFrame", "UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit")
HEARD_SECONDS = 5
PLACES = 6
# Pans the roll by 15 pixels in each frame, there and back.
PAN = """async (frames) => {
  const canvas = document.querySelector("canvas.roll");
  const wheel = (deltaX) => canvas.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, deltaX }));
  for (let i = 0; i < frames; i++) {
    wheel(i < frames / 2 ? 15 : -15);
    await new Promise(requestAnimationFrame);
  }
}"""
NOTES = "async () => (await import('/page/store.js')).store.get().roll?.notes.length"
SEEK = "async (at) => (await import('/page/transport.js')).transport.seek(at)"
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--notes", type=int, default=20_000)
    parser.add_argument("--instruments", type=int, default=1, help="how many share the notes, 1 to 11")
    words = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("Chromium is needed")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        ) as browser,
    ):
        measure_start(browser, words.url)
        with httpx.Client(base_url=words.url, timeout=600) as client, recording(client, words.minutes) as job:
            add_notes(client, job, words.notes, INSTRUMENTS[: words.instruments])
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(f"{words.url}/#/jobs/{job['id']}")
            wait(lambda: page.evaluate(NOTES) == words.notes)
            page.wait_for_timeout(1000)
            measure_frames(browser, page)
            measure_memory(browser, page, job["audio"]["duration"])


def measure_start(browser: Browser, url: str) -> None:
    """First paint of a page that the browser does not know yet, and what it loads for it."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(len(answer.body())) if "/v1/" not in answer.url else None)
    page.goto(url, wait_until="networkidle")
    print(f"first contentful paint {page.evaluate(PAINT):.0f} ms, {len(sizes)} files of {sum(sizes) / 1000:.0f} kB")
    page.close()


@contextmanager
def recording(client: httpx.Client, minutes: float) -> Iterator[dict[str, Any]]:
    """A long recording, transcribed; deleted in the end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp3"
        minute = generated_music(60, sr=SR)
        write_mp3(np.tile(minute, max(1, round(minutes))), path, sr=SR)
        with path.open("rb") as file:
            job = client.post("/v1/transcriptions", files={"file": (path.name, file)}).json()
    address = job["links"]["self"]
    try:
        wait(lambda: client.get(address).json()["status"] in ("succeeded", "failed"))
        yield client.get(address).json()
    finally:
        for _ in range(2):  # a running one is cancelled first
            client.delete(address)


def add_notes(client: httpx.Client, job: dict[str, Any], count: int, instruments: Sequence[str]) -> None:
    """Notes at random, the same each time, as the job's newest version; the instruments take turns."""
    random = np.random.default_rng(0)
    duration = job["audio"]["duration"]
    pitches = np.arange(30, 97)
    notes = []
    for pitch, own in zip(pitches, np.array_split(np.arange(count), len(pitches)), strict=True):
        onsets = np.sort(random.uniform(0, duration - 1, len(own)))
        ends = np.minimum(onsets + random.uniform(0.1, 2, len(own)), np.append(onsets[1:], duration))
        for onset, offset in zip(onsets, ends, strict=True):
            velocity, confidence = int(random.integers(30, 111)), float(random.uniform())
            note = {"onset": onset, "offset": offset, "pitch": int(pitch), "velocity": velocity}
            notes.append(note | {"confidence": confidence, "instrument": instruments[len(notes) % len(instruments)]})
    answer = client.put(job["links"]["notes"], json={"notes": notes}, headers={"If-Match": "*"})
    answer.raise_for_status()


def measure_frames(browser: Browser, page: Page) -> None:
    """Pan at several zooms: the time from frame to frame, and what the page's main thread does for each."""
    for steps in (0, 3, 5, 5):
        for _ in range(steps):
            page.locator("#zoom-in").click()
        with traced(browser, page, FRAME_CATEGORIES) as events:
            page.evaluate(PAN, FRAMES)
        drawn = np.sort([event["ts"] for event in events if event["name"] == "DrawFrame"]) / 1000
        dropped = sum(event["name"] == "DroppedFrame" for event in events)
        work = sum(event.get("dur", 0) for event in events if event["name"] in WORK) / 1000
        shown = page.locator(".toolbar .range").inner_text()
        gaps = np.diff(drawn)
        print(
            f"{shown:>20}: {len(drawn)} frames, {dropped} dropped; from one to the next "
            f"median {np.median(gaps):.1f} ms, 95 % {np.percentile(gaps, 95):.1f} ms; "
            f"work for each {work / FRAMES:.1f} ms"
        )


def measure_memory(browser: Browser, page: Page, duration: float) -> None:
    """The page's process when the recording is open, and after hearing and seeing it here and there up to its end."""
    print(f"memory, opened:         {describe_memory(browser, page)}")
    page.locator("#play").click()
    for place in np.linspace(0, duration - 2 * HEARD_SECONDS, PLACES):
        page.evaluate(SEEK, float(place))
        page.wait_for_timeout(1000 * HEARD_SECONDS)
        page.evaluate(PAN, FRAMES // 4)
        print(f"memory, heard at {place / 60:5.1f} min: {describe_memory(browser, page)}")
    page.locator("#play").click()


def describe_memory(browser: Browser, page: Page) -> str:
    """JavaScript heap, and from a memory dump of the browser's tracing the page's process: the largest of its kind."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    tracer = browser.new_browser_cdp_session()
    renderers = {
        one["id"] for one in tracer.send("SystemInfo.getProcessInfo")["processInfo"] if one["type"] == "renderer"
    }
    with traced(browser, page, MEMORY_CATEGORIES) as events:
        tracer.send("Tracing.requestMemoryDump", {"levelOfDetail": "light"})
    totals = [e["args"]["dumps"].get("process_totals") for e in events if e["ph"] == "v" and e["pid"] in renderers]
    private = max(int(total["private_footprint_bytes"], 16) for total in totals if total)
    return f"heap {heap / 1e6:5.1f} MB, process {private / 1e6:5.0f} MB"


@contextmanager
def traced(browser: Browser, page: Page, categories: tuple[str, ...]) -> Iterator[list[dict[str, Any]]]:
    """Trace what happens within; the list is filled when the context ends."""
    events: list[dict[str, Any]] = []
    session = browser.new_browser_cdp_session()
    config = {"includedCategories": list(categories), "excludedCategories": ["*"]}
    session.send("Tracing.start", {"transferMode": "ReturnAsStream", "traceConfig": config})
    yield events
    ended: list[dict[str, Any]] = []
    session.once("Tracing.tracingComplete", lambda event: ended.append(event))
    session.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(20)
    pieces = []
    while True:
        piece = session.send("IO.read", {"handle": ended[0]["stream"], "size": 1 << 20})
        pieces.append(piece["data"])
        if piece["eof"]:
            break
    session.detach()
    events.extend(json.loads("".join(pieces))["traceEvents"])


def wait(condition: Callable[[], bool], *, seconds: float = 1800) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("it takes too long")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
