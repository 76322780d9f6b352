"""Scores: made when asked for, for every version and every override, and guarded like all results."""

import io
import os
import re
import signal
import xml.etree.ElementTree as ET
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import mido
import pytest

from app.notation import DENOMINATORS, MAJOR_KEYS, MINOR_KEYS, MOST_BEATS, Notation
from app.queue import build_celery, send_score
from app.replies import reply_key
from app.worker.score import MOST_SCORES
from model.notation import types
from tests.app.service import Service, finished, repository, upload, wait_for
from tests.app.test_jobs import AUDIO
from tests.app.test_notes import NOTES, _with_roll, save


@pytest.fixture(scope="module")
def job(client: httpx.Client, tune: bytes) -> dict[str, Any]:
    return finished(client, upload(client, tune, "Für Élise.wav"))


def score(client: httpx.Client, job: dict[str, Any], part: str = "score", **query: Any) -> httpx.Response:
    return client.get(f"{job['links']['self']}/{part}", params=query)


def told(client: httpx.Client, job: dict[str, Any], **query: Any) -> dict[str, Any]:
    answer = score(client, job, **query)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


FILES = {
    "score": ("application/json", b"{"),
    "score.musicxml": ("application/vnd.recordare.musicxml+xml", b"<?xml"),
    "score.mxl": ("application/vnd.recordare.musicxml", b"PK"),
    "score.pdf": ("application/pdf", b"%PDF-"),
    "score.svg": ("image/svg+xml", b"<svg"),
}


