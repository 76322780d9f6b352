"""Every format becomes the same waveform; every damaged file says what is wrong."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.stream import Disposition
from numpy.typing import NDArray

from model.audio import AudioLimits, AudioReader, AudioSummary
from model.errors import DecodeFailedError, ModelError, NoAudioStreamError, TooLongError, UnsupportedFormatError
from tests.model.files import FORMATS, LOSSLESS, VORBIS, encode
from tests.model.signals import TUNE, TUNE_SECONDS, melody, sine


def read(path: Path, *, sr: int = 16000, limits: AudioLimits | None = None) -> tuple[NDArray[np.float32], AudioSummary]:
    with path.open("rb") as file, AudioReader(file, sr=sr, limits=limits or AudioLimits()) as reader:
        return np.concatenate(list(reader.blocks())), reader.summary


@pytest.mark.parametrize("kind", [*FORMATS, VORBIS])
def test_each_format_gives_the_tune(kind: str, tmp_path: Path) -> None:
    wave = melody(TUNE, TUNE_SECONDS, sr=48000)
    heard, summary = read(encode(tmp_path / f"tune.{kind}", wave, sr=48000, kind=kind), sr=48000)
    assert summary.warnings == []
    assert summary.sr == 48000
    assert abs(len(heard) / 48000 - TUNE_SECONDS) < 0.06
    n = min(len(heard), len(wave))
    error = np.sqrt(np.mean((align(heard[:n], wave[:n]) - wave[:n]) ** 2)) / np.sqrt(np.mean(wave**2))
    assert error < (0.03 if kind in LOSSLESS or "wav" in kind else 0.35)


def align(heard: NDArray[np.float32], wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Undo the delay of a coder that does not declare it (raw AAC), at most 60 ms."""
    size = 1 << (len(wave) * 2 - 1).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wave, size)))
    lag = int(np.argmax(correlation[:2880]))
    return np.roll(heard, -lag)


def test_lossless_containers_give_the_same_samples(tmp_path: Path) -> None:
    wave = melody(TUNE, TUNE_SECONDS, sr=44100)
    heard = [read(encode(tmp_path / f"a.{kind}", wave, sr=44100, kind=kind))[0] for kind in sorted(LOSSLESS)]
    np.testing.assert_array_equal(heard[0], heard[1])
    np.testing.assert_array_equal(heard[0], heard[2])


def test_channels_are_averaged_and_the_rate_is_the_networks(tmp_path: Path) -> None:
    wave = sine(440, 2.0, sr=44100)
    heard, summary = read(encode(tmp_path / "a.wav", wave, sr=44100, kind="wav", channels=2))
    assert (summary.channels, summary.sr, len(heard)) == (2, 44100, 32000)
    assert np.abs(heard[4000:-4000]).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("of_the_second", [-1.0, -0.999])
def test_channels_that_cancel_each_other_out_are_heard(tmp_path: Path, subtype: str, of_the_second: float) -> None:
    wave = sine(440, 2.0)
    path = tmp_path / "opposite.wav"
    soundfile.write(path, np.stack([wave, of_the_second * wave], axis=1), 16000, subtype=subtype)
    heard, _ = read(path)
    assert np.abs(heard - wave).max() < 0.001


def test_a_sound_that_dies_away_is_heard_on_one_channel_to_its_end(tmp_path: Path) -> None:
    """Though the noise of both channels does not cancel, and in the end is all that there is."""
    rng = np.random.default_rng(1)
    wave = sine(220, 6.0) * np.exp(-np.arange(6 * 16000, dtype=np.float32) / 16000)
    both = np.stack([wave, -0.97 * wave], axis=1) + 0.0005 * rng.standard_normal((len(wave), 2))
    soundfile.write(tmp_path / "opposite.wav", both, 16000, subtype="FLOAT")
    heard, _ = read(tmp_path / "opposite.wav")
    assert np.abs(heard - both[:, 0]).max() < 0.001


@pytest.mark.parametrize("channels", [(1, 2), (2, 1), (2, 1, 2)])
def test_channels_may_change_on_the_way(channels: tuple[int, ...], tmp_path: Path) -> None:
    """As in a stream that was recorded from radio. All channels sound alike, so their mean stays the same."""
    wave = sine(440, 1.5, sr=44100)
    parts = [encode(tmp_path / f"{n}.aac", wave, sr=44100, kind="aac", channels=n).read_bytes() for n in channels]
    (tmp_path / "both.aac").write_bytes(b"".join(parts))
    heard, summary = read(tmp_path / "both.aac")
    assert summary.channels == channels[0]
    assert summary.duration == pytest.approx(1.5 * len(channels), abs=0.2)
    middles = [heard[int(24000 * (k + 0.5)) :][:2000] for k in range(len(channels))]
    assert [np.abs(middle).max() for middle in middles] == pytest.approx([0.5] * len(channels), abs=0.05)


