"""The compose file as Docker's own Compose reads it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"POSTGRES_PASSWORD": "0f" * 20, "REDIS_PASSWORD": "1e" * 20}
PROFILES = ("long", "gpu", "monitoring", "edge")


def compose(*words: str, files: tuple[str, ...] = (), **values: str) -> "subprocess.CompletedProcess[str]":
    """Run docker-compose over the project's files with these variables and no others."""
    program = Path(sys.executable).with_name("docker-compose")
    named = [word for file in ("docker-compose.yml", *files) for word in ("--file", file)]
    enabled = [word for profile in PROFILES for word in ("--profile", profile)]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | values
    command = [str(program), "--env-file", "/dev/null", *named, *enabled, *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def document(*, files: tuple[str, ...] = (), **values: str) -> dict[str, Any]:
    """The whole file, every variable filled in."""
    done = compose("config", "--format", "json", files=files, **(GOOD | values))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def services(*, files: tuple[str, ...] = (), **values: str) -> dict[str, dict[str, Any]]:
    """All its services."""
    found: dict[str, dict[str, Any]] = document(files=files, **values)["services"]
    return found
