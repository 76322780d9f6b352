"""Hearing both: levels, tempo, loop, and that they stay together."""

import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.app.service import wait_for
from tests.web.steps import level, open_job, position

TOGETHER = (Path(__file__).parent / "together.js").read_text()
# The transport's clock through ten minutes beside a player whose word is coarse, jitters and drifts from the sound
# card's time; gives the distance of clock and player, in ms, at every look.
TEN_MINUTES = """async () => {
  const { Clock } = await import("/page/clock.js");
  const clock = new Clock();
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const drift = 1 + 200e-6;
  const off = [];
  for (let time = 0; time < 600; time += 0.025 + 0.02 * random()) {
    const heard = time * drift;
    clock.follow(Math.floor(heard / 0.01) * 0.01 + 0.005 + 0.006 * (random() - 0.5), time);
    off.push(1000 * Math.abs(clock.positionAt(time) - heard));
  }
  return off;
}"""


def test_the_playhead_moves_and_both_sound(page: Page, job: dict[str, Any]) -> None:
    open_job(page, job)
    page.locator("#play").click()
    wait_for(lambda: position(page) > 1.0, what="the playhead past one second")
    for track in ("original", "notes"):
        wait_for(lambda track=track: level(page, track) > 0.2, what=f"the sound of {track}")
    expect(page.locator(".time")).not_to_contain_text("0:00.0 /")
    page.locator("#play").click()
    stopped = position(page)
    time.sleep(0.3)
    assert position(page) == stopped


@pytest.mark.parametrize(("heard", "silent"), [("original", "notes"), ("notes", "original")])
def test_the_balance_leaves_one(page: Page, job: dict[str, Any], heard: str, silent: str) -> None:
    open_job(page, job)
    page.locator(f".meter-{heard}").click()
    page.locator("#play").click()
    wait_for(lambda: position(page) > 1.2, what="the playhead past one second")
    wait_for(lambda: level(page, heard) > 0.2, what=f"the sound of {heard}")
    assert level(page, silent) < 0.05


@pytest.mark.parametrize("speed", ["0.5", "1.5"])
def test_the_speed_is_the_playheads(page: Page, job: dict[str, Any], speed: str) -> None:
    open_job(page, job)
    page.locator("#speed").select_option(speed)
    page.locator("#loop").click()  # of everything: it goes on as long as the measurement needs
    page.locator("#play").click()
    wait_for(lambda: position(page) > 0.3, what="playback")
    measure = """async () => {
      const { transport } = await import("/page/transport.js");
      const [t0, p0] = [performance.now(), transport.position];
      await new Promise((done) => setTimeout(done, 1500));
      return (1000 * (transport.position - p0)) / (performance.now() - t0);
    }"""
    # A busy machine's sound halts now and then; some stretch is free of that.
    wait_for(lambda: 0.92 < page.evaluate(measure) / float(speed) < 1.08, what="a second and a half at that speed")


def test_a_dragged_loop_holds_the_playhead(page: Page, job: dict[str, Any]) -> None:
    open_job(page, job)
    strip = page.locator("canvas.strip").bounding_box()
    assert strip
    y = strip["y"] + 40
    page.mouse.move(strip["x"] + 300, y)
    page.mouse.down()
    page.mouse.move(strip["x"] + 380, y, steps=4)
    page.mouse.up()
    expect(page.locator("#loop")).to_have_attribute("aria-pressed", "true")
    loop = page.evaluate("async () => (await import('/page/transport.js')).transport.state.get().loop")
    assert 0.5 < loop["end"] - loop["start"] < 2
    page.locator("#play").click()
    seen: list[float] = []

    def went_round() -> bool:
        time.sleep(0.05)
        seen.append(position(page))
        return len(seen) >= 25 and any(later < earlier - 0.3 for earlier, later in pairwise(seen))

    wait_for(went_round, what="the second time round")
    assert all(loop["start"] - 0.15 <= at <= loop["end"] + 0.15 for at in seen), (loop, seen)


