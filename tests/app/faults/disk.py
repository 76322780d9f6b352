"""A disk that is really full: a small file system in memory."""

import os
import subprocess
from pathlib import Path

import pytest

MEGABYTE = 2**20


class SmallDisk:
    """A mounted tmpfs. Needs root, as containers that run the tests have it."""

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))

    @property
    def free_bytes(self) -> int:
        facts = os.statvfs(self.folder)
        return facts.f_bavail * facts.f_frsize

    def fill(self, *, leave: int = 0) -> None:
        """Take all space but `leave` bytes."""
        with (self.folder / "filler").open("wb") as file:
            left = self.free_bytes - leave
            os.posix_fallocate(file.fileno(), 0, left - left % os.statvfs(self.folder).f_frsize)

    def free(self) -> None:
        """Give it back."""
        (self.folder / "filler").unlink()

    def close(self) -> None:
        self._mount("umount", "--lazy", str(self.folder))
        self.folder.rmdir()

    @staticmethod
    def _mount(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode and os.geteuid():
            pytest.skip("mounting a small disk needs root")
        assert done.returncode == 0, done.stderr
