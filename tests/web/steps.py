"""What a person does on the page, in words of the tests."""

import base64
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.app.service import wait_for

SHOWN_JOB = "async () => (await import('/page/store.js')).store.get().roll?.jobId ?? null"

DROP = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  for (const type of ["dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }
}"""


def open_job(page: Page, job: dict[str, Any]) -> None:
    """Open a finished recording and wait for its notes."""
    page.goto(f"/#/jobs/{job['id']}")
    wait_for(lambda: page.evaluate(SHOWN_JOB) == job["id"], what="the notes of the recording")


def drop(page: Page, file: Path) -> None:
    """Drop a file anywhere on the page."""
    page.evaluate(DROP, [file.name, base64.b64encode(file.read_bytes()).decode()])


def choose(page: Page, *files: Path) -> None:
    page.locator("#files").set_input_files([str(file) for file in files])


def item(page: Page, name: str) -> Locator:
    """A recording in the list."""
    return page.locator(".job", has_text=name).first


def expect_result(page: Page) -> None:
    """The open recording is done and its notes are drawn. Another test's recording may still be at work before it."""
    expect(page.locator("#take-midi")).to_be_visible(timeout=60_000)


def shown_notes(page: Page) -> int:
    """Number of notes in the picture."""
    count: int = page.evaluate("async () => (await import('/page/store.js')).store.get().roll?.notes.length ?? 0")
    return count


def position(page: Page) -> float:
    """Where the playhead is, in seconds."""
    seconds: float = page.evaluate("async () => (await import('/page/transport.js')).transport.position")
    return seconds


def level(page: Page, which: str) -> float:
    """What the meter of `original` or `notes` shows, 0 to 1."""
    return float(page.locator(f".meter-{which}").evaluate("(meter) => meter.style.getPropertyValue('--level')") or 0)
