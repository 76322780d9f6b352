"""The web server of tests/training/file_server.py as tests use it."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.record import RemoteFile


class Server:
    """A running server and the folder that it serves."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    def offer(self, manner: str, name: str, content: bytes) -> RemoteFile:
        """Put a file there, to be served in a manner."""
        (self.folder / name).write_bytes(content)
        md5 = hashlib.md5(content).hexdigest()
        return RemoteFile(name, f"http://127.0.0.1:{self.port}/{manner}/{name}", len(content), md5)

    def ranges(self) -> list[str]:
        """What ranges were asked for, request by request."""
        log = self.folder / "requests"
        return [line.partition(" ")[2] for line in log.read_text().splitlines()] if log.exists() else []


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Run the server in a process of its own."""
    command = [sys.executable, "-m", "tests.training.file_server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Server(folder, int(process.stdout.readline()))
        process.kill()
