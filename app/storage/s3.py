"""A bucket of an S3-compatible service as file store.

An object appears whole or not at all, also a large one, which is sent in parts. What an interrupted call leaves behind
are parts that no listing shows; `S3Storage.remove_unfinished` ends them.
"""

import base64
import errno
import hashlib
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from app.storage.interface import NotStoredError, StoreAwayError, Stored, check_key

PIECE = 1 << 18  # bytes held in memory at once when reading
PART = 8 << 20  # a larger object is sent in parts of this size
DELETED_AT_ONCE = 1000  # S3's own limit
CONNECT_SECONDS, ANSWER_SECONDS, TRIES = 3, 20, 4
# One thread, the caller's: a source need not be seekable, and a worker's processes fork.
TRANSFER = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, use_threads=False)
NOT_THERE = frozenset({"404", "NoSuchKey", "NotFound"})
# How services of several makers say that there is no room.
FULL = frozenset(
    {"507", "InsufficientCapacity", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
)
AWAY = frozenset({"500", "502", "503", "504", "InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout"})


@dataclass(frozen=True)
class S3Access:
    """How a bucket is reached. What is empty is left to boto3: AWS's own variables, files, or the machine's role."""

    endpoint: str = ""
    public_endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""


class S3Storage:
    """Objects of `bucket` whose keys begin with `prefix`. No connection is made before the first call."""

    def __init__(self, bucket: str, prefix: str, access: S3Access, *, temporary: Path) -> None:
        self._bucket = bucket
        self._temporary = temporary
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._client = _connect(access, access.endpoint)
        self._links = _connect(access, access.public_endpoint or access.endpoint)

    def put(self, key: str, source: BinaryIO) -> Stored:
        """See `Storage.put`."""
        counted = _Counted(source)
        with _as_os_errors(key):
            self._client.upload_fileobj(counted, self._bucket, self._object(key), Config=TRANSFER)
        return counted.stored

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """See `Storage.read`."""
        if length <= 0:
            if not self.exists(key):
                raise NotStoredError(key)
            return iter(())
        span = f"bytes={start}-{start + length - 1}"
        with _as_os_errors(key):
            body = self._client.get_object(Bucket=self._bucket, Key=self._object(key), Range=span)["Body"]
        return _pieces(body, key)

    def exists(self, key: str) -> bool:
        """See `Storage.exists`."""
        try:
            with _as_os_errors(key):
                self._client.head_object(Bucket=self._bucket, Key=self._object(key))
        except NotStoredError:
            return False
        return True

    def delete(self, prefix: str) -> None:
        """See `Storage.delete`."""
        name = self._object(prefix)
        found = [name, *(one["Key"] for one in self._objects(name + "/"))]
        for first in range(0, len(found), DELETED_AT_ONCE):
            names = [{"Key": one} for one in found[first : first + DELETED_AT_ONCE]]
            with _as_os_errors(prefix):
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": names, "Quiet": True})
            if left := answer.get("Errors"):
                raise StoreAwayError(errno.EIO, f"{left[0]['Key']} cannot be deleted: {left[0].get('Message', '')}")

    def folders(self, prefix: str) -> Iterator[str]:
        """See `Storage.folders`."""
        parent = self._object(prefix) + "/"
        for page in self._pages("list_objects_v2", Prefix=parent, Delimiter="/"):
            for one in page.get("CommonPrefixes", ()):
                yield one["Prefix"].removeprefix(parent).rstrip("/")

    def is_untouched(self, prefix: str, *, seconds: float) -> bool:
        """See `Storage.is_untouched`."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        changed = [one["LastModified"] for one in self._objects(self._object(prefix) + "/")]
        return bool(changed) and max(changed) < before

    def remove_unfinished(self, *, untouched_seconds: float) -> None:
        """See `Storage.remove_unfinished`. Where this is not allowed or not known, the bucket needs a rule for it."""
        before = datetime.now(UTC) - timedelta(seconds=untouched_seconds)
        for page in self._pages("list_multipart_uploads", Prefix=self._prefix):
            for one in page.get("Uploads", ()):
                if one["Initiated"] < before:
                    with _as_os_errors(one["Key"]):
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=one["Key"], UploadId=one["UploadId"]
                        )

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        """See `Storage.local_copy`. A temporary file, gone at the end of the context."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._temporary, prefix="from-store-") as file:
            with _as_os_errors(key):
                self._client.download_fileobj(self._bucket, self._object(key), file, Config=TRANSFER)
            file.flush()
            yield Path(file.name)

    def check(self) -> None:
        """See `Storage.check`."""
        key = f"checks/{secrets.token_hex(8)}"
        with _as_os_errors(key):
            self._client.put_object(Bucket=self._bucket, Key=self._object(key), Body=b"ok")
            self._client.delete_object(Bucket=self._bucket, Key=self._object(key))

    def link(self, key: str, *, seconds: int, media_type: str, disposition: str) -> str:
        """See `Storage.link`. A signed address: whoever has it may read this object until it runs out."""
        asked = {
            "Bucket": self._bucket,
            "Key": self._object(key),
            "ResponseContentType": media_type,
            "ResponseContentDisposition": disposition,
        }
        with _as_os_errors(key):
            return str(self._links.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds))

    def _object(self, key: str) -> str:
        check_key(key)
        return self._prefix + key

    def _objects(self, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self._pages("list_objects_v2", Prefix=prefix):
            yield from page.get("Contents", ())

    def _pages(self, operation: str, **asked: str) -> Iterator[dict[str, Any]]:
        with _as_os_errors(asked["Prefix"]):
            yield from self._client.get_paginator(operation).paginate(Bucket=self._bucket, **asked)


class _Counted:
    """A source that is read from its present position to its end, with what was read of it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self._size = 0

    @property
    def stored(self) -> Stored:
        return Stored(self._digest.hexdigest(), self._size)

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(size)
        self._digest.update(piece)
        self._size += len(piece)
        return piece


def _connect(access: S3Access, endpoint: str) -> Any:
    """A client. With an endpoint of its own the bucket stands in the path: few such services have a name per bucket."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=access.region or None,
        aws_access_key_id=access.access_key or None,
        aws_secret_access_key=access.secret_key or None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            # Checksums of new kinds are refused by services that do not know them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
    return client


def _add_md5(request: Any, **_: Any) -> None:
    """Many services delete nothing without the older checksum, which boto3 sends no more."""
    digest = hashlib.md5(request.body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()


def _pieces(body: Any, key: str) -> Iterator[bytes]:
    with body, _as_os_errors(key):
        yield from body.iter_chunks(PIECE)


@contextmanager
def _as_os_errors(key: str) -> Iterator[None]:
    """What a folder would say in the same case."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in NOT_THERE:
            raise NotStoredError(key) from error
        if code in FULL:
            raise OSError(errno.ENOSPC, f"the bucket is full ({code})") from error
        if code in AWAY:
            raise StoreAwayError(errno.EIO, f"the bucket does not answer ({code})") from error
        raise OSError(errno.EACCES, f"the bucket refuses it ({code})") from error
    except (BotoCoreError, HTTPClientError) as error:
        raise StoreAwayError(errno.EIO, f"the bucket cannot be reached ({error})") from error