@pytest.mark.parametrize("part", FILES)
def test_every_file_of_a_score(client: httpx.Client, job: dict[str, Any], part: str) -> None:
    media_type, begins = FILES[part]
    answer = score(client, job, part)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == media_type
    assert answer.content.startswith(begins)
    assert answer.headers["Page-Count"] == "1"
    assert "filename*=UTF-8''F%C3%BCr%20%C3%89lise" in answer.headers["Content-Disposition"]
    again = client.get(answer.url, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert client.head(answer.url).headers["Content-Length"] == str(len(answer.content))


def test_the_score_is_of_the_notes(client: httpx.Client, job: dict[str, Any]) -> None:
    description = told(client, job, detail="full")
    found = client.get(job["links"]["piano_roll"]).json()["notes"]
    assert len(description["notes"]) == len(found)
    starts = {name: start for name, start, _ in description["notes"]}
    assert all(abs(starts[f"n{i}"] - note["onset"]) < 0.15 for i, note in enumerate(found))
    musicxml = score(client, job, "score.musicxml", detail="full")
    document = ET.fromstring(musicxml.content)
    assert document.findtext("work/work-title") == "Für Élise"
    with zipfile.ZipFile(io.BytesIO(score(client, job, "score.mxl", detail="full").content)) as packed:
        assert packed.read("score.musicxml") == musicxml.content


def test_what_a_person_knows_goes_into_the_score(client: httpx.Client, job: dict[str, Any]) -> None:
    found = told(client, job)
    wanted = {"tempo": 55, "time_signature": "3/4", "key": "Ab", "first_downbeat": 0.5}
    description = told(client, job, **wanted)
    assert (description["time_signature"], description["key"]) == ("3/4", "Ab")
    assert description["tempo"] == pytest.approx(55, rel=0.15)
    document = ET.fromstring(score(client, job, "score.musicxml", **wanted).content)
    assert (document.findtext(".//beats"), document.findtext(".//fifths")) == ("3", "-4")
    assert told(client, job) == found, "the override is not kept for others"
    assert found["key"] != "Ab"


def test_melody_is_one_line(client: httpx.Client, job: dict[str, Any]) -> None:
    document = ET.fromstring(score(client, job, "score.musicxml", detail="melody").content)
    assert document.find(".//chord") is None
    assert document.find(".//pitch") is not None


def test_quantized_midi_lies_on_the_grid_and_the_raw_one_stays(client: httpx.Client, job: dict[str, Any]) -> None:
    raw = client.get(job["links"]["midi"])
    quantized = client.get(job["links"]["midi"], params={"quantized": True, "time_signature": "3/4"})
    assert quantized.headers["Content-Type"] == "audio/midi"
    assert "quantized" in quantized.headers["Content-Disposition"]
    file = mido.MidiFile(file=io.BytesIO(quantized.content))
    signature = next(message for message in file.tracks[0] if message.type == "time_signature")
    assert (signature.numerator, signature.denominator) == (3, 4)
    ticks, now = [], 0
    for message in file.tracks[1]:
        now += message.time
        ticks += [now] if message.type == "note_on" else []
    assert all(tick % (file.ticks_per_beat // 24) == 0 for tick in ticks)
    assert client.get(job["links"]["midi"]).content == raw.content
    refused = client.get(job["links"]["midi"], params={"tempo": 90})
    assert refused.status_code == 422
    assert "quantized=true" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("part", "query", "said"),
    [
        ("score", "time_signatur=3/4", "time_signatur: is not a known field; these are: "),
        ("score.pdf", "time_signature=3/4&time_signature=4/4", "time_signature: was sent more than once"),
        ("midi", "quantised=true", "quantised: is not a known field"),
        ("score", "Key=Bb&tempi=90", "tempi: is not a known field"),
    ],
)
def test_a_mistyped_correction_is_refused(
    client: httpx.Client, job: dict[str, Any], part: str, query: str, said: str
) -> None:
    answer = client.get(f"{job['links']['self']}/{part}?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_an_edited_version_has_a_score_of_its_own(client: httpx.Client, tune: bytes) -> None:
    job = finished(client, upload(client, tune))
    save(client, job, NOTES)
    assert [name for name, _, _ in told(client, job, version=1, detail="full")["notes"]] == ["n0", "n1", "n2"]
    assert told(client, job, version="newest", detail="full") == told(client, job, version=1, detail="full")
    assert len(told(client, job, detail="full")["notes"]) == job["result"]["n_notes"]
    assert score(client, job, version=7).status_code == 404


def test_a_score_that_takes_long_holds_up_no_decoding(client: httpx.Client, service: Service, tune: bytes) -> None:
    job = finished(client, upload(client, tune))
    engraver = service.child("worker", "--queue score")
    with ThreadPoolExecutor() as pool:
        os.kill(engraver, signal.SIGSTOP)
        try:
            waiting = pool.submit(score, client, job)
            assert client.post(job["links"]["decode"], json={"lowest_pitch": 60}).status_code == 200
            save(client, job, NOTES)
            assert not waiting.done()
        finally:
            os.kill(engraver, signal.SIGCONT)
        assert waiting.result().status_code == 200


def test_a_renamed_track_is_a_part_of_that_name(client: httpx.Client, tune: bytes) -> None:
    job = finished(client, upload(client, tune))
    roll = {"notes": [NOTES[0] | {"program": 40}, NOTES[1] | {"program": 42}], "track_names": {"violin": "Violin I"}}
    assert client.put(job["links"]["notes"], json=roll, headers={"If-Match": "*"}).status_code == 200
    assert [part["name"] for part in told(client, job, version=1)["parts"]] == ["Violin I", "Cello"]
    assert "<part-name>Violin I</part-name>" in score(client, job, "score.musicxml", version=1).text
    quantized = score(client, job, "midi", version=1, quantized=True).content
    names = [track.name for track in mido.MidiFile(file=io.BytesIO(quantized)).tracks]
    assert names[1:] == ["Violin I", "Cello"]


def test_a_new_decoding_has_a_new_score(client: httpx.Client, tune: bytes) -> None:
    job = finished(client, upload(client, tune))
    before = told(client, job, detail="full")
    assert client.post(job["links"]["decode"], json={"lowest_pitch": 60}).status_code == 200
    assert len(told(client, job, detail="full")["notes"]) < len(before["notes"])


def test_no_notes_are_a_bar_of_rest(client: httpx.Client, tune: bytes) -> None:
    job = finished(client, upload(client, tune))
    save(client, job, [])
    assert len(told(client, job, version=1)["bars"]) == 1
    assert score(client, job, "score.pdf", version=1).content.startswith(b"%PDF-")
    assert client.get(job["links"]["midi"], params={"quantized": True, "version": 1}).status_code == 200


WRONG = {
    "tempo": ("1000", "tempo: Input should be less than or equal to 400"),
    "time_signature": ("3/5", "must be 1 to 16 over 1, 2, 4, 8, 16, such as 3/4, got '3/5'"),
    "key": ("H", "key: must be a major key"),
    "first_downbeat": ("-1", "first_downbeat: Input should be greater than or equal to 0"),
    "detail": ("most", "detail: Input should be 'full', 'readable' or 'melody'"),
    "page": ("0", "page: Input should be greater than or equal to 1"),
}


@pytest.mark.parametrize("field", WRONG)
def test_what_is_wrong_is_named(client: httpx.Client, job: dict[str, Any], field: str) -> None:
    value, words = WRONG[field]
    answer = score(client, job, "score.svg", **{field: value})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"].endswith(field)


def test_a_downbeat_behind_the_recording_is_refused(client: httpx.Client, job: dict[str, Any]) -> None:
    end = job["audio"]["duration"]
    assert score(client, job, first_downbeat=end).status_code == 200
    for part, more in (("score.svg", {}), ("midi", {"quantized": True})):
        answer = score(client, job, part, first_downbeat=end + 2, **more)
        assert answer.status_code == 422
        assert answer.json()["detail"] == f"first_downbeat: lies outside the recording, which ends at {end:.3f} s"
        assert answer.json()["errors"][0]["field"] == "first_downbeat"


def test_a_page_too_far(client: httpx.Client, job: dict[str, Any]) -> None:
    answer = score(client, job, "score.svg", page=2)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "The score has no such page; it has 1."


def test_many_who_ask_at_once_get_the_same(client: httpx.Client, job: dict[str, Any]) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: score(client, job, "score.musicxml", tempo=99).content, range(4)))
    assert len(set(answers)) == 1


def test_few_scores_are_kept_and_all_can_be_had(client: httpx.Client, service: Service, tune: bytes) -> None:
    job = finished(client, upload(client, tune))
    first = score(client, job, "score.musicxml", tempo=60)
    for tempo in range(61, 61 + MOST_SCORES):
        assert score(client, job, tempo=tempo).status_code == 200
    kept = list((service.var / "storage" / "jobs" / job["id"] / "results").glob("*/scores/*"))
    assert 1 <= len(kept) <= MOST_SCORES
    assert score(client, job, "score.musicxml", tempo=60).content == first.content


def test_a_deleted_job_has_no_score(client: httpx.Client, service: Service, tune: bytes) -> None:
    job = finished(client, upload(client, tune))
    assert score(client, job).status_code == 200
    revision = job["result"]["revision"]
    assert client.delete(job["links"]["self"]).status_code == 204
    assert score(client, job).status_code == 404
    celery = build_celery(service.configuration())
    send_score(celery, job["id"], "late-score", revision, {}, expires=60)
    with service.redis() as redis:
        wait_for(lambda: redis.exists(reply_key("late-score")), what="the worker's answer")
    celery.close()
    assert not (service.var / "storage" / "jobs" / job["id"]).exists()


def test_what_is_not_finished_has_no_score(idle: httpx.Client, idle_service: Service, tune: bytes) -> None:
    job = upload(idle, tune[:1000])
    assert score(idle, job, "score.pdf").status_code == 409
    assert idle.get("/v1/transcriptions/q3fX0mI0R2uVJm4s9o3f7Q/score.pdf").status_code == 404
    with repository(idle_service.configuration().database) as jobs:
        lease = jobs.claim(job["id"], holder="test", seconds=60)
        assert lease is not None
        assert jobs.succeed(lease, _with_roll("r"), audio=AUDIO, model_name="default", model_sha256="0" * 64)
    answer = score(idle, job)
    assert answer.status_code == 503, "nobody works"
    assert int(answer.headers["Retry-After"]) > 0


def test_the_web_half_and_the_model_know_the_same() -> None:
    assert (MAJOR_KEYS, MINOR_KEYS) == (types.MAJOR_TONICS, types.MINOR_TONICS)
    assert (MOST_BEATS, DENOMINATORS) == (types.MAX_NUMERATOR, types.DENOMINATORS)
    assert Notation().detail == types.NotationOptions().detail
    assert re.fullmatch("[0-9a-f]{32}", Notation().digest)
