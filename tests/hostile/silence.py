"""Many hours of silence in few bytes, written by hand: an encoder would take minutes over them."""

import struct
from collections.abc import Iterator

FLAC_SR = 8000
FLAC_BLOCK = 65535  # samples in a frame, the most there can be
OPUS_PACKET_SECONDS = 0.12  # the most there can be
OPUS_PACKETS_A_PAGE = 250


def _crc_table(polynomial: int, bits: int) -> list[int]:
    """Remainders of all bytes, most significant bit first."""
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    table = []
    for byte in range(256):
        rest = byte << (bits - 8)
        for _ in range(8):
            rest = (rest << 1 ^ polynomial if rest & top else rest << 1) & mask
        table.append(rest)
    return table


CRC_8, CRC_16, CRC_32 = _crc_table(0x07, 8), _crc_table(0x8005, 16), _crc_table(0x04C11DB7, 32)


def _crc(table: list[int], bits: int, content: bytes) -> int:
    rest, mask, shift = 0, (1 << bits) - 1, bits - 8
    for byte in content:
        rest = (rest << 8 & mask) ^ table[rest >> shift ^ byte]
    return rest


def silent_flac(seconds: float) -> bytes:
    """FLAC (RFC 9639): frames of one constant each, 16 bytes for eight seconds."""
    n_frames = -(-int(seconds * FLAC_SR) // FLAC_BLOCK)
    n_samples = int(seconds * FLAC_SR)
    streaminfo = struct.pack(">HH", FLAC_BLOCK, FLAC_BLOCK) + bytes(6)
    streaminfo += (FLAC_SR << 44 | 0 << 41 | 15 << 36 | n_samples).to_bytes(8, "big") + bytes(16)
    parts = [b"fLaC\x80" + len(streaminfo).to_bytes(3, "big") + streaminfo]
    for number in range(n_frames):
        size = min(FLAC_BLOCK, n_samples - number * FLAC_BLOCK)
        # Block size in 16 bits, rate from the header, mono of 16 bits.
        header = b"\xff\xf8\x70\x08" + _utf8(number) + struct.pack(">H", size - 1)
        header += bytes([_crc(CRC_8, 8, header)])
        frame = header + bytes(3)  # a constant subframe and its value
        parts.append(frame + struct.pack(">H", _crc(CRC_16, 16, frame)))
    return b"".join(parts)


def _utf8(number: int) -> bytes:
    """FLAC codes frame numbers like characters, beyond Unicode too."""
    if number < 0x80:
        return bytes([number])
    n_more = next(n for n in range(1, 7) if number < 1 << (5 * n + 6))
    first = (0xFF00 >> (n_more + 1) & 0xFF) | number >> (6 * n_more)
    return bytes([first, *(0x80 | number >> (6 * at) & 0x3F for at in reversed(range(n_more)))])


def silent_opus(seconds: float) -> bytes:
    """Opus in Ogg (RFC 7845): packets of six frames without content, two bytes for 120 ms."""
    head = b"OpusHead\x01\x01" + struct.pack("<HIhB", 0, 48000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 0) + struct.pack("<I", 0)
    pages = [ogg_page([head], serial=1, number=0, flags=2), ogg_page([tags], serial=1, number=1)]
    packet = bytes([0b00001011, 6])  # SILK, 20 ms, mono; a count of frames of equal size follows
    n_packets = int(seconds / OPUS_PACKET_SECONDS)
    for number, at in enumerate(range(0, n_packets, OPUS_PACKETS_A_PAGE), start=2):
        count = min(OPUS_PACKETS_A_PAGE, n_packets - at)
        position = int((at + count) * OPUS_PACKET_SECONDS * 48000)
        pages.append(ogg_page([packet] * count, serial=1, number=number, position=position))
    return b"".join(pages)


def ogg_page(packets: list[bytes], *, serial: int, number: int, flags: int = 0, position: int = 0) -> bytes:
    """One page of Ogg (RFC 3533) with whole packets."""
    lacing = bytes(size for packet in packets for size in _lacing(len(packet)))
    head = b"OggS\0" + bytes([flags]) + struct.pack("<qII", position, serial, number)
    tail = bytes([len(lacing)]) + lacing + b"".join(packets)
    checksum = _crc(CRC_32, 32, head + bytes(4) + tail)
    return head + struct.pack("<I", checksum) + tail


def _lacing(size: int) -> Iterator[int]:
    yield from [255] * (size // 255)
    yield size % 255
