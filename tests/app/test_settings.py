"""Settings: read once, checked at the start, explained in words."""

import os
from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AMT_"):
            monkeypatch.delenv(name)


def test_defaults_keep_to_this_machine_and_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.var == tmp_path / "var"
    assert settings.database == f"sqlite:///{tmp_path}/var/jobs.sqlite3"
    assert settings.storage == f"file://{tmp_path}/var/storage"
    assert settings.redis == f"unix://{tmp_path}/var/run/redis.sock"
    assert settings.broker == f"redis+socket://{tmp_path}/var/run/redis.sock"
    assert (settings.checkpoint / "manifest.json").name == "manifest.json"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AMT_PRT", "8000", "unknown setting AMT_PRT"),
        ("AMT_PORT", "eighty", "AMT_PORT"),
        ("AMT_PORT", "0", "AMT_PORT"),
        ("AMT_DEVICE", "tpu", "AMT_DEVICE"),
        ("AMT_MAX_SECONDS", "-1", "AMT_MAX_SECONDS"),
        ("AMT_RETENTION_DAYS", "inf", "AMT_RETENTION_DAYS"),
        ("AMT_RETENTION_DAYS", "1e7", "AMT_RETENTION_DAYS"),
        ("AMT_LEASE_SECONDS", "inf", "AMT_LEASE_SECONDS"),
        ("AMT_SCORE_SECONDS", "inf", "AMT_SCORE_SECONDS"),
        ("AMT_REDIS_URL", "http://x", "AMT_REDIS_URL: must start with redis://"),
        ("AMT_DATABASE_URL", "mysql://x", "AMT_DATABASE_URL: must start with sqlite:/// or postgresql://"),
        ("AMT_STORAGE_URL", "ftp://x", "AMT_STORAGE_URL"),
        ("AMT_ALLOW_PUBLIC", "yes", "AMT_ALLOW_PUBLIC"),
    ],
)
def test_what_cannot_work_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said.replace("(", r"\(")):
        load_settings()


@pytest.mark.parametrize(
    ("host", "private"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("example.org", False), ("192.168.1.2", False)],
)  # fmt: skip
def test_only_loopback_is_private(host: str, private: bool) -> None:
    assert Settings(host=host).is_private is private
    assert Settings(host=host, allow_public="without-keys").is_private


@pytest.mark.parametrize("url", ["postgresql://u:p@h/d", "postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"])
def test_postgresql_is_spoken_to_by_the_installed_driver(url: str) -> None:
    assert Settings(database_url=url).database == "postgresql+psycopg://u:p@h/d"


def test_redis_falls_back_to_a_port_where_the_path_is_too_long(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / ("x" * 100))
    settings.run.mkdir(parents=True)
    (settings.run / "redis.url").write_text("redis://:secret@127.0.0.1:7000\n")
    assert settings.redis == settings.broker == "redis://:secret@127.0.0.1:7000"
