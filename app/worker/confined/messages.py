"""What a decoder says, over a pipe: first what it found, then blocks of sound, then the end; or that it failed.

A message is its kind (one byte), its length (four bytes, little-endian) and so many bytes: JSON, or float32 samples.
"""

import json
import os
import select
import struct
import time
from enum import IntEnum
from typing import Any

HEADER = struct.Struct("<BI")
LONGEST = 4 * 2**20  # a block is one second of sound: 64 kB at 16 kHz


class Kind(IntEnum):
    """Kinds of messages."""

    OPENED = 1
    BLOCK = 2
    DONE = 3
    FAILED = 4


class BrokenMessageError(Exception):
    """What came is not a message."""


def write_message(pipe: int, kind: Kind, content: bytes | memoryview) -> None:
    """Write a message, waiting for a slow reader."""
    rest = memoryview(HEADER.pack(kind, len(content)) + bytes(content))
    while rest:
        rest = rest[os.write(pipe, rest) :]


def write_document(pipe: int, kind: Kind, document: dict[str, Any]) -> None:
    """Write a message of JSON."""
    write_message(pipe, kind, json.dumps(document).encode())


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
