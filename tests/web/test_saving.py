"""What becomes of edits: other recordings and versions, other people, a page that is left, a session that ends."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.app.service import read, wait_for
from tests.web.editing import EDITED, alone, begin, begin_and_delete_one, delete, expect_saved, middle, notes_of, point
from tests.web.steps import open_job, shown_notes


def test_what_somebody_else_saved_is_not_overwritten(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    before = begin(page, own_job)
    delete(page, alone(before))
    answer = client.put(own_job["links"]["notes"], json={"notes": before[:3]}, headers={"If-Match": "*"})
    assert answer.status_code == 200
    page.locator("#save").click()
    expect(page.locator(".edit-bar [role=alert]")).to_contain_text("changed meanwhile")
    assert read(client, own_job)["result"]["version"] == 1
    page.locator("#save-anyway").click()
    expect_saved(page, 2)
    counts = [one["n_notes"] for one in client.get(own_job["links"]["versions"]).json()["versions"]]
    assert counts == [len(before) - 1, 3, len(before)]


def test_edits_wait_while_another_recording_is_open(page: Page, job: dict[str, Any], own_job: dict[str, Any]) -> None:
    before = begin(page, own_job)
    delete(page, alone(before))
    open_job(page, job)
    assert shown_notes(page) == job["result"]["n_notes"]
    open_job(page, own_job)
    wait_for(lambda: shown_notes(page) == len(before) - 1, what="the edited notes")
    page.locator("#undo").click()
    assert notes_of(page) == before


def test_tuning_waits_for_the_edits_and_then_shows_what_is_found(
    page: Page, client: httpx.Client, own_job: dict[str, Any]
) -> None:
    before = begin(page, own_job)
    delete(page, alone(before))
    expect(page.locator("#onset_threshold")).to_be_disabled()
    page.locator("#save").click()
    expect_saved(page, 1)
    page.locator("#lowest_pitch").fill("60")
    wait_for(lambda: min(note["pitch"] for note in notes_of(page)) >= 60, what="the notes that are found anew")
    expect(page.locator("#version")).to_have_value("0")
    kept = client.get(own_job["links"]["notes"]).json()["notes"]
    assert len(kept) == len(before) - 1


@pytest.fixture
def asked(page: Page) -> list[str]:
    """What the browser has asked; the answer is yes."""
    found: list[str] = []

    def answer(dialog: Any) -> None:
        found.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    return found


def test_leaving_with_unsaved_edits_asks(page: Page, own_job: dict[str, Any], asked: list[str]) -> None:
    begin_and_delete_one(page, own_job)
    page.reload()
    wait_for(lambda: asked == ["beforeunload"], what="the browser's question")


def test_leaving_asks_for_the_edits_of_a_recording_that_is_not_open(
    page: Page, job: dict[str, Any], own_job: dict[str, Any], asked: list[str]
) -> None:
    begin_and_delete_one(page, own_job)
    open_job(page, job)
    page.reload()
    wait_for(lambda: asked == ["beforeunload"], what="the browser's question")


def test_leaving_does_not_ask_for_a_recording_that_was_deleted(
    page: Page, client: httpx.Client, own_job: dict[str, Any], asked: list[str]
) -> None:
    begin_and_delete_one(page, own_job)
    assert client.delete(own_job["links"]["self"]).status_code == 204
    page.evaluate("async (id) => (await import('/page/watch.js')).refreshJob(id)", own_job["id"])
    page.reload()
    expect(page.locator("#files")).to_be_attached()
    assert not asked


def test_edits_that_were_kept_while_another_recording_was_open_are_kept(
    page: Page, client: httpx.Client, job: dict[str, Any], own_job: dict[str, Any], asked: list[str]
) -> None:
    held: list[Route] = []
    page.route("**/notes", lambda route: held.append(route))
    begin_and_delete_one(page, own_job)
    with page.expect_request("**/notes"):
        page.locator("#save").click()
    open_job(page, job)
    with page.expect_response("**/versions"):
        held[0].continue_()
    open_job(page, own_job)
    expect_saved(page, 1)
    page.reload()
    expect(page.locator("#files")).to_be_attached()
    assert not asked


def test_versions_that_come_late_are_not_taken_for_those_of_another_recording(
    page: Page, client: httpx.Client, job: dict[str, Any], own_job: dict[str, Any]
) -> None:
    notes = client.get(own_job["links"]["notes"]).json()["notes"]
    edited = [{name: note[name] for name in EDITED} for note in notes[:2]]
    answer = client.put(own_job["links"]["notes"], json={"notes": edited}, headers={"If-Match": "*"})
    assert answer.status_code == 200
    held: list[Route] = []
    page.route("**/versions", lambda route: held.append(route))
    with page.expect_request("**/versions"):
        page.goto(f"/#/jobs/{own_job['id']}")
    open_job(page, job)
    with page.expect_response("**/versions"):
        held[0].continue_()
    page.wait_for_timeout(300)
    expect(page.locator("#version")).to_be_hidden()


def test_nothing_is_done_to_notes_that_are_still_seen_while_others_come(page: Page, own_job: dict[str, Any]) -> None:
    begin_and_delete_one(page, own_job)
    page.locator("#save").click()
    expect_saved(page, 1)
    before = notes_of(page)
    held: list[Route] = []
    page.route("**/piano-roll*", lambda route: held.append(route))
    with page.expect_request("**/piano-roll*"):
        page.locator("#version").select_option("As found")
    delete(page, alone(before))
    page.locator("#add-note").click()
    expect(page.locator(".edit-bar")).to_contain_text("Nothing selected")
    expect(page.locator("#save")).to_be_disabled()
    assert notes_of(page) == before
    with page.expect_response("**/piano-roll*"):
        held[0].continue_()
    expect(page.locator(".facts").first).to_contain_text(f"{own_job['result']['n_notes']} notes")
    note = alone(before)
    wait_for(lambda: shown_notes(page) == own_job["result"]["n_notes"], what="the notes as they were found")
    page.mouse.click(*point(page, *middle(note)))
    expect(page.locator(".edit-bar")).to_contain_text("1 note selected")


def test_edits_are_not_taken_for_those_of_a_recording_whose_notes_do_not_come(
    page: Page, client: httpx.Client, job: dict[str, Any], own_job: dict[str, Any]
) -> None:
    before = begin(page, own_job)
    delete(page, alone(before))
    page.route(f"**/{job['id']}/piano-roll*", lambda route: route.fulfill(status=503, body=""))
    page.goto(f"/#/jobs/{job['id']}")
    expect(page.locator(".result [role=alert]")).to_be_visible()
    expect(page.locator("main h1")).to_have_text("Etude in C")
    expect(page.locator(".edit-bar")).to_be_hidden()
    expect(page.locator("#save")).to_be_disabled()
    page.evaluate("document.querySelector('#save').disabled = false")
    page.evaluate("document.querySelector('#save').click()")
    page.locator("#edit").click()
    page.locator("#add-note").click()
    expect(page.locator("#save")).to_be_disabled()
    assert read(client, job)["result"]["version"] == 0
    page.unroute_all()
    open_job(page, own_job)
    wait_for(lambda: shown_notes(page) == len(before) - 1, what="the edited notes")
    page.locator("#save").click()
    expect_saved(page, 1)


def test_notes_are_saved_for_the_recording_alone_that_they_are_of(
    page: Page, client: httpx.Client, job: dict[str, Any], own_job: dict[str, Any]
) -> None:
    """Its notes are on their way, and somebody has pressed the keys of saving meanwhile."""
    begin_and_delete_one(page, own_job)
    held: list[Route] = []
    page.route(f"**/{job['id']}/piano-roll*", lambda route: held.append(route))
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    with page.expect_request("**/piano-roll*"):
        page.goto(f"/#/jobs/{job['id']}")
    page.locator("#edit").click()
    page.keyboard.press("Control+s")
    expect(page.locator("#undo")).to_be_disabled()
    expect(page.locator("#discard")).to_be_disabled()
    held[0].continue_()
    wait_for(lambda: shown_notes(page) == job["result"]["n_notes"], what="the notes")
    assert not sent


def test_what_was_done_to_a_version_is_not_offered_in_one_that_does_not_come(
    page: Page, own_job: dict[str, Any]
) -> None:
    begin_and_delete_one(page, own_job)
    page.locator("#save").click()
    expect_saved(page, 1)
    expect(page.locator("#undo")).to_be_enabled()
    page.route("**/piano-roll*", lambda route: route.fulfill(status=503, body=""))
    page.locator("#version").select_option("As found")
    expect(page.locator(".result [role=alert]")).to_be_visible()
    expect(page.locator("#undo")).to_be_disabled()
    assert notes_of(page) == []
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    wait_for(lambda: shown_notes(page) == own_job["result"]["n_notes"], what="the notes as they were found")


def test_what_is_saved_is_saved_even_if_the_versions_cannot_be_listed(
    page: Page, client: httpx.Client, own_job: dict[str, Any]
) -> None:
    page.route("**/versions", lambda route: route.fulfill(status=503, body=""))
    begin_and_delete_one(page, own_job)
    page.locator("#save").click()
    expect_saved(page, 1)
    expect(page.locator(".edit-bar [role=alert]")).to_have_count(0)
    expect(page.locator("#take-midi")).to_have_attribute("href", f"{own_job['links']['midi']}?version=1")
    page.locator("canvas.roll").press("Enter")
    page.keyboard.press("Delete")
    page.locator("#save").click()
    expect_saved(page, 2)
    expect(page.locator("#version option")).to_have_count(3)
    counts = [one["n_notes"] for one in client.get(own_job["links"]["versions"]).json()["versions"]]
    n_found = own_job["result"]["n_notes"]
    assert counts == [n_found - 2, n_found - 1, n_found]
    page.locator("#version").select_option("As found")
    wait_for(lambda: shown_notes(page) == n_found, what="the notes as they were found")


def test_a_version_that_is_listed_before_the_answer_comes_is_one(page: Page, own_job: dict[str, Any]) -> None:
    begin_and_delete_one(page, own_job)
    held: list[Route] = []
    page.route("**/notes", lambda route: held.append(route))
    with page.expect_request("**/notes"):
        page.locator("#save").click()
    expect(page.locator("#save")).to_have_text("Saving…")
    page.wait_for_timeout(100)
    answer = held[0].fetch()
    page.evaluate("async () => (await import('/page/watch.js')).refresh()")
    expect(page.locator("#version option")).to_have_count(2)
    page.route("**/versions", lambda route: route.fulfill(status=503, body=""))
    held[0].fulfill(response=answer)
    expect_saved(page, 1)
    expect(page.locator("#version option")).to_have_count(2)


def test_a_version_that_was_saved_elsewhere_can_be_chosen_and_is_not_overwritten(
    page: Page, client: httpx.Client, own_job: dict[str, Any]
) -> None:
    before = begin(page, own_job)
    delete(page, alone(before))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/versions") else None)
    answer = client.put(own_job["links"]["notes"], json={"notes": before[:3]}, headers={"If-Match": "*"})
    assert answer.status_code == 200
    for _ in range(2):
        page.evaluate("async () => (await import('/page/watch.js')).refresh()")
    expect(page.locator("#version option")).to_have_count(2)
    expect(page.locator("#version")).to_have_value("0")
    assert len(asked) == 1, "one version more is asked for once"
    page.locator("#save").click()
    expect(page.locator(".edit-bar [role=alert]")).to_contain_text("changed meanwhile")
    page.locator("#save-anyway").click()
    expect_saved(page, 2)
    page.locator("#version").select_option("1")
    wait_for(lambda: shown_notes(page) == 3, what="the notes that were saved elsewhere")


def test_edits_stay_when_the_session_ends(page: Page, own_job: dict[str, Any]) -> None:
    """The service of this test asks for no keys; it is made to refuse, and the page is let in again."""
    begin_and_delete_one(page, own_job)
    refused = '{"type": "urn:amt:problem:unauthorized", "detail": "Log in."}'
    page.route(
        "**/notes", lambda route: route.fulfill(status=401, content_type="application/problem+json", body=refused)
    )
    page.route("**/v1/session", lambda route: route.fulfill(status=200, json={"required": True, "key": {}}))
    page.locator("#save").click()
    expect(page.get_by_role("dialog", name="Log in")).to_be_visible()
    page.unroute("**/notes")
    page.get_by_label("API key").fill("amt_key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert shown_notes(page) == own_job["result"]["n_notes"] - 1
    page.locator("#save").click()
    expect_saved(page, 1)
