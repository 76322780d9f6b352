"""The main road: a recording goes in through HTTP and comes out as notes."""

import csv
import hashlib
import io
import json
import socket
from typing import Any

import httpx
import mido
import pytest

from tests.app.service import Service, finished, read, upload
from tests.model.signals import TUNE


@pytest.fixture(scope="module")
def done(client: httpx.Client, tune: bytes) -> dict[str, Any]:
    return finished(client, upload(client, tune, "Étude n° 1.wav", tempo="90"))


def test_accepted_job_says_where_it_is(client: httpx.Client, tune: bytes) -> None:
    answer = client.post("/v1/transcriptions", files={"file": ("a.wav", tune)})
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == job["links"]["self"] == f"/v1/transcriptions/{job['id']}"
    assert int(answer.headers["Retry-After"]) >= 1
    assert job["status"] == "queued"
    assert job["progress"]["queue_position"] >= 1
    assert job["file"] == {"name": "a.wav", "bytes": len(tune), "sha256": hashlib.sha256(tune).hexdigest()}


def test_finished_job_describes_itself(done: dict[str, Any]) -> None:
    assert done["status"] == "succeeded", done["error"]
    assert done["progress"]["percent"] == 100
    found = {"duration": 12.0, "sr": 16000, "channels": 1, "codec": "pcm_s16le", "container": "wav", "a4_hz": 440.0}
    assert done["audio"] == found
    assert done["options"]["tempo"] == 90
    assert done["error"] is None
    assert done["created_at"] <= done["started_at"] <= done["finished_at"] < done["expires_at"]


def test_midi_holds_the_tune(client: httpx.Client, done: dict[str, Any]) -> None:
    answer = client.get(done["links"]["midi"])
    assert answer.headers["Content-Type"] == "audio/midi"
    file = mido.MidiFile(file=io.BytesIO(answer.content))
    tempi = [message.tempo for track in file.tracks for message in track if message.type == "set_tempo"]
    assert [round(mido.tempo2bpm(tempo)) for tempo in tempi] == [90]
    started = [message for track in file.tracks for message in track if message.type == "note_on" and message.velocity]
    assert len(started) == done["result"]["n_notes"]
    assert {pitch for _, _, pitch in TUNE[:8]} <= {message.note for message in started}


def test_piano_roll_table_and_midi_say_the_same(client: httpx.Client, done: dict[str, Any]) -> None:
    roll = client.get(done["links"]["piano_roll"]).json()
    rows = list(csv.DictReader(io.StringIO(client.get(done["links"]["notes_csv"]).text)))
    assert len(roll["notes"]) == len(rows) == done["result"]["n_notes"]
    assert {(note["pitch"], note["velocity"]) for note in roll["notes"]} == {
        (int(row["pitch"]), int(row["velocity"])) for row in rows
    }


def test_frames_come_on_request(client: httpx.Client, done: dict[str, Any]) -> None:
    bare = client.get(done["links"]["piano_roll"], params={"frames": "false"}).json()
    full = client.get(done["links"]["piano_roll"], params={"frames": "true"}).json()
    assert full["notes"] == bare["notes"]
    assert set(full) > set(bare) or full != bare


def test_audio_is_what_was_uploaded(client: httpx.Client, done: dict[str, Any], tune: bytes) -> None:
    answer = client.get(done["links"]["audio"])
    assert answer.content == tune
    assert answer.headers["Content-Type"] == "audio/wav"
    assert "filename*=UTF-8''%C3%89tude%20n%C2%B0%201.wav" in answer.headers["Content-Disposition"]


def test_the_list_has_pages(client: httpx.Client, tune: bytes) -> None:
    created = [upload(client, tune, f"{number}.wav")["id"] for number in range(3)]
    seen: list[str] = []
    token = ""
    while len(seen) < 3:
        page = client.get("/v1/transcriptions", params={"page_size": 1, "page_token": token}).json()
        seen += [job["id"] for job in page["transcriptions"]]
        token = page["next_page_token"]
    assert seen == created[::-1]
    everything = client.get("/v1/transcriptions", params={"page_size": 100_000}).json()
    assert everything["next_page_token"] == ""
    for job_id in created:
        finished(client, {"id": job_id, "links": {"self": f"/v1/transcriptions/{job_id}"}})


def test_two_uploads_at_once_stay_apart(client: httpx.Client, tune: bytes) -> None:
    """Both requests are half sent before either is finished."""
    halves = [_Half(tune[: 44 + 32000 * seconds]) for seconds in (3, 6)]
    jobs = _interleaved(str(client.base_url), halves)
    for job, half in zip(jobs, halves, strict=True):
        assert job["file"]["sha256"] == hashlib.sha256(half.data).hexdigest()
        assert finished(client, job)["status"] == "succeeded"


class _Half:
    """A multipart request that is sent in two pieces."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="x.wav"\r\n\r\n'
        body = head + data + b"\r\n--edge--\r\n"
        start = (
            f"POST /v1/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: multipart/form-data; boundary=edge\r\nConnection: close\r\n\r\n"
        ).encode()
        self.pieces = (start + body[: len(body) // 2], body[len(body) // 2 :])


def _interleaved(url: str, halves: list[_Half]) -> list[dict[str, Any]]:
    address = httpx.URL(url)
    sockets = [socket.create_connection((address.host, address.port or 80)) for _ in halves]
    for piece in (0, 1):
        for connection, half in zip(sockets, halves, strict=True):
            connection.sendall(half.pieces[piece])
    answers = []
    for connection in sockets:
        with connection, connection.makefile("rb") as stream:
            answers.append(json.loads(stream.read().split(b"\r\n\r\n", 1)[1]))
    return answers


def test_delete_of_a_finished_job_leaves_nothing(client: httpx.Client, service: Any, tune: bytes) -> None:
    job = finished(client, upload(client, tune))
    folder = service.var / "storage" / "jobs" / job["id"]
    assert folder.is_dir()
    assert client.delete(job["links"]["self"]).status_code == 204
    assert not folder.exists()
    assert client.get(job["links"]["self"]).status_code == 404
    assert client.get(job["links"]["midi"]).status_code == 404
    assert client.delete(job["links"]["self"]).status_code == 404
    assert job["id"] not in [one["id"] for one in client.get("/v1/transcriptions").json()["transcriptions"]]


def test_what_is_kept_is_for_the_service_alone(service: Service, done: dict[str, Any]) -> None:
    kept = [path for path in service.var.rglob("*") if path.is_file() and done["id"] in str(path)]
    assert len(kept) > 3
    open_to_all = [path for path in (*kept, service.var / "jobs.sqlite3", service.var) if path.stat().st_mode & 0o077]
    assert open_to_all == []


def test_models_say_what_is_served(client: httpx.Client, done: dict[str, Any]) -> None:
    models = client.get("/v1/models").json()
    served = next(model for model in models["models"] if model["name"] == models["default"])
    assert done["model"] == {"name": served["name"], "sha256": served["sha256"]}
    assert served["licence"]
    assert served["trained_on"]
    assert read(client, done)["options"]["onset_threshold"] == served["decoding"]["onset_threshold"]


def test_health(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert set(ready.json()["checks"].values()) == {"ok"}
    workers = {f"{queue} worker" for queue in ("transcribe", "decode", "score")}
    assert set(ready.json()["checks"]) == {"database", "redis", "storage"} | workers
