"""Files that are no music, through the whole service: a clear error in the job, and the worker goes on."""

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
import soundfile

from tests.app.service import finished, upload
from tests.model.files import encode
from tests.model.signals import SR, sine

Maker = Callable[[Path], bytes]


def pcm(samples: np.ndarray, *, sr: int = SR, channels: int = 1, subtype: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.tile(samples[:, None], channels), sr, format="WAV", subtype=subtype)
    return file.getvalue()


def wav_header(sr: int) -> bytes:
    """A wav file with a rate that no writer offers."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", ""))
        out.writeframes(bytes(40_000))
    data = bytearray(file.getvalue())
    data[24:28] = sr.to_bytes(4, "little")
    data[28:32] = (2 * sr).to_bytes(4, "little")
    return bytes(data)


def silent_video(folder: Path) -> bytes:
    path = folder / "video.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def truncated(kind: str) -> Maker:
    def make(folder: Path) -> bytes:
        data = encode(folder / f"tone.{kind}", sine(440, 4), sr=SR, kind=kind).read_bytes()
        return data[: len(data) // 2]

    return make


def playlist(_: Path) -> bytes:
    return b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


REFUSED: dict[str, tuple[Maker, str]] = {
    "text.mp3": (lambda _: b"This is only text. " * 500, "unsupported_format"),
    "video-without-sound.mp4": (silent_video, "no_audio_stream"),
    "nine-channels.wav": (lambda _: pcm(sine(440, 1), channels=9), "unsupported_format"),
    "4-hertz.wav": (lambda _: wav_header(4), "unsupported_format"),
    "megahertz.wav": (lambda _: wav_header(1_000_000), "unsupported_format"),
    "playlist.mp3": (playlist, "unsupported_format"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_its_reason(client: httpx.Client, tmp_path: Path, name: str) -> None:
    make, code = REFUSED[name]
    job = finished(client, upload(client, make(tmp_path), name))
    assert job["status"] == "failed"
    assert job["error"]["code"] == code, job["error"]
    assert job["error"]["retryable"] is False
    assert "Traceback" not in job["error"]["message"]
    assert "/" not in job["error"]["message"].replace("m4a/aac", "").replace("/s", "")
    assert job["result"] is None
    answer = client.get(job["links"]["midi"])
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:amt:problem:not-ready")
    assert job["error"]["message"] in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_what_is_left_of_a_truncated_file_is_used_or_refused(client: httpx.Client, tmp_path: Path, kind: str) -> None:
    job = finished(client, upload(client, truncated(kind)(tmp_path), f"cut.{kind}"))
    if job["status"] == "succeeded":
        assert 1 < job["audio"]["duration"] < 3
    else:
        assert job["error"]["code"] == "decode_failed"


def test_not_a_number_and_infinity_do_not_pass_as_music(client: httpx.Client) -> None:
    samples = sine(440, 2)
    samples[1000:2000] = np.nan
    samples[3000] = np.inf
    job = finished(client, upload(client, pcm(samples), "nan.wav"))
    assert job["status"] in ("succeeded", "failed")
    assert (job["error"] or {}).get("code") in (None, "decode_failed")
    assert job["error"] or job["result"]["warnings"]


SILENT: dict[str, np.ndarray] = {
    "silence.wav": np.zeros(3 * SR, dtype=np.float32),
    "dc.wav": np.full(3 * SR, 0.5, dtype=np.float32),
    "20ms.wav": sine(440, 0.02),
}


@pytest.mark.parametrize("name", SILENT)
def test_nothing_to_hear_succeeds_without_notes(client: httpx.Client, name: str) -> None:
    job = finished(client, upload(client, pcm(SILENT[name]), name))
    assert job["status"] == "succeeded", job["error"]
    if name == "silence.wav":
        assert job["result"]["n_notes"] == 0
        assert job["result"]["warnings"]
    for link in ("midi", "piano_roll", "notes_csv"):
        assert client.get(job["links"][link]).status_code == 200


def test_the_worker_goes_on_after_all_of_them(client: httpx.Client, tune: bytes) -> None:
    job: dict[str, Any] = finished(client, upload(client, tune))
    assert job["status"] == "succeeded"
