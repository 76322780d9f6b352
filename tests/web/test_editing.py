"""Changing notes by hand: choose, move, lengthen, add, delete, undo, save; and what becomes of it elsewhere."""

import itertools
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.app.service import read, wait_for
from tests.web.steps import open_job, shown_notes

NOTES = """async () => {
  const { notes } = (await import("/page/store.js")).store.get().roll;
  return notes.toArray();
}"""
EDITED = ("onset", "offset", "pitch", "velocity", "confidence")
# Where on the page a moment of a pitch is, in the view that a recording opens with.
POINT = """async ([seconds, pitch]) => {
  const [{ fitted }, { timeAxis, pitchAxis }, { NoteList }] = await Promise.all(
    ["view", "axis", "notes"].map((name) => import(`/page/${name}.js`)));
  const canvas = document.querySelector("canvas.roll");
  const box = canvas.getBoundingClientRect();
  const view = fitted(globalThis.opened.duration, globalThis.opened.range);
  const axis = pitchAxis(view, canvas.clientHeight);
  return [box.x + timeAxis(view, canvas.clientWidth).x(seconds), box.y + axis.y(pitch) + axis.row / 2];
}"""
REMEMBER = """async () => {
  const { notes, duration } = (await import("/page/store.js")).store.get().roll;
  globalThis.opened = { range: notes.range(), duration };
}"""


