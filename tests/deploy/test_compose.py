"""docker-compose.yml: what starts after what, what is fenced in, what is published, what stops the start."""

import re
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import yaml

from app.settings import Settings
from app.supervisor.supervisor import parts
from tests.deploy.compose import GOOD, ROOT, compose, document, services

OURS = {"preflight", "migrate", "api", "worker", "worker-long", "decoder", "engraver", "sweeper", "worker-gpu"}
ONCE = {"preflight", "migrate"}


@pytest.fixture(scope="module")
def stack() -> dict[str, dict[str, Any]]:
    return services()


def test_all_parts_of_the_service_are_there(stack: dict[str, dict[str, Any]]) -> None:
    """Each as `amt serve` would start it."""
    assert set(stack) == OURS | {"postgres", "redis", "prometheus", "grafana", "edge"}
    commands = [service["command"] for name, service in stack.items() if name in OURS - ONCE]
    for _, words, _ in parts(Settings(long_seconds=1200)):
        assert words in commands


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("value", [None, ""])
def test_a_password_that_is_missing_stops_everything(name: str, value: str | None) -> None:
    values = {one: secret for one, secret in GOOD.items() if one != name} | ({name: value} if value is not None else {})
    done = compose("config", **values)
    assert done.returncode != 0
    assert f"{name} is not set - see .env.example" in done.stderr


def test_nothing_is_made_before_the_secrets_were_looked_at(stack: dict[str, dict[str, Any]]) -> None:
    for name in set(stack) - {"preflight", "prometheus", "grafana"}:
        before, waiting = set(), [name]
        while waiting:
            for other, how in stack[waiting.pop()].get("depends_on", {}).items():
                assert how["condition"] in ("service_healthy", "service_completed_successfully")
                before.add(other)
                waiting.append(other)
        assert "preflight" in before, name
    assert stack["preflight"]["environment"]["AMT_DATABASE_URL"] == stack["api"]["environment"]["AMT_DATABASE_URL"]


def test_every_service_is_fenced_in(stack: dict[str, dict[str, Any]]) -> None:
    for name, service in stack.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "edge" else []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) > 0, name
        assert float(service["cpus"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert not service.get("privileged"), name


def test_only_api_edge_and_dashboard_are_published(stack: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in stack.items() if service.get("ports")}
    assert set(published) == {"api", "edge", "grafana"}
    for name in ("api", "grafana"):
        assert [port["host_ip"] for port in published[name]] == ["127.0.0.1"]


def test_workers_have_no_way_out(stack: dict[str, dict[str, Any]]) -> None:
    networks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["networks"]
    inside = {name for name, network in networks.items() if (network or {}).get("internal")}
    for name in ("worker", "worker-long", "decoder", "engraver", "worker-gpu", "postgres", "redis", "migrate"):
        assert set(stack[name]["networks"]) <= inside, name
    assert stack["preflight"]["network_mode"] == "none"
    assert set(stack["sweeper"]["networks"]) - inside == {"egress"}


def test_with_a_bucket_workers_get_one() -> None:
    stack = services(files=("docker/compose.bucket.yml",))
    for name in ("worker", "worker-long", "decoder", "engraver", "worker-gpu"):
        assert set(stack[name]["networks"]) == {"back", "egress"}


def test_containers_are_given_longer_to_stop_than_their_parts_need(stack: dict[str, dict[str, Any]]) -> None:
    needed = {tuple(words): grace for _, words, grace in parts(Settings(long_seconds=1200))}
    for name in OURS - ONCE:
        assert _seconds(stack[name]["stop_grace_period"]) > needed[tuple(stack[name]["command"])], name


def test_the_length_that_divides_the_lanes_is_the_same_for_all() -> None:
    stack = services(AMT_LONG_SECONDS="1200")
    assert {stack[name]["environment"]["AMT_LONG_SECONDS"] for name in OURS} == {"1200"}
    assert stack["worker-long"]["profiles"] == ["long"]
    asked = {
        name: service["healthcheck"]["test"][1].partition(";")[0] for name, service in stack.items() if "worker" in name
    }
    assert asked["worker-long"] == "amt health transcribe-long"
    assert asked["worker"] == asked["worker-gpu"] == "amt health transcribe"


def test_every_variable_of_a_container_is_a_setting(stack: dict[str, dict[str, Any]]) -> None:
    """An unknown one would stop the part at its start."""
    known = {f"AMT_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        assert set(stack[name]["environment"]) <= known, name


def test_every_setting_of_the_parts_can_be_set(stack: dict[str, dict[str, Any]]) -> None:
    """But for what the containers themselves decide."""
    fixed = {"HOST", "PORT", "VAR", "ALLOW_PUBLIC", "WORKER_NAME"}
    of_one = {"TRUSTED_PROXIES", "METRICS", "THREADS", "DEVICE", "CONCURRENCY", "BATCH"}
    expected = {f"AMT_{name.upper()}" for name in Settings.model_fields} - {f"AMT_{name}" for name in fixed | of_one}
    for name in OURS:
        assert expected <= set(stack[name]["environment"]), name
    assert services(AMT_LEASE_SECONDS="30")["worker"]["environment"]["AMT_LEASE_SECONDS"] == "30"


def test_nobody_else_is_given_the_address_of_the_edge(stack: dict[str, dict[str, Any]]) -> None:
    (pool,) = document()["networks"]["front"]["ipam"]["config"]
    edge = ip_address(stack["edge"]["networks"]["front"]["ipv4_address"])
    assert edge in ip_network(pool["subnet"])
    assert ip_network(pool["ip_range"]).subnet_of(ip_network(pool["subnet"]))
    assert edge not in ip_network(pool["ip_range"])
    assert stack["api"]["environment"]["AMT_TRUSTED_PROXIES"] == str(edge)


def test_what_can_be_set_is_in_the_example() -> None:
    asked = set(re.findall(r"(?<!\$)\$\{([A-Z_0-9]+)", (ROOT / "docker-compose.yml").read_text()))
    offered = set(re.findall(r"^#?([A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert offered - asked <= {"COMPOSE_PROFILES", "TORCH_INDEX", "PIP_INDEX_URL"}  # Compose's own, build arguments
    others = {name for name in asked - offered if not name.startswith("AMT_")}  # of settings the example has a few
    assert others == {"EDGE_ADDRESS", "FRONT_RANGE", "FRONT_SUBNET", "GRAFANA_PORT", "TORCH_CUDA_INDEX"}


def test_the_example_holds_no_secret() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if re.match(r"#?[A-Z_0-9]*(PASSWORD|SECRET|KEY)[A-Z_0-9]*=.", line)] == []


def _seconds(text: str) -> float:
    minutes, _, seconds = text.rpartition("m") if "m" in text else ("0", "", text)
    return float(minutes or 0) * 60 + float(seconds.removesuffix("s") or 0)