def test_the_sound_of_a_video_is_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, sound=True)
    heard, summary = read(path)
    assert summary.codec == "aac"
    assert len(heard) > 8000


@pytest.mark.parametrize("late_seconds", [0.04, 0.5])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_that_begins_after_the_picture_is_heard_where_players_play_it(
    tmp_path: Path, suffix: str, late_seconds: float
) -> None:
    path = tmp_path / f"late.{suffix}"
    write_video(path, sound=True, late_seconds=late_seconds)
    heard, summary = read(path)
    assert np.flatnonzero(np.abs(heard) > 0.1)[0] / 16000 == pytest.approx(late_seconds, abs=0.01)
    assert summary.duration == pytest.approx(1 + late_seconds, abs=0.1)
    assert not summary.warnings


def noise_and_tone() -> NDArray[np.float32]:
    """Four seconds of noise, which no coder makes small, one of silence, and a tone from 5 s on."""
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * 48000).astype(np.float32)
    return np.concatenate([noise, np.zeros(48000, np.float32), sine(440, 1.0, sr=48000)])


@pytest.mark.parametrize("kind", ["m4a", "opus", "webm", VORBIS])
def test_what_is_damaged_within_a_file_moves_nothing_behind_it(tmp_path: Path, kind: str) -> None:
    path = encode(tmp_path / f"a.{kind}", noise_and_tone(), sr=48000, kind=kind)
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    for start in range(third, third + 6000, 2000):
        content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    heard, summary = read(path)
    assert 4.2 + np.flatnonzero(np.abs(heard[round(4.2 * 16000) :]) > 0.2)[0] / 16000 == pytest.approx(5, abs=0.02)
    assert any("are missing within the file and count as silence" in warning for warning in summary.warnings)
    assert not any("cut short" in warning for warning in summary.warnings)


@pytest.mark.parametrize(("jump", "seconds"), [(1.0, 3.0), (10_000.0, 2.0)], ids=["a gap", "a clock that is wrong"])
def test_a_gap_of_a_live_recording_is_silence(tmp_path: Path, jump: float, seconds: float) -> None:
    path = tmp_path / "live.mka"
    write_live(path, [0.0, jump])
    heard, summary = read(path)
    assert len(heard) == seconds * 16000
    assert bool(summary.warnings) == (jump == 1.0)


def test_a_clock_that_trembles_makes_a_live_recording_no_longer(tmp_path: Path) -> None:
    write_live(tmp_path / "live.mka", [0.1 * (second % 2) for second in range(20)])
    heard, _ = read(tmp_path / "live.mka")
    assert len(heard) / 16000 == pytest.approx(20, abs=0.11)


def write_live(path: Path, late: list[float]) -> None:
    """A second of sound for each of these, whose time stamp is so much late; the header states no length."""
    with av.open(str(path), "w", format="matroska", options={"live": "1"}) as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for second, seconds in enumerate(late):
            wave = (sine(440, 1.0)[None] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            frame.sample_rate, frame.time_base = 16000, Fraction(1, 16000)
            frame.pts = 16000 * second + round(seconds * 16000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_recordings_that_are_chained_follow_each_other(tmp_path: Path) -> None:
    one = encode(tmp_path / "a.opus", sine(440, 3.0, sr=48000), sr=48000, kind="opus")
    (tmp_path / "chain.opus").write_bytes(one.read_bytes() * 3)
    heard, summary = read(tmp_path / "chain.opus")
    assert len(heard) / 16000 == pytest.approx(9, abs=0.1)
    assert not any("missing" in warning for warning in summary.warnings)


def test_of_several_sound_tracks_the_default_one_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "two.mka"
    with av.open(str(path), "w", format="matroska") as container:
        streams = [container.add_stream("pcm_s16le", rate=16000, layout="mono") for _ in range(2)]
        streams[0].disposition, streams[1].disposition = Disposition(0), Disposition.default
        for stream, wave in zip(streams, (np.zeros(16000), sine(440, 1.0)), strict=True):
            frame = av.AudioFrame.from_ndarray((wave[None] * 32767).astype(np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
            container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    heard, summary = read(path)
    assert np.abs(heard).max() > 0.4
    assert summary.warnings == ["the file holds 2 sound tracks: the default one was heard"]


@pytest.mark.parametrize("kind", ["flac", "aac", "mp3"])
def test_a_tag_of_any_size_may_stand_before_the_sound(tmp_path: Path, kind: str) -> None:
    path = encode(tmp_path / f"a.{kind}", sine(440, 1.0, sr=48000), sr=48000, kind=kind)
    plain, summary = read(path)
    size = 20_000  # a picture of the cover
    tag = b"ID3\x04\x00\x00" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)
    path.write_bytes(tag + path.read_bytes())
    tagged, found = read(path)
    assert found.codec == summary.codec
    np.testing.assert_array_equal(tagged, plain)


def write_video(path: Path, *, sound: bool, late_seconds: float = 0.0) -> None:
    with av.open(str(path), "w", format="matroska" if path.suffix == ".mkv" else "mp4") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for index in range(10):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), index, np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if audio:
            frame = av.AudioFrame.from_ndarray(sine(440, 1.0)[None], format="fltp", layout="mono")
            frame.sample_rate = 16000
            frame.time_base = Fraction(1, 16000)
            frame.pts = round(late_seconds * 16000)
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))


