"""The beginning of a safetensors file, read without the packages of `model`: a length, then JSON.

Only a worker that loads a checkpoint knows whether it is one; this says what it claims to be, and turns away at once
what is none at all.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

LENGTH_BYTES = 8
# Names and places of some hundred tensors, and the network's sizes.
LARGEST_HEADER = 4 * 2**20


class HeaderError(Exception):
    """The file is not a checkpoint. The message says why, for the person who sent it."""


@dataclass(frozen=True)
class Header:
    """What a checkpoint says of itself."""

    parameters: int
    frame_rate: float


def read_header(file: BinaryIO, size: int) -> Header:
    """Read the beginning of a file of `size` bytes.

    Raises
    ------
    HeaderError
        If it is not the beginning of a checkpoint, or the file ends before the weights do.
    """
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    if not 2 <= length <= min(LARGEST_HEADER, size - LENGTH_BYTES):
        raise HeaderError("is not a safetensors file")
    try:
        document = json.loads(file.read(length))
        metadata = document.pop("__metadata__", {})
        tensors = list(document.values())
        end = max((int(one["data_offsets"][1]) for one in tensors), default=0)
        parameters = sum(math.prod(one["shape"]) for one in tensors)
        network = json.loads(metadata["network"])
    except KeyError as error:
        raise HeaderError(f"is a safetensors file and no checkpoint of this project: it names no {error}") from error
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise HeaderError("is not a safetensors file") from error
    expected = LENGTH_BYTES + length + end
    if expected != size:
        raise HeaderError(f"has {size} bytes, its header speaks of {expected}: it was cut or changed")
    return Header(parameters=parameters, frame_rate=_frame_rate(network))


def _frame_rate(network: Any) -> float:
    for part in _mappings(network):
        sr, hop_length = part.get("sr"), part.get("hop_length")
        if isinstance(sr, int | float) and isinstance(hop_length, int) and sr > 0 < hop_length:
            return sr / hop_length
    raise HeaderError("is a safetensors file and no checkpoint of this project: it names no sr and hop_length")


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _mappings(part)
