"""Several instruments: their colours, what is heard of them, what their tracks are called, who plays a note."""

import io
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import httpx
import mido
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from app.instruments import INSTRUMENTS
from tests.app.service import Service, finished, read, upload
from tests.web.editing import expect_saved, notes_of
from tests.web.steps import open_job, shown_notes

QUARTET = ["violin", "viola", "cello"]
COUNT = """(canvas, colours) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint32Array(data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel & 0xffffff, (counts.get(pixel & 0xffffff) ?? 0) + 1);
  return colours.map(([red, green, blue]) => counts.get((blue << 16) | (green << 8) | red) ?? 0);
}"""
HUSHED = "async () => [...(await import('/page/transport.js')).transport._hushed]"


def tracks(page: Page) -> list[str]:
    names: list[str] = page.locator(".track-name").evaluate_all("(fields) => fields.map((field) => field.value)")
    return names


def drawn(page: Page, *names: str, canvas: str = "canvas.roll") -> list[int]:
    """How many pixels have the very colour of each instrument."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    colours = [track_colour(page, name) for name in names]
    counts: list[int] = page.locator(canvas).evaluate(COUNT, colours)
    return counts


def track_colour(page: Page, name: str) -> tuple[int, ...]:
    text = page.evaluate(f"() => getComputedStyle(document.documentElement).getPropertyValue('--track-{name}').trim()")
    return rgb(text)


def rgb(text: str) -> tuple[int, ...]:
    return tuple(int(text[at : at + 2], 16) for at in (1, 3, 5))


def test_each_instrument_has_its_colour_its_count_and_its_letters(page: Page, quartet: dict[str, Any]) -> None:
    open_job(page, quartet)
    assert tracks(page) == ["Violin", "Viola", "Cello"]
    expect(page.locator(".track").first).to_contain_text("4 notes")
    expect(page.locator(".swatch")).to_have_text(["Vn", "Va", "Vc"])
    assert min(drawn(page, *QUARTET)) > 200
    assert drawn(page, "piano") == [0]
    expect(page.locator(".legend")).not_to_contain_text("loudness", use_inner_text=True)


def test_one_instrument_shows_no_clutter(page: Page, client: httpx.Client, own_job: dict[str, Any]) -> None:
    client.post(own_job["links"]["decode"], json={"instruments": "piano"})
    open_job(page, own_job)
    expect(page.locator(".tracks")).to_be_hidden()
    expect(page.locator("#instrument option").first).to_have_text("Piano")
    expect(page.locator(".legend")).to_contain_text("loudness", use_inner_text=True)
    client.post(own_job["links"]["decode"], json={"instruments": "oboe"})
    page.reload()
    open_job(page, own_job)
    expect(page.locator(".tracks")).to_have_text("Played by the oboe")
    expect(page.locator(".tracks button")).to_have_count(0)


def test_what_is_muted_is_pale_and_not_heard(page: Page, quartet: dict[str, Any]) -> None:
    open_job(page, quartet)
    mute = page.get_by_role("button", name="Mute violin")
    mute.click()
    assert drawn(page, "violin") == [0]
    assert page.evaluate(HUSHED) == [40]
    mute.click()
    assert drawn(page, "violin")[0] > 200
    assert page.evaluate(HUSHED) == []


def test_solo_leaves_only_those_that_have_it_and_comes_before_mute(page: Page, quartet: dict[str, Any]) -> None:
    open_job(page, quartet)
    solo = page.get_by_role("button", name="Solo viola")
    page.get_by_role("button", name="Mute viola").click()
    solo.focus()
    page.keyboard.press("Enter")
    expect(solo).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(HUSHED) == [40, 42]
    page.get_by_role("button", name="Solo cello").click()
    assert page.evaluate(HUSHED) == [40]
    solo.click()
    page.get_by_role("button", name="Solo cello").click()
    assert page.evaluate(HUSHED) == [41], "what was muted is so again"


def test_another_recording_is_heard_whole(page: Page, quartet: dict[str, Any], job: dict[str, Any]) -> None:
    open_job(page, quartet)
    page.get_by_role("button", name="Solo viola").click()
    open_job(page, job)
    open_job(page, quartet)
    assert page.evaluate(HUSHED) == []
    expect(page.get_by_role("button", name="Solo viola")).to_have_attribute("aria-pressed", "false")


def test_a_renamed_track_is_called_so_in_the_files(page: Page, client: httpx.Client, quartet: dict[str, Any]) -> None:
    open_job(page, quartet)
    field = page.get_by_label("Name of the violin track")
    field.fill("Geige I")
    field.press("Enter")
    expect(page.locator(".edit-bar .hint")).to_contain_text("Not yet saved")
    page.locator("#undo").click()
    expect(field).to_have_value("Violin")
    page.locator("#redo").click()
    expect(field).to_have_value("Geige I")
    page.locator("#save").click()
    expect_saved(page, 2)
    midi = client.get(quartet["links"]["midi"], params={"version": 2}).content
    assert [track.name for track in mido.MidiFile(file=io.BytesIO(midi)).tracks[1:]] == ["Geige I", "Viola", "Cello"]
    page.reload()
    open_job(page, quartet)
    assert tracks(page) == ["Geige I", "Viola", "Cello"]
    field.fill("")
    field.press("Enter")
    expect(field).to_have_value("Violin")
    page.locator("#discard").click()
    expect(field).to_have_value("Geige I")
    field.fill("something else")
    field.press("Escape")
    expect(field).to_have_value("Geige I")
    expect(page.locator("#save")).to_be_disabled()


def test_the_instrument_of_a_chosen_note_can_be_changed(
    page: Page, client: httpx.Client, quartet: dict[str, Any]
) -> None:
    open_job(page, quartet)
    page.locator("#edit").click()
    page.locator("canvas.roll").focus()
    page.keyboard.press("Enter")
    choice = page.locator("#note-instrument")
    expect(choice).to_have_value("40")
    choice.select_option("Horn")
    assert tracks(page) == ["Horn", "Violin", "Viola", "Cello"]
    assert notes_of(page)[0]["program"] == 60
    page.locator("#undo").click()
    assert tracks(page) == ["Violin", "Viola", "Cello"]
    page.locator("#redo").click()
    page.locator("canvas.roll").focus()
    page.keyboard.press("Control+a")
    expect(choice).to_have_value("")
    page.locator("#save").click()
    expect_saved(page, 2)
    saved = client.get(quartet["links"]["piano_roll"], params={"version": 2}).json()["notes"]
    assert [note["instrument"] for note in saved] == ["horn", *(QUARTET * 4)[1:]]


def test_an_added_note_is_played_by_whoever_played_the_last_one(page: Page, quartet: dict[str, Any]) -> None:
    open_job(page, quartet)
    page.locator("#edit").click()
    page.locator("canvas.roll").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the viola's
    page.keyboard.press("ArrowUp")
    page.keyboard.press("n")
    assert shown_notes(page) == 13
    assert Counter(note["program"] for note in notes_of(page)) == {40: 4, 41: 5, 42: 4}


def test_the_notes_are_found_anew_for_the_instruments_that_may_play(
    page: Page, client: httpx.Client, own_job: dict[str, Any]
) -> None:
    open_job(page, own_job)
    box = page.get_by_label("Clarinet", exact=True)
    expect(page.locator("#instruments-hint")).to_have_text("Any may play; choose to allow only some")
    box.check()
    expect(page.locator("#instruments-hint")).to_have_text("It plays every note")
    expect(page.locator(".tracks")).to_have_text("Played by the clarinet")
    assert read(client, own_job)["options"]["instruments"] == ["clarinet"]
    page.reload()
    expect(box).to_be_checked()
    page.locator("#reset").click()
    expect(box).not_to_be_checked()
    expect(page.locator(".tracks")).not_to_have_text("Played by the clarinet")


def test_notes_from_before_there_were_instruments_are_a_pianos(page: Page, job: dict[str, Any]) -> None:
    def strip(route: Any) -> None:
        answer = route.fetch()
        roll = answer.json()
        for note in roll["notes"]:
            for name in ("program", "instrument", "instrument_confidence"):
                del note[name]
        route.fulfill(response=answer, json=roll | {"schema_version": 1})

    page.route("**/piano-roll*", strip)
    open_job(page, job)
    assert {(note["program"], note["instrument_confidence"]) for note in notes_of(page)} == {(0, 1)}
    expect(page.locator(".tracks")).to_be_hidden()


@pytest.fixture(scope="module")
def orchestra(client: httpx.Client, recording: Any) -> Iterator[dict[str, Any]]:
    """All eleven, and thousands of notes."""
    job = finished(client, upload(client, recording.read_bytes(), "Orchestra.mp3"))
    notes = [
        {"onset": i / 40, "offset": i / 40 + 0.02, "pitch": 40 + k, "velocity": 90, "instrument": name}
        for k, name in enumerate(INSTRUMENTS)
        for i in range(440)
    ]
    answer = client.put(job["links"]["notes"], json={"notes": notes}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    yield read(client, job)
    client.delete(job["links"]["self"])


def test_from_afar_the_colours_are_the_same(page: Page, orchestra: dict[str, Any]) -> None:
    open_job(page, orchestra)
    assert len(tracks(page)) == 11
    for canvas in ("canvas.roll", "canvas.minimap"):
        assert min(drawn(page, *INSTRUMENTS, canvas=canvas)) > 100
    page.get_by_role("button", name="Mute horn").click()
    for canvas in ("canvas.roll", "canvas.minimap"):
        assert drawn(page, "horn", canvas=canvas) == [0]


def test_the_list_fits_a_telephone(page: Page, orchestra: dict[str, Any]) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    open_job(page, orchestra)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    for number in range(11):
        row = page.locator(".track").nth(number)
        for part in ("button >> nth=0", "button >> nth=1", "input"):
            box = row.locator(part).bounding_box()
            assert box
            assert box["width"] >= 24
            assert box["height"] >= 24
            assert box["x"] + box["width"] <= 360


def linear(colour: tuple[int, ...]) -> NDArray[np.float64]:
    value = np.array(colour) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """As WCAG 2.2 has it."""
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


# How a colour is seen without one of the three cones: Machado, Oliveira and Fernandes 2009, severity 1.
SEEN = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}
TO_CONES = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
TO_LAB = np.array(
    [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.808675766]]
)  # fmt: skip
# A step of 0.02 in Oklab (Ottosson 2020) is just seen side by side.
LEAST_DISTANCE = 0.045


def seen_apart(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Distance in Oklab for whoever sees it least."""
    return min(
        float(np.linalg.norm(oklab(np.clip(eye @ linear(one), 0, 1)) - oklab(np.clip(eye @ linear(other), 0, 1))))
        for eye in SEEN.values()
    )


def oklab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    lab: NDArray[np.float64] = TO_LAB @ np.cbrt(TO_CONES @ light)
    return lab


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_stand_out_and_are_told_apart_by_every_eye(browser: Browser, service: Service, scheme: Any) -> None:
    with browser.new_context(base_url=service.url, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto("/")
        colours = {name: track_colour(page, name) for name in INSTRUMENTS}
        style = "(name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
        papers = [rgb(page.evaluate(style, f"--roll-{name}")) for name in ("paper", "black-row")]
        playhead = rgb(page.evaluate(style, "--playhead"))
    for name, colour in colours.items():
        for paper in papers:
            assert contrast(colour, paper) >= 3, (name, paper)
        assert max(contrast(colour, (255, 255, 255)), contrast(colour, (16, 18, 20))) >= 4.5, name
        assert seen_apart(colour, playhead) > LEAST_DISTANCE, name
    for one, other in combinations(INSTRUMENTS, 2):
        assert seen_apart(colours[one], colours[other]) > LEAST_DISTANCE, (one, other)
