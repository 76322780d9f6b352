"""One maker for each hostile file. Its name says what a client would call it; its outcome, what must become of it.

``refused`` is any documented error of the file's own (not `internal`), ``any`` is an error or sound.
"""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.silence import ogg_page, silent_flac, silent_opus
from tests.model.files import encode
from tests.model.signals import SR, sine

SECRET = "/etc/hostname"  # a file of this machine that a playlist would like to read
PICTURE_BYTES = 2**24 - 100


@dataclass(frozen=True)
class HostileFile:
    """A file and what must become of it."""

    name: str
    content: bytes
    outcome: str


def hostile_files(folder: Path, server: str) -> Iterator[HostileFile]:
    """All of them.

    Parameters
    ----------
    folder : Path
        For unfinished files.
    server : str
        Address (http://host:port) that must see no request.
    """
    sound = {kind: encode(folder / f"s.{kind}", sine(440, 1), sr=SR, kind=kind).read_bytes() for kind in SOUNDS}
    for name, content in playlists(server).items():
        yield HostileFile(name, content, "unsupported_format")
    for name, content in references(sound["m4a"], server).items():
        yield HostileFile(name, content, "any")
    yield HostileFile("ten-hours.flac", silent_flac(10 * 3600), "too_long")
    yield HostileFile("ten-hours.opus", silent_opus(10 * 3600), "too_long")
    groups: tuple[Callable[[dict[str, bytes]], dict[str, tuple[bytes, str]]], ...] = (
        lying_headers,
        crowds,
        pictures,
        nests,
        tags,
    )
    for group in groups:
        for name, (content, outcome) in group(sound).items():
            yield HostileFile(name, content, outcome)


SOUNDS = ("wav", "flac", "mp3", "m4a", "webm", "opus", "aiff")


def playlists(server: str) -> dict[str, bytes]:
    """What FFmpeg would follow if it were allowed to guess."""
    targets = [f"file://{SECRET}", SECRET, f"{server}/a.mp3", f"concat:{SECRET}|{SECRET}", f"subfile,,start,0:{SECRET}"]
    entries = "\n".join(f"#EXTINF:10,\n{target}" for target in targets)
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{server}/key"'
    m3u8 = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n{key}\n{entries}\n#EXT-X-ENDLIST\n"
    concat = "ffconcat version 1.0\n" + "\n".join(f"file '{target}'" for target in targets)
    dash = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet '
        f'mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{server}/a.mp4</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    )
    sdp = f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{server}\nm=audio 5004 RTP/AVP 0\n"
    playlist = f"[playlist]\nNumberOfEntries=1\nFile1={server}/a.mp3\n"
    texts = {"hls.mp3": m3u8, "hls.wav": m3u8, "concat.mp3": concat, "dash.mp4": dash, "sdp.wav": sdp}
    texts["pls.ogg"] = playlist
    return {name: text.encode() for name, text in texts.items()}


def references(m4a: bytes, server: str) -> dict[str, bytes]:
    """Files of an allowed kind that name other files, or hold a playlist where sound should be."""
    url = f"{server}/a.mp4".encode() + b"\0"
    elsewhere = box(b"url ", bytes(4) + url)  # the flag "in this file" is not set
    movie = box(b"rmra", box(b"rmda", box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(url)) + url)))
    brand = box(b"ftyp", b"qt  \0\0\0\0qt  ")
    hls = playlists(server)["hls.mp3"]
    return {
        "sound-elsewhere.m4a": with_data_reference(m4a, elsewhere),
        "file-elsewhere.m4a": with_data_reference(m4a, box(b"url ", bytes(4) + f"file://{SECRET}\0".encode())),
        "reference-movie.m4a": brand + box(b"moov", movie),
        "tagged-playlist.mp3": b"ID3\x04\0\0\0\0\0\0" + hls,
        "playlist-as-sound.wav": riff(b"fmt " + wav_format(), hls),
        "playlist-in-mdat.m4a": brand + box(b"mdat", hls),
    }


