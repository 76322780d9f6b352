"""The API's description for people, served without any request to elsewhere.

Swagger UI's files come from the package fastapi-offline; its own page is not used, as it starts by an inline script,
which our content policy forbids.
"""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from app.errors import NotFound

router = APIRouter(include_in_schema=False)

FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Music transcription: API</title>
<link rel="icon" href="/docs/favicon.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""


@router.get("/docs")
async def docs_page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(PAGE)


@router.get("/docs/start.js")
async def docs_start() -> Response:
    """What starts the page."""
    return Response(START, media_type="text/javascript")


@router.get("/docs/{name}")
async def docs_file(name: str) -> FileResponse:
    """A file of Swagger UI."""
    if name not in FILES:
        raise NotFound("There is nothing at this address.")
    return FileResponse(_swagger_folder() / name, media_type=FILES[name])


def _swagger_folder() -> Path:
    found = find_spec("fastapi_offline")
    if found is None or found.origin is None:
        raise NotFound("The package fastapi-offline is not installed; /openapi.json is there nevertheless.")
    return Path(found.origin).parent / "static"
