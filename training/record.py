"""What a public record of a data set holds: its files, where they lie, how long they are and their checksums.

``configs/zenodo-5120004.json`` is MusicNet's. Its sizes and MD5 sums are Zenodo's, as several public projects quote
them that checked their downloads by them; the record's page shows them too. A copy of that file with other addresses
names a mirror.
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from training.errors import DownloadError

MUSICNET = Path(__file__).parent / "configs" / "zenodo-5120004.json"
ARCHIVE_SUFFIX = ".tar.gz"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a record.

    Parameters
    ----------
    name : str
        What it is called here.
    url : str
        Where it lies, http or https.
    bytes : int
        Its length.
    md5 : str
        32 hexadecimal digits.
    """

    name: str
    url: str
    bytes: int
    md5: str

    def __post_init__(self) -> None:
        if PurePosixPath(self.name).name != self.name or "\\" in self.name:
            raise ValueError(f"name must be that of a file, got {self.name}")
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"url must begin with http:// or https://, got {self.url}")
        if self.bytes <= 0 or len(self.md5) != 32:
            raise ValueError(f"{self.name} needs its length and an MD5 of 32 digits, got {self.bytes} and {self.md5}")


@dataclass(frozen=True, slots=True)
class Record:
    """A public record.

    Parameters
    ----------
    title, page : str
        What it is, and where a person can read about it.
    unpacked_bytes : int
        About how much its archives hold.
    folder : str
        The folder in which all files of the archives lie, which is left away when they are unpacked.
    files : tuple of RemoteFile
    """

    title: str
    page: str
    unpacked_bytes: int
    folder: str
    files: tuple[RemoteFile, ...]


def read_record(path: Path = MUSICNET) -> Record:
    """Read a record's description.

    Raises
    ------
    DownloadError
        If it is not one.
    """
    try:
        content = json.loads(path.read_text())
        files = tuple(RemoteFile(**file) for file in content.pop("files"))
        return Record(files=files, **content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DownloadError(f"{path}: not the description of a record, as {MUSICNET} is: {error}") from error