def lying_headers(sound: dict[str, bytes]) -> dict[str, tuple[bytes, str]]:
    """Sizes, rates and counts that are not true."""
    wav, flac, m4a, webm = sound["wav"], sound["flac"], sound["m4a"], sound["webm"]
    info = int.from_bytes(flac[18:26], "big")
    longest_flac = flac[:18] + (info | 2**36 - 1).to_bytes(8, "big") + flac[26:]
    fastest_flac = flac[:18] + (info & 2**44 - 1 | 655350 << 44).to_bytes(8, "big") + flac[26:]
    return {
        "four-gigabytes.wav": (wav[:40] + b"\xff\xff\xff\xfe" + wav[44:], "any"),
        "no-block-align.wav": (wav[:32] + bytes(2) + wav[34:], "any"),
        "65535-channels.wav": (wav[:22] + b"\xff\xff" + wav[24:], "refused"),
        "no-channels.wav": (wav[:22] + bytes(2) + wav[24:], "refused"),
        "4-gigahertz.wav": (wav[:24] + b"\xff\xff\xff\xff" + wav[28:], "refused"),
        "months.flac": (longest_flac, "any"),
        "655-kilohertz.flac": (fastest_flac, "any"),
        "huge-table.m4a": (patched(m4a, b"stsz", 12, 2**32 - 1), "any"),
        "huge-times.m4a": (patched(m4a, b"stts", 12, 2**32 - 1), "any"),
        "huge-box.m4a": (patched(m4a, b"mdat", -4, 2**31 - 1), "any"),
        "endless-segment.webm": (webm.replace(b"\x18\x53\x80\x67", b"\x18\x53\x80\x67\x01" + b"\xff" * 7, 1), "any"),
        "nan-rate.aiff": (sound["aiff"].replace(b"\x40\x0c\xfa\x00", b"\x7f\xff\xc0\x00"), "any"),
        "endless-tag.mp3": (b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + sound["mp3"], "any"),
        "centuries.opus": (
            silent_opus(1) + ogg_page([bytes([0b00001011, 6])], serial=1, number=9, position=2**62),
            "any",
        ),
    }


def crowds(sound: dict[str, bytes]) -> dict[str, tuple[bytes, str]]:
    """Thousands of streams in one file."""
    heads = [b"OpusHead\x01\x01" + struct.pack("<HIhB", 0, 48000, 0, 0)]
    pages = [ogg_page(heads, serial=serial, number=0, flags=2) for serial in range(3000)]
    m4a = sound["m4a"]
    start, size = find_box(m4a, b"trak")
    tracks = m4a[start : start + size] * 3000
    at, moov = find_box(m4a, b"moov")
    grown = m4a[:at] + struct.pack(">I", moov + len(tracks)) + m4a[at + 4 : start] + tracks + m4a[start:]
    return {"3000-streams.opus": (b"".join(pages), "refused"), "3000-tracks.m4a": (grown, "refused")}


def pictures(sound: dict[str, bytes]) -> dict[str, tuple[bytes, str]]:
    """Cover art that is larger than it looks, or looks larger than it is."""
    png = bomb_png()
    text = b"\0\0\0\x03" + struct.pack(">I", 9) + b"image/png" + struct.pack(">I", 0)
    shape = struct.pack(">IIII", 65535, 65535, 24, 0)
    block = text + shape + struct.pack(">I", len(png)) + png
    flac = sound["flac"]
    in_flac = flac[:4] + b"\x06" + len(block).to_bytes(3, "big") + block + flac[4:]
    huge = text + shape + struct.pack(">I", 2**32 - 1) + bytes(1000)
    lying = flac[:4] + b"\x06" + len(huge).to_bytes(3, "big") + huge + flac[4:]
    many = id3(b"".join(frame(b"APIC", b"\0image/png\0\x03\0" + png) for _ in range(50)))
    large = id3(frame(b"APIC", b"\0image/png\0\x03\0" + bytes(PICTURE_BYTES)))
    return {
        "bomb-cover.flac": (in_flac, "any"),
        "lying-cover.flac": (lying, "any"),
        "fifty-covers.mp3": (many + sound["mp3"], "any"),
        "large-cover.mp3": (large + sound["mp3"], "any"),
    }


