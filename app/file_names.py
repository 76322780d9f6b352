"""Client file names: data to show, cleaned once, never a path."""

import unicodedata
from pathlib import PurePosixPath

LONGEST = 200


def clean_name(name: str | None) -> str:
    """A name without folders, control characters and the characters that file systems and headers give a meaning to."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    text = unicodedata.normalize("NFC", last.encode("utf-8", "replace").decode("utf-8"))
    kept = "".join(c for c in text if unicodedata.category(c)[0] != "C" and c not in '<>:"|?*')
    return kept.strip(" .")[:LONGEST] or "recording"


def stem(name: str) -> str:
    """The name without its ending."""
    return PurePosixPath(name).stem.strip(" .") or "recording"
