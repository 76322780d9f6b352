"""The commands that containers and units are made of: preflight, health, the table of settings."""

import re

import pytest
from redis import Redis

from app.cli.health import DEAF, HEALTHY, UNHEALTHY, health
from app.cli.preflight import weakness, weaknesses
from app.cli.settings_table import table
from app.heartbeats import SWEEPER, begin_canary, note_consumption
from app.settings import Settings
from tests.deploy.compose import ROOT

GOOD = "q7T2mVx0LkZpR4cN"


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("", "is empty"),
        ("changeme", "contains 'changeme'"),
        ("Please-CHANGE-ME-soon", "contains 'change-me'"),
        ("amt-password-of-2026", "contains 'password'"),
        (GOOD[:-1], "has 15 characters and needs 16"),
        ("abababababababababab", "fewer than 8 different"),
        (GOOD + "@/", "may have letters, digits"),
    ],
)
def test_a_secret_that_is_none_is_refused(secret: str, said: str) -> None:
    found = weakness(secret)
    assert found is not None
    assert said in found
    assert "openssl rand" in found


@pytest.mark.parametrize("secret", [GOOD, "1f0c9a2b7d8e4f6a5b3c1d2e"])
def test_a_random_one_is_taken(secret: str) -> None:
    assert weakness(secret) is None


def test_every_password_that_crosses_a_network_is_looked_at() -> None:
    settings = Settings(
        database_url="postgresql://amt:pa@ss/w@db/amt",
        redis_url="redis://:@redis:6379/0",
        s3_access_key="key",
        s3_secret_key="short",
    )
    found = weaknesses(settings)
    assert [line.partition(":")[0] for line in found] == [
        "the password in AMT_DATABASE_URL", "the password in AMT_REDIS_URL", "AMT_S3_SECRET_KEY",
    ]  # fmt: skip
    assert weaknesses(Settings()) == []
    assert weaknesses(Settings(redis_url="unix:///run/redis.sock")) == []
    assert weaknesses(Settings(redis_url=f"redis://:{GOOD}@redis")) == []


@pytest.mark.parametrize("part", ["transcribe", "decode", "score", "sweeper"])
def test_health_is_seen_in_what_was_consumed(
    redis: Redis, redis_url: str, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(redis_url=redis_url)
    assert health(settings, part) == UNHEALTHY  # type: ignore[arg-type]
    assert "has not worked yet" in capsys.readouterr().err
    note_consumption(redis, part)
    assert health(settings, part) == HEALTHY  # type: ignore[arg-type]
    redis.pexpire(f"amt:consumed:{part}", 86_400_000 - 300_000)  # as if it were five minutes ago
    assert health(settings, part) == UNHEALTHY  # type: ignore[arg-type]
    if part != SWEEPER:
        begin_canary(redis, part, seconds=30)
        assert health(settings, part) == DEAF  # type: ignore[arg-type]
    said = re.search(r"has not worked for (\d+) s", capsys.readouterr().err)
    assert said is not None
    assert 300 <= int(said[1]) < 360  # the minute is for a busy machine


def test_a_worker_is_not_blamed_for_a_redis_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert health(Settings(redis_url="redis://127.0.0.1:9/0"), "transcribe") == UNHEALTHY
    assert "cannot be seen without Redis" in capsys.readouterr().err


def test_the_table_of_settings_is_up_to_date() -> None:
    """docs/settings.md is written by `amt settings`."""
    assert (ROOT / "docs" / "settings.md").read_text().endswith("\n\n" + table() + "\n")


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