def begin(page: Page, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Open a recording and edit it; gives its notes."""
    open_job(page, job)
    page.evaluate(REMEMBER)
    page.locator("#edit").click()
    return notes_of(page)


def notes_of(page: Page) -> list[dict[str, Any]]:
    notes: list[dict[str, Any]] = page.evaluate(NOTES)
    return notes


def point(page: Page, seconds: float, pitch: int) -> tuple[float, float]:
    x, y = page.evaluate(POINT, [seconds, pitch])
    return x, y


def middle(note: dict[str, Any]) -> tuple[float, int]:
    return (note["onset"] + note["offset"]) / 2, note["pitch"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=3)
    page.mouse.move(*end, steps=3)
    page.mouse.up()


def alone(notes: list[dict[str, Any]]) -> dict[str, Any]:
    """A note of some length with nothing around it."""
    return next(
        note
        for note in notes
        if note["offset"] - note["onset"] > 0.3
        and all(
            other is note
            or abs(other["pitch"] - note["pitch"]) > 3
            or other["onset"] > note["offset"] + 0.5
            or other["offset"] < note["onset"] - 0.5
            for other in notes
        )
    )


def changed(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """What went and what came."""
    return [note for note in before if note not in after], [note for note in after if note not in before]


def expect_saved(page: Page, number: int) -> None:
    expect(page.locator("#save")).to_be_disabled()
    expect(page.locator("#version")).to_have_value(str(number))


def test_what_is_edited_and_saved_is_what_everybody_downloads(
    page: Page, client: httpx.Client, own_job: dict[str, Any]
) -> None:
    found = client.get(own_job["links"]["midi"]).content
    before = begin(page, own_job)
    page.mouse.click(*point(page, *middle(alone(before))))
    expect(page.locator(".edit-bar")).to_contain_text("1 note selected")
    page.keyboard.press("Delete")
    assert shown_notes(page) == len(before) - 1
    expect(page.locator(".edit-bar .hint")).to_contain_text("Not yet saved")
    page.locator("#undo").click()
    assert notes_of(page) == before
    expect(page.locator(".edit-bar .hint")).not_to_contain_text("Not yet saved")
    page.locator("#redo").click()
    page.locator("#save").click()
    expect_saved(page, 1)

    page.reload()
    open_job(page, own_job)
    expect(page.locator("#version")).to_have_value("1")
    assert notes_of(page) == [note for note in before if note != alone(before)]
    with page.expect_download() as download:
        page.locator("#take-midi").click()
    assert download.value.suggested_filename == "Own etude (version 1).mid"
    edited = client.get(own_job["links"]["midi"], params={"version": 1}).content
    assert download.value.path().read_bytes() == edited != found

    page.locator("#version").select_option("As found")
    wait_for(lambda: notes_of(page) == before, what="the notes as they were found")
    with page.expect_download() as download:
        page.locator("#take-midi").click()
    assert download.value.path().read_bytes() == found


def test_a_note_is_moved_lengthened_and_shortened_by_hand(page: Page, own_job: dict[str, Any]) -> None:
    before = begin(page, own_job)
    note = alone(before)
    drag(page, point(page, *middle(note)), point(page, middle(note)[0] + 0.4, note["pitch"] + 2))
    (gone,), (moved,) = changed(before, notes_of(page))
    assert gone == note
    assert moved["pitch"] == note["pitch"] + 2
    assert moved["onset"] - note["onset"] == pytest.approx(0.4, abs=0.03)
    assert moved["offset"] - moved["onset"] == pytest.approx(note["offset"] - note["onset"])
    assert (moved["velocity"], moved["confidence"]) == (note["velocity"], note["confidence"])

    end = point(page, moved["offset"], moved["pitch"])
    drag(page, (end[0] - 2, end[1]), point(page, moved["offset"] + 0.3, moved["pitch"]))
    longer = changed(before, notes_of(page))[1][0]
    assert longer["onset"] == moved["onset"]
    assert longer["offset"] - moved["offset"] == pytest.approx(0.3, abs=0.05)

    start = point(page, longer["onset"], longer["pitch"])
    drag(page, (start[0] + 2, start[1]), point(page, longer["onset"] + 0.2, longer["pitch"]))
    later = changed(before, notes_of(page))[1][0]
    assert later["onset"] - longer["onset"] == pytest.approx(0.2, abs=0.05)
    assert later["offset"] == longer["offset"]
    for _ in range(3):
        page.keyboard.press("Control+z")
    assert notes_of(page) == before


def test_notes_are_added_chosen_by_a_frame_and_deleted_together(page: Page, own_job: dict[str, Any]) -> None:
    before = begin(page, own_job)
    top = max(note["pitch"] for note in before) + 2
    for seconds in (2.0, 4.0):
        page.mouse.dblclick(*point(page, seconds, top))
    _, added = changed(before, notes_of(page))
    assert [(note["pitch"], note["confidence"]) for note in added] == [(top, 1), (top, 1)]
    assert [note["onset"] for note in added] == [pytest.approx(2, abs=0.03), pytest.approx(4, abs=0.03)]
    drag(page, point(page, 1.5, top), point(page, 6.0, top))
    expect(page.locator(".edit-bar")).to_contain_text("2 notes selected")
    page.locator("#velocity").fill("33")
    page.locator("#velocity").press("Enter")
    assert [note["velocity"] for note in changed(before, notes_of(page))[1]] == [33, 33]
    page.locator("#remove-notes").click()
    assert notes_of(page) == before
    page.locator("#discard").click()
    expect(page.locator("#undo")).to_be_disabled()
    assert notes_of(page) == before


def test_one_pitch_never_sounds_twice(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    before = begin(page, own_job)
    note = alone(before)
    page.mouse.click(*point(page, *middle(note)))
    # Three copies laid into the held note cut it, and each other.
    page.evaluate("document.querySelector('canvas.roll').focus()")
    for seconds in (0.1, 0.2, 0.15):
        page.evaluate("async (at) => (await import('/page/transport.js')).transport.seek(at)", note["onset"] + seconds)
        page.keyboard.press("n")
    own = sorted((n for n in notes_of(page) if n["pitch"] == note["pitch"]), key=lambda n: n["onset"])
    assert len(own) >= 4
    assert all(first["offset"] <= second["onset"] for first, second in itertools.pairwise(own))
    page.keyboard.press("Control+s")
    expect_saved(page, 1)
    assert len(client.get(own_job["links"]["notes"]).json()["notes"]) == shown_notes(page)


def test_editing_by_keys_alone(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    open_job(page, own_job)
    before = notes_of(page)
    page.keyboard.press("e")
    expect(page.locator("#edit")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    first = before[0]
    expect(page.locator("#status")).to_contain_text("at 0:0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    _, (note,) = changed(before, notes_of(page))
    assert note["pitch"] == first["pitch"] + 2
    assert note["onset"] == pytest.approx(first["onset"] + 0.02)
    assert note["offset"] == pytest.approx(first["offset"] + 0.04)
    page.keyboard.press("Enter")
    page.keyboard.press("Delete")
    page.keyboard.press("Control+s")
    expect_saved(page, 1)
    assert len(client.get(own_job["links"]["notes"]).json()["notes"]) == len(before) - 1
    page.keyboard.press("Control+a")
    expect(page.locator(".edit-bar")).to_contain_text(f"{len(before) - 1} notes selected")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("#edit")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".edit-bar")).to_be_hidden()


def test_what_somebody_else_saved_is_not_overwritten(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    before = begin(page, own_job)
    page.mouse.click(*point(page, *middle(alone(before))))
    page.keyboard.press("Delete")
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
    page.mouse.click(*point(page, *middle(alone(before))))
    page.keyboard.press("Delete")
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
    page.mouse.click(*point(page, *middle(alone(before))))
    page.keyboard.press("Delete")
    expect(page.locator("#onset_threshold")).to_be_disabled()
    page.locator("#save").click()
    expect_saved(page, 1)
    page.locator("#lowest_pitch").fill("60")
    wait_for(lambda: min(note["pitch"] for note in notes_of(page)) >= 60, what="the notes that are found anew")
    expect(page.locator("#version")).to_have_value("0")
    kept = client.get(own_job["links"]["notes"]).json()["notes"]
    assert len(kept) == len(before) - 1


def test_repeated_notes_that_are_lengthened_together_do_not_overlap(page: Page) -> None:
    page.goto("/")
    lengthen = """async () => {
      const [{ replacing, stretched }, { NoteList }] = await Promise.all(
        ["edits", "notes"].map((name) => import(`/page/${name}.js`)));
      const sure = { velocity: 80, confidence: 1, program: 0, instrument_confidence: 1 };
      const notes = [0.1, 0.4, 0.7].map((onset) => ({ onset, offset: onset + 0.3, pitch: 60, ...sure }));
      return replacing(new NoteList(notes), notes.toReversed(), stretched(notes.toReversed(), "offset", 0.1, 5)).add;
    }"""
    found = [(round(note["onset"], 3), round(note["offset"], 3)) for note in page.evaluate(lengthen)]
    assert found == [(0.1, 0.4), (0.4, 0.7), (0.7, 1.1)]


@pytest.fixture
def asked(page: Page) -> list[str]:
    """What the browser has asked; the answer is yes."""
    found: list[str] = []

    def answer(dialog: Any) -> None:
        found.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    return found


def begin_and_delete_one(page: Page, job: dict[str, Any]) -> None:
    page.mouse.click(*point(page, *middle(alone(begin(page, job)))))
    page.keyboard.press("Delete")


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


def test_what_is_selected_is_seen(page: Page, own_job: dict[str, Any]) -> None:
    note = alone(begin(page, own_job))
    at = point(page, *middle(note))
    colour = """([x, y]) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
      const canvas = document.querySelector("canvas.roll");
      const box = canvas.getBoundingClientRect();
      const scale = canvas.width / canvas.clientWidth;
      const data = canvas.getContext("2d").getImageData((x - box.x) * scale, (y - box.y) * scale, 1, 1).data;
      done([...data].slice(0, 3));
    })))"""
    red, _, blue = page.evaluate(colour, at)
    assert red < blue, "a note is blue-green"
    page.mouse.click(*at)
    red, _, blue = page.evaluate(colour, at)
    assert red > 2 * blue, "a selected one is orange"


def test_nothing_is_done_to_notes_that_are_still_seen_while_others_come(page: Page, own_job: dict[str, Any]) -> None:
    begin_and_delete_one(page, own_job)
    page.locator("#save").click()
    expect_saved(page, 1)
    before = notes_of(page)
    held: list[Route] = []
    page.route("**/piano-roll*", lambda route: held.append(route))
    with page.expect_request("**/piano-roll*"):
        page.locator("#version").select_option("As found")
    page.mouse.click(*point(page, *middle(alone(before))))
    page.keyboard.press("Delete")
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
    page.mouse.click(*point(page, *middle(alone(before))))
    page.keyboard.press("Delete")
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
    page.mouse.click(*point(page, *middle(alone(before))))
    page.keyboard.press("Delete")
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


# Pixels of the roll in the colour of what is selected.
SELECTED_PIXELS = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const canvas = document.querySelector("canvas.roll");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) count += data[at] > 150 && data[at] > 2 * data[at + 2];
  done(count);
})))"""
SEEK = "async (at) => (await import('/page/transport.js')).transport.seek(at)"


