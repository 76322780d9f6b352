"""Models come to a running service: published beside it, or sent to it. No job is lost over it."""

import hashlib
import io
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load, save

from app.api.admission import admission
from app.api.caller import Caller
from app.catalogue import Catalogue, CatalogueError, ModelEntry, load_catalogue
from app.checkpoint_header import HeaderError, read_header
from app.database import open_database, session_factory
from app.errors import InvalidRequest
from app.jobs.repository import JobRepository
from app.schema import migrate
from app.served.folder import CheckpointFolder
from app.served.repository import MOST_ATTEMPTS, ModelRepository, StillUsedError, new_model
from app.served.table import ModelState
from app.settings import Settings
from model.checkpoint import file_sha256
from tests.app.faults.stack import QUICK
from tests.app.service import Service, finished, read, running, running_job, short_folder, upload, wait_for
from tests.app.test_jobs import make_job
from tests.app.test_requests import problem
from training.publish import place, write_manifest

SHIPPED = Settings().checkpoint


def shipped() -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """Weights and metadata of the checkpoint that comes with the project."""
    (path,) = SHIPPED.glob("*.safetensors")
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return load(data), json.loads(data[8 : 8 + length])["__metadata__"]


def variant(remark: str, **metadata: str) -> bytes:
    """The shipped network under another SHA-256."""
    weights, known = shipped()
    return save(weights, metadata=known | metadata | {"remark": remark})


def entry_of(data: bytes, name: str) -> dict[str, Any]:
    """What a manifest says of these bytes."""
    entry: dict[str, Any] = json.loads((SHIPPED / "manifest.json").read_text())["models"][0]
    sha256 = _sha256(data)
    return entry | {"name": name, "sha256": sha256, "file": f"{name}-{sha256[:8]}.safetensors", "bytes": len(data)}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def publish(folder: Path, data: bytes, name: str, **decoding: float) -> str:
    """As `python -m training publish` does it; gives the SHA-256."""
    entry = entry_of(data, name)
    entry["decoding"] = entry["decoding"] | decoding
    source = folder.parent / f"trained-{name}"
    source.write_bytes(data)
    place(source, folder, entry["file"], entry["sha256"])
    manifest = json.loads((folder / "manifest.json").read_text())
    others = [one for one in manifest["models"] if one["name"] != name]
    write_manifest(folder, manifest | {"models": [entry, *others]})
    sha256: str = entry["sha256"]
    return sha256


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped checkpoints."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "checkpoints"))


@pytest.fixture(scope="module")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path_factory.mktemp("served") / "checkpoints"))


@pytest.fixture(scope="module")
def whole(served_folder: Path) -> Iterator[Service]:
    """The whole service on checkpoints that a test may add to."""
    settings = QUICK | {"checkpoint": str(served_folder)}
    with running(Service(short_folder() / "var", settings=settings)) as service:
        yield service


@pytest.fixture
def http(whole: Service) -> Iterator[httpx.Client]:
    with whole.client() as client:
        yield client


