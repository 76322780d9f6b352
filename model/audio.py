"""Bytes to waveform: the one place that reads audio files.

PyAV carries FFmpeg. FFmpeg opens playlists, which name other files and addresses, so it is never allowed to guess: the
container is recognised here by its first bytes, FFmpeg is told which demuxer to use, and it reads from a Python file
object, so there is no path or address that it could follow.

The waveform comes in blocks: mono (the mean of the channels) at the network's rate, float32, full scale at 1. Limits
are counted on what was decoded, never on what a header says.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from model.errors import (
    DecodeFailedError,
    NoAudioStreamError,
    TooLongError,
    UnsupportedFormatError,
)

BLOCK_SECONDS = 1.0  # decoded before resampling: blocks of this size cost little memory and few calls
HEAD_BYTES = 4096

# FFmpeg's integer sample formats: full scale, and the value that stands for silence.
INTEGER_FORMATS = {
    "u8": (128.0, 128.0),
    "s16": (32768.0, 0.0),
    "s32": (2147483648.0, 0.0),
    "s64": (2.0**63, 0.0),
}


@dataclass(frozen=True)
class AudioLimits:
    """What is accepted.

    Parameters
    ----------
    max_seconds : float
        Longest decoded recording.
    max_channels : int
        Most channels.
    min_sr, max_sr : int
        Lowest and highest sampling rate in Hz.
    """

    max_seconds: float = 7200.0
    max_channels: int = 8
    min_sr: int = 4000
    max_sr: int = 192_000


@dataclass
class AudioSummary:
    """What was found in a file.

    Parameters
    ----------
    container, codec : str
        FFmpeg's names.
    sr, channels : int
        Of the file.
    duration : float
        Decoded seconds; complete when the last block was taken.
    warnings : list of str
        What a person should know though the run went on.
    """

    container: str
    codec: str
    sr: int
    channels: int
    duration: float = 0.0
    warnings: list[str] = field(default_factory=list)


def sniff_container(head: bytes) -> str:
    """Name FFmpeg's demuxer for a file from its first bytes.

    Parameters
    ----------
    head : bytes
        The first `HEAD_BYTES` bytes of the file, or all of it.

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
    if head[:3] == b"ID3":  # a tag that stands before mp3, aac or flac; its size is 4 bytes of 7 bits
        size = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
        inner = head[size:]
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


def to_float(samples: NDArray[Any], sample_format: str) -> NDArray[np.float32]:
    """Samples of an FFmpeg format as float32 with full scale at 1; the shape is kept."""
    name = sample_format.removesuffix("p")
    if name not in INTEGER_FORMATS:
        return samples.astype(np.float32)
    scale, silence = INTEGER_FORMATS[name]
    return ((samples.astype(np.float32) - np.float32(silence)) / np.float32(scale)).astype(np.float32)


def mono(frame: AudioFrame) -> NDArray[np.float32]:
    """The mean of a frame's channels, shape (samples,)."""
    samples = frame.to_ndarray()  # planar: (channels, samples); packed: (1, samples * channels)
    channels = frame.layout.nb_channels
    if not frame.format.is_planar:
        samples = samples.reshape(-1, channels).T
    waves = to_float(samples, frame.format.name)
    return np.asarray(waves[0] if channels == 1 else waves.mean(axis=0), dtype=np.float32)