def test_no_loop_begins_where_the_recording_ends(page: Page, job: dict[str, Any]) -> None:
    """It would go back to its start for ever, and the page with it."""
    open_job(page, job)
    loop = "async () => (await import('/page/transport.js')).transport.state.get().loop"
    seek = "async (at) => (await import('/page/transport.js')).transport.seek(at)"
    for before_the_end in (0.03, 0):
        page.evaluate(seek, job["audio"]["duration"] - before_the_end)
        page.keyboard.press("[")
        assert page.evaluate(loop) is None
    page.locator("#play").click()
    wait_for(lambda: 0.1 < position(page) < 5, what="the recording from its start")


def test_a_click_on_the_roll_goes_there(page: Page, job: dict[str, Any]) -> None:
    open_job(page, job)
    roll = page.locator("canvas.roll")
    width = roll.evaluate("(canvas) => canvas.clientWidth")
    roll.click(position={"x": 44 + (width - 44) / 2, "y": 20})
    assert position(page) == pytest.approx(6.0, abs=0.15)


@pytest.mark.parametrize(("rate", "worst_ms"), [(1, 15), (1.5, 20)])
def test_original_and_notes_sound_together(page: Page, rate: float, worst_ms: float) -> None:
    page.goto("/")
    page.locator("body").click()  # sound needs a gesture
    late = page.evaluate(TOGETHER, {"rate": rate, "seconds": 3.5})
    assert len(late) >= 3, late
    assert median(late) < worst_ms / 2 + 2, late
    # A busy machine may hand over a note too late now and then; what drifts is late with most of them.
    assert sum(off >= worst_ms for off in late) <= len(late) // 3, late


@pytest.mark.parametrize("begin", [300, 590])
def test_they_are_together_anywhere_in_ten_minutes(page: Page, begin: float) -> None:
    page.goto("/")
    page.locator("body").click()
    late = page.evaluate(TOGETHER, {"seconds": 3, "duration": 600, "from": begin, "sr": 8000})
    assert len(late) >= 3, late
    assert sum(off >= 20 for off in late) <= 1, late


def test_ten_minutes_leave_the_playhead_in_time(page: Page) -> None:
    page.goto("/")
    off: list[float] = page.evaluate(TEN_MINUTES)
    assert len(off) > 15_000
    assert max(off) < 20
    assert median(off) < 3


def test_a_key_of_the_keyboard_sounds(page: Page, job: dict[str, Any]) -> None:
    open_job(page, job)
    page.locator("canvas.roll").click(position={"x": 10, "y": 100})
    rises = """async () => {
      const { transport } = await import("/page/transport.js");
      for (let i = 0; i < 800; i++) {
        if (transport.levels().transcription > 0.2) return true;
        await new Promise((done) => setTimeout(done, 25));
      }
      return false;
    }"""
    assert page.evaluate(rises)
    assert position(page) == 0, "the playhead stays"


def test_what_the_browser_cannot_play_still_sounds_as_notes(page: Page, job: dict[str, Any]) -> None:
    page.route("**/audio", lambda route: route.fulfill(status=200, body=b"no audio", content_type="audio/mpeg"))
    open_job(page, job)
    page.locator("#play").click()
    expect(page.locator(".transport .hint-text")).to_be_visible()
    expect(page.locator(".transport .hint-text")).to_contain_text("The notes play without it.")
    wait_for(lambda: position(page) > 1.0, what="the playhead past one second")
    wait_for(lambda: level(page, "notes") > 0.2, what="the sound of the notes")


def test_a_recording_that_comes_slowly_may_be_heard_later(page: Page, job: dict[str, Any]) -> None:
    """Its bytes do not come in time: this start is without it, and the next one asks again."""
    page.route("**/audio", lambda _: None)
    page.goto("/")
    start = """async (address) => {
      const { Original } = await import("/page/original.js");
      globalThis.slow = new Original(address);
      return [await globalThis.slow.start(1, 1), globalThis.slow.playable];
    }"""
    assert page.evaluate(start, job["links"]["audio"]) == [False, True]
    page.unroute("**/audio")  # this lets go of what was held, too
    assert page.evaluate("() => globalThis.slow.start(1, 1)")
