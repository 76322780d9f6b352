"""Edited notes: saved as versions, nothing lost, nobody's work overwritten unseen."""

import csv
import io
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import mido
import numpy as np
import pretty_midi
import pytest

from app.api.upload_limit import NOTES_BYTES
from app.jobs.repository import JobRepository
from app.jobs.versions import MOST_VERSIONS, version_document, versions_of
from app.queue import build_celery, send_edit
from app.replies import reply_key
from app.settings import Settings
from app.storage.interface import edit_key, result_key
from app.worker import edit as editing
from tests.app.service import Service, finished, read, repository, upload, wait_for
from tests.app.test_jobs import AUDIO, claim, make_job, revision, stored
from tests.app.working import outcome_told, unacknowledged, working_with_a_result
from tests.model.signals import TUNE_SECONDS

NOTES = [
    {"onset": 0.5, "offset": 1.25, "pitch": 60, "velocity": 90, "confidence": 0.75},
    {"onset": 0.5, "offset": 2.0, "pitch": 64, "velocity": 70, "confidence": 1.0},
    {"onset": 1.25, "offset": 1.75, "pitch": 60, "velocity": 50, "confidence": 1.0},
]
PIANO = {"program": 0, "instrument": "piano", "instrument_confidence": 1.0}
WRITTEN = [note | PIANO for note in NOTES]


@pytest.fixture
def job(client: httpx.Client, tune: bytes) -> dict[str, Any]:
    return finished(client, upload(client, tune))


def etag_of(client: httpx.Client, job: dict[str, Any]) -> str:
    return client.get(job["links"]["notes"]).headers["ETag"]


def save(client: httpx.Client, job: dict[str, Any], notes: list[dict[str, Any]]) -> dict[str, Any]:
    answer = put(client, job, notes, etag_of(client, job))
    assert answer.status_code == 200, answer.text
    version: dict[str, Any] = answer.json()
    return version


def put(client: httpx.Client, job: dict[str, Any], notes: list[dict[str, Any]], tag: str | None) -> httpx.Response:
    headers = {} if tag is None else {"If-Match": tag}
    return client.put(job["links"]["notes"], json={"notes": notes}, headers=headers)


def test_an_edit_is_written_like_every_result_and_the_found_notes_stay(
    client: httpx.Client, job: dict[str, Any]
) -> None:
    names = ("midi", "piano_roll", "notes_csv")
    found = {name: client.get(job["links"][name]).content for name in names}
    version = save(client, job, NOTES[::-1])
    assert (version["number"], version["n_notes"]) == (1, 3)

    roll = client.get(version["links"]["piano_roll"]).json()
    assert roll["notes"] == WRITTEN, "sorted, and the very times that were sent"
    before = client.get(job["links"]["piano_roll"]).json()
    assert {key: roll[key] for key in roll if key != "notes"} == {key: before[key] for key in before if key != "notes"}

    (piano,) = pretty_midi.PrettyMIDI(io.BytesIO(client.get(version["links"]["midi"]).content)).instruments
    played = sorted((note.start, note.end, note.pitch, note.velocity) for note in piano.notes)
    wanted = [(note["onset"], note["offset"], note["pitch"], note["velocity"]) for note in NOTES]
    assert np.allclose(played, wanted, atol=0.001)

    rows = list(csv.DictReader(io.StringIO(client.get(version["links"]["notes_csv"]).text)))
    assert [float(row["confidence"]) for row in rows] == [0.75, 1.0, 1.0]

    assert {name: client.get(job["links"][name]).content for name in names} == found
    assert read(client, job)["result"] == job["result"] | {"version": 1}


def test_versions_are_listed_and_each_can_be_had(client: httpx.Client, job: dict[str, Any]) -> None:
    save(client, job, NOTES)
    save(client, job, NOTES[:1])
    versions = client.get(job["links"]["versions"]).json()["versions"]
    assert [(one["number"], one["n_notes"]) for one in versions] == [(2, 1), (1, 3), (0, job["result"]["n_notes"])]
    for one in versions:
        answer = client.get(one["links"]["piano_roll"])
        assert len(answer.json()["notes"]) == one["n_notes"]
        assert answer.headers["ETag"] == one["etag"]
    newest = client.get(job["links"]["notes"])
    assert newest.headers["ETag"] == versions[0]["etag"]
    assert newest.content == client.get(f"{job['links']['piano_roll']}?version=newest").content
    assert 'filename="tune (version 2).mid"' in client.get(versions[0]["links"]["midi"]).headers["Content-Disposition"]


