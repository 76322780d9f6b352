"""The page as a whole: keyboard, small screens, contrast, weight, where it asks."""

import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.app.service import Service, finished, upload, wait_for
from tests.web.steps import open_job, position

AXE = "axe-core@4.14.1"
MOST_BYTES = 300_000
# WCAG 2.2, 2.5.8: targets of 24 by 24 pixels.
TARGETS = "button, a.button, select, input[type=range], input[type=number], summary"
SMALL_TARGETS = """(targets) => [...document.querySelectorAll(targets)]
  .filter((element) => element.checkVisibility())
  .filter((element) => { const box = element.getBoundingClientRect(); return box.width < 24 || box.height < 24; })
  .map((element) => element.outerHTML)"""
# Contrast of two custom properties by WCAG's formula.
CONTRAST = """(pairs) => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = style.getPropertyValue(`--${name}`).trim();
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = [1, 3, 5].map((at) => linear(parseInt(hex.slice(at, at + 2), 16) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return pairs.map(([a, b]) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  });
}"""


def test_the_content_policy_is_strict(client: httpx.Client) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=|https?://", answer.text) is None


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/styles/base.css"])
def test_an_upgrade_shows_at_once(client: httpx.Client, path: str) -> None:
    assert client.get(path).headers["cache-control"] == "no-cache"


def test_modules_that_are_known_are_not_sent_again(client: httpx.Client) -> None:
    known = client.get("/page/main.js").headers["etag"]
    assert client.get("/page/main.js", headers={"If-None-Match": known}).status_code == 304


def test_the_page_is_light(page: Page, client: httpx.Client) -> None:
    sizes: dict[str, int] = {}
    page.on(
        "response", lambda answer: sizes.update({answer.url: len(answer.body())}) if "/v1/" not in answer.url else None
    )
    page.goto("/", wait_until="networkidle")
    assert len(sizes) > 20
    assert sum(sizes.values()) < MOST_BYTES
    assert len(client.get("/example/evening-walk.mp3").content) < 200_000


def test_a_module_that_was_lost_on_the_way_is_fetched_again(context: BrowserContext) -> None:
    tab = context.new_page()
    tab.route("**/page/axis.js", lambda route: route.abort("internetdisconnected"), times=1)
    tab.goto("/")
    expect(tab.get_by_role("button", name="Choose files", exact=True)).to_be_visible()
    expect(tab.locator("#loading")).to_have_count(0)


@pytest.mark.parametrize("module", ["main.js", "axis.js", "*.js"])
def test_a_page_that_does_not_come_says_so(context: BrowserContext, module: str) -> None:
    tab = context.new_page()
    tab.route(f"**/page/{module}", lambda route: route.abort("internetdisconnected"))
    tab.goto("/#/jobs/7D63d5w35aS3C24j0uNcRw")
    again = tab.get_by_role("link", name="load it again")
    expect(again).to_be_visible()
    tab.unroute(f"**/page/{module}")
    again.click()
    expect(tab.get_by_role("button", name="Choose files", exact=True)).to_be_visible()


