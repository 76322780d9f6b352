"""The instruments as the API names them.

The web half does not import `model`, so what stands in `model.instruments` is repeated here; a test compares the two.
"""

from typing import Literal, get_args

from pydantic_core import PydanticCustomError

InstrumentName = Literal[
    "piano", "harpsichord", "violin", "viola", "cello", "contrabass", "flute", "oboe", "clarinet", "bassoon", "horn"
]
INSTRUMENTS: tuple[InstrumentName, ...] = get_args(InstrumentName)
PROGRAMS: dict[str, int] = dict(zip(INSTRUMENTS, (0, 6, 40, 41, 42, 43, 73, 68, 71, 70, 60), strict=True))
AUTO: Literal["auto"] = "auto"


def chosen_instruments(value: object) -> object:
    """The instruments that a caller names: `auto`, or their names in the order of `INSTRUMENTS`, each once.

    Names may come one by one, in a list, or with commas between them.
    """
    if value is None:
        return None
    sent = [value] if isinstance(value, str) else value
    if not isinstance(sent, list | tuple) or not all(isinstance(text, str) for text in sent):
        raise _wrong(f"must be {AUTO}, a name, or a list of names")
    names = [name.strip() for text in sent for name in text.split(",")]
    if names == [AUTO]:
        return AUTO
    for name in names:
        if name not in INSTRUMENTS and name != AUTO:
            raise _wrong(f"{name!r} is none of {AUTO}, {', '.join(INSTRUMENTS)}")
    if AUTO in names:
        raise _wrong(f"{AUTO} means any instrument; send it alone, or only the names")
    if not names:
        raise _wrong(f"the list is empty; name at least one instrument, or send {AUTO}")
    return tuple(name for name in INSTRUMENTS if name in names)


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("instruments", "{message}", {"message": message})
