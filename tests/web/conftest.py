"""A real service, a real recording and a real browser."""

import io
import os
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.app.service import Service, finished, read, running, short_folder, upload
from tests.model.files import encode
from tests.model.signals import SR, TUNE, TUNE_SECONDS, melody
from tests.network import unchanged_network

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PATIENCE_MS = 30_000
# The browser itself reports each answer of 4xx; a test that provokes one looks at what the page says.
EXPECTED = "Failed to load resource"


@pytest.fixture(autouse=True)
def steady() -> Iterator[None]:
    with unchanged_network():
        yield


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """The whole service, as `amt serve` runs it."""
    folder = short_folder()
    with running(Service(folder / "var")) as whole:
        yield whole
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as http:
        yield http


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds with known notes."""
    folder = tmp_path_factory.mktemp("web")
    return encode(folder / "Etude in C.mp3", melody(TUNE, TUNE_SECONDS), sr=SR, kind="mp3")


@pytest.fixture(scope="session")
def bad_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bad") / "Letter.mp3"
    path.write_text("Dear friend, this is no music.\n" * 100)
    return path


@pytest.fixture(scope="session")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes: long enough to be caught at work."""
    path = tmp_path_factory.mktemp("long") / "Long evening.wav"
    path.write_bytes(wav(np.tile(melody(TUNE, TUNE_SECONDS), 50)))
    return path


@pytest.fixture(scope="session")
def job(client: httpx.Client, recording: Path) -> dict[str, Any]:
    """The recording, transcribed. Tests that change or delete a job make their own."""
    done = finished(client, upload(client, recording.read_bytes(), recording.name))
    assert done["status"] == "succeeded", done
    return done


@pytest.fixture
def own_job(client: httpx.Client, recording: Path) -> Iterator[dict[str, Any]]:
    """A job that the test may change."""
    done = finished(client, upload(client, recording.read_bytes(), "Own etude.mp3"))
    yield done
    client.delete(done["links"]["self"])


@pytest.fixture
def quartet(client: httpx.Client, own_job: dict[str, Any]) -> dict[str, Any]:
    """The recording with an edited version in which three instruments take turns: 12 notes, of a second each."""
    notes = [
        {"onset": i, "offset": i + 1, "pitch": 60 + i, "velocity": 90, "instrument": instrument}
        for i, instrument in enumerate(["violin", "viola", "cello"] * 4)
    ]
    answer = client.put(own_job["links"]["notes"], json={"notes": notes}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    return read(client, own_job)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE_MS)  # a context's own patience is not that of expectations, which is 5 s
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium as the system has it; nothing is downloaded."""
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        if os.environ.get("REQUIRE_CHROMIUM"):
            pytest.fail("Chromium is required here and not installed")
        pytest.skip("Chromium is not installed")
    with playwright.chromium.launch(executable_path=program, args=ARGUMENTS) as opened:
        yield opened


@pytest.fixture
def context(browser: Browser, service: Service) -> Iterator[BrowserContext]:
    """A fresh profile that asks nobody but the service."""
    with browser.new_context(base_url=service.url, viewport={"width": 1280, "height": 900}) as opened:
        opened.set_default_timeout(PATIENCE_MS)
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        yield opened
        assert [url for url in asked if not url.startswith((service.url, "blob:" + service.url))] == []


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab. Whatever a test does there, no script fails and no content policy is broken."""
    tab = context.new_page()
    troubles: list[str] = []
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on(
        "console",
        lambda message: (
            troubles.append(message.text) if message.type == "error" and not message.text.startswith(EXPECTED) else None
        ),
    )
    yield tab
    assert troubles == []


def wav(samples: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
    """A mono wav file at the test signals' rate."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SR)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
