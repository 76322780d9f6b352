"""A web server with the faults of real ones, a process of its own: ``python -m tests.training.file_server FOLDER``.

The first part of a path says how the rest of it, a file in FOLDER, is served. Each request is a line of
FOLDER/requests: the path and the range asked for. The port is the first line of output.
"""

import sys
import time
from collections import Counter
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

SEEN: Counter[str] = Counter()
LOCK = Lock()


class Handler(BaseHTTPRequestHandler):
    """Serve a file in the manner that the path asks for."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, folder: Path) -> None:
        self.folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        manner, _, name = self.path.lstrip("/").partition("/")
        asked = self.headers.get("Range", "")
        with LOCK:
            SEEN[self.path] += 1
            count = SEEN[self.path]
            with (self.folder / "requests").open("a") as log:
                log.write(f"{self.path} {asked}\n")
        self.close_connection = True
        content = (self.folder / name).read_bytes()
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        getattr(self, f"serve_{manner.replace('-', '_')}")(content, start, count)

    def serve_well(self, content: bytes, start: int, count: int) -> None:
        self.send(content, start)

    def serve_breaking(self, content: bytes, start: int, count: int) -> None:
        """Break off in the middle of what is left, three times."""
        self.send(content, start, stop=(start + len(content)) // 2 if count <= 3 else None)

    def serve_rangeless(self, content: bytes, start: int, count: int) -> None:
        """Ignore ranges, and break off once."""
        self.send(content, 0, stop=len(content) // 2 if count == 1 else None)

    def serve_nothing_more(self, content: bytes, start: int, count: int) -> None:
        """Send the first half, and afterwards close every connection at once."""
        self.send(content, start, stop=max(start, len(content) // 2))

    def serve_wrong(self, content: bytes, start: int, count: int) -> None:
        """Right in length, wrong in content."""
        self.send(bytes(len(content)), start)

    def serve_longer(self, content: bytes, start: int, count: int) -> None:
        """Say nothing of the length and send too much."""
        self.send(content + content, start, stated=False)

    def serve_login(self, content: bytes, start: int, count: int) -> None:
        """The page that a network shows to whoever has not logged in."""
        self.send(b"<html>please log in</html>", 0)

    def serve_missing(self, content: bytes, start: int, count: int) -> None:
        self.answer(404)

    def serve_down(self, content: bytes, start: int, count: int) -> None:
        self.answer(503)

    def serve_busy(self, content: bytes, start: int, count: int) -> None:
        """Ask to come back in a second, once."""
        if count == 1:
            self.answer(429, {"Retry-After": "1"})
        else:
            self.send(content, start)

    def serve_stalling(self, content: bytes, start: int, count: int) -> None:
        """Fall silent in the middle, once."""
        if count == 1:
            self.send(content, start, stop=len(content) // 2)
            time.sleep(3)
        else:
            self.send(content, start)

    def serve_unsatisfied(self, content: bytes, start: int, count: int) -> None:
        """Refuse any range."""
        if start:
            self.answer(416)
        else:
            self.send(content, 0)

    def serve_shifted(self, content: bytes, start: int, count: int) -> None:
        """Send another range than the one asked for."""
        self.send(content, max(0, start - 7))

    def serve_moved(self, content: bytes, start: int, count: int) -> None:
        self.answer(302, {"Location": self.path.replace("moved", "well")})

    def send(self, content: bytes, start: int, *, stop: int | None = None, stated: bool = True) -> None:
        """Answer with what is left of the content, up to `stop`."""
        headers = {"Content-Length": str(len(content) - start)} if stated else {}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.answer(206 if start else 200, headers)
        self.wfile.write(content[start:stop])
        self.wfile.flush()

    def answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        """Send status and headers."""
        self.send_response(status)
        for name, value in {"Connection": "close", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, folder=Path(sys.argv[1])))
    print(server.server_port, flush=True)
    server.serve_forever()
