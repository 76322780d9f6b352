"""Uploads: counted before they are stored, whatever their headers say."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from app.api.application import create_app
from app.file_names import clean_name, stem
from app.jobs.repository import JobRepository
from app.jobs.table import Job
from app.schema import migrate
from app.settings import Settings
from tests.app.service import Service, upload

LIMIT = 100_000


def stored_files(service: Service) -> set[Path]:
    folders = (service.var / "storage", service.var / "tmp")
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()}


def form(size: int) -> tuple[bytes, dict[str, str]]:
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="big.wav"\r\n\r\n'
    return head + bytes(size) + b"\r\n--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}


def in_pieces(data: bytes) -> Iterator[bytes]:
    """httpx sends an iterator without a Content-Length."""
    for start in range(0, len(data), 4096):
        yield data[start : start + 4096]


@pytest.mark.parametrize("chunked", [False, True])
def test_the_largest_upload_is_accepted(idle: httpx.Client, chunked: bool) -> None:
    body, headers = form(LIMIT)
    answer = idle.post("/v1/transcriptions", content=in_pieces(body) if chunked else body, headers=headers)
    assert answer.status_code == 202
    assert answer.json()["file"]["bytes"] == LIMIT


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 50_000, 40 * LIMIT])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_larger_one_is_refused_and_nothing_is_stored(
    idle: httpx.Client, idle_service: Service, size: int, chunked: bool
) -> None:
    before = stored_files(idle_service)
    body, headers = form(size)
    answer = idle.post("/v1/transcriptions", content=in_pieces(body) if chunked else body, headers=headers)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert str(LIMIT) in answer.json()["detail"]
    assert stored_files(idle_service) == before


def test_a_declared_length_is_refused_before_one_byte_is_sent(idle_service: Service) -> None:
    with socket.create_connection(("127.0.0.1", idle_service.port), timeout=60) as connection:
        connection.sendall(
            b"POST /v1/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n"
            b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_an_endless_upload_is_refused_while_it_is_sent(idle_service: Service) -> None:
    body, _ = form(2 * LIMIT)
    with socket.create_connection(("127.0.0.1", idle_service.port), timeout=60) as connection:
        connection.sendall(
            b"POST /v1/transcriptions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
        )
        for piece in in_pieces(body):  # and no last, empty piece
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_other_bodies_are_small(idle: httpx.Client) -> None:
    answer = idle.post("/v1/transcriptions/AAAAAAAAAAAAAAAAAAAAAA/decode", content=bytes(100_000))
    assert answer.status_code == 413


def test_many_fields_do_not_pass_the_limit(idle: httpx.Client) -> None:
    fields = {f"field{number}": "x" * 100 for number in range(900)}
    answer = idle.post("/v1/transcriptions", files={"file": ("a.wav", b"x")}, data=fields)
    assert answer.status_code in (413, 422)


def test_an_upload_that_breaks_off_leaves_nothing(idle: httpx.Client, idle_service: Service) -> None:
    before = stored_files(idle_service)
    jobs = idle.get("/v1/transcriptions", params={"page_size": 100}).json()
    body, _ = form(50_000)
    with socket.create_connection(("127.0.0.1", idle_service.port)) as connection:
        head = f"POST /v1/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n" + body[:30_000])
    with idle_service.client() as fresh:  # an older connection may be one that the server is about to close
        assert fresh.get("/healthz").status_code == 200
        assert stored_files(idle_service) == before
        assert fresh.get("/v1/transcriptions", params={"page_size": 100}).json() == jobs


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Music\\take 1.wav", "take 1.wav"),
        ("a\x00b\nc.wav", "abc.wav"),
        ("...", "recording"),
        ("", "recording"),
        ("x" * 500, "x" * 200),
        ("<b>.mp3", "b.mp3"),
        ("\u202egnp.wav", "gnp.wav"),
    ],
)
def test_names_are_cleaned(sent: str, kept: str) -> None:
    assert clean_name(sent) == kept


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("=?utf-8?B?bmHDr3ZlLndhdg==?=", "naïve.wav"),
        ("=?utf-8?Q?na=C3=AFve.wav?=", "naïve.wav"),
        ("=?nonsense?B?bmHDr3ZlLndhdg==?=", "=nonsenseBbmHDr3ZlLndhdg==="),
        ("a %22suite%22.wav", "a suite.wav"),
        ("100%25 %41.wav", "100%25 %41.wav"),
    ],
)
def test_a_name_is_what_its_sender_meant(idle: httpx.Client, sent: str, meant: str) -> None:
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{sent}"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    job = idle.post("/v1/transcriptions", content=head.encode() + b"x\r\n--edge--\r\n", headers=headers).json()
    assert job["file"]["name"] == meant


def test_a_field_instead_of_a_file_is_told(idle: httpx.Client) -> None:
    answer = idle.post("/v1/transcriptions", files={"file": (None, "hello")})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "file", "message": "must be a file with a name, as of curl -F file=@recording.wav"}
    ]


def test_a_name_is_no_path(idle: httpx.Client, idle_service: Service) -> None:
    job = upload(idle, b"x", "../../../evil.wav")
    assert job["file"]["name"] == "evil.wav"
    assert not list(idle_service.var.parent.rglob("*evil*"))


def test_stems() -> None:
    assert stem("a.b.wav") == "a.b"
    assert stem("recording") == "recording"


@pytest.mark.parametrize("kept", [True, False], ids=["committed", "rolled back"])
def test_what_the_database_did_decides_though_its_word_was_lost(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """The connection breaks while the job is committed: where it is durable, it is accepted with its recording."""
    migrate(database_url)
    add = JobRepository.add

    def add_and_lose(jobs: JobRepository, job: Job, **options: Any) -> None:
        if kept:
            add(jobs, job, **options)
        raise OperationalError("COMMIT", {}, Exception("the connection was cut"))

    monkeypatch.setattr(JobRepository, "add", add_and_lose)
    settings = Settings(var=tmp_path / "var", database_url=database_url, redis_url=redis_url)
    settings.temporary.mkdir(parents=True)
    app = create_app(settings)

    async def ask() -> tuple[httpx.Response, Any]:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            answer = await client.post("/v1/transcriptions", files={"file": ("a.wav", b"RIFF")})
            return answer, (await client.get("/v1/transcriptions")).json()["transcriptions"]

    answer, listed = asyncio.run(ask())
    files = [path.name for path in (settings.var / "storage").rglob("*") if path.is_file()]
    if kept:
        assert answer.status_code == 202, answer.text
        assert [job["id"] for job in listed] == [answer.json()["id"]]
        assert files == ["audio"]
    else:
        assert (answer.status_code, listed, files) == (503, [], [])