def nests(sound: dict[str, bytes]) -> dict[str, tuple[bytes, str]]:
    """Things in things."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("../../a.wav", bytes(10**7))
    zipped = gzip.compress(gzip.compress(bytes(10**7)))
    lists = moov = ebml = b""
    for _ in range(3000):
        lists = b"LIST" + struct.pack("<I", len(lists) + 4) + b"INFO" + lists
        moov = box(b"moov", moov)
        ebml = b"\x18\x53\x80\x67\x08" + struct.pack(">I", len(ebml))[1:] + ebml if len(ebml) < 2**20 else ebml
    wav = sound["wav"]
    return {
        "zip.mp3": (archive.getvalue(), "unsupported_format"),
        "gzip.wav": (zipped, "unsupported_format"),
        "zip-after-magic.flac": (b"fLaC" + archive.getvalue(), "refused"),
        "wav-in-wav.wav": (riff(b"fmt " + wav_format(), riff(b"fmt " + wav_format(), wav)), "any"),
        "lists-in-lists.wav": (b"RIFF" + struct.pack("<I", len(lists) + 4) + b"WAVE" + lists, "refused"),
        "movies-in-movies.m4a": (box(b"ftyp", b"M4A \0\0\0\0") + moov, "refused"),
        "segments-in-segments.webm": (sound["webm"][:40] + ebml, "refused"),
        "flac-in-mp3-tag.mp3": (id3(frame(b"TIT2", sound["flac"])) + sound["flac"], "any"),
    }


def tags(sound: dict[str, bytes]) -> dict[str, tuple[bytes, str]]:
    """Titles that would like to be paths, commands, terminal codes."""
    titles = {
        "path": b"../../../../etc/passwd",
        "terminal": b"\x1b[2J\x1b]0;owned\x07\r\nX-Injected: yes\r\n\r\n",
        "format": b"%s%n%x" * 1000,
        "invalid": b"\xff\xfe\xc0\xaf" * 1000,
        "markup": b"<script>alert(1)</script>",
        "long": b"A" * 2**20,
    }
    mp3 = sound["mp3"]
    return {f"{name}-title.mp3": (id3(frame(b"TIT2", b"\x03" + text)) + mp3, "sound") for name, text in titles.items()}


FILE_NAMES = (
    "../../../etc/passwd.wav",
    "..\\..\\windows\\system32\\a.wav",
    "a\r\nSet-Cookie: owned=1.wav",
    "\x1b[2J\x1b[31mred.wav",
    "null\0byte.wav",
    "\u202egnp.wav",  # written from right to left
    "x" * 5000 + ".wav",
    "%2e%2e%2f%00.wav",
    "a;rm -rf ~;$(id)`id`.wav",
    "<img src=x onerror=alert(1)>.wav",
)


def box(name: bytes, content: bytes) -> bytes:
    """An MP4 box."""
    return struct.pack(">I", len(content) + 8) + name + content


def find_box(content: bytes, name: bytes) -> tuple[int, int]:
    """Start and size of the first box of a name."""
    start = content.index(name) - 4
    return start, int.from_bytes(content[start : start + 4], "big")


def with_data_reference(m4a: bytes, entry: bytes) -> bytes:
    """The file with another data reference. Its index stands behind the sound, so that nothing moves."""
    at, size = find_box(m4a, b"dref")
    new = box(b"dref", bytes(4) + struct.pack(">I", 1) + entry)
    data = bytearray(m4a[:at] + new + m4a[at + size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        start, length = find_box(m4a, parent)
        data[start : start + 4] = struct.pack(">I", length + len(new) - size)
    return bytes(data)


def patched(m4a: bytes, name: bytes, offset: int, value: int) -> bytes:
    """The file with a number written so many bytes behind a box's name."""
    at = m4a.index(name) + (offset if offset > 0 else -4)
    return m4a[:at] + struct.pack(">I", value) + m4a[at + 4 :]


def wav_format() -> bytes:
    return struct.pack("<IHHIIHH", 16, 1, 1, SR, 2 * SR, 2, 16)


def riff(chunks: bytes, samples: bytes) -> bytes:
    """A wav file of these bytes."""
    body = b"WAVE" + chunks + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def frame(name: bytes, content: bytes) -> bytes:
    """A frame of an ID3v2.3 tag."""
    return name + struct.pack(">I", len(content)) + b"\0\0" + content


def id3(frames: bytes) -> bytes:
    """An ID3v2.3 tag."""
    return b"ID3\x03\0\0" + bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0)) + frames


def bomb_png() -> bytes:
    """A picture of 60,000 by 60,000 points that unpacks to far more than it is."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(bytes(10**7)), b"IEND": b""}
    parts = [
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
