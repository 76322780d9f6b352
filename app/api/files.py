"""Answering with a stored file: conditional and partial requests (RFC 9110, sections 13 and 14)."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.status import (
    HTTP_200_OK,
    HTTP_206_PARTIAL_CONTENT,
    HTTP_304_NOT_MODIFIED,
    HTTP_307_TEMPORARY_REDIRECT,
)

from app.api.context import context_of
from app.errors import RangeNotSatisfiable
from app.file_names import stem
from app.storage.interface import NotStoredError, Storage

ONE_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


@dataclass(frozen=True)
class ServedFile:
    """A stored file and how it is presented."""

    key: str
    sha256: str
    size: int
    media_type: str
    name: str

    @property
    def etag(self) -> str:
        """Strong: equal bytes, equal tag."""
        return f'"{self.sha256}"'


def file_response(request: Request, storage: Storage, file: ServedFile) -> Response:
    """The file, a part of it, word that the caller has it already, or where the store itself serves it.

    Raises
    ------
    RangeNotSatisfiable
        If the range lies outside the file.
    NotStoredError
        If the file is gone.
    """
    headers = {
        "ETag": file.etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition(file.name),
    }
    if _already_there(request, file.etag):
        return Response(status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    if (address := _address_in_store(request, storage, file)) is not None:
        headers |= {"Location": address, "Cache-Control": "no-store"}
        return Response(status_code=HTTP_307_TEMPORARY_REDIRECT, headers=headers)
    span = _requested_range(request, file)
    start, end = span or (0, file.size)
    headers["Content-Length"] = str(end - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    status = HTTP_200_OK if span is None else HTTP_206_PARTIAL_CONTENT
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=file.media_type)
    content = storage.read(file.key, start, end - start)
    return StreamingResponse(content, status_code=status, headers=headers, media_type=file.media_type)


def _address_in_store(request: Request, storage: Storage, file: ServedFile) -> str | None:
    """A signed address, where that is configured. Not for the page's scripts and players, which ask no other origin."""
    seconds = context_of(request).settings.redirect_seconds
    is_page = "cookie" in request.headers or request.headers.get("sec-fetch-dest", "document") != "document"
    if seconds == 0 or request.method != "GET" or is_page:
        return None
    if not storage.exists(file.key):
        raise NotStoredError(file.key)
    disposition = content_disposition(file.name)
    return storage.link(file.key, seconds=seconds, media_type=file.media_type, disposition=disposition)


def _already_there(request: Request, etag: str) -> bool:
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
    return "*" in tags or etag in tags


def _requested_range(request: Request, file: ServedFile) -> tuple[int, int] | None:
    """Start and end of the one range asked for; None for the whole file, also where we do not understand the range."""
    condition = request.headers.get("if-range")
    match = ONE_RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None or match[0] == "bytes=-" or (condition is not None and condition != file.etag):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, file.size - int(last)), file.size
    else:
        start, end = int(first), min(int(last) + 1, file.size) if last else file.size
    if last and first and int(last) < int(first):
        return None
    if start >= file.size or start >= end:
        raise RangeNotSatisfiable(f"The file has {file.size} bytes.", headers={"Content-Range": f"bytes */{file.size}"})
    return start, end


def content_disposition(name: str) -> str:
    """``attachment`` under this name (RFC 6266), for old clients in ASCII and for all others as it is (RFC 8187)."""
    ascii_name = (
        unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().replace("\\", "_").replace('"', "_")
    )
    fallback = (
        ascii_name
        if stem(ascii_name) and not ascii_name.startswith(".")
        else "recording" + PurePosixPath("x" + ascii_name).suffix
    )
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"
