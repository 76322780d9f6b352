"""``python -m training download``: fetch the files of a public record, whatever the network does, and unpack them.

httpx does the requests: it streams, and lets a request begin in the middle of a file, which a download of 11 GB needs
and fetchers of whole files (pooch, urlretrieve) do not offer. A file grows as ``NAME.part`` and gets its name when its
length and MD5 are right. What is broken off is taken up where it stopped, within a run and by the next one.
"""

import hashlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from tqdm import tqdm

from training.errors import DownloadError
from training.record import ARCHIVE_SUFFIX, Record, RemoteFile
from training.unpack import Unpacked, unpack

WAIT_GROWS = 2.0
LONGEST_WAIT = 120.0
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})  # a server says them of itself or of now, not of the file
MARGIN_BYTES = 1 << 28  # left free on the disk


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try with nothing gained, and how long to wait, in seconds; each wait is twice the one before."""

    attempts: int = 8
    first_wait: float = 1.0
    timeout: float = 60.0


class Interrupted(Exception):  # noqa: N818 - it is mended by trying again
    """A try that may go better next time; `wait` is what the server asked for, in seconds."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


def download(record: Record, folder: Path, patience: Patience) -> Iterator[str]:
    """Fetch and unpack what is not there yet.

    Parameters
    ----------
    record : Record
    folder : Path
        Made if missing.
    patience : Patience

    Yields
    ------
    str
        What was done, line by line.

    Raises
    ------
    DownloadError
        If the disk is too small, a file cannot be had or is another one than the record says, or an archive is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unpacked = Unpacked(folder)
    check_space(record, folder, unpacked)
    for file in record.files:
        if unpacked.holds(file.md5):
            yield f"{file.name}: was there, unpacked"
            continue
        yield fetch(file, folder, patience)
        if file.name.endswith(ARCHIVE_SUFFIX):
            count = unpack(folder / file.name, folder, strip=record.folder)
            unpacked.add(file.md5)
            yield f"{file.name}: {count} files unpacked; the archive itself is not needed any more"


def check_space(record: Record, folder: Path, unpacked: Unpacked) -> None:
    """Say before anything is fetched that it would not fit."""
    missing = [file for file in record.files if not unpacked.holds(file.md5)]
    archives = any(file.name.endswith(ARCHIVE_SUFFIX) for file in missing)
    there = sum(size_of(path) for file in missing for path in (folder / file.name, part_of(folder / file.name)))
    needed = sum(file.bytes for file in missing) - there + (record.unpacked_bytes if archives else 0)
    free = shutil.disk_usage(folder).free
    if missing and free < needed + MARGIN_BYTES:
        raise DownloadError(
            f"{folder}: {record.title} needs {gigabytes(needed)} more here, archive and unpacked files together, and "
            f"{gigabytes(free)} are free; choose another --out or make room"
        )


def fetch(file: RemoteFile, folder: Path, patience: Patience) -> str:
    """Bring one file into a folder; says how."""
    path = folder / file.name
    if path.exists():
        if path.stat().st_size == file.bytes and md5_of(path) == file.md5:
            return f"{file.name}: was there, checksum right"
        raise DownloadError(
            f"{path} is there and is not the record's file, by length or MD5; move it away, or choose another --out"
        )
    part = part_of(path)
    if size_of(part) > file.bytes:
        part.unlink()
    resumed = size_of(part) > 0
    complete(file, part, patience)
    if resumed and md5_of(part) != file.md5:  # what lay there may have been begun from something else
        part.unlink()
        complete(file, part, patience)
    found = md5_of(part)
    if found != file.md5:
        part.unlink()
        raise DownloadError(
            f"{file.url}: the MD5 of what came is {found}, the record says {file.md5}; it was removed. It was damaged "
            "on the way or has been replaced: try again, and compare with the record's page"
        )
    part.replace(path)
    return f"{file.name}: {gigabytes(file.bytes)} fetched, checksum right"


def complete(file: RemoteFile, part: Path, patience: Patience) -> None:
    """Try until the part is as long as the file; the tries count anew whenever bytes were gained."""
    failures = 0
    with (
        httpx.Client(follow_redirects=True, timeout=patience.timeout) as client,
        tqdm(total=file.bytes, desc=file.name, unit="B", unit_scale=True, mininterval=1) as progress,
    ):
        while (before := size_of(part)) < file.bytes:
            progress.n = before
            progress.refresh()
            try:
                request(client, file, part, progress)
            except (Interrupted, httpx.TransportError) as error:
                failures = 0 if size_of(part) > before else failures + 1
                if failures >= patience.attempts:
                    raise DownloadError(
                        f"{file.url}: {describe(error)}, {failures} times in a row with nothing gained; "
                        f"{gigabytes(size_of(part))} of {gigabytes(file.bytes)} are kept, run it again to go on"
                    ) from error
                wait_before(failures, error, file, patience)
            except httpx.HTTPError as error:
                raise DownloadError(f"{file.url}: {describe(error)}") from error
            except OSError as error:
                raise DownloadError(f"{part}: cannot be written: {error.strerror}; run it again to go on") from error


def request(client: httpx.Client, file: RemoteFile, part: Path, progress: "tqdm[None]") -> None:
    """Ask for the rest of a file once and append what comes."""
    size = size_of(part)
    headers = {"Accept-Encoding": "identity"}  # what is counted and checked is the file, not a packing of it
    if size:
        headers["Range"] = f"bytes={size}-"
    with client.stream("GET", file.url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
            raise Interrupted("the server has no such range, so the file begins anew")
        check_status(response, file)
        known = known_bytes(response, file, size)
        with part.open("ab") as target:
            for chunk in response.iter_raw():
                new = chunk[known:]
                known -= len(chunk) - len(new)
                size += len(new)
                if size > file.bytes:
                    raise DownloadError(f"{file.url}: sends more than the {file.bytes} bytes that the record says")
                target.write(new)
                progress.update(len(new))
    if size < file.bytes:
        raise Interrupted("the server ended before the file did")


def check_status(response: httpx.Response, file: RemoteFile) -> None:
    """Tell what a new try may mend from what it cannot."""
    status = f"the server answered {response.status_code} {response.reason_phrase}"
    if response.status_code in BUSY:
        asked = response.headers.get("Retry-After", "")
        raise Interrupted(status, float(asked) if asked.isdecimal() else 0.0)
    if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        raise DownloadError(f"{file.url}: {status}; if the record has moved, name it with --record")


def known_bytes(response: httpx.Response, file: RemoteFile, asked: int) -> int:
    """How much of what comes is there already: all that was, if the server ignores ranges.

    Raises
    ------
    DownloadError
        If another range comes, or the file has another length.
    """
    if response.status_code == httpx.codes.OK:
        known, stated = asked, response.headers.get("Content-Length", "")
    else:
        span, _, stated = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        known = 0
        if span.partition("-")[0] != str(asked):
            raise DownloadError(f"{file.url}: asked for the bytes from {asked} on, got the range {span or 'none'}")
    if stated.isdecimal() and int(stated) != file.bytes:
        raise DownloadError(
            f"{file.url}: offers a file of {stated} bytes, the record says {file.bytes}: another file, or the page "
            "of a network that wants a login"
        )
    return known


def wait_before(failures: int, error: Exception, file: RemoteFile, patience: Patience) -> None:
    """Wait longer with each failure, and as long as the server asks."""
    wait = min(LONGEST_WAIT, patience.first_wait * WAIT_GROWS ** max(0, failures - 1))
    if isinstance(error, Interrupted):
        wait = max(wait, min(LONGEST_WAIT, error.wait))
    tqdm.write(f"{file.name}: {describe(error)}; trying again in {wait:.0f} s")
    time.sleep(wait)


def describe(error: Exception) -> str:
    """An error in words; some of the network's have none."""
    return str(error) or type(error).__name__


def md5_of(path: Path) -> str:
    """MD5 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def part_of(path: Path) -> Path:
    """Where a file grows."""
    return path.with_name(path.name + ".part")


def size_of(path: Path) -> int:
    """Length of a file; 0 if it is not there."""
    return path.stat().st_size if path.exists() else 0


def gigabytes(count: int) -> str:
    """A number of bytes for a person."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
