"""Having windows heard by the process that owns the network."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.process import tied_command
from model.errors import CheckpointError
from model.instruments import N_INSTRUMENTS
from model.listening import Heard, Listener
from model.note import N_PITCHES
from model.windows import WindowConfig

CONNECT_SECONDS = 60.0  # the server imports torch first


class SharedLostError(Exception):
    """The process that hears is gone; nothing is said about the recording."""


class SharedHearingError(Exception):
    """A window could not be heard; others may be."""


class SharedListener(Listener):
    """A network in another process.

    Parameters
    ----------
    socket : Path
        Where that process listens.
    checkpoint : Path
    sha256 : str
        What the file's SHA-256 must be.

    Raises
    ------
    CheckpointError
        If it cannot be loaded.
    SharedLostError
        If the process is gone; by `hear` as well.
    """

    def __init__(self, socket: Path, checkpoint: Path, sha256: str) -> None:
        self._connection = connect(socket)
        self._send(json.dumps({"checkpoint": str(checkpoint), "sha256": sha256}).encode())
        told = self._document()
        if "error" in told:
            raise CheckpointError(told["error"])
        super().__init__(**told | {"window": WindowConfig(**told["window"])})

    def hear(self, samples: NDArray[np.float32], cents: int = 0) -> Heard:
        """Hear one window of a recording that is ``cents`` sharp: (samples,) -> all its frames."""
        self._send(json.dumps({"cents": cents}).encode())
        self._send(samples.astype(np.float32, copy=False).tobytes())
        told = self._document()
        if "error" in told:
            raise SharedHearingError(told["error"])
        values = np.frombuffer(self._receive(), dtype=np.uint8).reshape(-1, 3, N_PITCHES)
        instruments = None
        if told["instruments"]:
            instruments = np.frombuffer(self._receive(), dtype=np.uint8).reshape(-1, N_INSTRUMENTS, N_PITCHES)
        return Heard(values, instruments)

    def _send(self, data: bytes) -> None:
        try:
            self._connection.send_bytes(data)
        except OSError as error:
            raise SharedLostError("the process that holds the network is gone") from error

    def _receive(self) -> bytes:
        try:
            return self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise SharedLostError("the process that holds the network is gone") from error

    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._receive())
        return document


def connect(socket: Path) -> Connection:
    """Connect to the server, which may have just been started."""
    until = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            return Client(str(socket), family="AF_UNIX")
        except OSError as error:
            if time.monotonic() > until:
                raise SharedLostError(f"nobody listens at {socket.name}") from error
            time.sleep(0.02)


class SharedServer:
    """The process itself, which ends with the one that starts it.

    Parameters
    ----------
    device : str
        auto, cpu or cuda.
    threads : int
        Of a CPU.
    most : int
        Windows in one pass.
    on_end : callable
        Called, in a thread of its own, when it has ended by itself.
    """

    def __init__(self, *, device: str, threads: int, most: int, on_end: Callable[[], None]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="amt-")  # for us alone, and its path is short
        self.socket = Path(self._folder.name) / "hear.sock"
        self._on_end = on_end
        self._closed = False
        command = [sys.executable, "-m", "app.worker.shared.server", str(self.socket), device, str(threads), str(most)]
        self._process = subprocess.Popen(  # noqa: S603  our own program
            tied_command(command),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for the worker, which may want to finish
        )
        self._watch = threading.Thread(target=self._wait, daemon=True)
        self._watch.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def close(self) -> None:
        """End it."""
        self._closed = True
        self._process.kill()
        self._watch.join()
        self._folder.cleanup()

    def _wait(self) -> None:
        self._process.wait()
        if not self._closed:
            self._on_end()
