"""What a bucket does that a folder does not: parts, signed addresses, a network in between."""

import base64
import errno
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from app.backup import make_backup, restore_backup
from app.database import open_database
from app.schema import migrate
from app.settings import Settings, SettingsError, load_settings
from app.storage import open_storage
from app.storage.interface import Storage, StoreAwayError, result_key
from app.storage.s3 import PART
from tests.app.s3 import S3Server, bucket_name
from tests.app.service import repository
from tests.app.test_backup import add_finished_job

CENTURY = 100 * 365 * 86_400  # the server says of every unfinished upload that it is from 2010


@pytest.fixture
def bucket(s3: S3Server) -> dict[str, str]:
    return s3.settings(bucket_name())


@pytest.fixture
def storage(bucket: dict[str, str], tmp_path: Path) -> Storage:
    return opened(bucket, tmp_path)


def opened(bucket: dict[str, str], var: Path) -> Storage:
    return open_storage(Settings.model_validate(bucket | {"var": var}))


def name_of(bucket: dict[str, str]) -> str:
    return bucket["storage_url"].split("/")[2]


def test_a_large_file_goes_in_parts_and_comes_back_whole(storage: Storage) -> None:
    data = bytes(range(256)) * (PART // 256) + b"the end"
    stored = storage.put("jobs/a/audio", io.BytesIO(data))
    assert stored.size == len(data)
    assert b"".join(storage.read("jobs/a/audio", 0, len(data))) == data
    with storage.local_copy("jobs/a/audio") as path:
        assert path.read_bytes() == data
    assert not path.exists()


def test_parts_that_nobody_will_finish_are_removed(storage: Storage, s3: S3Server, bucket: dict[str, str]) -> None:
    name = name_of(bucket)
    s3.client().create_multipart_upload(Bucket=name, Key="some/prefix/jobs/a/audio")
    s3.client().create_multipart_upload(Bucket=name, Key="of/others")
    storage.remove_unfinished(untouched_seconds=CENTURY)
    assert len(s3.client().list_multipart_uploads(Bucket=name)["Uploads"]) == 2
    storage.remove_unfinished(untouched_seconds=60)
    left = s3.client().list_multipart_uploads(Bucket=name)["Uploads"]
    assert [one["Key"] for one in left] == ["of/others"]


def test_everything_lies_below_the_prefix(storage: Storage, s3: S3Server, bucket: dict[str, str]) -> None:
    s3.client().put_object(Bucket=name_of(bucket), Key="jobs/of/others", Body=b"x")
    storage.put("jobs/a/audio", io.BytesIO(b"x"))
    assert s3.keys(name_of(bucket)) == {"some/prefix/jobs/a/audio", "jobs/of/others"}
    storage.delete("jobs")
    assert s3.keys(name_of(bucket)) == {"jobs/of/others"}


def test_a_signed_address_serves_the_file_under_its_name(storage: Storage) -> None:
    storage.put("jobs/a/results/r/notes.mid", io.BytesIO(b"MThd"))
    address = storage.link(
        "jobs/a/results/r/notes.mid", seconds=60, media_type="audio/midi", disposition='attachment; filename="tune.mid"'
    )
    assert address is not None
    answer = httpx.get(address, timeout=60)
    assert (answer.status_code, answer.content) == (200, b"MThd")
    assert answer.headers["content-type"] == "audio/midi"
    assert answer.headers["content-disposition"] == 'attachment; filename="tune.mid"'
    assert "X-Amz-Expires=60" in address


def test_addresses_for_callers_name_the_public_service(bucket: dict[str, str], tmp_path: Path) -> None:
    storage = opened(bucket | {"s3_public_endpoint": "https://files.example.org"}, tmp_path)
    address = storage.link("jobs/a/audio", seconds=60, media_type="audio/midi", disposition="attachment")
    assert str(address).startswith(f"https://files.example.org/{name_of(bucket)}/some/prefix/jobs/a/audio?")


def test_what_a_bucket_says_is_what_a_folder_would_say(storage: Storage, s3: S3Server, tmp_path: Path) -> None:
    gone = opened(s3.settings(bucket_name()) | {"s3_endpoint": "http://127.0.0.1:9"}, tmp_path)
    with pytest.raises(StoreAwayError, match="cannot be reached"):
        gone.check()
    none = opened(s3.settings(bucket_name()) | {"storage_url": "s3://no-such-bucket"}, tmp_path)
    with pytest.raises(OSError, match="NoSuchBucket") as refused:
        none.put("jobs/a/audio", io.BytesIO(b"x"))
    assert refused.value.errno == errno.EACCES


def test_a_backup_goes_from_a_bucket_into_a_folder_and_back(storage: Storage, s3: S3Server, tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path / 'jobs.sqlite3'}"
    migrate(source)
    with repository(source) as jobs:
        add_finished_job(jobs, storage, "done")
    folder = open_storage(Settings(storage_url=(tmp_path / "folder").as_uri()))
    other = opened(s3.settings(bucket_name()), tmp_path)
    for number, (here, there) in enumerate(((storage, folder), (folder, other))):
        target = f"sqlite:///{tmp_path / f'{number}.sqlite3'}"
        with engine(source) as old, engine(target) as new:
            assert make_backup(old, here, tmp_path / f"backup-{number}").jobs == 1
            assert restore_backup(new, there, tmp_path / f"backup-{number}").jobs == 1
        source = target
    with other.local_copy(result_key("done", "r", "notes.mid")) as path:
        assert path.read_bytes() == b"MThdr"


@contextmanager
def engine(url: str) -> Iterator[Engine]:
    made = open_database(url)
    yield made
    made.dispose()


@pytest.mark.parametrize(
    ("name", "value"),
    [("STORAGE_URL", "s3://"), ("STORAGE_URL", "s3://A"), ("STORAGE_URL", "s3://bucket/../x"),
     ("S3_ENDPOINT", "s3.example.org"), ("REDIRECT_SECONDS", "604801")],
)  # fmt: skip
def test_what_is_no_bucket_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"AMT_{name}", value)
    with pytest.raises(SettingsError, match=f"AMT_{name}"):
        load_settings()


def test_the_secret_is_not_printed() -> None:
    assert "hush" not in repr(Settings(s3_secret_key="hush"))


def test_deletions_bring_the_checksum_that_older_services_want(storage: Storage) -> None:
    sent: list[tuple[str, bytes]] = []
    events = storage._client.meta.events  # type: ignore[attr-defined]
    events.register("before-send.s3.DeleteObjects", lambda request, **_: sent.append((request.headers, request.body)))
    storage.put("jobs/a/audio", io.BytesIO(b"x"))
    storage.delete("jobs/a")
    assert not storage.exists("jobs/a/audio")
    [(headers, body)] = sent
    wanted = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
    assert headers["Content-MD5"] in (wanted, wanted.decode())
