"""The score view: seen beside the roll, corrected, followed and clicked."""

import re
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.app.service import Service
from tests.web.steps import open_job, position
from tests.web.test_page import axe, violations

__all__ = ["axe"]  # a fixture

FIRST_PAGE = ".score-page svg"
NOW = ".score-page .measure.now"
# The colours that the signs of the first page are drawn in, and the page's own.
COLOURS = """() => {
  const page = document.querySelector(".score-page");
  const colourOf = (one) => getComputedStyle(one).color;
  return [[...new Set([...page.querySelectorAll("svg *")].map(colourOf))], colourOf(page)];
}"""
# A sheet in a PDF of Chromium's.
SHEET = re.compile(rb"/Type\s*/Page\b")


def open_score(page: Page, job: dict[str, Any]) -> None:
    open_job(page, job)
    page.get_by_role("tab", name="Score").click()
    expect(page.locator(FIRST_PAGE).first).to_be_visible(timeout=60_000)


def test_the_score_is_loaded_when_it_is_opened_and_not_before(page: Page, job: dict[str, Any]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_job(page, job)
    assert not any("score-view" in url or "/score?" in url for url in asked)
    page.get_by_role("tab", name="Score").click()
    expect(page.locator(FIRST_PAGE).first).to_be_visible(timeout=60_000)
    expect(page.locator(".roll-panel")).to_be_hidden()
    assert any("score-view" in url for url in asked)
    n_notes = page.locator(f"{FIRST_PAGE} g.note").count()
    assert n_notes > 0
    page.get_by_role("tab", name="Notes").click()
    expect(page.locator(".roll-panel")).to_be_visible()


def test_the_pages_of_another_recording_do_not_stay(page: Page, job: dict[str, Any], own_job: dict[str, Any]) -> None:
    open_score(page, job)
    page.route(f"**/{own_job['id']}/score?*", lambda route: route.fulfill(status=503, body=""))
    page.route(f"**/{own_job['id']}/score", lambda route: route.fulfill(status=503, body=""))
    open_job(page, own_job)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert page.locator(FIRST_PAGE).count() == 0
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(FIRST_PAGE).first).to_be_visible(timeout=60_000)


def test_a_page_that_cannot_be_fetched_is_not_asked_for_without_end(page: Page, job: dict[str, Any]) -> None:
    asked: list[str] = []

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route("**/score.svg*", fail)
    open_job(page, job)
    with page.expect_request("**/score.svg*"):  # the score is engraved first
        page.get_by_role("tab", name="Score").click()
    page.wait_for_timeout(1500)
    n_pages = page.locator(".score-page").count()
    assert 0 < len(asked) <= n_pages
    page.unroute_all()
    expect(page.locator(FIRST_PAGE).first).to_be_visible()


def test_a_correction_is_a_new_score(page: Page, job: dict[str, Any]) -> None:
    open_score(page, job)
    with page.expect_response(lambda answer: "time_signature=3%2F4" in answer.url and "score.svg" in answer.url):
        page.locator("#score-signature").select_option("3/4")
    address = page.locator("#score-musicxml").get_attribute("href") or ""
    text = page.request.get(address).text()
    assert "<beats>3</beats>" in text
    page.locator("#score-reset").click()
    expect(page.locator("#score-signature")).to_have_value("")
    expect(page.locator("#score-pdf")).not_to_have_attribute("href", address)
    assert "time_signature" not in (page.locator("#score-musicxml").get_attribute("href") or "")


def test_a_click_on_a_bar_goes_there_and_the_arrows_go_on(page: Page, job: dict[str, Any]) -> None:
    open_score(page, job)
    told = page.request.get(f"{job['links']['self']}/score").json()
    bar, following = told["bars"][1:3]
    box = page.locator(f"#{bar['id']} .bar-box").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    expect(page.locator(NOW)).to_have_id(bar["id"])
    assert position(page) == pytest.approx(bar["start"], abs=0.01)
    page.locator(".score-region").press("ArrowRight")
    expect(page.locator(NOW)).to_have_id(following["id"])
    assert position(page) == pytest.approx(following["start"], abs=0.01)