def done(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    ended = finished(client, job)
    assert ended["status"] == "succeeded", ended["error"]
    return ended


# Published while it runs -------------------------------------------------------------------------------------------


def test_what_is_published_is_taken_between_two_jobs(
    whole: Service,
    http: httpx.Client,
    served_folder: Path,
    tune: bytes,
    long_tune: bytes,
) -> None:
    old = http.get("/v1/models").json()["models"][0]["sha256"]
    first = running_job(http, long_tune)
    waiting = [upload(http, tune) for _ in range(3)]
    assert read(http, first)["status"] == "running"
    new = publish(served_folder, variant("trained longer"), "default", latency_ms=35.0)
    after = upload(http, tune)
    assert after["model"] == {"name": "default", "sha256": new}
    assert done(http, first)["model"] == {"name": "default", "sha256": old}
    ended = [done(http, job) for job in [*waiting, after]]
    assert {job["model"]["sha256"] for job in ended} == {new}
    assert len({http.get(job["links"]["notes_csv"]).headers["ETag"] for job in ended}) == 1
    said = [job["result"]["warnings"] for job in ended]
    assert said == [["the model default was replaced while this waited; the new one heard it"]] * 3 + [[]]
    assert [model["sha256"] for model in http.get("/v1/models").json()["models"]] == [new]
    assert "transcribe died" not in whole.log


def test_a_published_name_can_be_asked_for(http: httpx.Client, served_folder: Path, tune: bytes) -> None:
    sha256 = publish(served_folder, variant("another"), "accurate")
    assert done(http, upload(http, tune, model="accurate"))["model"] == {"name": "accurate", "sha256": sha256}
    answer = http.post("/v1/transcriptions", files={"file": ("a.wav", tune)}, data={"model": "loud"})
    assert "there is no such model; there are accurate, default" in problem(answer, 422, "invalid-request")["detail"]


def test_a_publication_that_is_broken_changes_nothing(
    whole: Service, http: httpx.Client, served_folder: Path, tune: bytes
) -> None:
    before = http.get("/v1/models").json()
    manifest = served_folder / "manifest.json"
    good = manifest.read_text()
    sha256 = _sha256(variant("cut"))
    for text in ('{"default": ', good.replace(before["models"][0]["sha256"], sha256)):
        manifest.write_text(text)
        assert http.get("/v1/models").json() == before
        assert done(http, upload(http, tune))["model"]["sha256"] in {one["sha256"] for one in before["models"]}
    assert "what was published is not served" in whole.log
    manifest.write_text(good)


def test_a_manifest_that_comes_before_its_file_is_looked_at_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.served.folder.PATIENCE_SECONDS", 0.0)
    served = CheckpointFolder(folder)
    before = served.current()
    sha256 = publish(folder, variant("late"), "default")
    [late] = folder.glob(f"*{sha256[:8]}*")
    elsewhere = late.rename(folder.parent / late.name)
    assert served.current() == before
    elsewhere.rename(late)
    assert [entry.sha256 for entry in served.current().models] == [sha256]


def test_a_network_that_cannot_be_loaded_leaves_its_predecessor_at_work(
    whole: Service, http: httpx.Client, served_folder: Path, tune: bytes
) -> None:
    former = done(http, upload(http, tune, model="default"))["model"]
    weights, metadata = shipped()
    del weights["head.weight"]
    publish(served_folder, save(weights, metadata=metadata), "default")
    assert done(http, upload(http, tune, model="default"))["model"] == former
    assert "its predecessor goes on" in whole.log
    publish(served_folder, variant("mended"), "default")


# Sent to it --------------------------------------------------------------------------------------------------------


def send(client: httpx.Client, data: bytes, **metadata: Any) -> httpx.Response:
    form = {"metadata": json.dumps({"sha256": _sha256(data)} | metadata)}
    return client.post("/v1/models", files={"file": ("x.safetensors", data)}, data=form)


def checked(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "checking"

    def state() -> dict[str, Any] | None:
        document: dict[str, Any] = client.get(answer.headers["Location"]).json()
        return document if document["state"] != "checking" else None

    found: dict[str, Any] = wait_for(state, what="a worker's word")
    return found


def test_a_model_that_was_sent_is_checked_and_served(whole: Service, http: httpx.Client, tune: bytes) -> None:
    data = variant("sent")
    metadata = entry_of(data, "sent") | {
        "licence": "mine",
        "decoding": {"onset_threshold": 0.3, "frame_threshold": 0.4},
    }
    metadata["decoding"]["min_note_ms"] = 20.0
    answer = send(http, data, **metadata)
    assert [one["name"] for one in http.get("/v1/models").json()["models"]] != ["sent"]
    status = checked(http, answer)
    assert (status["state"], status["reason"]) == ("ready", None)
    assert status["model"]["parameters"] > 100_000
    assert status["model"]["frame_rate"] == pytest.approx(entry_of(data, "x")["frame_rate"])
    assert status["model"] in http.get("/v1/models").json()["models"]
    job = done(http, upload(http, tune, model="sent"))
    assert job["model"] == {"name": "sent", "sha256": _sha256(data)}
    assert job["options"]["onset_threshold"] == 0.3
    problem(send(http, variant("other"), name="sent"), 409, "model-exists")
    former = http.get("/v1/models").json()["default"]
    assert http.patch("/v1/models", json={"default": "sent"}).json()["default"] == "sent"
    assert done(http, upload(http, tune))["model"]["name"] == "sent"
    answer = http.patch("/v1/models", json={"default": "loud"})
    assert "default: there is no such model; there are" in problem(answer, 422, "invalid-request")["detail"]
    http.patch("/v1/models", json={"default": former})
    stored = whole.var / "storage" / "models"
    assert [file_sha256(path) for path in stored.iterdir()] == [_sha256(data)]
    assert http.delete("/v1/models/sent").status_code == 204
    assert list(stored.iterdir()) == []
    assert http.get("/v1/models/sent").status_code == 404
    assert read(http, job)["model"]["name"] == "sent"
    assert http.post(job["links"]["decode"], json={"onset_threshold": 0.8}).status_code == 200


def test_a_model_that_does_not_load_is_refused_and_its_name_free(
    whole: Service, http: httpx.Client, tune: bytes
) -> None:
    weights, metadata = shipped()
    weights.pop(min(name for name in weights if name.endswith(".weight")))
    status = checked(http, send(http, save(weights, metadata=metadata), name="half"))
    assert status["state"] == "refused"
    assert "cannot be loaded" in status["reason"]
    assert "half" not in {one["name"] for one in http.get("/v1/models").json()["models"]}
    answer = http.post("/v1/transcriptions", files={"file": ("a.wav", tune)}, data={"model": "half"})
    problem(answer, 422, "invalid-request")
    assert http.delete("/v1/models/half").status_code == 204
    assert http.get("/v1/models/half").status_code == 404
    assert checked(http, send(http, save(weights, metadata=metadata), name="half"))["state"] == "refused"
    whole_one = variant("whole")
    assert checked(http, send(http, whole_one, name="half"))["state"] == "ready"
    kept = (whole.var / "storage" / "models").iterdir()
    assert [file_sha256(path) for path in kept] == [_sha256(whole_one)]


def test_a_model_that_is_needed_stays(idle: httpx.Client, idle_service: Service) -> None:
    """Nobody works here, so it is put among the served ones by hand."""
    assert send(idle, variant("x"), name="needed").status_code == 202
    engine = open_database(idle_service.configuration().database)
    models = ModelRepository(session_factory(engine))
    models.accept(models.get("needed"))  # type: ignore[arg-type]
    job = upload(idle, b"x", model="needed")
    for choice, said in (("needed", "choose another one first"), ("default", "1 jobs wait for it or run with it")):
        assert idle.patch("/v1/models", json={"default": choice}).status_code == 200
        assert said in problem(idle.delete("/v1/models/needed"), 409, "model-kept")["detail"]
    assert idle.delete(job["links"]["self"]).status_code == 204
    assert idle.delete("/v1/models/needed").status_code == 204
    assert "published with the service" in problem(idle.delete("/v1/models/default"), 409, "model-kept")["detail"]
    problem(idle.delete("/v1/models/none"), 404, "not-found")
    assert list((idle_service.var / "storage" / "models").iterdir()) == []
    engine.dispose()


def test_no_job_comes_for_a_model_that_goes(database_url: str) -> None:
    """Asked for while it was served, noted when it is gone: refused, since another network must not answer for it."""
    migrate(database_url)
    engine = open_database(database_url)
    sessions = session_factory(engine)
    models, jobs = ModelRepository(sessions), JobRepository(sessions)
    entry = ModelEntry.model_validate(entry_of(b"x", "gone") | {"stored": "models/x.safetensors"})
    admit = admission(Settings(), Caller(None, "127.0.0.1"), entry)
    with pytest.raises(InvalidRequest, match="was removed just now"):
        jobs.add(make_job("late", model_name="gone"), admit=admit)
    assert jobs.get("late") is None
    assert models.add(new_model("gone", entry.sha256, entry.model_dump(mode="json"), None))
    jobs.add(make_job("early", model_name="gone"), admit=admit)
    with pytest.raises(StillUsedError):
        models.remove("gone")
    jobs.cancel("early")
    assert models.remove("gone") is not None
    assert models.remove("gone") is None
    engine.dispose()


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"name": "../x"}, "metadata.name"),
        ({"name": ""}, "metadata.name"),
        ({"name": "x", "sha256": "0" * 64}, "file: has SHA-256"),
        ({"name": "x", "sha256": "no"}, "metadata.sha256"),
        ({"name": "x", "decoding": {"onset_threshold": 2}}, "metadata.decoding.onset_threshold"),
        ({}, "metadata.name"),
    ],
)
def test_wrong_metadata_are_named(idle: httpx.Client, metadata: dict[str, Any], said: str) -> None:
    assert said in problem(send(idle, variant("x"), **metadata), 422, "invalid-request")["detail"]
    assert idle.get("/v1/models/x").status_code == 404


