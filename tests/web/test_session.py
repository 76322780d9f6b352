"""Logging in with a key, where the service asks for one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.database import open_database, session_factory
from app.keys.repository import KeyRepository
from app.keys.table import Scope
from app.schema import migrate
from tests.app.keyed import as_key, new_key
from tests.app.service import Service, running, short_folder, upload, wait_for
from tests.web.conftest import PATIENCE_MS

REFRESH = "async () => (await import('/page/watch.js')).refresh()"
FOCUS = "document.activeElement?.id"


@pytest.fixture(scope="module")
def locked() -> Iterator[Service]:
    """An API with keys. Nobody works, so that jobs stay queued."""
    folder = short_folder()
    service = Service(folder / "var", words=("api",))
    migrate(service.configuration().database)
    new_key(service)
    with running(service):
        yield service
    shutil.rmtree(folder)


@pytest.fixture
def page(browser: Browser, locked: Service) -> Iterator[Page]:
    """A tab of a fresh profile, on the service with keys."""
    with browser.new_context(base_url=locked.url) as context:
        context.set_default_timeout(PATIENCE_MS)
        tab = context.new_page()
        troubles: list[str] = []
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.goto("/")
        yield tab
        assert troubles == []


def log_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")


def revoke(locked: Service, key: str) -> None:
    engine = open_database(locked.configuration().database)
    KeyRepository(session_factory(engine)).revoke(key[:12])
    engine.dispose()


def test_a_key_is_typed_once(page: Page, locked: Service) -> None:
    key = new_key(locked)
    with as_key(locked, key) as client:
        upload(client, b"x", "Mine.wav")
    with as_key(locked, new_key(locked)) as client:
        upload(client, b"x", "Another's.wav")
    expect(page.get_by_role("dialog", name="Log in")).to_be_visible()
    assert page.evaluate(FOCUS) == "key"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Log in")).to_be_visible()
    log_in(page, "amt_nonsense")
    expect(page.get_by_role("alert").filter(has_text="not one of this service's")).to_be_visible()
    assert page.evaluate(FOCUS) == "key"
    log_in(page, key)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".job")).to_have_count(1)
    expect(page.locator(".job")).to_contain_text("Mine.wav")
    page.reload()
    expect(page.locator(".job")).to_have_count(1)
    assert page.evaluate("document.cookie") == ""
    stored = page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    assert key not in stored


def test_a_lost_question_about_the_session_is_made_up_for(page: Page, locked: Service) -> None:
    page.route("**/v1/session", lambda route: route.abort("internetdisconnected"), times=1)
    page.reload()
    log_in(page, new_key(locked))
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("dialog", name="Log in")).to_be_visible()


def test_logging_out_leaves_nothing(page: Page, locked: Service) -> None:
    key = new_key(locked)
    with as_key(locked, key) as client:
        job = upload(client, b"x", "Mine.wav")
    log_in(page, key)
    page.locator(".job-link").click()
    expect(page.locator("#main")).to_contain_text("Mine.wav")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("dialog", name="Log in")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("Mine.wav")
    assert page.evaluate("(path) => fetch(path).then((answer) => answer.status)", job["links"]["self"]) == 401


def test_a_revoked_key_is_asked_for_again(page: Page, locked: Service) -> None:
    key = new_key(locked)
    log_in(page, key)
    expect(page.get_by_role("dialog")).to_have_count(0)
    revoke(locked, key)
    page.evaluate(REFRESH)
    expect(page.get_by_role("dialog", name="Log in")).to_be_visible()
    log_in(page, new_key(locked, frozenset(Scope)))
    expect(page.get_by_role("dialog")).to_have_count(0)
    wait_for(lambda: page.evaluate("async () => !(await import('/page/store.js')).store.get().listProblem"))


def test_whatever_is_refused_asks_for_the_key(page: Page, locked: Service, tmp_path: Path) -> None:
    """The list is not read meanwhile: another request learns that the session has ended."""
    key = new_key(locked)
    log_in(page, key)
    expect(page.get_by_role("dialog")).to_have_count(0)
    file = tmp_path / "Mine.wav"
    file.write_bytes(b"x")
    revoke(locked, key)
    page.locator("#files").set_input_files(str(file))
    expect(page.get_by_role("dialog", name="Log in")).to_have_count(1)
    log_in(page, new_key(locked, frozenset(Scope)))
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator(".job").get_by_role("button", name="Try again").click()
    expect(page.locator(".job-link")).to_contain_text("Mine.wav")
    expect(page.get_by_role("dialog")).to_have_count(0)
