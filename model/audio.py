"""Bytes to waveform: the one place that reads audio files.

PyAV carries FFmpeg. FFmpeg opens playlists, which name other files and addresses, so it is never allowed to guess: the
container is recognised by its first bytes (`model.audio_formats`), FFmpeg is told which demuxer to use and which
decoders it may open, and it reads from a Python file object, so there is no path or address that it could follow.

The waveform comes in blocks: mono (the mean of the channels) at the network's rate, float32, full scale at 1. Limits
are counted on what was decoded, never on what a header says.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from os import SEEK_END
from types import TracebackType
from typing import BinaryIO, Protocol

import av
import numpy as np
import soxr
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray

from model.audio_formats import CODECS, HEAD_BYTES, TAG_HEAD_BYTES, is_cut_short, sniff_container, tag_bytes
from model.downmix import Downmix
from model.errors import (
    DecodeFailedError,
    NoAudioStreamError,
    TooLongError,
    UnsupportedFormatError,
)
from model.tuning import A4_HZ

BLOCK_SECONDS = 1.0  # decoded before resampling: blocks of this size cost little memory and few calls
LEAST_LATE_SECONDS = 0.002  # less is the rounding of time stamps
LEAST_GAP_SECONDS = 0.02  # likewise, and what recorders' clocks tremble
SURE_GAP_SECONDS = 10.0  # a longer one than what was heard before it is a clock that is wrong
LONGEST_STEP_BACK = 1.0  # beyond it another recording begins, as in chained Ogg
MOST_STREAMS = 100  # in one container; a film with sound in all languages and subtitles has some dozens


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
    a4_hz : float
        Concert pitch that the notes were read by; known when all was heard.
    """

    container: str
    codec: str
    sr: int
    channels: int
    duration: float = 0.0
    warnings: list[str] = field(default_factory=list)
    a4_hz: float = A4_HZ


