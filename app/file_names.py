"""Client file names: data to show, cleaned once, never a path."""

import unicodedata
from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from pathlib import PurePosixPath

LONGEST = 200


def sent_name(name: str | None) -> str:
    """A name as its sender meant it: browsers write quotes and line ends with %, some programs all as mails have it."""
    text = name or ""
    if text.startswith("=?") and text.endswith("?="):
        with suppress(HeaderParseError, LookupError, ValueError):
            return str(make_header(decode_header(text)))
    for sign in ('"', "\r", "\n"):
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text


def clean_name(name: str | None) -> str:
    """A name without folders, control characters and the characters that file systems and headers give a meaning to."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    text = unicodedata.normalize("NFC", last.encode("utf-8", "replace").decode("utf-8"))
    kept = "".join(c for c in text if unicodedata.category(c)[0] != "C" and c not in '<>:"|?*')
    return kept.strip(" .")[:LONGEST] or "recording"


def stem(name: str) -> str:
    """The name without its ending."""
    return PurePosixPath(name).stem.strip(" .") or "recording"