def test_what_was_read_may_be_sent_as_it_is(client: httpx.Client, job: dict[str, Any]) -> None:
    read = client.get(job["links"]["notes"])
    saved = client.put(job["links"]["notes"], json=read.json(), headers={"If-Match": read.headers["ETag"]})
    assert saved.status_code == 200, saved.text
    assert client.get(saved.json()["links"]["piano_roll"]).json()["notes"] == read.json()["notes"]


def test_no_notes_at_all_may_be_saved(client: httpx.Client, job: dict[str, Any]) -> None:
    version = save(client, job, [])
    assert client.get(version["links"]["piano_roll"]).json()["notes"] == []
    assert len(mido.MidiFile(file=io.BytesIO(client.get(version["links"]["midi"]).content)).tracks) == 2


def test_whoever_saves_must_have_seen_the_newest(client: httpx.Client, job: dict[str, Any]) -> None:
    seen = etag_of(client, job)
    assert put(client, job, NOTES, None).status_code == 428
    save(client, job, NOTES)
    late = put(client, job, NOTES[:2], seen)
    assert late.status_code == 412
    assert late.json()["type"] == "urn:amt:problem:changed-meanwhile"
    assert "version 1 is the newest" in late.json()["detail"]
    assert read(client, job)["result"]["version"] == 1
    again = put(client, job, NOTES[:2], late.headers["ETag"])
    assert again.json()["number"] == 2
    assert put(client, job, NOTES, "*").json()["number"] == 3


def test_of_many_at_once_one_is_saved(client: httpx.Client, service: Service, job: dict[str, Any]) -> None:
    tag = etag_of(client, job)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda count: put(client, job, NOTES[:count], tag), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    folder = service.var / "storage" / "jobs" / job["id"]
    assert len(list((folder / "results").iterdir())) == 2, "what lost has left no files"
    assert list((folder / "edits").iterdir()) == []


def test_another_decoding_leaves_edits_alone(client: httpx.Client, job: dict[str, Any]) -> None:
    version = save(client, job, NOTES)
    assert client.post(job["links"]["decode"], json={"onset_threshold": 0.9}).status_code == 200
    assert client.get(version["links"]["piano_roll"]).json()["notes"] == WRITTEN
    assert etag_of(client, job) == version["etag"]


def test_deleting_the_job_takes_its_versions_along(client: httpx.Client, service: Service, job: dict[str, Any]) -> None:
    version = save(client, job, NOTES)
    assert client.delete(job["links"]["self"]).status_code == 204
    assert client.get(version["links"]["midi"]).status_code == 404
    assert put(client, job, NOTES, "*").status_code == 404
    assert not (service.var / "storage" / "jobs" / job["id"]).exists()