def test_what_is_no_checkpoint_is_refused_at_once(idle: httpx.Client) -> None:
    good = variant("x")
    foreign = save({"a": np.zeros(3, np.float32)})
    for data, said in (
        (b"x", "is not a safetensors file"),
        (b"\xff" * 100, "is not a safetensors file"),
        (good[:-1], "it was cut or changed"),
        (good + b"x", "it was cut or changed"),
        (foreign, "no checkpoint of this project"),
    ):
        detail = problem(send(idle, data, name="x"), 422, "invalid-request")["detail"]
        assert said in detail, data[:20]
    answer = idle.post("/v1/models", files={"file": ("x", good)}, data={"metadata": "{"})
    problem(answer, 422, "invalid-request")


def test_a_model_that_kills_its_workers_is_given_up(database_url: str) -> None:
    migrate(database_url)
    engine = open_database(database_url)
    models = ModelRepository(session_factory(engine))
    row = new_model("deadly", "0" * 64, {}, None)
    assert models.add(row)
    assert not models.add(new_model("deadly", "1" * 64, {}, None))
    assert [models.begin_check(row) for _ in range(MOST_ATTEMPTS + 1)] == [True] * MOST_ATTEMPTS + [False]
    models.refuse(row, "why" * 1000)
    models.accept(row)  # too late
    assert models.get("deadly").state == ModelState.REFUSED  # type: ignore[union-attr]
    assert list(models.unchecked()) == list(models.ready()) == []
    assert models.add(new_model("deadly", "1" * 64, {}, None))
    assert models.default() is None
    for name in ("a", "b"):
        models.choose_default(name)
    assert models.default() == "b"
    engine.dispose()


