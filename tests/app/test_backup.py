"""Backups: made while the service works, restored into nothing, and the service goes on."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.backup import make_backup, restore_backup
from app.backup.layout import BackupError
from app.clock import utc_now
from app.database import open_database, session_factory
from app.jobs.repository import JobRepository, ResultFiles
from app.jobs.states import ErrorCode, Status
from app.jobs.versions import version_document
from app.keys.repository import KeyRepository
from app.keys.table import Scope
from app.schema import migrate, open_whole
from app.served.repository import ModelRepository, new_model
from app.settings import Settings
from app.storage import open_storage
from app.storage.interface import Storage, activations_key, audio_key, model_key, peaks_key, result_key
from app.webhooks.repository import WebhookRepository
from app.webhooks.send import Outcome
from tests.app.service import Service, finished, repository, running, short_folder, upload
from tests.app.test_jobs import AUDIO, claim, make_job, stored
from tests.app.test_notes import NOTES


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = open_database(database_url)
    yield made
    made.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    return open_storage(Settings(storage_url=(tmp_path / "store").as_uri()))


@pytest.fixture
def empty_store(tmp_path: Path) -> Storage:
    return open_storage(Settings(storage_url=(tmp_path / "other store").as_uri()))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    made = open_whole(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    yield made
    made.dispose()


def put_result(jobs: JobRepository, store: Storage, name: str, revision: str) -> ResultFiles:
    put = store.put(result_key(name, revision, "notes.mid"), io.BytesIO(b"MThd" + revision.encode()))
    store.put(activations_key(name), io.BytesIO(b"what was heard"))
    return ResultFiles(revision, {"notes.mid": {"sha256": put.sha256, "size": put.size}}, {"n_notes": 1})


def add_job(jobs: JobRepository, store: Storage, name: str) -> None:
    audio = store.put(audio_key(name), io.BytesIO(f"sound of {name}".encode()))
    jobs.add(make_job(name, file_sha256=audio.sha256, file_name="Étude.wav"))


def add_finished_job(jobs: JobRepository, store: Storage, name: str) -> None:
    add_job(jobs, store, name)
    assert jobs.succeed(
        claim(jobs, name), put_result(jobs, store, name, "r"), audio=AUDIO, model_name="m", model_sha256="2" * 64
    )


def test_a_backup_comes_back_in_the_other_kind_of_database(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, empty_store: Storage, tmp_path: Path
) -> None:
    add_finished_job(jobs, store, "done")
    add_job(jobs, store, "waiting")
    add_job(jobs, store, "running")
    claim(jobs, "running")
    jobs.add(make_job("expired", status=Status.EXPIRED, files_gone=True))
    assert make_backup(engine, store, tmp_path / "backup").jobs == 4
    assert restore_backup(empty, empty_store, tmp_path / "backup").jobs == 4
    with repository(empty.url.render_as_string(hide_password=False)) as restored:
        for name in ("done", "waiting", "expired"):
            before, after = (vars(stored(table, name)) for table in (jobs, restored))
            assert before | {"_sa_instance_state": None} == after | {"_sa_instance_state": None}
        lost = stored(restored, "running")
        assert (lost.status, lost.lease_token, lost.attempts) == (Status.QUEUED, None, 1)
    for key in (audio_key("done"), activations_key("done"), result_key("done", "r", "notes.mid"), audio_key("running")):
        with store.local_copy(key) as one, empty_store.local_copy(key) as other:
            assert one.read_bytes() == other.read_bytes()


def add_edited_job(jobs: JobRepository, store: Storage, name: str) -> None:
    """A job with a result, its waveform, and one edited version."""
    add_job(jobs, store, name)
    peaks = store.put(peaks_key(name), io.BytesIO(b"peaks"))
    audio = AUDIO | {"peaks": {"sha256": peaks.sha256, "size": peaks.size}}
    found = put_result(jobs, store, name, "r")
    assert jobs.succeed(claim(jobs, name), found, audio=audio, model_name="m", model_sha256="2" * 64)
    version = version_document(put_result(jobs, store, name, "edited"), utc_now())
    assert jobs.add_version(stored(jobs, name), version)


def test_edited_versions_and_waveforms_come_back(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, empty_store: Storage, tmp_path: Path
) -> None:
    add_edited_job(jobs, store, "a")
    make_backup(engine, store, tmp_path / "backup")
    restore_backup(empty, empty_store, tmp_path / "backup")
    for key in (result_key("a", "r", "notes.mid"), result_key("a", "edited", "notes.mid"), peaks_key("a")):
        with store.local_copy(key) as one, empty_store.local_copy(key) as other:
            assert one.read_bytes() == other.read_bytes()
    with repository(empty.url.render_as_string()) as restored:
        assert stored(restored, "a").versions == stored(jobs, "a").versions


def test_a_backup_of_the_first_format_comes_back_without_what_it_lacks(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, empty_store: Storage, tmp_path: Path
) -> None:
    """Those had no files of edited versions and no waveforms: no row may promise them."""
    add_edited_job(jobs, store, "a")
    make_backup(engine, store, tmp_path / "backup")
    manifest = tmp_path / "backup" / "backup.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 1}))
    files = tmp_path / "backup" / "files"
    for key in (result_key("a", "edited", "notes.mid"), peaks_key("a")):
        (files / key).unlink()
    restore_backup(empty, empty_store, tmp_path / "backup")
    with repository(empty.url.render_as_string()) as restored:
        job = stored(restored, "a")
        assert (job.versions, job.n_versions, job.audio) == ([], 0, AUDIO)


def test_keys_models_and_webhooks_come_back(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, empty_store: Storage, tmp_path: Path
) -> None:
    sessions = session_factory(engine)
    key, secret = KeyRepository(sessions).create("me", [Scope.READ])
    put = store.put(model_key("m"), io.BytesIO(b"weights"))
    ModelRepository(sessions).add(new_model("guitar", put.sha256, {"stored": model_key("m")}, key.id))
    webhooks = WebhookRepository(sessions)
    webhooks.add_endpoint("https://example.org/", owner=key.id)
    jobs.add(make_job("a", owner=key.id, status=Status.CANCELLED, files_gone=True))
    jobs.add(make_job("b", owner=key.id, files_gone=True))
    jobs.cancel("b")
    (delivery,) = webhooks.due(webhooks.endpoints()[0].id, utc_now(), limit=9)
    webhooks.note(delivery, Outcome(5, http_status=500))
    make_backup(engine, store, tmp_path / "backup")
    restore_backup(empty, empty_store, tmp_path / "backup")
    restored = session_factory(empty)
    found = KeyRepository(restored).find(secret)
    assert found is not None
    assert found.id == key.id
    model = ModelRepository(restored).get("guitar")
    assert model is not None
    with empty_store.local_copy(model.entry["stored"]) as path:
        assert path.read_bytes() == b"weights"
    again = WebhookRepository(restored)
    assert again.endpoints()[0].secret == webhooks.endpoints()[0].secret
    again.note(delivery, Outcome(5, http_status=204))
    assert [attempt.http_status for attempt, _ in again.log(limit=9)] == [204, 500]


def test_jobs_that_change_under_the_backup_are_whole_in_it(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, empty_store: Storage, tmp_path: Path
) -> None:
    """One is decoded again and one deleted after the tables were read and before its files are."""
    for name in ("a", "again", "deleted"):
        add_finished_job(jobs, store, name)

    class Late:
        """The store, in which somebody else is at work just when the first file is read."""

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def local_copy(self, key: str) -> object:
            if jobs.mark_deleted("deleted"):
                store.delete("jobs/deleted")
                jobs.remove("deleted")
                new = put_result(jobs, store, "again", "s")
                assert jobs.replace_results("again", replaced="r", new=new, options={"tempo": 60.0})
                store.delete("jobs/again/results/r")
            return store.local_copy(key)

    assert make_backup(engine, Late(), tmp_path / "backup").jobs == 2  # type: ignore[arg-type]
    restore_backup(empty, empty_store, tmp_path / "backup")
    with repository(empty.url.render_as_string()) as restored:
        assert restored.get("deleted") is None
        assert stored(restored, "again").revision == "s"
    with empty_store.local_copy(result_key("again", "s", "notes.mid")) as path:
        assert path.read_bytes() == b"MThds"
    assert set(empty_store.folders("jobs")) == {"a", "again"}


def test_a_damaged_backup_is_refused_and_leaves_nothing(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, empty_store: Storage, tmp_path: Path
) -> None:
    add_finished_job(jobs, store, "a")
    make_backup(engine, store, tmp_path / "backup")
    (tmp_path / "backup" / "files" / "jobs" / "a" / "audio").write_bytes(b"rotten")
    with pytest.raises(BackupError, match="is damaged"):
        restore_backup(empty, empty_store, tmp_path / "backup")
    assert list(empty_store.folders("jobs")) == []
    migrate(empty.url.render_as_string())
    with repository(empty.url.render_as_string()) as restored:
        assert restored.get("a") is None


def test_what_is_there_is_never_overwritten(
    engine: Engine, jobs: JobRepository, store: Storage, empty_store: Storage, tmp_path: Path
) -> None:
    add_finished_job(jobs, store, "a")
    make_backup(engine, store, tmp_path / "backup")
    with pytest.raises(BackupError, match="exists"):
        make_backup(engine, store, tmp_path / "backup")
    with pytest.raises(BackupError, match="the store holds jobs"):
        restore_backup(engine, store, tmp_path / "backup")
    with pytest.raises(BackupError, match="there are jobs already"):
        restore_backup(engine, empty_store, tmp_path / "backup")
    assert list(empty_store.folders("jobs")) == []


def test_what_is_left_of_a_deleted_job_is_in_no_backup_and_in_nobodys_way(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, empty_store: Storage, tmp_path: Path
) -> None:
    add_finished_job(jobs, store, "a")
    for url in (engine.url, empty.url):
        migrate(url.render_as_string(hide_password=False))
        with repository(url.render_as_string(hide_password=False)) as table:
            table.add(make_job("deleted"))
            assert table.fail(claim(table, "deleted"), ErrorCode.INTERNAL, "")
            assert table.mark_deleted("deleted")
            assert table.remove("deleted")
    assert make_backup(engine, store, tmp_path / "backup").jobs == 1
    assert restore_backup(empty, empty_store, tmp_path / "backup").jobs == 1


def add_model(engine: Engine, store: Storage, name: str) -> str:
    """A model that is served; gives the key of its file."""
    models, key = ModelRepository(session_factory(engine)), model_key(name)
    put = store.put(key, io.BytesIO(b"weights of " + name.encode()))
    model = new_model(name, put.sha256, {"stored": key}, None)
    assert models.add(model)
    models.accept(model)
    return key


def test_models_that_are_there_stay_when_a_backup_is_refused(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, empty_store: Storage, tmp_path: Path
) -> None:
    add_model(engine, store, "alpha")
    make_backup(engine, store, tmp_path / "backup")
    migrate(empty.url.render_as_string())
    present = add_model(empty, empty_store, "beta")
    with pytest.raises(BackupError, match="there are models already"):
        restore_backup(empty, empty_store, tmp_path / "backup")
    assert empty_store.exists(present)


def test_a_model_that_is_removed_meanwhile_is_left_out(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, empty_store: Storage, tmp_path: Path
) -> None:
    kept, removed = (add_model(engine, store, name) for name in ("kept", "removed"))
    models = ModelRepository(session_factory(engine))

    class Late:
        """The store, in which somebody else is at work just when the first file is read."""

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def local_copy(self, key: str) -> object:
            if models.remove("removed"):
                store.delete(removed)
            return store.local_copy(key)

    make_backup(engine, Late(), tmp_path / "backup")  # type: ignore[arg-type]
    restore_backup(empty, empty_store, tmp_path / "backup")
    assert [model.name for model in ModelRepository(session_factory(empty)).ready()] == ["kept"]
    assert (empty_store.exists(kept), empty_store.exists(removed)) == (True, False)


@pytest.mark.parametrize("change", [{"format": 99}, {"revision": "9999"}])
def test_a_backup_of_a_newer_version_is_refused(
    engine: Engine, jobs: JobRepository, store: Storage, empty: Engine, tmp_path: Path, change: dict[str, object]
) -> None:
    make_backup(engine, store, tmp_path / "backup")
    manifest = tmp_path / "backup" / "backup.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    with pytest.raises(BackupError, match="newer version"):
        restore_backup(empty, store, tmp_path / "backup")


def amt(service: Service, *words: str) -> str:
    """Run a command on a service's folder; gives what it wrote."""
    command = Service(service.var, words=words, settings=service.settings).spawn()
    assert command.process is not None
    assert command.process.wait(timeout=120) == 0, command.log
    return command.log