def wav_bytes(samples: NDArray[np.float32], *, sr: int = 16000, channels: int = 1) -> bytes:
    """A float WAV written by hand, for what an encoder refuses to write."""
    data = np.repeat(samples[:, None], channels, axis=1).astype("<f4").tobytes()
    head = b"WAVEfmt " + (16).to_bytes(4, "little")
    head += (3).to_bytes(2, "little") + channels.to_bytes(2, "little") + sr.to_bytes(4, "little")
    head += (sr * channels * 4 % 2**32).to_bytes(4, "little") + (channels * 4).to_bytes(2, "little")
    head += (32).to_bytes(2, "little") + b"data" + len(data).to_bytes(4, "little")
    return b"RIFF" + (len(head) + len(data)).to_bytes(4, "little") + head + data


def with_number(value: float) -> bytes:
    wave = sine(440, 1.0)
    wave[8000] = value
    return wav_bytes(wave)


BAD = {
    "empty": (b"", UnsupportedFormatError, "empty"),
    "text": (b"these are words, not sound. " * 50, UnsupportedFormatError, "not audio of a kind"),
    "playlist": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", UnsupportedFormatError, "not audio of a kind"),
    "concat": (b"ffconcat version 1.0\nfile /etc/hostname\n", UnsupportedFormatError, "not audio of a kind"),
    "nine channels": (wav_bytes(sine(440, 0.5), channels=9), UnsupportedFormatError, "9 channels"),
    "4 Hz": (wav_bytes(sine(440, 0.5), sr=4), UnsupportedFormatError, "4 Hz"),
    "1 MHz": (wav_bytes(sine(440, 0.5), sr=1_000_000), UnsupportedFormatError, "1000000 Hz"),
    "NaN": (with_number(np.nan), DecodeFailedError, r"0\.500 s is not a finite number"),
    "infinite": (with_number(np.inf), DecodeFailedError, r"0\.500 s is not a finite number"),
    "header alone": (wav_bytes(np.zeros(0, np.float32)), DecodeFailedError, "without a single sample"),
    "flac magic": (b"fLaC" + bytes(64), ModelError, "damaged|single sample|Hz"),
    "mp3 tag": (b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(64), ModelError, "damaged|single sample|Hz"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_say_what_is_wrong(name: str, tmp_path: Path) -> None:
    content, error, words = BAD[name]
    path = tmp_path / "upload.mp3"
    path.write_bytes(content)
    with pytest.raises(error, match=words):
        read(path)


def test_only_named_codings_are_opened(tmp_path: Path) -> None:
    """FFmpeg could read this one, as it could read two hundred others."""
    path = tmp_path / "a.mka"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("wavpack", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(sine(440, 0.5)[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UnsupportedFormatError, match=r"coded as wavpack.*convert it to FLAC"):
        read(path)


def test_a_video_without_sound_is_named_as_such(tmp_path: Path) -> None:
    write_video(tmp_path / "mute.mp4", sound=False)
    with pytest.raises(NoAudioStreamError, match="no audio stream"):
        read(tmp_path / "mute.mp4")


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "opus", "m4a"])
def test_a_file_cut_in_the_middle_gives_what_is_there_and_a_warning(kind: str, tmp_path: Path) -> None:
    path = encode(tmp_path / f"a.{kind}", melody(TUNE, TUNE_SECONDS, sr=48000), sr=48000, kind=kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if kind == "m4a":  # its index stands at the end: nothing can be read without it
        with pytest.raises(DecodeFailedError, match="damaged"):
            read(path)
        return
    heard, summary = read(path)
    assert 0.3 * TUNE_SECONDS * 16000 < len(heard) < 0.7 * TUNE_SECONDS * 16000
    assert summary.warnings or kind == "opus"  # ogg states no length that the cut could contradict


def test_more_audio_than_allowed_is_refused_by_what_was_decoded(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flac", sine(440, 5.0), sr=16000, kind="flac")
    with pytest.raises(TooLongError, match="longer than 3 s"):
        read(path, limits=AudioLimits(max_seconds=3))


def test_twenty_milliseconds_are_enough(tmp_path: Path) -> None:
    heard, _ = read(encode(tmp_path / "a.wav", sine(440, 0.02), sr=16000, kind="wav"))
    assert len(heard) == 320