# One file, or a folder ---------------------------------------------------------------------------------------------


def test_one_checkpoint_is_enough(tmp_path: Path) -> None:
    data = variant("alone")
    path = tmp_path / "mine.safetensors"
    path.write_bytes(data)
    catalogue = load_catalogue(path)
    (entry,) = catalogue.models
    assert (catalogue.default, entry.sha256, entry.bytes) == ("mine", _sha256(data), len(data))
    assert entry.frame_rate == pytest.approx(entry_of(data, "x")["frame_rate"])


def test_a_manifest_beside_it_is_believed(folder: Path) -> None:
    (path,) = folder.glob("*.safetensors")
    assert load_catalogue(path) == Catalogue(default="default", models=load_catalogue(folder).models[:1])


@pytest.mark.parametrize("data", [b"", b"x" * 100])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(CatalogueError, match=r"bad\.safetensors is not a safetensors file"):
        load_catalogue(path)
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_catalogue(tmp_path / "none.safetensors")


def test_a_replaced_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(variant("one"))
    watched = CheckpointFolder(path)
    before = watched.current()
    assert watched.current() is before
    other = tmp_path / "other"
    other.write_bytes(variant("two"))
    other.replace(path)
    assert watched.current().models[0].sha256 == file_sha256(path) != before.models[0].sha256


@pytest.mark.parametrize(
    "header",
    [b"[]", b"{}", b"nul", b'{"__metadata__": []}', b'{"__metadata__": {"network": "[1]"}}', b'{"a": 1}',
     b'{"__metadata__": {"network": "{}"}}', b"[" * 100_000, b'{"a": {"data_offsets": [0], "shape": []}}'],
)  # fmt: skip
def test_strange_headers_are_refused(header: bytes) -> None:
    data = struct.pack("<Q", len(header)) + header
    with pytest.raises(HeaderError):
        read_header(io.BytesIO(data), len(data))
