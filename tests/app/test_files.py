"""Downloads: validators and ranges (RFC 9110)."""

import hashlib
from typing import Any

import httpx
import pytest

from app.api.files import content_disposition


@pytest.fixture
def link(tune_job: dict[str, Any]) -> str:
    found: str = tune_job["links"]["audio"]
    return found


def test_the_tag_is_the_content(client: httpx.Client, link: str, tune: bytes) -> None:
    answer = client.get(link)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(tune).hexdigest()}"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert int(answer.headers["Content-Length"]) == len(tune)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_what_the_caller_has_is_not_sent_again(client: httpx.Client, link: str, form: str) -> None:
    tag = client.head(link).headers["ETag"]
    answer = client.get(link, headers={"If-None-Match": form.format(tag)})
    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["ETag"] == tag


def test_another_tag_gets_the_file(client: httpx.Client, link: str, tune: bytes) -> None:
    assert client.get(link, headers={"If-None-Match": '"other"'}).content == tune


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=100-", 100, None),
        ("bytes=-100", -100, None),
        ("bytes=100-99999999999", 100, None),
        ("bytes=-99999999999", 0, None),
    ],
)
def test_a_range(client: httpx.Client, link: str, tune: bytes, asked: str, start: int, end: int | None) -> None:
    answer = client.get(link, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == tune[start:end]
    first = start % len(tune)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(tune)}"


@pytest.mark.parametrize("asked", ["bytes=99999999999-", "bytes=-0"])
def test_a_range_outside_the_file(client: httpx.Client, link: str, tune: bytes, asked: str) -> None:
    answer = client.get(link, headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(tune)}"
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "nonsense", "bytes=0-" + 5000 * "9"]
)
def test_what_is_no_single_range_gets_the_file(client: httpx.Client, link: str, tune: bytes, asked: str) -> None:
    answer = client.get(link, headers={"Range": asked})
    assert answer.status_code == 200
    assert len(answer.content) == len(tune)


def test_a_range_of_another_version_gets_the_file(client: httpx.Client, link: str, tune: bytes) -> None:
    tag = client.head(link).headers["ETag"]
    same = client.get(link, headers={"Range": "bytes=0-9", "If-Range": tag})
    other = client.get(link, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


@pytest.mark.parametrize("name", ["midi", "piano_roll", "notes_csv", "audio"])
def test_head_says_what_get_would(client: httpx.Client, tune_job: dict[str, Any], name: str) -> None:
    link = tune_job["links"][name]
    head, full = client.head(link), client.get(link)
    assert head.content == b""
    for header in ("Content-Length", "Content-Type", "ETag", "Content-Disposition"):
        assert head.headers[header] == full.headers[header]
    assert int(full.headers["Content-Length"]) == len(full.content)
    assert full.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("take 1.mid", "attachment; filename=\"take 1.mid\"; filename*=UTF-8''take%201.mid"),
        ("Étude.mid", "attachment; filename=\"Etude.mid\"; filename*=UTF-8''%C3%89tude.mid"),
        ("夜想曲.mid", "attachment; filename=\"recording.mid\"; filename*=UTF-8''%E5%A4%9C%E6%83%B3%E6%9B%B2.mid"),
        ("演奏.最終", "attachment; filename=\"recording\"; filename*=UTF-8''%E6%BC%94%E5%A5%8F.%E6%9C%80%E7%B5%82"),
        ('a".mid', "attachment; filename=\"a_.mid\"; filename*=UTF-8''a%22.mid"),
    ],
)
def test_names_survive_the_header(name: str, header: str) -> None:
    assert content_disposition(name) == header
