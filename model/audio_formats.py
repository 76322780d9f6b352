"""Which files are read at all: containers by their first bytes, codings by name.

FFmpeg knows some hundred kinds of each, most of them from old games and broadcasting and hardly ever tried with bad
bytes. What is not named here is never opened.
"""

from model.errors import UnsupportedFormatError

HEAD_BYTES = 4096
TAG_HEAD_BYTES = 10  # of an ID3 tag, before its content

# FFmpeg's names of the decoders that may run. A video's pictures are in none of them and are not looked at.
CODECS = frozenset(
    [
        *("aac", "ac3", "alac", "eac3", "flac", "libopus", "opus", "vorbis"),
        *("mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float"),
        *("adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "pcm_alaw", "pcm_mulaw", "pcm_s8", "pcm_u8"),
        *("pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_s64be", "pcm_s64le"),
        *("pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le"),
    ]
)

SIGNATURES = (
    (b"WAVE", 8, "wav"),
    (b"riff\x2e\x91\xcf\x11", 0, "w64"),
    (b"AIFF", 8, "aiff"),
    (b"AIFC", 8, "aiff"),
    (b"fLaC", 0, "flac"),
    (b"OggS", 0, "ogg"),
    (b"ftyp", 4, "mov"),
    (b"moov", 4, "mov"),
    (b"mdat", 4, "mov"),
    (b"\x1aE\xdf\xa3", 0, "matroska"),
)


def sniff_container(head: bytes) -> str:
    """Name FFmpeg's demuxer for a file from its first bytes.

    Parameters
    ----------
    head : bytes
        The first bytes of the file; of an ID3 tag its head alone, followed by what stands after the tag.

    Returns
    -------
    str
        One of wav, w64, aiff, flac, ogg, mp3, aac, mov, matroska.

    Raises
    ------
    UnsupportedFormatError
        If the bytes are none of these.
    """
    if not head:
        raise UnsupportedFormatError("the file is empty")
    if tag_bytes(head):  # before mp3, aac or flac
        inner = head[TAG_HEAD_BYTES:]
        return sniff_container(inner) if inner[:4] == b"fLaC" or _is_adts(inner) else "mp3"
    for magic, at, name in SIGNATURES:
        if head[at : at + len(magic)] == magic:
            return name
    if _is_adts(head):
        return "aac"
    if _is_mpeg_frame(head):
        return "mp3"
    raise UnsupportedFormatError(
        "this is not audio of a kind that can be read: wav, aiff, flac, mp3, ogg (Vorbis or Opus), m4a/aac, webm, or "
        "the sound of an mp4 or mkv"
    )


def tag_bytes(head: bytes) -> int:
    """Length of the ID3 tag that a file begins with, 0 if it begins with none: its size is 4 bytes of 7 bits."""
    if head[:3] != b"ID3":
        return 0
    sizes = zip(head[6:TAG_HEAD_BYTES], (21, 14, 7, 0), strict=False)
    return TAG_HEAD_BYTES + sum((byte & 0x7F) << shift for byte, shift in sizes)


def is_cut_short(head: bytes, size: int) -> bool:
    """Whether a RIFF (wav) or FORM (aiff) file of ``size`` bytes is shorter than its header says.

    FFmpeg shortens the length that such a file claims to what is there. Recorders that stream write 0 or all ones.
    """
    if head[:4] not in (b"RIFF", b"FORM"):
        return False
    stated = int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big")
    return stated not in (0, 0xFFFFFFFF) and size < stated + 8 - 1  # a writer may leave out the last padding byte


def _is_adts(head: bytes) -> bool:
    """Whether an AAC frame starts here: 12 set bits, then layer 0."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


def _is_mpeg_frame(head: bytes) -> bool:
    """Whether an MPEG audio frame header stands here, with no reserved value in it."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bit_rate not in (0, 15) and sample_rate != 3
