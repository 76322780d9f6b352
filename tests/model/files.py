"""Audio files of every format, encoded here by FFmpeg through PyAV."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

# suffix: (container, codec, what the codec takes)
FORMATS = {
    "wav": ("wav", "pcm_s16le", "s16"),
    "float.wav": ("wav", "pcm_f32le", "flt"),
    "u8.wav": ("wav", "pcm_u8", "u8"),
    "aiff": ("aiff", "pcm_s16be", "s16"),
    "flac": ("flac", "flac", "s16"),
    "mp3": ("mp3", "libmp3lame", "fltp"),
    "opus": ("ogg", "libopus", "flt"),
    "m4a": ("mp4", "aac", "fltp"),
    "aac": ("adts", "aac", "fltp"),
    "webm": ("webm", "libopus", "flt"),
}
VORBIS = "vorbis.ogg"  # PyAV has no good encoder for it: libsndfile writes it
LOSSLESS = {"wav", "aiff", "flac"}


def encode(path: Path, wave: NDArray[np.float32], *, sr: int, kind: str, channels: int = 1) -> Path:
    """Write a mono wave of shape (samples,) to ``path``, the same in all channels."""
    if kind == VORBIS:
        soundfile.write(path, np.tile(wave[:, None], channels), sr, format="OGG", subtype="VORBIS")
        return path
    container_name, codec, sample_format = FORMATS[kind]
    layout = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    with av.open(str(path), "w", format=container_name) as container:
        stream = container.add_stream(codec, rate=sr, layout=layout)
        resampler = av.AudioResampler(format=sample_format, layout=layout, rate=sr)
        size = 1024
        for start in range(0, len(wave), size):
            part = np.tile(wave[start : start + size], (channels, 1)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = sr, start, Fraction(1, sr)
            for converted in resampler.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return path
