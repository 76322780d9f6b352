"""How long a recording may be, guessed from its first bytes: for counting what waits, not for anything that matters.

The web process decodes nothing. WAV and FLAC state their rates at fixed places; all else counts as 128 kbit/s.
"""

from typing import BinaryIO

HEAD_BYTES = 64
USUAL_BYTES_PER_SECOND = 16_000
# 192 kHz, 8 channels of 32 bits: what claims to play faster than this lies.
MOST_BYTES_PER_SECOND = 192_000 * 8 * 4


def guess_seconds(file: BinaryIO, size: int, *, longest: float) -> float:
    """Seconds of an upload of `size` bytes, `longest` at most; the file is left at its beginning."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    seconds = _wav(head, size) or _flac(head) or size / USUAL_BYTES_PER_SECOND
    return min(longest, max(seconds, size / MOST_BYTES_PER_SECOND))


def _wav(head: bytes, size: int) -> float:
    """RIFF WAVE with its format first, as nearly all have it: bytes per second at offset 28."""
    if head[:4] != b"RIFF" or head[8:16] != b"WAVEfmt ":
        return 0.0
    rate = int.from_bytes(head[28:32], "little")
    return size / rate if rate else 0.0


def _flac(head: bytes) -> float:
    """STREAMINFO (RFC 9639, section 8.2): after 10 bytes of sizes 20 bits of rate, 8 of format, 36 of samples."""
    if head[:4] != b"fLaC":
        return 0.0
    packed = int.from_bytes(head[18:26], "big")
    rate, samples = packed >> 44, packed & (2**36 - 1)
    return samples / rate if rate else 0.0
