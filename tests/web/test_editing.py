"""Changing notes by hand: choose, move, lengthen, add, delete, undo, save."""

import itertools
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.app.service import wait_for
from tests.web.editing import (
    alone,
    begin,
    changed,
    drag,
    expect_saved,
    middle,
    notes_of,
    point,
)
from tests.web.steps import open_job, shown_notes


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
