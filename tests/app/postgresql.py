"""A private PostgreSQL cluster."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from tests.app.service import free_port, short_folder


class Cluster:
    """A server on a socket of its own, which can be stopped and started again.

    With `listen`, an address of this machine, others come in over the network.
    """

    def __init__(self, listen: str = "") -> None:
        self._listen, self._port = listen, free_port()
        initdb = _initdb()
        self.folder = short_folder()
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        if self._user:
            shutil.chown(self.folder, self._user)
        self._server = Path(initdb).resolve().with_name("postgres")
        self._run([initdb, "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync"]).wait()
        if listen:
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all all trust\n")
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}&port={self._port}"

    @property
    def network_url(self) -> str:
        """For those who come over the network."""
        return f"postgresql://postgres:none@{self._listen}:{self._port}/postgres"

    def start(self) -> None:
        listen = ["-p", str(self._port), "-c", f"listen_addresses={self._listen}"]
        options = ["-k", self.folder, *listen, "-c", "fsync=off"]
        self._process = self._run([self._server, "-D", self.data, *options])
        while not self._answers():
            assert self._process.poll() is None, "PostgreSQL does not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """Fast shutdown: connections are cut, what was committed stays."""
        self._process.send_signal(2)
        self._process.wait()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        """Whether it lets anybody in; its socket is there before that."""
        try:
            psycopg.connect(host=str(self.folder), port=self._port, user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, command: list[str | Path]) -> subprocess.Popen[bytes]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, user=self._user, cwd="/", **quiet)


def _initdb() -> str:
    found = shutil.which("initdb") or next((str(p) for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    if found is None:
        if os.environ.get("REQUIRE_POSTGRESQL"):
            pytest.fail("PostgreSQL is required here and not installed")
        pytest.skip("PostgreSQL is not installed")
    return found