class AudioSource(Protocol):
    """Sound that comes in blocks, whoever decodes it.

    Attributes
    ----------
    summary : AudioSummary
        Complete when the last block was taken.
    claimed_seconds : float or None
        What the header says, for showing progress.
    """

    summary: AudioSummary
    claimed_seconds: float | None

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Mono blocks of shape (samples,)."""


@dataclass(slots=True)
class _Given:
    """How far a stream was given out, in seconds of its clock: where it began, its end by the clock and by count."""

    since: float
    by_clock: float
    by_count: float


class AudioReader(AbstractContextManager["AudioReader"]):
    """A file opened for decoding; iterate over `blocks`.

    Parameters
    ----------
    file : BinaryIO
        Any file, open for reading and seekable; it stays open.
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

    def __init__(self, file: BinaryIO, *, sr: int, limits: AudioLimits) -> None:
        self.sr = sr
        self.limits = limits
        head, size = _head_and_size(file)
        self._cut_short = is_cut_short(head, size)
        self._container = _open_container(file, sniff_container(head))
        try:
            self._stream = _audio_stream(self._container)
            self.summary = _summary(self._container, self._stream, limits)
        except BaseException:
            self._container.close()
            raise
        self.claimed_seconds = _claimed_seconds(self._container, self._stream)
        self._missing = 0.0
        self._given: _Given | None = None
        if (n_streams := len(self._container.streams.audio)) > 1:
            self.summary.warnings.append(f"the file holds {n_streams} sound tracks: the default one was heard")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

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
        """Mono blocks at the file's rate. Damage after good audio ends the recording with a warning.

        A second of mp3 is 38 frames. FFmpeg's queue joins them, since numpy takes longer over each than its decoder.
        """
        size = int(BLOCK_SECONDS * self.summary.sr)
        yield from self._silence(_late_by(self._container, self._stream))
        queue, kind, downmix = AudioFifo(), ("", 0, 0), Downmix()
        for frame in self._frames():
            before, kind = kind, (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
            gap = self._gap_before(frame)
            if kind != before:
                self._check_unchanged(frame)
            if kind != before or gap:  # a queue holds one kind, and does not look at the channels itself
                yield from _all(queue, downmix)
                queue = AudioFifo()
                yield from self._silence(gap)
            frame.pts = None  # the queue wants none, or all without a gap
            queue.write(frame)
            if queue.samples >= size:
                yield from _all(queue, downmix)
        yield from _all(queue, downmix)

    def _gap_before(self, frame: AudioFrame) -> float:
        """Seconds without sound before a frame, by the file's own clock.

        A clock that trembles, goes wrong, or runs on while the sound does not says nothing: a gap is a jump from the
        frame before, ahead of all that was given out, and hardly longer than that.
        """
        begin, length = frame.time, frame.samples / frame.sample_rate
        if begin is None:
            return 0.0
        given = self._given
        if given is None or begin < given.by_count - LONGEST_STEP_BACK:
            given = self._given = _Given(begin, begin, begin)
        gap = begin - max(given.by_clock, given.by_count)
        if not LEAST_GAP_SECONDS < gap <= max(SURE_GAP_SECONDS, given.by_count - given.since):
            gap = 0.0
        given.by_clock = begin + length
        given.by_count += gap + length
        self._missing += gap
        return gap

    def _silence(self, seconds: float) -> Iterator[NDArray[np.float32]]:
        """So much of it at the file's rate, in blocks."""
        size, n_samples = int(BLOCK_SECONDS * self.summary.sr), round(seconds * self.summary.sr)
        for done in range(0, n_samples, size):
            yield np.zeros(min(size, n_samples - done), dtype=np.float32)

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
                yield from frames
        except MemoryError:  # of FFmpeg's too: nothing is wrong with the file
            raise
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
        if self._missing:
            self.summary.warnings.append(f"{self._missing:.2f} s are missing within the file and count as silence")
        if found == 0:
            raise DecodeFailedError("the file holds an audio stream without a single sample that can be decoded")
        if self._cut_short:
            self.summary.warnings.append(f"the file is cut short: {found:.1f} s could be read")
        elif claimed is not None and claimed - found > max(1.0, 0.02 * claimed):
            self.summary.warnings.append(
                f"the file is cut short: its header says {claimed:.1f} s, {found:.1f} s could be read"
            )


def _all(queue: AudioFifo, downmix: Downmix) -> Iterator[NDArray[np.float32]]:
    """All that a queue holds, mono, if it holds anything."""
    frame = queue.read()
    if frame is not None:
        yield downmix.mono(frame)


def _late_by(container: InputContainer, stream: AvAudioStream) -> float:
    """Seconds from the start of the container, which may be a picture's, to that of the sound. Players wait so long."""
    if stream.start_time is None or stream.time_base is None or container.start_time is None:
        return 0.0
    late = float(stream.start_time * stream.time_base) - container.start_time / av.time_base
    return late if late > LEAST_LATE_SECONDS else 0.0


def _head_and_size(file: BinaryIO) -> tuple[bytes, int]:
    """The first bytes of a file, without an ID3 tag's content, and how many there are in all; left at its start."""
    size = file.seek(0, SEEK_END)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if tag := tag_bytes(head):
        file.seek(tag)
        head = head[:TAG_HEAD_BYTES] + file.read(HEAD_BYTES)
    file.seek(0)
    return head, size


def _open_container(file: BinaryIO, name: str) -> InputContainer:
    """Open with the demuxer that the file's own bytes ask for, and no other."""
    allowed = {
        "format_whitelist": name,
        "codec_whitelist": ",".join(sorted(CODECS)),
        "protocol_whitelist": "none",
        "max_streams": str(MOST_STREAMS),
    }
    try:
        return av.open(file, mode="r", format=name, container_options=allowed, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise DecodeFailedError(f"the file begins like {name} and its content is damaged") from error


def _audio_stream(container: InputContainer) -> AvAudioStream:
    """The audio stream that players play, which becomes the only one that is read."""
    streams = container.streams.audio
    if not streams:
        raise NoAudioStreamError("the file has no sound in it: no audio stream was found")
    return next((stream for stream in streams if Disposition.default in stream.disposition), streams[0])


def _summary(container: InputContainer, stream: AvAudioStream, limits: AudioLimits) -> AudioSummary:
    """Check rate and channels against the limits."""
    context = stream.codec_context
    if context is None:
        raise UnsupportedFormatError("the sound in this file is in a coding that cannot be read")
    if context.name not in CODECS:
        raise UnsupportedFormatError(
            f"the sound in this file is coded as {context.name}, which is not read; convert it to FLAC, MP3 or WAV"
        )
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
