"""Starting decoders and ending them."""

import contextlib
import fcntl
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from app.process import tied_command
from app.settings import Settings
from app.worker.confined.reader import ConfinedReader, DecoderLostError
from app.worker.confined.sandbox import Sandbox
from model.audio import AudioLimits

log = logging.getLogger(__name__)

PIPE_BYTES = 2**20  # 16 seconds of sound pass at once
ANSWER_SECONDS = 10.0  # for ending a process
# The server is given these and nothing else: the service's own settings hold passwords.
KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "LANG", "LC_ALL", "TZ")


class Server:
    """The process that forks decoders, and the socket that it listens to."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair()
        self.control.settimeout(ANSWER_SECONDS)
        command = [sys.executable, "-m", "app.worker.confined.server", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                tied_command(command),
                env=_environment(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is for the worker, which may want to finish
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def close(self) -> None:
        """End it and what it runs."""
        self.control.close()
        self._process.kill()
        self._process.wait()


class AudioDecoder:
    """Decodes one file at a time, each in a confined process of its own.

    Parameters
    ----------
    sandbox : Sandbox
        Bounds of each decoder.
    seconds : float
        Longest wait for a decoder's next block.
    """

    def __init__(self, sandbox: Sandbox, *, seconds: float) -> None:
        self._sandbox = sandbox
        self._seconds = seconds
        self._server: Server | None = None
        self._running = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Server:
        """Start the server, if it does not run."""
        if self._server is None:
            self._server = Server()
        return self._server

    def close(self) -> None:
        """End the server and what it runs."""
        if self._server is not None:
            self._server.close()
        self._server = None
        self._running = False

    @contextlib.contextmanager
    def open(self, path: Path, *, sr: int, limits: AudioLimits) -> Iterator[ConfinedReader]:
        """Decode a file.

        Parameters
        ----------
        path : Path
            Any file.
        sr : int
            Rate of the blocks in Hz.
        limits : AudioLimits

        Raises
        ------
        ModelError
            If the file cannot be opened as audio within the limits.
        """
        with path.open("rb") as file:
            try:
                pipe, reader = self._reader(file.fileno(), sr=sr, limits=limits)
            except DecoderLostError:
                if self._server is not None:
                    raise
                # It is the server that died, and as likely as not before it saw this file.
                pipe, reader = self._reader(file.fileno(), sr=sr, limits=limits)
        try:
            yield reader
        finally:
            os.close(pipe)
            self._end()

    def _reader(self, file: int, *, sr: int, limits: AudioLimits) -> tuple[int, ConfinedReader]:
        """A decoder's pipe and what reads from it."""
        pipe = self._request(file, {"sr": sr, "limits": asdict(limits)})
        try:
            return pipe, ConfinedReader(pipe, self._end, sr=sr, limits=limits, seconds=self._seconds)
        except BaseException:
            os.close(pipe)
            self._end()
            raise

    def _request(self, file: int, request: dict[str, Any]) -> int:
        """Have the server fork a decoder for an open file; gives the pipe that it will speak through."""
        document = json.dumps(request | {"sandbox": asdict(self._sandbox)}).encode()
        ours, theirs = os.pipe()
        try:
            with contextlib.suppress(OSError, AttributeError):  # Linux only, and only so much of it for one user
                fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            try:
                socket.send_fds(self.start().control, [document], [file, theirs])
            except OSError:  # it has died since the last file
                self.close()
                socket.send_fds(self.start().control, [document], [file, theirs])
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._running = True
        return ours

    def _end(self) -> int | None:
        """End the decoder, if it has not ended; gives its exit status once, None where the server is gone too."""
        if not self._running or self._server is None:
            return None
        self._running = False
        try:
            self._server.control.sendall(b".")
            answer = self._server.control.recv(4, socket.MSG_WAITALL)
        except OSError:
            answer = b""
        if len(answer) < 4:
            log.warning("the server of the decoders is gone")
            self.close()
            return None
        return int.from_bytes(answer, "little", signed=True)


def build_audio_decoder(settings: Settings) -> AudioDecoder:
    """The decoder that the settings describe."""
    sandbox = Sandbox(memory_bytes=settings.audio_memory_bytes, cpu_seconds=settings.audio_cpu_seconds)
    return AudioDecoder(sandbox, seconds=settings.audio_wait_seconds)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    # A thread beside the one that forks would be lost in the child, with whatever lock it holds.
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