WRONG = {
    "ends before it begins": ({"offset": 0.4}, "note 0 must end after it begins"),
    "lasts no microsecond": ({"offset": 0.5000001}, "note 0 must end after it begins"),
    "sounds twice at once": ({"offset": 1.5}, "60 sounds from 0.5 to 1.5 and again from 1.25"),
    "lies behind the end": ({"onset": 100, "offset": 101}, "notes.0.offset: lies outside the recording"),
    "is no key of the piano": ({"pitch": 20}, "notes.0.pitch: Input should be greater than or equal to 21"),
    "is silent": ({"velocity": 0}, "notes.0.velocity: Input should be greater than or equal to 1"),
    "is surer than sure": ({"confidence": 1.1}, "notes.0.confidence: Input should be less than or equal to 1"),
    "has a field too many": ({"colour": "red"}, "notes.0.colour: is not a known field"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_note_is_refused_with_its_place(client: httpx.Client, tune_job: dict[str, Any], name: str) -> None:
    change, words = WRONG[name]
    answer = put(client, tune_job, [NOTES[0] | change, *NOTES[1:]], "*")
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert read(client, tune_job)["result"]["version"] == 0


def test_a_body_may_be_large_and_not_endless(client: httpx.Client, job: dict[str, Any]) -> None:
    many = [{"onset": t / 1000, "offset": t / 1000 + 0.001, "pitch": 60, "velocity": 64} for t in range(11_000)]
    assert save(client, job, many)["n_notes"] == 11_000
    answer = client.put(job["links"]["notes"], content=b" " * (NOTES_BYTES + 1), headers={"If-Match": "*"})
    assert answer.status_code == 413


@pytest.mark.parametrize(("version", "status"), [("1", 404), ("7x", 422), ("-1", 422), ("newest", 200), ("0", 200)])
def test_which_version(client: httpx.Client, tune_job: dict[str, Any], version: str, status: int) -> None:
    answer = client.get(tune_job["links"]["midi"], params={"version": version})
    assert answer.status_code == status


def test_edits_have_no_frames(client: httpx.Client, tune_job: dict[str, Any]) -> None:
    answer = client.get(tune_job["links"]["piano_roll"], params={"version": "newest", "frames": True})
    assert answer.status_code == 422
    assert "edited version has none" in answer.json()["detail"]


def test_without_a_worker_nothing_is_saved(idle: httpx.Client, idle_service: Service, tune: bytes) -> None:
    job = upload(idle, tune[:1000])
    with repository(idle_service.configuration().database) as jobs:
        lease = jobs.claim(job["id"], holder="test", seconds=60)
        assert lease is not None
        assert jobs.succeed(lease, _with_roll("r"), audio=AUDIO, model_name="default", model_sha256="0" * 64)
    assert put(idle, job, NOTES, "*").status_code == 503
    assert read(idle, job)["result"]["version"] == 0
    assert list((idle_service.var / "storage" / "jobs" / job["id"] / "edits").iterdir()) == []


def test_a_message_that_comes_late_does_no_harm(client: httpx.Client, service: Service, job: dict[str, Any]) -> None:
    celery = build_celery(service.configuration())
    send_edit(celery, job["id"], "late-request", 0, expires=60)  # its notes were taken back
    with service.redis() as redis:
        wait_for(lambda: redis.exists(reply_key("late-request")), what="the worker's answer")
    assert read(client, job)["result"]["version"] == 0
    celery.close()


def test_the_table_takes_one_version_after_the_other(jobs: JobRepository) -> None:
    jobs.add(make_job())
    jobs.succeed(claim(jobs), _with_roll("r"), audio=AUDIO, model_name="default", model_sha256="0" * 64)
    seen = stored(jobs)
    assert jobs.add_version(seen, version_document(_with_roll("s"), seen.created_at))
    assert not jobs.add_version(seen, version_document(_with_roll("t"), seen.created_at))
    assert [(one.number, one.revision) for one in versions_of(stored(jobs))] == [(0, "r"), (1, "s")]
    jobs.mark_deleted("a")
    assert not jobs.add_version(stored(jobs), version_document(_with_roll("t"), seen.created_at))


def test_there_is_an_end_of_versions(client: httpx.Client, service: Service, job: dict[str, Any]) -> None:
    save(client, job, NOTES)
    with repository(service.configuration().database) as jobs:
        while (seen := stored(jobs, job["id"])).n_versions < MOST_VERSIONS:
            assert jobs.add_version(seen, seen.versions[0])
    answer = put(client, job, NOTES, "*")
    assert answer.status_code == 409
    assert "100 versions" in answer.json()["detail"]


def test_the_loudness_of_each_hundredth_is_there(client: httpx.Client, tune_job: dict[str, Any], tune: bytes) -> None:
    answer = client.get(tune_job["links"]["peaks"])
    peaks = np.frombuffer(answer.content, dtype=np.uint8)
    assert len(peaks) == round(100 * tune_job["audio"]["duration"]) == round(100 * TUNE_SECONDS)
    with wave.open(io.BytesIO(tune)) as file:
        samples = np.abs(np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32768)
    loudest = samples[: len(peaks) * 160].reshape(-1, 160).max(axis=1)
    assert np.abs(peaks / 255 - loudest).max() < 0.01
    assert client.get(tune_job["links"]["peaks"], headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def _with_roll(name: str) -> Any:
    new = revision(name)
    new.files["piano-roll.json"] = {"sha256": name * 8, "size": 9}
    return new


def test_an_edit_whose_commit_was_not_acknowledged_keeps_its_files(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working_with_a_result(Settings(var=tmp_path, redis_url=redis_url)) as runtime:
        runtime.storage.put(result_key("a", "found", "piano-roll.json"), io.BytesIO(b'{"notes": []}'))
        for name, noted in (("lost", False), ("new", True)):
            runtime.storage.put(edit_key("a", name), io.BytesIO(b'{"notes": [], "track_names": null}'))
            runtime.storage.put(result_key("a", name, "notes.mid"), io.BytesIO(b"MThd"))
            monkeypatch.setattr(editing, "store_edited", lambda *_, name=name, **__: revision(name))
            with unacknowledged("add_version", noted=noted):
                editing.edit(runtime, "a", name, 0)
            assert outcome_told(runtime, name) == ("done" if noted else "failed")
        assert stored(runtime.jobs).n_versions == 1
        assert runtime.storage.exists(result_key("a", "new", "notes.mid"))
        assert not runtime.storage.exists(result_key("a", "lost", "notes.mid"))
