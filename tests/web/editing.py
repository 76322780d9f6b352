"""What a person does to notes on the page, in words of the tests."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.web.steps import open_job

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


def delete(page: Page, note: dict[str, Any]) -> None:
    page.mouse.click(*point(page, *middle(note)))
    page.keyboard.press("Delete")


def changed(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """What went and what came."""
    return [note for note in before if note not in after], [note for note in after if note not in before]


def expect_saved(page: Page, number: int) -> None:
    expect(page.locator("#save")).to_be_disabled()
    expect(page.locator("#version")).to_have_value(str(number))


def begin_and_delete_one(page: Page, job: dict[str, Any]) -> None:
    delete(page, alone(begin(page, job)))
