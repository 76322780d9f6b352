"""Alarms, dashboard and runbook speak of numbers that the service really gives."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from app.api.application import create_app
from app.api.metrics import COUNTERS
from app.heartbeats import note_consumption
from app.metrics import count, note_memory, observe_stages
from app.schema import migrate
from app.settings import Settings
from tests.app.service import repository
from tests.app.test_jobs import make_job
from tests.deploy.compose import ROOT, services

PROMETHEUS = ROOT / "docker" / "prometheus"
NAME = re.compile(r"\b(?:amt|process)_[a-z_]+\b")


@pytest.fixture(scope="module")
def alarms() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / "alarms.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.fixture(scope="module")
def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ROOT / "docker/grafana/dashboards/amt.json").read_text())["panels"]
    return found


@pytest.fixture
def known(redis: Redis, redis_url: str, tmp_path: Path) -> set[str]:
    """Names of all samples, once each thing that is counted has happened."""
    settings = Settings(var=tmp_path, redis_url=redis_url, metrics="open")
    migrate(settings.database)
    with repository(settings.database) as jobs:
        jobs.add(make_job())
    for name in COUNTERS:
        count(redis, name)
    observe_stages(redis, {"waiting": 1.0})
    note_memory(redis, "a worker")
    for queue in settings.queues:
        note_consumption(redis, queue)
    with ThreadPoolExecutor(1) as thread:  # the tests of the page leave a loop running in this one
        text = thread.submit(asyncio.run, _scrape(settings)).result()
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


async def _scrape(settings: Settings) -> str:
    transport = httpx.ASGITransport(app=create_app(settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        await client.get("/healthz")
        return (await client.get("/metrics")).text


def test_alarms_and_panels_ask_for_numbers_that_there_are(
    known: set[str], alarms: list[dict[str, Any]], panels: list[dict[str, Any]]
) -> None:
    expressions = [rule["expr"] for rule in alarms]
    expressions += [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for expression in expressions for name in NAME.findall(expression)}
    assert len(asked) > 10
    assert asked - known == set()


def test_the_runbook_says_what_to_do_at_each_alarm(alarms: list[dict[str, Any]]) -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert headings[: len(alarms)] == [rule["annotations"]["summary"] for rule in alarms]


def test_an_alarm_has_a_name_a_severity_and_an_expression(alarms: list[dict[str, Any]]) -> None:
    assert len({rule["alert"] for rule in alarms}) == len(alarms)
    for rule in alarms:
        assert rule["labels"]["severity"] in ("page", "warn")
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_prometheus_and_grafana_find_each_other_and_the_service(panels: list[dict[str, Any]]) -> None:
    stack = services()
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    (target,) = scraped["scrape_configs"][0]["static_configs"][0]["targets"]
    assert target.partition(":")[0] in stack
    assert scraped["rule_files"] == ["alarms.yml"]
    provisioning = ROOT / "docker" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards/amt.yml").read_text())["providers"]
    assert provider["options"]["path"] in {volume["target"] for volume in stack["grafana"]["volumes"]}
