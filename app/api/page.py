"""The page at /: the files of app/web, each at its own address.

They are not mounted as one folder at /, which would catch every address and turn 405 into 404.
"""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).parent.parent / "web"
# The browser asks each time and mostly hears 304, so that an upgrade shows at once.
ALWAYS_ASK = {"Cache-Control": "no-cache"}


def add_page(app: FastAPI, folder: Path = WEB) -> None:
    """Serve what lies in `folder`; without a page, / leads to the API's description."""
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        if child.is_dir():
            app.mount(f"/{child.name}", _Folder(directory=child), name=child.name)
        elif child.suffix != ".py":
            _add_file(app, f"/{child.name}", child)
    index = folder / "index.html"
    if index.is_file():
        _add_file(app, "/", index)
    else:
        app.add_api_route("/", _to_docs, include_in_schema=False)


class _Folder(StaticFiles):
    """Files that belong together: without this a browser would guess, and mix modules of two versions."""

    def file_response(self, *args: Any, **more: Any) -> Response:
        answer = super().file_response(*args, **more)
        answer.headers.update(ALWAYS_ASK)
        return answer


def _add_file(app: FastAPI, path: str, file: Path) -> None:
    async def serve() -> Response:
        return FileResponse(file, headers=ALWAYS_ASK)

    app.add_api_route(path, serve, methods=["GET", "HEAD"], include_in_schema=False)


async def _to_docs() -> Response:
    return RedirectResponse("/docs")