def test_a_service_goes_on_from_a_backup_of_one_at_work(tune: bytes) -> None:
    """Uploads go on while the backup is made; each job in it is transcribed or waits, and ends at the other place."""
    busy = Service(short_folder() / "var")
    backup = busy.var.with_name("backup")
    with running(busy), busy.client() as client, ThreadPoolExecutor(1) as pool:
        jobs = [finished(client, upload(client, tune)), upload(client, tune)]
        edited = client.put(jobs[0]["links"]["notes"], json={"notes": NOTES}, headers={"If-Match": "*"}).json()
        midi = client.get(edited["links"]["midi"]).content
        making = pool.submit(amt, busy, "backup", str(backup))
        jobs += [upload(client, tune) for _ in range(2)]
        making.result()
    manifest = json.loads((backup / "backup.json").read_text())
    assert manifest["jobs"] >= 2
    other = Service(short_folder() / "var")
    assert "restored" in amt(other, "restore", str(backup))
    with running(other), other.client() as client:
        listed = client.get("/v1/transcriptions").json()["transcriptions"]
        assert len(listed) == manifest["jobs"]
        assert {job["id"] for job in jobs[:2]} <= {job["id"] for job in listed} <= {job["id"] for job in jobs}
        ended = [finished(client, job) for job in listed]
        assert {job["status"] for job in ended} == {"succeeded"}
        assert len({client.get(job["links"]["midi"]).content for job in ended}) == 1
        assert client.get(edited["links"]["midi"]).content == midi
        assert client.get(jobs[0]["links"]["peaks"]).status_code == 200


def test_a_running_service_is_not_restored_over(service: Service, tmp_path: Path) -> None:
    command = Service(tmp_path / "x", words=("restore", str(tmp_path)), settings={"var": str(service.var)}).spawn()
    assert command.process is not None
    assert command.process.wait(timeout=120) == 1
    assert "another `amt serve`" in command.log
