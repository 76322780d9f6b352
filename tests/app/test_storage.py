"""The stores, a folder and a bucket: whole files or none, and no way out of their root."""

import hashlib
import io
from pathlib import Path
from typing import BinaryIO

import pytest

from app.settings import Settings
from app.storage import open_storage
from app.storage.interface import NotStoredError, Storage
from tests.app.s3 import S3Server, bucket_name


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty store of each kind."""
    if request.param == "folder":
        return open_storage(Settings(storage_url=(tmp_path / "with space").as_uri()))
    server: S3Server = request.getfixturevalue("s3")
    return open_storage(Settings.model_validate(server.settings(bucket_name()) | {"var": tmp_path / "var"}))


def test_what_is_put_can_be_read(storage: Storage) -> None:
    data = bytes(range(256)) * 3000
    stored = storage.put("jobs/a/audio", io.BytesIO(data))
    assert (stored.sha256, stored.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert b"".join(storage.read("jobs/a/audio", 0, len(data))) == data
    assert b"".join(storage.read("jobs/a/audio", 300_000, 5)) == data[300_000:300_005]
    assert storage.exists("jobs/a/audio")
    with storage.local_copy("jobs/a/audio") as path:
        assert path.read_bytes() == data


def test_putting_again_replaces(storage: Storage) -> None:
    storage.put("jobs/a/audio", io.BytesIO(b"one"))
    storage.put("jobs/a/audio", io.BytesIO(b"two"))
    assert b"".join(storage.read("jobs/a/audio", 0, 3)) == b"two"


def test_a_broken_stream_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 0:
                raise OSError("gone")
            return super().read(4)

    source: BinaryIO = Broken(b"12345678")
    with pytest.raises(OSError, match="gone"):
        storage.put("jobs/a/audio", source)
    assert not storage.exists("jobs/a/audio")
    assert list(storage.folders("jobs")) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_reader_keeps_what_is_deleted_under_it(storage: Storage) -> None:
    storage.put("jobs/a/results/r/notes.mid", io.BytesIO(b"notes"))
    pieces = storage.read("jobs/a/results/r/notes.mid", 0, 5)
    storage.delete("jobs/a")
    assert b"".join(pieces) == b"notes"


def test_delete_takes_all_below_and_nothing_beside(storage: Storage) -> None:
    for key in ("jobs/a/audio", "jobs/a/results/r/x", "jobs/ab/audio"):
        storage.put(key, io.BytesIO(b"x"))
    storage.delete("jobs/a")
    storage.delete("jobs/a")
    assert not storage.exists("jobs/a/audio")
    assert not storage.exists("jobs/a/results/r/x")
    assert storage.exists("jobs/ab/audio")


@pytest.mark.parametrize("key", ["jobs/none", "jobs/none/deeper"])
def test_what_is_not_there_says_so_at_once(storage: Storage, key: str) -> None:
    with pytest.raises(NotStoredError):
        storage.read(key, 0, 1)
    with pytest.raises(NotStoredError), storage.local_copy(key):
        pass


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a//b", "a/./b", "a/../../b", ".unfinished/x", ""])
def test_keys_stay_inside(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        storage.put(key, io.BytesIO(b"x"))


def test_check_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    storage.check()
    assert list(storage.folders("checks")) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_folders_are_those_directly_below(storage: Storage) -> None:
    """More than a page of the listing."""
    for name in ("a", "ab", "b", "c", "d"):
        for file in ("audio", "results/r/notes.mid"):
            storage.put(f"jobs/{name}/{file}", io.BytesIO(b"x"))
    storage.put("models/m.safetensors", io.BytesIO(b"x"))
    assert sorted(storage.folders("jobs")) == ["a", "ab", "b", "c", "d"]
    assert list(storage.folders("jobs/a/results")) == ["r"]
    assert not storage.is_untouched("jobs/a", seconds=3600)
    assert storage.is_untouched("jobs/a", seconds=-3600)
    assert not storage.is_untouched("jobs/none", seconds=-3600)
    assert list(storage.folders("none")) == []
    storage.delete("jobs")
    assert list(storage.folders("jobs")) == []
    assert storage.exists("models/m.safetensors")


def test_a_folder_serves_nobody(tmp_path: Path) -> None:
    storage = open_storage(Settings(storage_url=tmp_path.as_uri()))
    assert storage.link("jobs/a/audio", seconds=60, media_type="audio/midi", disposition="attachment") is None
