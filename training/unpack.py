"""Unpack an archive that came from outside: nothing leaves the folder, and a run that was killed goes on."""

import tarfile
import zlib
from pathlib import Path

from tqdm import tqdm

from training.errors import DownloadError


class Unpacked:
    """Which archives a folder holds the content of, by MD5, so that one can be removed when it is unpacked."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".unpacked"

    def holds(self, md5: str) -> bool:
        """Whether an archive was unpacked to its end."""
        return self.path.exists() and md5 in self.path.read_text().split()

    def add(self, md5: str) -> None:
        """Remember that an archive was."""
        with self.path.open("a") as file:
            file.write(f"{md5}\n")


def unpack(archive: Path, folder: Path, *, strip: str) -> int:
    """Unpack a ``.tar.gz``.

    Python's "data" filter refuses devices and paths that leave the folder, and takes away rights that nobody needs;
    links, which no data set needs, are refused here. A file that is there at its full length is not written again.

    Parameters
    ----------
    archive : Path
    folder : Path
        Which exists.
    strip : str
        A first folder to leave away.

    Returns
    -------
    int
        How many files the archive holds.

    Raises
    ------
    DownloadError
        If the archive is damaged, wants to write outside the folder, or the disk is full.
    """
    count = 0
    try:
        with tarfile.open(archive, "r|gz") as tar, tqdm(desc=f"unpack {archive.name}", unit="file") as progress:
            for member in tar:
                moved = member.replace(name=member.name.removeprefix("./").removeprefix(f"{strip}/"), deep=False)
                safe = tarfile.data_filter(moved, str(folder))
                if safe.name == strip and safe.isdir():
                    continue
                if not (safe.isfile() or safe.isdir()):
                    raise DownloadError(f"{archive}: not safe to unpack: {member.name} is a link")
                count += safe.isfile()
                progress.update()
                target = folder / safe.name
                if not (safe.isfile() and target.is_file() and target.stat().st_size == safe.size):
                    tar.extract(safe, folder, filter="data")
    except tarfile.FilterError as error:
        raise DownloadError(f"{archive}: not safe to unpack: {error}") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DownloadError(f"{archive}: damaged, remove it and run it again: {error}") from error
    except OSError as error:
        raise DownloadError(f"{archive}: cannot be unpacked into {folder}: {error}; run it again to go on") from error
    return count
