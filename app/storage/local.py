"""A folder of this machine as file store."""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.storage.interface import NotStoredError, Stored, check_key

PIECE = 1 << 18  # bytes held in memory at once


class LocalStorage:
    """Files below `root`. Unfinished ones lie in ``root/.unfinished``, on the same file system, and are renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._unfinished = root / ".unfinished"

    def put(self, key: str, source: BinaryIO) -> Stored:
        """See `Storage.put`."""
        target = self._path(key)
        self._unfinished.mkdir(parents=True, exist_ok=True)
        unfinished = self._unfinished / secrets.token_hex(16)
        try:
            stored = _write(unfinished, source)
            made = _make_folders(target.parent)
            unfinished.rename(target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        for folder in [target.parent, *made]:
            _sync_folder(folder)
        return stored

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """See `Storage.read`."""
        try:
            file = self._path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotStoredError(key) from error
        return _pieces(file, start, length)

    def exists(self, key: str) -> bool:
        """See `Storage.exists`."""
        return self._path(key).is_file()

    def delete(self, prefix: str) -> None:
        """See `Storage.delete`."""
        path = self._path(prefix)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def folders(self, prefix: str) -> Iterator[str]:
        """See `Storage.folders`."""
        parent = self._path(prefix)
        for child in parent.iterdir() if parent.is_dir() else ():
            if child.is_dir():
                yield child.name

    def is_untouched(self, prefix: str, *, seconds: float) -> bool:
        """See `Storage.is_untouched`."""
        try:
            return _is_old(self._path(prefix), seconds)
        except FileNotFoundError:
            return False

    def remove_unfinished(self, *, untouched_seconds: float) -> None:
        """See `Storage.remove_unfinished`."""
        for path in self._unfinished.glob("*"):
            if _is_old(path, untouched_seconds):
                path.unlink(missing_ok=True)

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        """See `Storage.local_copy`. The file itself: it is local already."""
        path = self._path(key)
        if not path.is_file():
            raise NotStoredError(key)
        yield path

    def check(self) -> None:
        """See `Storage.check`."""
        self._unfinished.mkdir(parents=True, exist_ok=True)
        probe = self._unfinished / f"check-{secrets.token_hex(8)}"
        probe.write_bytes(b"ok")
        probe.unlink()

    def link(self, key: str, *, seconds: int, media_type: str, disposition: str) -> None:
        """See `Storage.link`. A folder serves nobody."""

    def _path(self, key: str) -> Path:
        check_key(key)
        return self._root.joinpath(*key.split("/"))


def _write(path: Path, source: BinaryIO) -> Stored:
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        while piece := source.read(PIECE):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return Stored(digest.hexdigest(), size)


def _pieces(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while length > 0 and (piece := file.read(min(PIECE, length))):
            length -= len(piece)
            yield piece


def _is_old(path: Path, seconds: float) -> bool:
    return time.time() - path.stat().st_mtime > seconds


def _make_folders(folder: Path) -> list[Path]:
    """Create `folder` and give every parent whose entries changed, so that they can be synced."""
    changed = []
    missing = folder
    while not missing.exists():
        missing = missing.parent
        changed.append(missing)
    folder.mkdir(parents=True, exist_ok=True)
    return changed


def _sync_folder(folder: Path) -> None:
    """A rename is durable once its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
