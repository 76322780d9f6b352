"""Frame times of the page while panning 20,000 notes of an hour, and its memory.

    python -m benchmarks.page [--url http://127.0.0.1:8000]

Needs a running service with at least one finished recording, and Chromium. The recording's notes are replaced on their
way to the page by generated ones. Chromium draws in software here, without a graphics card.
"""

import argparse
import json
import shutil
import sys
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import Page, Route, sync_playwright

COUNT = 20_000
DURATION = 3600.0
FRAMES = 120
WIDTH, HEIGHT = 1280, 900
# Times between frames while the wheel moves the roll sideways by 15 pixels in each.
PAN = """async (frames) => {
  const canvas = document.querySelector("canvas.roll");
  const wheel = (deltaX) => canvas.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, deltaX }));
  const gaps = [];
  let last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < frames; i++) {
    wheel(i < frames / 2 ? 15 : -15);
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  return gaps;
}"""
NOTES = "async () => (await import('/page/store.js')).store.get().roll?.notes.length"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    url = parser.parse_args().url
    jobs = httpx.get(f"{url}/v1/transcriptions").json()["transcriptions"]
    job = next((job for job in jobs if job["status"] == "succeeded"), None)
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if job is None or program is None:
        sys.exit("a finished recording and Chromium are needed")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
        ) as browser,
    ):
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.route("**/piano-roll", answer)
        page.goto(f"{url}/#/jobs/{job['id']}")
        while page.evaluate(NOTES) != COUNT:
            page.wait_for_timeout(100)
        page.wait_for_timeout(1000)
        measure(page)


def answer(route: Route) -> None:
    """The generated notes in place of the recording's own."""
    body = {"schema_version": 1, "duration": DURATION, "frame_rate": 40.0, "lowest_pitch": 21, "highest_pitch": 108}
    route.fulfill(body=json.dumps(body | {"notes": generated_notes()}), content_type="application/json")


def generated_notes() -> list[dict[str, Any]]:
    """Notes at random, the same each time."""
    random = np.random.default_rng(0)
    onsets = np.sort(random.uniform(0, DURATION - 3, COUNT))
    return [
        {
            "onset": float(onset),
            "offset": float(onset + random.uniform(0.1, 2)),
            "pitch": int(random.integers(30, 97)),
            "velocity": int(random.integers(30, 111)),
            "confidence": float(random.uniform()),
        }
        for onset in onsets
    ]


def measure(page: Page) -> None:
    """Pan at several zooms; the heap before and after, garbage collected."""
    before = heap_megabytes(page)
    for steps in (1, 3, 5, 5):
        for _ in range(steps):
            page.locator("#zoom-in").click()
        gaps = np.array(page.evaluate(PAN, FRAMES))
        shown = page.locator(".toolbar .range").inner_text()
        print(f"{shown:>20}: median {np.median(gaps):5.1f} ms, 95 % {np.percentile(gaps, 95):5.1f} ms between frames")
    print(f"heap {before:.1f} MB before, {heap_megabytes(page):.1f} MB after panning")
    paint = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"first contentful paint {paint:.0f} ms")


def heap_megabytes(page: Page) -> float:
    """JavaScript heap in use."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


main()
