"""The picture of the notes."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.app.service import wait_for
from tests.model.signals import TUNE
from tests.web.steps import open_job

# Colours on the roll at (seconds, pitch), once drawn; the view is the one a recording opens with.
COLOURS = """async (points) => {
  const [{ store }, { fitted }, { timeAxis, pitchAxis }] = await Promise.all(
    ["store", "view", "axis"].map((name) => import(`/page/${name}.js`)));
  const { notes, duration } = store.get().roll;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const canvas = document.querySelector("canvas.roll");
  const view = fitted(duration, notes.range());
  const scale = canvas.width / canvas.clientWidth;
  const [time, pitches] = [timeAxis(view, canvas.clientWidth), pitchAxis(view, canvas.clientHeight)];
  return points.map(([seconds, pitch]) => {
    const [x, y] = [time.x(seconds), pitches.y(pitch) + pitches.row / 2];
    return [...canvas.getContext("2d").getImageData(x * scale, y * scale, 1, 1).data].slice(0, 3);
  });
}"""

PAPER = [255, 254, 252]


def darkness(colour: list[int]) -> int:
    return sum(PAPER) - sum(colour)


def test_the_played_notes_are_drawn_where_they_sound(page: Page, client: httpx.Client, job: dict[str, Any]) -> None:
    open_job(page, job)
    notes = client.get(job["links"]["piano_roll"]).json()["notes"]
    played = [(onset, pitch) for onset, _, pitch in TUNE[:8]]
    found = [n for n in notes if any(abs(n["onset"] - at) < 0.05 and n["pitch"] == pitch for at, pitch in played)]
    assert len(found) >= 6, "the checkpoint hears most of a plain scale"
    colours = page.evaluate(COLOURS, [[(n["onset"] + n["offset"]) / 2, n["pitch"]] for n in found])
    assert all(darkness(colour) > 150 for colour in colours), colours
    # A white key's row where nothing sounds.
    free = [[0.2, pitch] for pitch in (60, 62, 64, 65, 67) if not any(n["onset"] < 0.25 for n in notes)]
    assert free
    assert all(darkness(colour) < 60 for colour in page.evaluate(COLOURS, free))


@pytest.mark.parametrize("others", [0, 5000], ids=["few", "thousands"])
def test_a_surer_note_is_thicker_and_a_louder_one_darker(page: Page, others: int) -> None:
    page.goto("/")
    heights, darks = page.evaluate(
        """async (others) => {
          const [{ drawRoll }, { NoteList }, { readPalette }, { pitchAxis, timeAxis }] = await Promise.all(
            ["draw-roll", "notes", "canvas", "axis"].map((name) => import(`/page/${name}.js`)));
          const make = (pitch, velocity, confidence) => ({ onset: 1, offset: 9, pitch, velocity, confidence });
          const crowd = Array.from({ length: others }, (_, i) => ({ ...make(62, 30 + (i % 81), 1), offset: 1.01 }));
          const notes = new NoteList([make(60, 30, 1), make(64, 110, 1), make(67, 110, 0.2), ...crowd]);
          const canvas = new OffscreenCanvas(500, 400);
          const ctx = canvas.getContext("2d");
          const view = { start: 0, end: 10, low: 58, high: 69, duration: 10 };
          const palette = readPalette();
          drawRoll({ ctx, width: 500, height: 400 }, { view, notes, palette });
          const { y, row } = pitchAxis(view, 400);
          const x = timeAxis(view, 500).x(4.9);
          const column = (pitch) => ctx.getImageData(x, y(pitch), 1, row).data;
          const sums = (pitch) => {
            const d = column(pitch);
            return Array.from({ length: d.length / 4 }, (_, i) => 765 - d[4 * i] - d[4 * i + 1] - d[4 * i + 2]);
          };
          const thickness = [64, 67].map((pitch) => sums(pitch).filter((dark) => dark > 150).length);
          return [thickness, [60, 64].map((pitch) => Math.max(...sums(pitch)))];
        }""",
        others,
    )
    assert heights[0] > 1.6 * heights[1] > 0
    assert darks[1] > darks[0] + 100


def test_only_what_is_in_sight_is_looked_at(page: Page) -> None:
    page.goto("/")
    result = page.evaluate(
        """async () => {
          const { NoteList } = await import("/page/notes.js");
          const notes = new NoteList(Array.from({ length: 20000 }, (_, i) => ({
            onset: i * 0.18, offset: i * 0.18 + (i % 97 === 0 ? 8 : 0.3), pitch: 21 + (i * 7) % 88,
            velocity: 64, confidence: 0.9 })));
          const trials = [0, 17.3, 1800, 3500, 3599].map((start) => {
            const end = start + 10;
            const [from, to] = notes.between(start, end);
            const sounding = [];
            for (let i = 0; i < notes.length; i++) {
              if (notes.offset[i] > start && notes.onset[i] < end) sounding.push(i);
            }
            return { all: sounding.every((i) => i >= from && i < to), looked: to - from, sounding: sounding.length };
          });
          return trials;
        }"""
    )
    assert all(trial["all"] for trial in result), result
    assert all(trial["looked"] <= trial["sounding"] + 60 for trial in result), result


def test_zooming_and_moving(page: Page, job: dict[str, Any]) -> None:
    open_job(page, job)
    shown = page.locator(".toolbar .range")
    roll = page.locator("canvas.roll")
    expect(shown).to_have_text("0:00 – 0:12")
    roll.hover()
    page.mouse.wheel(0, -600)
    expect(shown).not_to_have_text("0:00 – 0:12")
    page.locator("#fit").click()
    expect(shown).to_have_text("0:00 – 0:12")
    roll.focus()
    for _ in range(4):
        page.keyboard.press("+")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    expect(shown).to_contain_text("– 0:12")
    expect(shown).not_to_contain_text("0:00 –")
    box = roll.bounding_box()
    assert box
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 1800, middle[1], steps=4)
    page.mouse.up()
    expect(shown).to_contain_text("0:00 –")


def test_pinching_zooms_at_the_fingers(page: Page, job: dict[str, Any]) -> None:
    open_job(page, job)
    roll = page.locator("canvas.roll")
    box = roll.bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    y, x = box["y"] + 100, box["x"] + box["width"] / 2

    def touch(kind: str, *apart: int) -> None:
        points = [{"x": x + side * apart[0], "y": y, "id": i} for i, side in enumerate((-1, 1))] if apart else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 40)
    for apart in (60, 90, 130, 170, 200):
        touch("touchMove", apart)
    touch("touchEnd")
    start, end = page.locator(".toolbar .range").inner_text().split(" – ")
    assert start != "0:00"
    assert end != "0:12"


def test_a_note_tells_its_facts_under_the_pointer(page: Page, client: httpx.Client, job: dict[str, Any]) -> None:
    open_job(page, job)
    note = max(client.get(job["links"]["piano_roll"]).json()["notes"], key=lambda n: n["offset"] - n["onset"])
    x, y = page.evaluate(
        """async ([time, pitch]) => {
          const [{ store }, { fitted }, { timeAxis, pitchAxis }] = await Promise.all(
            ["store", "view", "axis"].map((name) => import(`/page/${name}.js`)));
          const { notes, duration } = store.get().roll;
          const canvas = document.querySelector("canvas.roll");
          const view = fitted(duration, notes.range());
          const axis = pitchAxis(view, canvas.clientHeight);
          return [timeAxis(view, canvas.clientWidth).x(time), axis.y(pitch) + axis.row / 2];
        }""",
        [(note["onset"] + note["offset"]) / 2, note["pitch"]],
    )
    page.locator("canvas.roll").hover(position={"x": x, "y": y})
    expect(page.locator(".tip")).to_be_visible()
    expect(page.locator(".tip")).to_contain_text(f"velocity {note['velocity']}")


def test_the_strip_shows_how_loud_the_recording_is(page: Page, job: dict[str, Any]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_job(page, job)
    # Silence, a note that is struck just now, and the same one later.
    moments = [TUNE[0][0] - 0.05, TUNE[0][0] + 0.02, TUNE[0][1] - 0.05]

    def heights() -> list[int]:
        counts: list[int] = page.evaluate(
            """async (moments) => {
              const [{ store }, { fitted }, { timeAxis }] = await Promise.all(
                ["store", "view", "axis"].map((name) => import(`/page/${name}.js`)));
              const { notes, duration } = store.get().roll;
              const canvas = document.querySelector("canvas.strip");
              const axis = timeAxis(fitted(duration, notes.range()), canvas.clientWidth);
              return moments.map((at) => {
                // Below the ruler, between two lines of the grid.
                const { data } = canvas.getContext("2d").getImageData(axis.x(at), 20, 1, canvas.height - 20);
                return data.filter((value, i) => i % 4 === 0 && value < 200).length;
              });
            }""",
            moments,
        )
        return counts

    wait_for(lambda: heights()[1] > 5, what="the waveform")
    silent, struck, later = heights()
    assert silent <= 3
    assert struck > later > silent
    assert any(url.endswith("/peaks") for url in asked)


def test_the_grid_is_in_seconds_or_in_bars(page: Page, job: dict[str, Any]) -> None:
    open_job(page, job)
    labels = """async ([start, end, bars]) => {
      const { gridLines } = await import("/page/axis.js");
      const view = { start, end, low: 21, high: 108, duration: 600 };
      const lines = gridLines({ view, bars, tempo: 90 }, 1000);
      return lines.filter(({ label }) => label).map(({ time, label }) => [Math.round(1000 * time) / 1000, label]);
    }"""
    assert page.evaluate(labels, [0, 20, False])[:3] == [[0, "0:00"], [2, "0:02"], [4, "0:04"]]
    # At 90 a minute a bar of four takes 2.667 s.
    assert page.evaluate(labels, [0, 20, True])[:3] == [[0, "1"], [2.667, "2"], [5.333, "3"]]
    assert page.evaluate(labels, [2, 5, True])[:3] == [[2, "1.4"], [2.667, "2"], [3.333, "2.2"]]
    page.locator("#bars").click()
    expect(page.locator("#bars")).to_have_attribute("aria-pressed", "true")
