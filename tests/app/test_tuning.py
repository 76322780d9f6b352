"""The concert pitch of a recording, from the upload to the notes."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.options import Decoding, Options
from tests.app.service import finished, upload
from tests.app.test_cli import amt
from tests.model.files import encode
from tests.model.signals import SR, TUNE, TUNE_SECONDS, melody

BAROQUE = 415.0


@pytest.fixture(scope="module")
def baroque(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The tune at A = 415 Hz, a semitone below today's, and as much slower."""
    wave = melody(TUNE, TUNE_SECONDS, sr=round(SR * 440 / BAROQUE))
    return encode(tmp_path_factory.mktemp("baroque") / "a.wav", wave, sr=SR, kind="wav").read_bytes()


def pitches(client: httpx.Client, job: dict[str, Any]) -> list[int]:
    return [note["pitch"] for note in client.get(job["links"]["piano_roll"]).json()["notes"]]


def test_the_notes_are_read_by_the_concert_pitch_that_is_told(client: httpx.Client, baroque: bytes) -> None:
    found, told = (finished(client, upload(client, baroque, **sent)) for sent in ({}, {"a4_hz": "415"}))
    assert (found["options"]["a4_hz"], told["options"]["a4_hz"]) == ("auto", BAROQUE)
    assert (found["audio"]["a4_hz"], told["audio"]["a4_hz"]) == (440.0, BAROQUE)
    played = [pitch for _, _, pitch in TUNE[:5]]
    assert pitches(client, told)[:5] == played
    assert pitches(client, found)[:5] == [pitch - 1 for pitch in played]


def test_a_new_decoding_keeps_it(client: httpx.Client, baroque: bytes) -> None:
    job = finished(client, upload(client, baroque, a4_hz="415"))
    again = client.post(job["links"]["decode"], json={"onset_threshold": 0.5}).json()
    assert again["options"]["a4_hz"] == BAROQUE
    refused = client.post(job["links"]["decode"], json={"a4_hz": 440})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("a4_hz: ")


@pytest.mark.parametrize("sent", ["300", "471", "concert", "nan"])
def test_what_is_no_concert_pitch_is_refused(idle: httpx.Client, tune: bytes, sent: str) -> None:
    answer = idle.post("/v1/transcriptions", files={"file": ("a.wav", tune[:1000])}, data={"a4_hz": sent})
    assert (answer.status_code, answer.json()["detail"]) == (422, "a4_hz: must be auto, or 390 to 470 (Hz)")


def test_options_from_before_there_was_a_concert_pitch_mean_any() -> None:
    old = Decoding(onset_threshold=0.5, frame_threshold=0.5, min_note_ms=30.0).model_dump()
    assert Options.model_validate(old).for_hearing() == {}


def test_the_command_line_takes_it(tmp_path: Path, baroque: bytes) -> None:
    path = tmp_path / "suite.wav"
    path.write_bytes(baroque)
    run = amt("transcribe", path, "-o", tmp_path / "told", "--a4-hz", "415")
    assert run.returncode == 0, run.stderr
    assert "A4 = 415" in run.stderr
    run = amt("transcribe", path, "-o", tmp_path / "wrong", "--a4-hz", "4150")
    assert (run.returncode, "a4_hz: must be auto, or 390 to 470 (Hz)" in run.stderr) == (2, True)
