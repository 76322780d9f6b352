"""Decoding again: other options on the stored activations, one result at any time."""

import errno
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.queue import build_celery, send_decoding
from app.replies import reply_key
from app.schema import migrate
from app.settings import Settings
from app.storage.interface import StoreAwayError, activations_key, result_key
from app.worker import decode as decoding
from tests.app.service import Service, finished, read, repository, upload, wait_for
from tests.app.test_jobs import AUDIO, claim, make_job, revision, stored
from tests.app.working import outcome_told, unacknowledged, working_process, working_with_a_result

OPTIONS = {"onset_threshold": 0.5, "frame_threshold": 0.5, "min_note_ms": 30.0}


@pytest.fixture
def job(client: httpx.Client, tune: bytes) -> dict[str, Any]:
    return finished(client, upload(client, tune))


def decode(client: httpx.Client, job: dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = client.post(job["links"]["decode"], json=options)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_other_options_give_other_notes(client: httpx.Client, job: dict[str, Any]) -> None:
    before = client.get(job["links"]["midi"])
    stricter = decode(client, job, onset_threshold=0.95, lowest_pitch=60)
    assert stricter["options"]["onset_threshold"] == 0.95
    assert stricter["result"]["n_notes"] < job["result"]["n_notes"]
    assert stricter["result"]["revision"] != job["result"]["revision"]
    roll = client.get(job["links"]["piano_roll"]).json()
    assert len(roll["notes"]) == stricter["result"]["n_notes"]
    assert all(note["pitch"] >= 60 for note in roll["notes"])
    assert client.get(job["links"]["midi"]).headers["ETag"] != before.headers["ETag"]
    assert read(client, job) == stricter


def test_the_same_options_give_the_same_bytes(client: httpx.Client, job: dict[str, Any]) -> None:
    before = [client.get(job["links"][name]).content for name in ("midi", "piano_roll", "notes_csv")]
    decode(client, job, onset_threshold=0.9)
    back = decode(client, job)
    assert back["options"] == job["options"]
    assert [client.get(job["links"][name]).content for name in ("midi", "piano_roll", "notes_csv")] == before


def test_no_body_means_the_defaults(client: httpx.Client, job: dict[str, Any]) -> None:
    answer = client.post(job["links"]["decode"])
    assert answer.status_code == 200
    assert answer.json()["options"] == job["options"]


def test_of_many_at_once_one_stays_whole(client: httpx.Client, service: Service, job: dict[str, Any]) -> None:
    tempi = [60.0 + 10 * number for number in range(6)]
    with ThreadPoolExecutor(len(tempi)) as pool:
        answers = list(pool.map(lambda tempo: decode(client, job, tempo=tempo, onset_threshold=0.3), tempi))
    last = read(client, job)
    assert {answer["options"]["tempo"] for answer in answers} <= set(tempi)
    assert last["options"]["tempo"] in tempi
    revisions = service.var / "storage" / "jobs" / job["id"] / "results"
    assert [folder.name for folder in revisions.iterdir()] == [last["result"]["revision"]]
    assert len(client.get(job["links"]["piano_roll"]).json()["notes"]) == last["result"]["n_notes"]


def test_reading_while_decoding_never_misses(client: httpx.Client, job: dict[str, Any]) -> None:
    with ThreadPoolExecutor(2) as pool:
        decoding = pool.submit(lambda: [decode(client, job, tempo=100 + number) for number in range(8)])
        while not decoding.done():
            assert client.get(job["links"]["midi"]).status_code == 200
        decoding.result()


def test_without_a_worker_it_is_unavailable_and_nothing_changes(
    idle: httpx.Client, idle_service: Service, tune: bytes
) -> None:
    job = upload(idle, tune[:1000])
    with repository(idle_service.configuration().database) as jobs:
        lease = jobs.claim(job["id"], holder="test", seconds=60)
        assert lease is not None
        assert jobs.succeed(lease, revision("r"), audio=AUDIO, model_name="default", model_sha256="0" * 64)
    answer = idle.post(job["links"]["decode"])
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert read(idle, job)["result"]["revision"] == "r"


def test_a_request_for_a_deleted_job_does_no_harm(client: httpx.Client, service: Service, tune: bytes) -> None:
    job = finished(client, upload(client, tune))
    assert client.delete(job["links"]["self"]).status_code == 204
    celery = build_celery(service.configuration())
    send_decoding(celery, job["id"], "late-request", job["options"], expires=60)
    with service.redis() as redis:
        wait_for(lambda: redis.exists(reply_key("late-request")), what="the worker's answer")
    assert not (service.var / "storage" / "jobs" / job["id"]).exists()
    celery.close()


def test_old_results_that_cannot_be_deleted_do_not_undo_the_new(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(database_url)
    settings = Settings(var=tmp_path / "var", database_url=database_url, redis_url=redis_url)
    with working_process(settings, "decode") as runtime:
        runtime.jobs.add(make_job("a"))
        found = revision("found")
        assert runtime.jobs.succeed(
            claim(runtime.jobs, "a"), found, audio=AUDIO, model_name="default", model_sha256="2" * 64
        )
        kept = result_key("a", "new", "notes.mid")
        runtime.storage.put(kept, io.BytesIO(b"MThd"))
        monkeypatch.setattr(decoding, "store_results", lambda *_, **__: revision("new"))
        runtime.storage.put(activations_key("a"), io.BytesIO(b"heard"))

        class Unwilling:
            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def delete(self, prefix: str) -> None:
                if "found" in prefix:
                    raise StoreAwayError(errno.EIO, "the bucket does not answer")
                store.delete(prefix)

        store, runtime.storage = runtime.storage, Unwilling()  # type: ignore[assignment]
        decoding.decode(runtime, "a", "new", OPTIONS)
        assert stored(runtime.jobs, "a").revision == "new"
        assert store.exists(kept)


def test_a_new_decoding_whose_commit_was_not_acknowledged_keeps_its_files(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database noted it, and its word was lost on the way: the files that the job names now must stay."""
    with working_with_a_result(Settings(var=tmp_path, redis_url=redis_url)) as runtime:
        for key in (result_key("a", "new", "notes.mid"), result_key("a", "lost", "notes.mid")):
            runtime.storage.put(key, io.BytesIO(b"MThd"))
        for name, noted in (("new", True), ("lost", False)):
            monkeypatch.setattr(decoding, "store_results", lambda *_, name=name, **__: revision(name))
            with unacknowledged("replace_results", noted=noted):
                decoding.decode(runtime, "a", name, OPTIONS)
            assert outcome_told(runtime, name) == ("done" if noted else "failed")
        assert stored(runtime.jobs).revision == "new"
        assert runtime.storage.exists(result_key("a", "new", "notes.mid"))
        assert not runtime.storage.exists(result_key("a", "lost", "notes.mid"))
