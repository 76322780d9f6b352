"""Downloads from a real server process with the faults of real ones (tests/training/file_server.py)."""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.serving import Server
from training.download import Patience, download, fetch
from training.errors import DownloadError
from training.record import MUSICNET, Record, RemoteFile, read_record
from training.unpack import unpack

QUICK = Patience(attempts=3, first_wait=0.01, timeout=60.0)
CONTENT = np.random.default_rng(0).bytes(3_000_000)


def test_a_file_arrives_whole_and_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    file = server.offer("well", "data.bin", CONTENT)
    assert "fetched, checksum right" in fetch(file, tmp_path, QUICK)
    assert "was there" in fetch(file, tmp_path, QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.ranges() == [""]
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]


def test_what_breaks_off_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    fetch(server.offer("breaking", "data.bin", CONTENT), tmp_path, QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.ranges() == ["", "bytes=1500000-", "bytes=2250000-", "bytes=2625000-"]


def test_the_next_run_goes_on_too(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1_000_000])
    fetch(server.offer("well", "data.bin", CONTENT), tmp_path, QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.ranges() == ["bytes=1000000-"]


def test_a_part_that_is_complete_needs_no_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    fetch(server.offer("missing", "data.bin", CONTENT), tmp_path, QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.ranges() == []


@pytest.mark.parametrize("rest", [b"x" * 1000, CONTENT + b"more"])
def test_a_part_of_something_else_is_thrown_away(server: Server, tmp_path: Path, rest: bytes) -> None:
    (tmp_path / "data.bin.part").write_bytes(rest)
    fetch(server.offer("well", "data.bin", CONTENT), tmp_path, QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("manner", ["rangeless", "busy", "stalling", "unsatisfied", "moved"])
def test_servers_with_their_ways_are_put_up_with(server: Server, tmp_path: Path, manner: str) -> None:
    if manner == "unsatisfied":
        (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    # A short wait is for the server that falls silent alone: any other may have to wait for its turn on a busy machine.
    patience = Patience(attempts=20, first_wait=0.01, timeout=1.0) if manner == "stalling" else QUICK
    fetch(server.offer(manner, "data.bin", CONTENT), tmp_path, patience)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("manner", "said", "tries"),
    [
        ("missing", "the server answered 404 Not Found; if the record has moved, name it with --record", 1),
        ("down", r"503 Service Unavailable, 3 times in a row with nothing gained; 0\.0 MB of 3\.0 MB are kept", 3),
        (
            "nothing-more",
            r"3 times in a row with nothing gained; 1\.5 MB of 3\.0 MB are kept, run it again",
            4,
        ),
        ("wrong", "the MD5 of what came is .*, the record says .*; it was removed", 1),
        ("login", "offers a file of 26 bytes, the record says 3000000: another file, or the page of a network", 1),
        ("longer", "sends more than the 3000000 bytes", 1),
    ],
)
def test_what_cannot_be_mended_is_said(server: Server, tmp_path: Path, manner: str, said: str, tries: int) -> None:
    with pytest.raises(DownloadError, match=said):
        fetch(server.offer(manner, "data.bin", CONTENT), tmp_path, QUICK)
    assert not (tmp_path / "data.bin").exists()
    assert len(server.ranges()) == tries


def test_another_range_than_asked_for_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(DownloadError, match="asked for the bytes from 1000 on, got the range 993-2999999"):
        fetch(server.offer("shifted", "data.bin", CONTENT), tmp_path, QUICK)


def test_no_server_at_all_is_said(tmp_path: Path) -> None:
    nowhere = RemoteFile("data.bin", "http://127.0.0.1:1/data.bin", 10, "0" * 32)
    with pytest.raises(DownloadError, match="Connection refused, 3 times in a row"):
        fetch(nowhere, tmp_path, QUICK)


def test_a_file_of_ones_own_is_never_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"data\.bin is there and is not the record's file"):
        fetch(server.offer("well", "data.bin", CONTENT), tmp_path, QUICK)
    assert (tmp_path / "data.bin").read_bytes() == b"mine"


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A .tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def plain(name: str, content: bytes = b"notes") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), content


def record_of(server: Server, archive: bytes) -> Record:
    table = server.offer("well", "table.csv", b"id,composer\n")
    return Record("Tiny", "page", 1000, "tiny", (table, server.offer("breaking", "tiny.tar.gz", archive)))


def test_a_record_is_fetched_and_unpacked_once(server: Server, tmp_path: Path) -> None:
    record = record_of(server, packed(plain("tiny/data/1.wav"), plain("tiny/labels/1.csv")))
    said = list(download(record, tmp_path, QUICK))
    assert "tiny.tar.gz: 2 files unpacked" in said[-1]
    assert (tmp_path / "data" / "1.wav").read_bytes() == b"notes"
    assert (tmp_path / "table.csv").exists()
    (tmp_path / "tiny.tar.gz").unlink()  # not needed any more
    asked = len(server.ranges())
    assert list(download(record, tmp_path, QUICK))[-1] == "tiny.tar.gz: was there, unpacked"
    assert len(server.ranges()) == asked


def test_unpacking_goes_on_after_a_kill(tmp_path: Path) -> None:
    archive = tmp_path / "tiny.tar.gz"
    archive.write_bytes(packed(plain("tiny/a"), plain("tiny/b"), plain("tiny/c")))
    (tmp_path / "a").write_bytes(b"notes")
    whole = (tmp_path / "a").stat().st_mtime_ns
    (tmp_path / "b").write_bytes(b"no")
    assert unpack(archive, tmp_path, strip="tiny") == 3
    assert [(tmp_path / name).read_bytes() for name in "abc"] == [b"notes"] * 3
    assert (tmp_path / "a").stat().st_mtime_ns == whole


def link(name: str, target: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


@pytest.mark.parametrize(
    "members",
    [
        [plain("../escaped")],
        [plain("tiny/../../escaped")],
        [link("tiny/door", "..", tarfile.SYMTYPE), plain("tiny/door/escaped")],
        [link("tiny/door", "inside", tarfile.SYMTYPE)],
        [link("tiny/door", "/etc/passwd", tarfile.LNKTYPE)],
        [link("tiny/pipe", "", tarfile.FIFOTYPE)],
    ],
)
def test_nothing_leaves_the_folder(tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    (tmp_path / "out").mkdir()
    archive = tmp_path / "tiny.tar.gz"
    archive.write_bytes(packed(*members))
    with pytest.raises(DownloadError, match="not safe to unpack"):
        unpack(archive, tmp_path / "out", strip="tiny")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["out", "tiny.tar.gz"]


def flipped(archive: bytes) -> bytes:
    return archive[:10] + bytes(byte ^ 0x55 for byte in archive[10:60]) + archive[60:]


@pytest.mark.parametrize("spoil", [lambda archive: archive[:-100], flipped, lambda archive: b"no archive"])
def test_a_damaged_archive_is_named(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    archive = tmp_path / "tiny.tar.gz"
    archive.write_bytes(spoil(packed(plain("tiny/a", CONTENT[:5000]), plain("tiny/b", CONTENT[5000:9000]))))
    with pytest.raises(DownloadError, match=r"tiny\.tar\.gz: damaged"):
        unpack(archive, tmp_path, strip="tiny")


def test_a_disk_that_is_too_small_is_found_before_anything_is_fetched(server: Server, tmp_path: Path) -> None:
    record = replace(record_of(server, packed(plain("tiny/a"))), unpacked_bytes=10**18)
    with pytest.raises(DownloadError, match=r"Tiny needs 1000000000\.0 GB more here.* are free"):
        list(download(record, tmp_path, QUICK))
    assert server.ranges() == []


def test_the_record_of_musicnet_is_complete() -> None:
    record = read_record()
    assert [(file.name, file.bytes) for file in record.files] == [
        ("musicnet_metadata.csv", 43_775),
        ("musicnet.tar.gz", 11_097_394_998),
    ]
    assert all(file.url.startswith(record.page) for file in record.files)


@pytest.mark.parametrize(
    "change",
    [{"name": "../a"}, {"url": "file:///etc/passwd"}, {"md5": ""}, {"bytes": 0}, {"sha": "unknown"}],
)
def test_a_wrong_record_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    content = json.loads(MUSICNET.read_text())
    content["files"][0] |= change
    (tmp_path / "record.json").write_text(json.dumps(content))
    with pytest.raises(DownloadError, match=r"record\.json: not the description of a record"):
        read_record(tmp_path / "record.json")
