"""Damaged copies of good files: a fuzzer with a seed."""

import random
import struct
from collections.abc import Callable, Iterator

HEAD = 200  # bytes; where the numbers stand that a demuxer believes
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Mutation = Callable[[bytearray, random.Random], None]


def mutations(originals: dict[str, bytes], count: int, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many damaged files, each with a name that says what was done to which."""
    kinds = sorted(originals)
    for number in range(count):
        rng = random.Random(f"{seed}-{number}")
        kind = kinds[number % len(kinds)]
        data = bytearray(originals[kind])
        names = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            mutate = rng.choice(MUTATIONS)
            mutate(data, rng)
            names.append(mutate.__name__.strip("_"))
        yield f"{number} {kind}: {', '.join(names)}", bytes(data)


def _flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 4, 32))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _damage_the_head(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 2, 8))):
        if data:
            data[rng.randrange(min(HEAD, len(data)))] = rng.randrange(256)


def _extreme_number(data: bytearray, rng: random.Random) -> None:
    value = struct.pack(rng.choice(("<I", ">I", "<Q", ">Q")), rng.choice(EXTREMES))
    at = rng.randrange(min(HEAD, len(data)) or 1)
    data[at : at + len(value)] = value


def _cut_off(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _cut_out(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.choice((1, 16, 1024))]


def _repeat(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data) + 1)
    part = data[start : start + rng.choice((4, 64, 4096))]
    data[start:start] = part * rng.choice((1, 10))


def _noise(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data) + 1)
    size = rng.choice((4, 64, 1024))
    data[start : start + size] = rng.randbytes(size)


def _splice(data: bytearray, rng: random.Random) -> None:
    middle = rng.randrange(len(data) + 1)
    data[:] = data[middle:] + data[:middle]


MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _damage_the_head,
    _extreme_number,
    _cut_off,
    _cut_out,
    _repeat,
    _noise,
    _splice,
)