def test_everything_is_reached_by_keyboard(page: Page, job: dict[str, Any]) -> None:
    page.goto("/")
    link = page.locator(f'a[href="#/jobs/{job["id"]}"]')
    expect(link).to_be_visible()
    tab_to(page, f'a[href="#/jobs/{job["id"]}"]')
    page.keyboard.press("Enter")
    expect(page.locator("#take-midi")).to_be_visible()
    for wanted in (
        "#take-midi",
        "#delete",
        "#zoom-in",
        "#follow",
        "#bars",
        "#edit",
        "canvas.roll",
        "#play",
        "#position",
        "#loop",
        "#speed",
        "#balance",
        "#onset_threshold",
        "#reset",
    ):
        tab_to(page, wanted)
    tab_to(page, "#play", back=True)
    assert page.locator("#play").evaluate("(button) => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    wait_for(lambda: position(page) > 0.5, what="playback")
    page.locator("canvas.roll").focus()
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_text("Play")
    page.keyboard.press("Home")
    assert position(page) == 0
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()


def test_on_a_phone_the_focus_goes_along_with_what_is_opened(page: Page, job: dict[str, Any]) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    page.goto("/")
    link = page.locator(f'a[href="#/jobs/{job["id"]}"]')
    link.focus()
    page.keyboard.press("Enter")
    expect(link).to_be_hidden()
    expect(page.locator("main h1")).to_have_text("Etude in C")
    expect(page.locator("main h1")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.head') !== null")
    page.locator(".back").focus()
    page.keyboard.press("Enter")
    expect(link).to_be_visible()
    expect(page.locator("#main")).to_be_focused()
    page.goto(f"/#/jobs/{job['id']}")
    page.reload()
    expect(page.locator("main h1")).to_have_text("Etude in C")
    assert page.evaluate("document.activeElement === document.body"), "nothing has the focus of its own accord"


def test_single_keys_can_be_turned_off(page: Page, job: dict[str, Any]) -> None:
    open_job(page, job)
    page.keyboard.press("?")
    page.get_by_label("Shortcuts of a single key").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    open_job(page, job)
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_hidden()


@pytest.mark.parametrize("width", [360, 768, 2560])
def test_no_width_scrolls_sideways(page: Page, job: dict[str, Any], width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/")
    expect(page.locator(".drop")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    open_job(page, job)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(SMALL_TARGETS, TARGETS) == []
    box = page.locator("canvas.roll").bounding_box()
    assert box
    assert box["width"] > 0.55 * width
    assert box["height"] >= 240
    if width == 360:
        page.get_by_role("link", name="All recordings").click()
        expect(page.locator(".drop")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto("/")
    texts = [
        ("ink", "paper"),
        ("ink", "panel"),
        ("ink-soft", "paper"),
        ("ink-soft", "panel"),
        ("ink-soft", "tint"),
        ("accent", "paper"),
        ("accent-strong", "tint"),
        ("on-accent", "accent"),
        ("bad", "paper"),
        ("bad", "bad-tint"),
        ("ink-soft", "bad-tint"),
        ("panel", "bad"),
        ("ink-soft", "roll-paper"),
        ("key-ink", "key-white"),
    ]
    assert min(page.evaluate(CONTRAST, texts)) >= 4.5
    marks = [
        ("line-strong", "paper"),
        ("line-strong", "panel"),
        ("playhead", "roll-paper"),
        ("note-loud", "roll-paper"),
        ("accent", "panel"),
    ]
    assert min(page.evaluate(CONTRAST, marks)) >= 3


def test_who_wants_no_motion_gets_none(page: Page, long_recording: Path) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto("/")
    page.locator("#files").set_input_files(str(long_recording))
    expect(page.locator("#cancel")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    page.locator("#cancel").click()
    expect(page.locator("main")).to_contain_text("Cancelled.")


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The accessibility checker's source, from npm."""
    folder = tmp_path_factory.mktemp("axe")
    try:
        subprocess.run(["npm", "pack", AXE, "--silent"], cwd=folder, capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("npm does not give axe-core")
    with tarfile.open(next(folder.glob("*.tgz"))) as package:
        source = package.extractfile("package/axe.min.js")
        assert source
        return source.read().decode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    browser: Browser,
    service: Service,
    job: dict[str, Any],
    bad_job: dict[str, Any],
    quartet: dict[str, Any],
    axe: str,
    scheme: str,
) -> None:
    # The checker is put in by the test: that alone is why the content policy is off here.
    with browser.new_context(base_url=service.url, color_scheme=scheme, bypass_csp=True) as context:
        context.add_init_script(axe)
        page = context.new_page()
        page.goto("/")
        expect(page.locator(".job").first).to_be_visible()
        found = {"start": violations(page)}
        open_job(page, job)
        found["result"] = violations(page)
        page.keyboard.press("?")
        found["shortcuts"] = violations(page)
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        page.keyboard.press("Enter")
        found["editing"] = violations(page)
        page.evaluate("async () => (await import('/page/takes.js')).openTakes()")
        found["several"] = violations(page)
        page.keyboard.press("Escape")
        open_job(page, quartet)
        page.get_by_role("button", name="Mute viola").click()
        found["instruments"] = violations(page)
        page.goto(f"/#/jobs/{bad_job['id']}")
        expect(page.locator("main [role=alert]")).to_be_visible()
        found["error"] = violations(page)
    assert found == {key: [] for key in found}


@pytest.fixture(scope="session")
def bad_job(client: httpx.Client, bad_file: Path) -> dict[str, Any]:
    return finished(client, upload(client, bad_file.read_bytes(), bad_file.name))


def violations(page: Page) -> list[str]:
    result = page.evaluate(
        "(rules) => axe.run(document, { runOnly: rules })",
        ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    )
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in result["violations"]]


def tab_to(page: Page, selector: str, *, back: bool = False) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(80):
        if page.evaluate("(selector) => document.activeElement?.matches(selector) ?? false", selector):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"Tab does not lead to {selector}")
