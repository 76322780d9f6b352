"""Trying out added models: one process at a time, and what is not a model's fault is not counted against it."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from pydantic import SecretStr

from app.catalogue import ModelEntry
from app.schema import migrate
from app.served.repository import MOST_ATTEMPTS, ModelRepository, new_model
from app.served.table import ModelState
from app.settings import Settings
from app.storage import open_storage
from app.storage.interface import model_key
from app.worker.check_models import check_models
from app.worker.runtime import Runtime
from tests.app.test_models import entry_of, variant
from tests.app.working import working_process

DATA = variant("added")
BUCKET_THAT_IS_AWAY = {
    "storage_url": "s3://bucket",
    "s3_endpoint": "http://127.0.0.1:9",
    "s3_region": "us-east-1",
    "s3_access_key": "tester",
    "s3_secret_key": SecretStr("of no importance"),
}


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, database_url: str) -> Settings:
    migrate(database_url)
    return Settings(var=tmp_path / "var", redis_url=redis_url, database_url=database_url)


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    """A process for which an added model waits."""
    with working_process(settings, "transcribe") as found:
        found.redis.flushall()
        key = model_key("added")
        found.storage.put(key, io.BytesIO(DATA))
        entry = entry_of(DATA, "added") | {"stored": key}
        assert found.models.added.add(new_model("added", entry["sha256"], entry, None))
        yield found


def test_of_many_processes_one_tries(settings: Settings, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    n_processes = MOST_ATTEMPTS + 2
    all_have_read = Barrier(n_processes)
    begun: list[str] = []
    unchecked, load = ModelRepository.unchecked, Runtime.load

    def read_together(repository: ModelRepository) -> Any:
        rows = unchecked(repository)
        all_have_read.wait(timeout=60)
        return rows

    def count(one: Runtime, entry: ModelEntry) -> Any:
        begun.append(entry.name)
        return load(one, entry)

    monkeypatch.setattr(ModelRepository, "unchecked", read_together)
    monkeypatch.setattr(Runtime, "load", count)
    with ExitStack() as opened, ThreadPoolExecutor(n_processes) as pool:
        others = [opened.enter_context(working_process(settings, "transcribe")) for _ in range(n_processes - 1)]
        list(pool.map(check_models, [runtime, *others]))
    model = runtime.models.added.get("added")
    assert model is not None
    assert (model.state, model.attempts, begun) == (ModelState.READY, 1, ["added"])


def test_a_store_that_is_away_is_not_the_models_fault(
    settings: Settings, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    here = runtime.storage
    runtime.storage = open_storage(settings.model_copy(update=BUCKET_THAT_IS_AWAY))
    for _ in range(MOST_ATTEMPTS + 1):
        check_models(runtime)
    assert "added models are not checked for now" in caplog.text
    runtime.storage = here
    check_models(runtime)
    model = runtime.models.added.get("added")
    assert model is not None
    assert (model.state, model.attempts) == (ModelState.READY, 1)