def test_what_sounds_is_lit(page: Page, job: dict[str, Any]) -> None:
    open_score(page, job)
    page.locator(".score-region").press("Space")
    expect(page.locator(".score-page .note.now").first).to_be_attached()
    expect(page.locator(NOW)).to_have_count(1)


def test_a_tied_note_is_lit_in_each_of_its_bars(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    short = [{"onset": i / 2, "offset": i / 2 + 0.45, "pitch": 72 + i % 5, "velocity": 90} for i in range(22)]
    held = {"onset": 1.0, "offset": 9.0, "pitch": 48, "velocity": 90}
    answer = client.put(own_job["links"]["notes"], json={"notes": [*short, held]}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    open_score(page, own_job)
    told = page.request.get(f"{own_job['links']['self']}/score?version=1").json()
    name, start, end = max(told["notes"], key=lambda note: note[2] - note[1])
    heads = page.locator(f'.score-page g.note:is([id="{name}"], [id^="{name}-"])')
    assert heads.count() > 1
    page.evaluate("async (at) => (await import('/page/transport.js')).transport.seek(at)", (start + end) / 2)
    page.locator(".score-region").press("Space")
    expect(page.locator(f".score-page g.note.now[id='{name}']")).to_be_attached()
    lit = "(heads) => heads.map((head) => head.classList.contains('now'))"
    assert all(heads.evaluate_all(lit))
    page.locator(".score-region").press("Space")
    expect(page.locator(".score-page g.note.now")).to_have_count(0)
    assert not any(heads.evaluate_all(lit))


@pytest.mark.parametrize(
    ("media", "scheme", "ink"),
    [
        ("screen", "light", None),
        ("screen", "dark", None),
        ("print", "light", "rgb(0, 0, 0)"),
        ("print", "dark", "rgb(0, 0, 0)"),
    ],
)
def test_every_sign_has_the_ink_of_its_page(
    page: Page,
    job: dict[str, Any],
    media: Literal["screen", "print"],
    scheme: Literal["light", "dark"],
    ink: str | None,
) -> None:
    page.emulate_media(color_scheme=scheme, media=media)
    open_job(page, job)
    page.evaluate("document.querySelector('#tab-score').click()")  # on paper it is not to be seen
    expect(page.locator(FIRST_PAGE).first).to_be_visible(timeout=60_000)
    colours, own = page.evaluate(COLOURS)
    assert colours == [own]
    assert ink in (None, own)


def test_on_paper_there_is_the_score_alone(page: Page, job: dict[str, Any]) -> None:
    open_score(page, job)
    n_pages = page.locator(".score-page").count()
    expect(page.locator(".score-page > svg")).to_have_count(n_pages)
    assert len(SHEET.findall(page.pdf(prefer_css_page_size=True))) == n_pages
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 794, "height": 1123})  # A4
    box = page.locator(".score-page").first.bounding_box()
    assert box
    assert (box["x"], box["y"]) == (0, 0)


def test_editing_begins_where_it_is_seen(page: Page, job: dict[str, Any]) -> None:
    open_score(page, job)
    for _ in range(2):
        page.locator(".score-region").press("e")
        expect(page.locator("canvas.roll")).to_be_focused()
        expect(page.locator("#tab-notes")).to_have_attribute("aria-selected", "true")
        expect(page.locator("#edit")).to_have_attribute("aria-pressed", "true")
        page.locator("#tab-score").click()
    page.locator("#tab-notes").click()
    page.keyboard.press("e")
    expect(page.locator("#edit")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (2560, "dark")])
def test_it_fits_and_everybody_can_use_it(
    browser: Browser, service: Service, job: dict[str, Any], axe: str, width: int, scheme: str
) -> None:
    # The checker is put in by the test: that alone is why the content policy is off here.
    size = {"width": width, "height": 900}
    with browser.new_context(base_url=service.url, color_scheme=scheme, viewport=size, bypass_csp=True) as context:
        context.add_init_script(axe)
        page = context.new_page()
        open_score(page, job)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert violations(page) == []
        page.get_by_role("tab", name="Score").press("ArrowLeft")
        expect(page.get_by_role("tab", name="Notes")).to_be_focused()
        expect(page.locator(".roll-panel")).to_be_visible()
