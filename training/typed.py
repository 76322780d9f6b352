"""Plain values to frozen dataclasses, strictly: pydantic checks, and a fault names the setting and what is allowed."""

import json
from collections.abc import Hashable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar, cast, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from training.errors import ConfigError

T = TypeVar("T")


def rising(ends: tuple[float, float]) -> tuple[float, float]:
    """See that a range begins with its lower end."""
    if ends[0] > ends[1]:
        raise ValueError(f"the lower end comes first, got {list(ends)}")
    return ends


Count: TypeAlias = Annotated[int, Field(ge=1)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Decay: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]  # torch takes no more
Decibels: TypeAlias = Annotated[float, Field(ge=-120, le=120)]  # what 16 bits hold, and more
Level: TypeAlias = Annotated[float, Field(ge=-120, le=0)]  # of full scale
LevelRange: TypeAlias = Annotated[tuple[Level, Level], AfterValidator(rising)]
DecibelRange: TypeAlias = Annotated[tuple[Decibels, Decibels], AfterValidator(rising)]
FrequencyRange: TypeAlias = Annotated[tuple[Positive, Positive], AfterValidator(rising)]


def read_object(text: str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises
    ------
    ConfigError
        If the text is none.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f'expected an object, {{"setting": value, ...}}, got {values!r:.80}')
    return values


def choice(values: Any, where: str, allowed: Sequence[str], default: str) -> tuple[str, dict[str, Any]]:
    """Take the ``kind`` out of an object: which one it is, and the other values.

    Raises
    ------
    ConfigError
        If it is no object, or there is no such kind.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected an object, got {values!r:.80}")
    rest = dict(values)
    kind = rest.pop("kind", default)
    if kind not in allowed:
        raise ConfigError(f"{where}.kind: must be one of {', '.join(allowed)}, got {kind!r:.80}")
    return kind, rest


@cache
def _holder(cls: Hashable) -> type[BaseModel]:
    """A model around a dataclass, so that its rules hold for the dataclass and those within it."""
    config = ConfigDict(extra="forbid", strict=True)
    return create_model("Holder", __config__=config, value=(cast(Any, cls), ...))


def strict(cls: type[T], values: dict[str, Any], *, where: str = "", leave_out: Sequence[str] = ()) -> T:
    """Build a dataclass from the values of a JSON object; missing ones take their defaults.

    Parameters
    ----------
    cls : type
        A dataclass, which may hold others.
    values : dict
    where : str
        Name of the object, for messages.
    leave_out : sequence of str
        Fields that the caller reads by itself.

    Raises
    ------
    ConfigError
        If a key is not a field or a value is not allowed. Names each of them.
    """
    try:
        held = _holder(cast(Hashable, cls)).model_validate_json(json.dumps({"value": values}))
    except ValidationError as error:
        faults = [_sentence(cls, fault, where, leave_out) for fault in error.errors()]
        raise ConfigError("; ".join(faults)) from error
    return cast(T, held.value)  # type: ignore[attr-defined]


def _sentence(cls: type[object], fault: ErrorDetails, where: str, leave_out: Sequence[str]) -> str:
    """One fault for a person."""
    path = fault["loc"][1:]
    name = ".".join([*([where] if where else []), *(str(step) for step in path)])
    if fault["type"] == "unexpected_keyword_argument":
        return f"{name}: there is no such setting; allowed here: {', '.join(_settings(cls, path[:-1]))}"
    if fault["type"] == "missing":
        return f"{name}: must be given"
    if fault["type"] == "value_error":  # of a dataclass's own check, which says what it got
        message = fault["msg"].removeprefix("Value error, ")
        return f"{name}: {message}" if name else message
    return f"{name}: {fault['msg'].removeprefix('Input ')}, got {fault['input']!r:.80}"


def _settings(cls: Any, path: Sequence[int | str]) -> list[str]:
    """Names of the settings of the dataclass at a path within another."""
    for step in path:
        cls = get_type_hints(cls).get(str(step), cls)
    return [one.name for one in fields(cls)] if is_dataclass(cls) else []
