"""Ways in, progress, cancelling, and what is said of bad files."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.app.service import upload, wait_for
from tests.web.steps import choose, drop, expect_result, item

# Collects everything that the list says from now on.
LISTEN = """() => {
  globalThis.said = new Set();
  const collect = () => document.querySelectorAll(".job-state").forEach((state) => said.add(state.textContent));
  const everything = { subtree: true, childList: true, characterData: true };
  new MutationObserver(collect).observe(document.querySelector("#jobs"), everything);
}"""


def slow_uploads(page: Page, bytes_per_second: int) -> None:
    session = page.context.new_cdp_session(page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second}
    session.send("Network.emulateNetworkConditions", limits)


def test_a_dropped_file_shows_its_upload_then_its_progress_then_its_notes(
    page: Page, client: httpx.Client, recording: Path, long_recording: Path
) -> None:
    """Another recording is before it in line until the page listens: it is transcribed in less than half a second."""
    before = upload(client, long_recording.read_bytes(), "Before it.wav")
    page.goto("/")
    page.evaluate(LISTEN)
    slow_uploads(page, recording.stat().st_size // 2)
    with page.expect_response(lambda answer: answer.url.endswith("/events") and before["id"] not in answer.url):
        drop(page, recording)
    assert client.delete(before["links"]["self"]).status_code == 204
    expect_result(page)
    said: list[str] = page.evaluate("() => [...said]")
    sent = {int(match[1]) for text in said if (match := re.match(r"Sending · (\d+) %", text))}
    assert len(sent) >= 3, said
    assert any(re.match("Starting|Transcribing", text) for text in said), said
    assert page.url.split("/")[-1] in page.locator("#take-midi").get_attribute("href")
    expect(page.locator("h1")).to_have_text("Etude in C")


def test_a_file_that_is_dropped_before_the_page_is_ready_waits(page: Page, recording: Path) -> None:
    held: list[Route] = []
    page.route("**/v1/session", lambda route: held.append(route))
    with page.expect_request("**/v1/session"):
        page.goto("/")
    drop(page, recording)
    assert page.locator(".job").count() == 0
    held[0].continue_()
    expect_result(page)


def test_of_several_files_each_goes_its_way(page: Page, recording: Path, bad_file: Path) -> None:
    page.goto("/")
    good = recording.with_name("Second etude.mp3")
    good.write_bytes(recording.read_bytes())
    choose(page, recording, bad_file, good)
    expect(item(page, "Letter")).to_contain_text("This is not a recording that can be read.")
    expect(item(page, "Second etude")).to_contain_text("notes")
    expect(item(page, "Etude in C")).to_contain_text("notes")
    assert page.url.endswith("/"), "several files do not take the page away from the list"


def test_a_bad_file_says_what_to_do(page: Page, bad_file: Path) -> None:
    page.goto("/")
    choose(page, bad_file)
    advice = page.locator("main [role=alert]")
    expect(advice).to_contain_text("This is not a recording that can be read.")
    expect(advice).to_contain_text("Export it as WAV")
    page.locator("#remove").click()
    expect(page.locator("main h1")).to_have_text("Drop a recording, see its notes")


def test_a_refused_file_keeps_its_place_and_its_reason(page: Page, tmp_path: Path) -> None:
    empty = tmp_path / "Nothing.wav"
    empty.touch()
    page.goto("/")
    choose(page, empty)
    refused = item(page, "Nothing.wav")
    expect(refused.locator("[role=alert]")).to_contain_text("The file is empty.")
    refused.get_by_role("button", name="Dismiss").click()
    expect(refused).to_have_count(0)


def test_an_upload_without_network_can_be_tried_again(page: Page, recording: Path) -> None:
    page.goto("/")
    page.context.set_offline(True)
    choose(page, recording)
    failed = page.locator('.job[data-status="failed"]', has_text="Etude in C").first
    expect(failed).to_contain_text("The service does not answer.")
    page.context.set_offline(False)
    failed.get_by_role("button", name="Try again").click()
    expect_result(page)


def test_cancelling(page: Page, client: httpx.Client, long_recording: Path) -> None:
    page.goto("/")
    choose(page, long_recording)
    page.locator("#cancel").click()
    expect(page.locator("main")).to_contain_text("Cancelled.")
    job_id = page.url.split("/")[-1]
    assert client.get(f"/v1/transcriptions/{job_id}").json()["status"] == "cancelled"


def test_what_is_under_way_survives_a_reload(page: Page, long_recording: Path) -> None:
    page.goto("/")
    choose(page, long_recording)
    expect(page.locator("#cancel")).to_be_visible()
    page.reload()
    expect(page.locator("#cancel")).to_be_visible()
    expect(page.locator("main h1")).to_have_text("Long evening.wav")
    expect(item(page, "Long evening")).to_contain_text(re.compile("Next in line|Waiting|Starting|Transcribing"))
    page.locator("#cancel").click()
    expect(page.locator("main")).to_contain_text("Cancelled.")


def test_cancelling_an_upload_sends_no_job(page: Page, client: httpx.Client, long_recording: Path) -> None:
    page.goto("/")
    before = client.get("/v1/transcriptions").json()["transcriptions"][:1]
    slow_uploads(page, 500_000)
    choose(page, long_recording)
    expect(item(page, "Long evening")).to_contain_text("Sending")
    with page.expect_event("requestfailed", lambda request: request.method == "POST"):
        item(page, "Long evening").get_by_role("button", name="Cancel").click()
    expect(page.locator(".job", has_text="Sending")).to_have_count(0)
    assert client.get("/v1/transcriptions").json()["transcriptions"][:1] == before


def test_a_waiting_job_says_its_place_in_line(page: Page, long_recording: Path, recording: Path) -> None:
    page.goto("/")
    page.evaluate(LISTEN)
    choose(page, long_recording, recording)
    queued = wait_for(
        lambda: page.evaluate("() => [...said].find((text) => /^(Next in line|Waiting, number)/.test(text))"),
        what="a place in line",
    )
    assert queued
    page.get_by_role("button", name="Cancel Long evening.wav").click()
    expect(item(page, "Long evening")).to_contain_text("Cancelled.")


@pytest.mark.parametrize("broken", [False, True], ids=["events", "polling"])
def test_progress_comes_by_events_or_else_by_polling(page: Page, recording: Path, broken: bool) -> None:
    if broken:
        page.route("**/events", lambda route: route.fulfill(status=404, body=""))
    page.goto("/")
    choose(page, recording)
    expect_result(page)


def test_a_result_that_cannot_be_read_at_once_is_read_later(page: Page, recording: Path) -> None:
    failed: list[str] = []

    def fail_once(route: Route) -> None:
        if failed:
            route.continue_()
        else:
            failed.append(route.request.url)
            route.abort()

    page.route(re.compile(r"/v1/transcriptions/[\w-]+$"), fail_once)
    page.goto("/")
    choose(page, recording)
    expect_result(page)
    assert failed


def test_a_microphone_recording_becomes_a_job(page: Page) -> None:
    page.goto("/")
    page.locator("#record").click()
    expect(page.locator("#record")).to_have_text(re.compile("Stop 0:0[1-9]"))
    page.locator("#record").click()
    expect(page.locator("#record")).to_have_text("Record")
    expect_result(page)
    expect(page.locator("h1")).to_contain_text("Recording 20")


def test_what_was_recorded_is_kept_when_the_microphone_goes_away(page: Page) -> None:
    page.goto("/")
    page.evaluate("""() => {
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => (globalThis.microphone = await open(wanted));
    }""")
    page.locator("#record").click()
    expect(page.locator("#record")).to_have_text(re.compile("Stop 0:0[1-9]"))
    page.evaluate("() => globalThis.microphone.getTracks().forEach((track) => track.stop())")
    expect(page.locator("#record")).to_have_text("Record")
    expect_result(page)


def test_the_example_is_there(page: Page) -> None:
    page.goto("/")
    page.locator("#example").click()
    expect_result(page)
    expect(page.locator("h1")).to_have_text("Evening walk (example)")
