"""Whether soundfonts hold the same recordings, whatever they call them: banks are made out of other banks.

A stretch from the middle of each sample is looked for, byte by byte, in the other file. What was resampled or made
louder on its way from one bank to the other is not found.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from training.errors import DataError
from training.fluidsynth import check_soundfont

PROBE_BYTES = 256  # of 16-bit sound: 3 ms
LEAST_VALUES = 16  # different bytes in a stretch that is not silence or a plain wave
SHORTEST_BYTES = 4000  # a sample of less is an oscillator's wave
# Of a sample's header, after its name: where it begins and ends, counted in samples.
HEADER = struct.Struct("<20sII18x")


def shared_samples(soundfont: Path, other: Path) -> tuple[dict[str, int], float]:
    """Which samples of a soundfont another file holds.

    Parameters
    ----------
    soundfont : Path
        A .sf2 file, of uncompressed samples.
    other : Path
        Another one, or any file of 16-bit sound.

    Returns
    -------
    shared : dict of str to int
        The bytes of each sample that was found, by its name.
    share : float
        How much of the soundfont's sound they are, 0 to 1.

    Raises
    ------
    DataError
        If a file cannot be read, or the first is no such soundfont.
    """
    known = {name: sound for name, sound in read_samples(soundfont) if is_distinct(sound)}
    try:
        heard = other.read_bytes()
    except OSError as error:
        raise DataError(f"{other}: {error.strerror}") from error
    shared = {name: len(sound) for name, sound in known.items() if probe(sound) in heard}
    return shared, sum(shared.values()) / max(1, sum(map(len, known.values())))


def read_samples(soundfont: Path) -> Iterator[tuple[str, bytes]]:
    """Name and 16-bit sound of each sample of a .sf2 file."""
    check_soundfont(soundfont)
    content = soundfont.read_bytes()
    chunks = dict(read_chunks(content, 12, len(content)))
    if "smpl" not in chunks or "shdr" not in chunks:
        raise DataError(f"{soundfont}: a soundfont without samples")
    whole = len(chunks["shdr"]) // HEADER.size * HEADER.size
    for name, start, stop in HEADER.iter_unpack(chunks["shdr"][:whole]):
        yield name.split(b"\0")[0].decode("latin-1"), chunks["smpl"][2 * start : 2 * stop]


def read_chunks(content: bytes, start: int, stop: int) -> Iterator[tuple[str, bytes]]:
    """The RIFF chunks between two places, and those within lists."""
    while start + 8 <= stop:
        kind, length = struct.unpack_from("<4sI", content, start)
        body = start + 8
        if kind == b"LIST":
            yield from read_chunks(content, body + 4, min(body + length, stop))
        else:
            yield kind.decode("latin-1"), content[body : body + length]
        start = body + length + length % 2


def probe(sound: bytes) -> bytes:
    """A stretch from the middle of a sample."""
    middle = len(sound) // 4 * 2
    return sound[middle : middle + PROBE_BYTES]


def is_distinct(sound: bytes) -> bool:
    """Whether a sample is long and lively enough to be recognised."""
    return len(sound) >= SHORTEST_BYTES and len(set(probe(sound))) >= LEAST_VALUES