def test_what_is_chosen_or_changed_by_keys_comes_into_sight(page: Page, own_job: dict[str, Any]) -> None:
    open_job(page, own_job)
    roll = page.locator("canvas.roll")
    for _ in range(12):
        page.locator("#zoom-in").click()
    for _ in range(12):
        roll.press("Shift+ArrowUp")
    roll.press("e")
    assert page.evaluate(SELECTED_PIXELS) == 0
    for _ in range(12):
        roll.press("Enter")
        assert page.evaluate(SELECTED_PIXELS) > 50
    for key in ("Shift+ArrowUp", *["ArrowDown"] * 20, *["ArrowLeft"] * 20):
        roll.press(key)
    assert page.evaluate(SELECTED_PIXELS) > 50
    roll.press("Delete")
    page.evaluate(SEEK, 11)
    roll.press("n")
    assert page.evaluate(SELECTED_PIXELS) > 50
    roll.press("Control+z")
    roll.press("Control+z")
    assert page.evaluate(SELECTED_PIXELS) > 50


@pytest.mark.parametrize(("key", "step"), [("Enter", 1), ("Shift+Enter", -1)])
def test_keys_go_on_from_what_was_removed(page: Page, own_job: dict[str, Any], key: str, step: int) -> None:
    open_job(page, own_job)
    before = notes_of(page)
    roll = page.locator("canvas.roll")
    roll.press("e")
    for _ in range(9):
        roll.press("Enter")
    for pressed in ("Delete", key, "Delete"):
        roll.press(pressed)
    assert notes_of(page) == [note for note in before if note not in (before[8], before[8 + step])]


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
