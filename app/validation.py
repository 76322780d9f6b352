"""What pydantic finds wrong, as we say it."""

from collections.abc import Mapping
from typing import Any


def fault_in_words(fault: Mapping[str, Any]) -> str:
    """The message of one of a `ValidationError`'s errors, without the words that pydantic puts before those of ours."""
    return str(fault["msg"]).removeprefix("Value error, ")
