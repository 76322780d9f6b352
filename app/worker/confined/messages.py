"""What a decoder says, over a pipe: first what it found, then blocks of sound, then the end; or that it failed.

A message is its kind (one byte), its length (four bytes, little-endian) and so many bytes: JSON, or float32 samples.
"""

import json
import os
import select
import struct
import time
from collections import deque
from enum import IntEnum
from typing import Any

HEADER = struct.Struct("<BI")
LONGEST = 4 * 2**20  # a block is one second of sound: 64 kB at 16 kHz
MOST_AHEAD = 4 * 2**20  # a minute of sound, as long as a window


class Kind(IntEnum):
    """Kinds of messages."""

    OPENED = 1
    BLOCK = 2
    DONE = 3
    FAILED = 4


class BrokenMessageError(Exception):
    """What came is not a message."""


class Outbox:
    """The writer's end of the pipe, which runs ahead of a slow reader.

    What the pipe does not take yet is kept here, so that the next window is decoded while one is heard.

    Parameters
    ----------
    pipe : int
        Becomes non-blocking.
    """

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._kept: deque[memoryview] = deque()
        self._bytes = 0
        self._poll = select.poll()
        self._poll.register(pipe, select.POLLOUT)

    def send(self, kind: Kind, content: bytes | memoryview) -> None:
        """Send a message; waits while too much is kept."""
        self._keep(HEADER.pack(kind, len(content)))
        self._keep(content)
        self._write(down_to=MOST_AHEAD)

    def send_document(self, kind: Kind, document: dict[str, Any]) -> None:
        """Send a message of JSON."""
        self.send(kind, json.dumps(document).encode())

    def flush(self) -> None:
        """Wait until the reader has, or the pipe holds, all of it."""
        self._write(down_to=0)

    def _keep(self, content: bytes | memoryview) -> None:
        self._kept.append(memoryview(content))
        self._bytes += len(content)

    def _write(self, *, down_to: int) -> None:
        while self._kept:
            try:
                n_written = os.write(self._pipe, self._kept[0])
            except BlockingIOError:
                if self._bytes <= down_to:
                    return
                self._poll.poll()
                continue
            self._bytes -= n_written
            self._kept[0] = self._kept[0][n_written:]
            if not self._kept[0]:
                self._kept.popleft()


def read_message(pipe: int, *, seconds: float) -> tuple[Kind, bytes]:
    """Read one message from a writer that nobody trusts.

    Raises
    ------
    TimeoutError
        If it is not complete after ``seconds``.
    EOFError
        If the writer is gone.
    BrokenMessageError
        If its kind is unknown or it is too long.
    """
    deadline = time.monotonic() + seconds
    number, length = HEADER.unpack(_read(pipe, HEADER.size, deadline))
    if number not in Kind.__members__.values() or length > LONGEST:
        raise BrokenMessageError(f"kind {number}, {length} bytes")
    return Kind(number), bytes(_read(pipe, length, deadline))


def _read(pipe: int, size: int, deadline: float) -> bytearray:
    """Exactly so many bytes."""
    content = bytearray(size)
    rest = memoryview(content)
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while rest:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        n_read = os.readv(pipe, [rest])
        if not n_read:
            raise EOFError
        rest = rest[n_read:]
    return content
