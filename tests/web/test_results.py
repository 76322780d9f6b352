"""Tuning, taking and removing results."""

import io
import zipfile
from functools import partial
from typing import Any

import httpx
import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.app.service import read, wait_for
from tests.web.steps import item, open_job, shown_notes


def test_a_slider_changes_the_notes_while_it_moves(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    open_job(page, own_job)
    before = shown_notes(page)
    assert before == own_job["result"]["n_notes"] > 10
    counts = set()
    slider = page.locator("#onset_threshold")
    for value in (0.6, 0.75, 0.85, 0.95):
        slider.fill(str(value))
        wait_for(partial(decoded_with, page, client, own_job, value), what="the new notes")
        counts.add(shown_notes(page))
    assert len(counts) > 1
    assert shown_notes(page) < before
    expect(page.locator(".facts")).to_contain_text(f"{shown_notes(page)} note")
    page.locator("#reset").click()
    wait_for(lambda: shown_notes(page) == before, what="the notes of the defaults")
    assert float(slider.input_value()) == own_job["options"]["onset_threshold"]


def test_what_is_being_typed_stays_while_the_list_is_read_again(page: Page, own_job: dict[str, Any]) -> None:
    open_job(page, own_job)
    page.locator("#tempo").press("Control+a")
    page.keyboard.type("9")
    page.evaluate("async () => (await import('/page/watch.js')).refresh()")
    page.keyboard.type("6")
    assert page.locator("#tempo").input_value() == "96"


def test_pitch_limits_push_each_other(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    open_job(page, own_job)
    page.locator("#highest_pitch").fill("60")
    page.locator("#lowest_pitch").fill("65")
    assert page.locator("#highest_pitch").input_value() == "65"
    wait_for(lambda: read(client, own_job)["options"]["lowest_pitch"] == 65)
    wait_for(lambda: shown_notes(page) == read(client, own_job)["result"]["n_notes"])
    notes = client.get(own_job["links"]["piano_roll"]).json()["notes"]
    assert {note["pitch"] for note in notes} <= {65}


FINE = {"tempo": 92.5, "onset_threshold": 0.333, "min_note_ms": 42.0}


def test_what_no_hand_has_changed_stays_as_it_is(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    """Also where a field shows only what is next to it, or nothing."""
    before = client.post(own_job["links"]["decode"], json=FINE).json()["options"]
    open_job(page, own_job)
    expect(page.locator("#tempo")).to_have_value("92.5")
    with page.expect_response("**/decode"):
        page.locator("#frame_threshold").press("ArrowRight")
    after = read(client, own_job)["options"]
    assert after == before | {"frame_threshold": pytest.approx(before["frame_threshold"] + 0.01)}
    with page.expect_response("**/decode"):
        page.locator("#tempo").fill("61.25")
        page.locator("#tempo").press("Enter")
    assert read(client, own_job)["options"] == after | {"tempo": 61.25}
    with page.expect_request("**/decode") as request:
        page.locator("#reset").click()
    assert request.value.post_data == "{}"
    expect(page.locator("#tempo")).to_have_value("120")
    assert read(client, own_job)["options"] == own_job["options"]


@pytest.mark.parametrize("typed", ["500", ""])
def test_a_tempo_that_cannot_be_is_refused_in_words(page: Page, own_job: dict[str, Any], typed: str) -> None:
    open_job(page, own_job)
    tempo = page.locator("#tempo")
    tempo.evaluate("(input) => input.addEventListener('invalid', () => { globalThis.told = input.validationMessage; })")
    tempo.fill(typed)
    tempo.press("Enter")
    assert page.evaluate("globalThis.told")
    expect(tempo).to_be_focused()


@pytest.mark.parametrize("status", [200, 503])
def test_changes_that_are_made_before_the_answer_comes_are_all_sent(
    page: Page, client: httpx.Client, own_job: dict[str, Any], status: int
) -> None:
    open_job(page, own_job)
    held: list[Route] = []
    page.route("**/decode", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/decode"):
        page.locator("#onset_threshold").fill("0.6")
    page.locator("#min_note_ms").fill("75")
    page.locator("#tempo").fill("90")
    page.locator("#highest_pitch").fill("60")
    page.locator("#lowest_pitch").fill("62")
    page.locator("#may-play-piano").check()
    with page.expect_response(lambda answer: answer.url.endswith("/decode") and answer.request != held[0].request):
        if status == 200:
            held[0].continue_()
        else:
            held[0].fulfill(status=status, body="")
    wanted = {"onset_threshold": 0.6, "min_note_ms": 75, "tempo": 90, "instruments": ["piano"]}
    wait_for(
        lambda: (
            read(client, own_job)["options"] == own_job["options"] | wanted | {"lowest_pitch": 62, "highest_pitch": 62}
        )
    )
    expect(page.locator(".tune [role=alert]")).to_have_count(0)


def test_a_list_that_was_asked_for_before_a_change_does_not_undo_it(page: Page, own_job: dict[str, Any]) -> None:
    open_job(page, own_job)
    late: list[tuple[Route, APIResponse]] = []
    page.route("**/v1/transcriptions?**", lambda route: late.append((route, route.fetch())))
    page.evaluate("async () => { (await import('/page/watch.js')).refresh(); }")
    wait_for(lambda: page.wait_for_timeout(50) or late)
    with page.expect_response("**/decode"):
        page.locator("#onset_threshold").fill("0.95")
    wait_for(lambda: shown_notes(page) < own_job["result"]["n_notes"])
    few = shown_notes(page)
    with page.expect_response("**/v1/transcriptions?**"):
        route, answer = late.pop()
        route.fulfill(response=answer)
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert shown_notes(page) == few
    assert page.locator("#onset_threshold").input_value() == "0.95"


def test_a_tuning_that_fails_is_told_of_its_own_recording(
    page: Page, own_job: dict[str, Any], job: dict[str, Any]
) -> None:
    open_job(page, own_job)
    held: list[Route] = []
    page.route("**/decode", lambda route: held.append(route))
    with page.expect_request("**/decode"):
        page.locator("#onset_threshold").fill("0.6")
    page.evaluate(f"location.hash = '#/jobs/{job['id']}'")
    expect(page.locator("main h1")).to_have_text("Etude in C")
    with page.expect_response("**/decode"):
        held[0].fulfill(status=503, body="")
    expect(page.locator(".busy")).to_be_hidden()
    told = page.locator(".tune [role=alert]")
    expect(told).to_have_count(0)
    page.route("**/decode", lambda route: route.fulfill(status=503, body=""))
    page.locator("#frame_threshold").fill("0.6")
    expect(told).to_have_count(1)
    page.evaluate(f"location.hash = '#/jobs/{own_job['id']}'")
    expect(told).to_have_count(0)
    assert float(page.locator("#onset_threshold").input_value()) == own_job["options"]["onset_threshold"]


@pytest.mark.parametrize(
    ("kind", "link", "ending"), [("midi", "midi", "mid"), ("json", "piano_roll", "json"), ("csv", "notes_csv", "csv")]
)
def test_what_is_downloaded_is_what_the_api_gives(
    page: Page, client: httpx.Client, job: dict[str, Any], kind: str, link: str, ending: str
) -> None:
    open_job(page, job)
    with page.expect_download() as download:
        page.locator(f"#take-{kind}").click()
    assert download.value.suggested_filename == f"Etude in C.{ending}"
    assert download.value.path().read_bytes() == client.get(job["links"][link]).content


def test_one_archive_holds_what_was_chosen_of_several(
    page: Page, client: httpx.Client, job: dict[str, Any], own_job: dict[str, Any]
) -> None:
    page.goto("/")
    expect(item(page, "Own etude")).to_be_visible()
    page.locator("#zip").click()
    page.get_by_role("button", name="None", exact=True).click()
    expect(page.locator("#take-zip")).to_be_disabled()
    for one in (job, own_job):
        page.locator(f"#take-job-{one['id']}").check()
    page.locator("#take-kind-notes_csv").check()
    expect(page.locator("#take-zip")).to_have_text("Download 4 files")
    with page.expect_download() as download:
        page.locator("#take-zip").click()
    expect(page.locator("#takes")).to_be_hidden()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert archive.testzip() is None
        assert archive.read("Own etude.mid") == client.get(own_job["links"]["midi"]).content
        assert archive.read("Etude in C.csv") == client.get(job["links"]["notes_csv"]).content
        assert sorted(archive.namelist()) == [
            f"{name}.{end}" for name in ("Etude in C", "Own etude") for end in ("csv", "mid")
        ]


def test_the_list_survives_a_reload(page: Page, job: dict[str, Any]) -> None:
    page.goto("/")
    expect(page.locator(f'a[href="#/jobs/{job["id"]}"]')).to_be_visible()
    page.reload()
    expect(page.locator(f'a[href="#/jobs/{job["id"]}"]')).to_be_visible()


def test_a_link_opens_the_result(page: Page, job: dict[str, Any]) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_job(page, job)
    page.locator("#copy-link").click()
    expect(page.locator("#copy-link")).to_have_text("Copied")
    link = page.evaluate("() => navigator.clipboard.readText()")
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("main h1")).to_have_text("Etude in C")
    assert link.endswith(job["id"])


def test_a_link_to_nothing_says_so(page: Page) -> None:
    page.goto("/#/jobs/" + "x" * 22)
    expect(page.locator("main [role=alert]")).to_contain_text("There is no such recording.")


def test_deleting_asks_first(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    open_job(page, own_job)
    page.locator("#delete").click()
    page.get_by_role("button", name="Keep it").click()
    assert client.get(own_job["links"]["self"]).status_code == 200
    page.locator("#delete").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(item(page, "Own etude")).to_have_count(0)
    expect(page.locator("main h1")).to_have_text("Drop a recording, see its notes")
    assert client.get(own_job["links"]["self"]).status_code == 404
    assert [line for line in asked if line.startswith("GET") and own_job["id"] in line] == [], (
        "what is gone is not read"
    )


def decoded_with(page: Page, client: httpx.Client, job: dict[str, Any], threshold: float) -> bool:
    """Whether the page has come to rest with this onset threshold, and shows its notes."""
    now = read(client, job)
    settled = now["options"]["onset_threshold"] == threshold and page.locator(".busy").is_hidden()
    return bool(settled and shown_notes(page) == now["result"]["n_notes"])


def test_another_concert_pitch_hears_the_recording_again(
    page: Page, client: httpx.Client, own_job: dict[str, Any]
) -> None:
    chosen = {"onset_threshold": 0.333, "tempo": 92.5, "instruments": ["violin", "piano"]}
    before = client.post(own_job["links"]["decode"], json=chosen).json()["options"]
    open_job(page, own_job)
    expect(page.locator("#a4-hz")).to_contain_text("440 Hz, found")
    expect(page.locator(".facts")).not_to_contain_text("A4")
    page.locator("#a4-hz").select_option("466")
    expect(page.locator(".facts")).to_contain_text("A4 = 466 Hz", timeout=60_000)
    expect(page.locator("#a4-hz")).to_contain_text("466 Hz, as told")
    again = read(client, {"links": {"self": f"/v1/transcriptions/{page.url.rpartition('/')[2]}"}})
    assert again["id"] != own_job["id"]
    assert again["options"] == before | {"a4_hz": 466}
    assert read(client, own_job)["options"]["a4_hz"] == "auto"


def test_what_failed_is_tried_again_with_the_same_options(
    page: Page, client: httpx.Client, own_job: dict[str, Any]
) -> None:
    chosen = {"onset_threshold": 0.333, "instruments": ["violin", "piano"]}
    before = client.post(own_job["links"]["decode"], json=chosen).json()["options"]
    error = {"code": "internal", "message": "It broke.", "retryable": True}

    def with_a_failure(route: Route) -> None:
        answer = route.fetch()
        jobs = answer.json()
        for one in jobs["transcriptions"]:
            one.update({"status": "failed", "result": None, "error": error} if one["id"] == own_job["id"] else {})
        route.fulfill(response=answer, json=jobs)

    page.route("**/v1/transcriptions?**", with_a_failure, times=1)
    page.goto(f"/#/jobs/{own_job['id']}")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url(lambda url: own_job["id"] not in url)
    again = read(client, {"links": {"self": f"/v1/transcriptions/{page.url.rpartition('/')[2]}"}})
    assert again["options"] == before