class AudioReader(AbstractContextManager["AudioReader"]):
    """A file opened for decoding; iterate over `blocks`.

    Parameters
    ----------
    path : Path
        Any file.
    sr : int
        Rate of the blocks in Hz.
    limits : AudioLimits

    Attributes
    ----------
    summary : AudioSummary
    claimed_seconds : float or None
        What the header says, for showing progress.

    Raises
    ------
    UnsupportedFormatError, NoAudioStreamError, DecodeFailedError
        If the file cannot be opened as audio within the limits.
    """

    def __init__(self, path: Path, *, sr: int, limits: AudioLimits) -> None:
        self.sr = sr
        self.limits = limits
        self._file: BinaryIO = path.open("rb")
        try:
            self._cut_short = is_cut_short(_head(self._file), path.stat().st_size)
            self._container = _open_container(self._file)
            self._stream = _audio_stream(self._container)
            self.summary = _summary(self._container, self._stream, limits)
        except BaseException:
            self._file.close()
            raise
        self.claimed_seconds = _claimed_seconds(self._container, self._stream)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()
        self._file.close()

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Decode, mix down and resample.

        Yields
        ------
        ndarray, shape (samples,), float32
            About `BLOCK_SECONDS` each.

        Raises
        ------
        DecodeFailedError
            If nothing can be decoded, or a sample is not a finite number.
        TooLongError
            If more than ``limits.max_seconds`` were decoded.
        """
        resampler = soxr.ResampleStream(self.summary.sr, self.sr, 1, dtype="float32", quality="HQ")
        for block in self._counted(self._decoded()):
            yield resampler.resample_chunk(block)
        yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        self._check_whole()

    def _decoded(self) -> Iterator[NDArray[np.float32]]:
        """Mono blocks at the file's rate. Damage after good audio ends the recording with a warning."""
        pending: list[NDArray[np.float32]] = []
        missing = size = int(BLOCK_SECONDS * self.summary.sr)
        for frame in self._frames():
            pending.append(mono(frame))
            missing -= frame.samples
            if missing <= 0:
                yield np.concatenate(pending)
                pending, missing = [], size
        if pending:
            yield np.concatenate(pending)

    def _frames(self) -> Iterator[AudioFrame]:
        """Decoded frames. Packets that do not decode are skipped; a damaged container ends the recording."""
        damaged = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    damaged += 1
                    continue
                for frame in frames:
                    self._check_unchanged(frame)
                    yield frame
        except av.error.FFmpegError:
            self.summary.warnings.append("the file is damaged: the transcription ends where it could no longer be read")
        if damaged:
            self.summary.warnings.append(f"{damaged} damaged packets were skipped: notes may be missing there")

    def _check_unchanged(self, frame: AudioFrame) -> None:
        """Refuse a stream that changes its rate or gains channels on the way."""
        if frame.sample_rate != self.summary.sr:
            raise DecodeFailedError(
                f"the sampling rate changes from {self.summary.sr} Hz to {frame.sample_rate} Hz within the file"
            )
        if frame.layout.nb_channels > self.limits.max_channels:
            raise UnsupportedFormatError(
                f"{frame.layout.nb_channels} channels appear within the file, at most {self.limits.max_channels} may"
            )

    def _counted(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass blocks on, counting their length and refusing numbers that are not finite."""
        n_samples = 0
        for block in blocks:
            finite = np.isfinite(block)
            if not finite.all():
                at = (n_samples + int(np.argmin(finite))) / self.summary.sr
                raise DecodeFailedError(f"the sample at {at:.3f} s is not a finite number (NaN or infinity)")
            n_samples += len(block)
            self.summary.duration = n_samples / self.summary.sr
            if self.summary.duration > self.limits.max_seconds:
                raise TooLongError(
                    f"the recording is longer than {self.limits.max_seconds:g} s, the longest that is accepted"
                )
            yield block

    def _check_whole(self) -> None:
        """Refuse a recording without samples; warn of one that is shorter than its header says."""
        found, claimed = self.summary.duration, self.claimed_seconds
        if found == 0:
            raise DecodeFailedError("the file holds an audio stream without a single sample that can be decoded")
        if self._cut_short:
            self.summary.warnings.append(f"the file is cut short: {found:.1f} s could be read")
        elif claimed is not None and claimed - found > max(1.0, 0.02 * claimed):
            self.summary.warnings.append(
                f"the file is cut short: its header says {claimed:.1f} s, {found:.1f} s could be read"
            )


def _head(file: BinaryIO) -> bytes:
    """The first bytes of a file, which is then at its start again."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return head


def _open_container(file: BinaryIO) -> InputContainer:
    """Open with the demuxer that the file's own bytes ask for, and no other."""
    name = sniff_container(_head(file))
    try:
        return av.open(file, mode="r", format=name, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise DecodeFailedError(f"the file begins like {name} and its content is damaged") from error


def _audio_stream(container: InputContainer) -> AvAudioStream:
    """The first audio stream, which becomes the only one that is read."""
    if not container.streams.audio:
        raise NoAudioStreamError("the file has no sound in it: no audio stream was found")
    return container.streams.audio[0]


def _summary(container: InputContainer, stream: AvAudioStream, limits: AudioLimits) -> AudioSummary:
    """Check rate and channels against the limits."""
    context = stream.codec_context
    if context is None:
        raise UnsupportedFormatError("the sound in this file is in a coding that cannot be read")
    sr, channels = context.sample_rate, context.layout.nb_channels
    if not limits.min_sr <= sr <= limits.max_sr:
        raise UnsupportedFormatError(
            f"the sampling rate is {sr} Hz, accepted are {limits.min_sr} Hz to {limits.max_sr} Hz"
        )
    if not 1 <= channels <= limits.max_channels:
        raise UnsupportedFormatError(f"the file has {channels} channels, accepted are 1 to {limits.max_channels}")
    return AudioSummary(container=container.format.name, codec=context.name, sr=sr, channels=channels)


def _claimed_seconds(container: InputContainer, stream: AvAudioStream) -> float | None:
    """The length that the header states, or None."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base
