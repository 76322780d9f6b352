"""The store is full or unreadable: nothing half-written, space given back, and a reason that people understand."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.jobs.states import ErrorCode, Status
from tests.app.faults.breakpoints import NETWORK, WRITING
from tests.app.faults.disk import MEGABYTE, SmallDisk
from tests.app.faults.stack import Files, Stack, assert_one_result_each, clear, expected_files, post
from tests.app.service import upload


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    small = SmallDisk(tmp_path_factory.mktemp("disk") / "small", megabytes=4)
    yield small
    small.close()


@pytest.fixture(scope="module")
def crowded(disk: SmallDisk) -> Iterator[Stack]:
    """Parts whose store lies on a small disk."""
    stack = Stack(settings={"storage_url": (disk.folder / "store").as_uri()})
    stack.api()
    stack.worker()
    stack.sweeper()
    yield stack
    stack.close()


@pytest.fixture
def crowded_client(crowded: Stack) -> Iterator[httpx.Client]:
    clear(crowded)
    with crowded.parts[0].client() as client:
        yield client


def test_an_upload_that_does_not_fit(crowded: Stack, crowded_client: httpx.Client, disk: SmallDisk) -> None:
    free = disk.free_bytes
    refused = post(crowded_client, bytes(5 * MEGABYTE))
    assert refused.status_code == 507
    assert refused.json()["type"] == "urn:amt:problem:out-of-space"
    assert crowded.rows() == []
    assert files_below(disk.folder) == []
    assert disk.free_bytes >= free - 64 * 1024  # but for folders


def test_results_that_do_not_fit(
    crowded: Stack, crowded_client: httpx.Client, disk: SmallDisk, tune: bytes, expected: Files
) -> None:
    """The disk fills up between two files of the results; the job says so, and can be sent again later."""
    crowded.arm(WRITING)
    job = upload(crowded_client, tune)
    crowded.wait_reached(WRITING)
    disk.fill()
    crowded.release(WRITING)
    row = crowded.settle()[job["id"]]
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.OUT_OF_SPACE)
    error = crowded_client.get(job["links"]["self"]).json()["error"]
    assert error["retryable"] is True
    disk.free()
    assert files_below(disk.folder) == [f"store/jobs/{job['id']}/audio"]
    assert crowded_client.delete(job["links"]["self"]).status_code == 204
    assert expected_files(crowded, upload(crowded_client, tune)) == expected


def test_a_temporary_folder_without_room() -> None:
    """An upload is spooled there before it is stored; the answer must not call its body malformed."""
    stack = Stack()
    spool = SmallDisk(stack.folder / "var" / "tmp", megabytes=1)
    try:
        with stack.api().client() as client:
            refused = post(client, bytes(3 * MEGABYTE))
        assert refused.status_code == 507, refused.text
        assert stack.rows() == []
    finally:
        stack.close()
        spool.close()


def test_audio_that_cannot_be_read(stack: Stack, client: httpx.Client, tune: bytes, expected: Files) -> None:
    """A bad sector: the file is there and reading it is an input/output error."""
    stack.arm(NETWORK)
    blocker = upload(client, tune)
    stack.wait_reached(NETWORK)
    job = upload(client, tune)
    audio = stack.storage / "jobs" / job["id"] / "audio"
    audio.unlink()
    audio.symlink_to("/proc/self/mem")
    with pytest.raises(OSError, match="Input/output error"):
        audio.read_bytes()
    stack.release(NETWORK)
    row = stack.settle()[job["id"]]
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.INTERNAL)
    assert client.delete(job["links"]["self"]).status_code == 204
    assert_one_result_each(stack, [blocker], expected)


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
