"""That results can be written is seen before the hours that they take."""

from pathlib import Path


def check_file(path: Path) -> None:
    """See that a file can be written; its folder is made, and what it holds stays.

    Raises
    ------
    OSError
        If it cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    there = path.exists()
    path.open("a").close()
    if not there:
        path.unlink(missing_ok=True)  # another process of the same run may have looked at the same time


def check_folder(folder: Path) -> None:
    """See that a folder can be written to; it is made when missing. As `check_file`."""
    check_file(folder / ".probe")
