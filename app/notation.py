"""What a caller may know better than the analysis of a score, and how a score with it is named."""

import hashlib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

# As in model.notation.types; the web half does not import `model`, a test compares the two.
MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
MINOR_KEYS = ("ab", "eb", "bb", "f", "c", "g", "d", "a", "e", "b", "f#", "c#", "g#", "d#", "a#")
MOST_BEATS = 16
DENOMINATORS = (1, 2, 4, 8, 16)
TIME_SIGNATURE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})")
LATEST_DOWNBEAT = 86_400.0

# Files of a score beside its pages.
MUSICXML, MXL, PDF = "score.musicxml", "score.mxl", "score.pdf"
QUANTIZED_MIDI = "quantized.mid"
DESCRIPTION = "score.json"
# Written last: a score that has it is whole. Hash and size of each file.
SCORE_FACTS = "files.json"


def page_file(number: int) -> str:
    """Name of an engraved page, counted from 1."""
    return f"page-{number}.svg"


class Notation(BaseModel):
    """Overrides of the analysis; what is None is found out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tempo: Annotated[float | None, Field(ge=20, le=400, allow_inf_nan=False)] = None
    time_signature: str | None = None
    key: str | None = None
    first_downbeat: Annotated[float | None, Field(ge=0, le=LATEST_DOWNBEAT, allow_inf_nan=False)] = None
    detail: Literal["full", "readable", "melody"] = "readable"

    @field_validator("time_signature")
    @classmethod
    def _some_beats(cls, text: str | None) -> str | None:
        match = TIME_SIGNATURE.fullmatch(text or "4/4")
        if match is None or not 1 <= int(match[1]) <= MOST_BEATS or int(match[2]) not in DENOMINATORS:
            below = ", ".join(map(str, DENOMINATORS))
            raise ValueError(f"must be 1 to {MOST_BEATS} over {below}, such as 3/4, got {text!r}")
        return text

    @field_validator("key")
    @classmethod
    def _known(cls, text: str | None) -> str | None:
        if text is not None and text not in (*MAJOR_KEYS, *MINOR_KEYS):
            raise ValueError(
                f"must be a major key, written with a capital letter ({', '.join(MAJOR_KEYS)}), or a minor one with a "
                f"small letter ({', '.join(MINOR_KEYS)}), got {text!r}"
            )
        return text

    @property
    def digest(self) -> str:
        """Names the score that these give."""
        return hashlib.sha256(json.dumps(self.message(), sort_keys=True).encode()).hexdigest()[:32]

    def message(self) -> dict[str, Any]:
        """For the worker."""
        return self.model_dump(exclude_none=True)
