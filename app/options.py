"""What a caller may choose for a transcription, with ranges and defaults."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.instruments import AUTO, InstrumentName, chosen_instruments

# The piano's keys, as in model.note; the web half does not import `model`, a test compares the two.
LOWEST_PITCH = 21
HIGHEST_PITCH = 108
# As in model.tuning; the same test compares them.
LOWEST_A4_HZ = 390.0
HIGHEST_A4_HZ = 470.0

Threshold = Annotated[float, Field(ge=0.01, le=0.99, allow_inf_nan=False)]
Pitch = Annotated[int, Field(ge=LOWEST_PITCH, le=HIGHEST_PITCH)]
Instruments = Literal["auto"] | tuple[InstrumentName, ...]
ConcertPitch = Literal["auto"] | float


class Decoding(BaseModel):
    """The defaults of one model, as its manifest states them."""

    onset_threshold: Threshold
    frame_threshold: Threshold
    min_note_ms: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
    # What the model hears late, not a choice of the caller's; results from before it was measured have none.
    latency_ms: Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)] = 0.0


class Options(Decoding):
    """The options of a job as resolved: nothing is left out."""

    model_config = ConfigDict(frozen=True)

    lowest_pitch: Pitch = LOWEST_PITCH
    highest_pitch: Pitch = HIGHEST_PITCH
    tempo: Annotated[float, Field(ge=20, le=400, allow_inf_nan=False)] = 120.0
    instruments: Instruments = AUTO
    a4_hz: ConcertPitch = AUTO

    def for_decoding(self) -> dict[str, Any]:
        """The arguments of `model.note_events.DecodingOptions`."""
        instruments = () if self.instruments == AUTO else self.instruments
        return self.model_dump(exclude={"tempo", "a4_hz"}) | {"instruments": instruments}

    def for_hearing(self) -> dict[str, Any]:
        """The arguments of `model.listening.Listener.write_activations` that the caller chose."""
        return {} if self.a4_hz == AUTO else {"a4_hz": self.a4_hz}


InstrumentsSent = str | list[InstrumentName] | None


class OptionsRequest(BaseModel):
    """Options of decoding as a caller sends them: what is absent takes its default."""

    model_config = ConfigDict(extra="forbid")

    onset_threshold: Annotated[
        Threshold | None,
        Field(
            description="Least probability of a note's start, 0.01 to 0.99; higher: fewer notes. Default: the model's."
        ),
    ] = None
    frame_threshold: Annotated[
        Threshold | None,
        Field(
            description="Least probability of a held note, 0.01 to 0.99; higher: shorter notes. Default: the model's."
        ),
    ] = None
    min_note_ms: Annotated[
        float | None,
        Field(
            ge=0,
            le=1000,
            allow_inf_nan=False,
            description="Shorter notes are left out, 0 to 1000 ms. Default: the model's.",
        ),
    ] = None
    lowest_pitch: Annotated[Pitch | None, Field(description="Lowest MIDI pitch, 21 to 108. Default: 21.")] = None
    highest_pitch: Annotated[Pitch | None, Field(description="Highest MIDI pitch, 21 to 108. Default: 108.")] = None
    tempo: Annotated[
        float | None,
        Field(
            ge=20,
            le=400,
            allow_inf_nan=False,
            description="Tempo of the MIDI file, 20 to 400 a minute: its grid; the notes' times stay. Default: 120.",
        ),
    ] = None
    instruments: Annotated[
        Instruments | None,
        BeforeValidator(chosen_instruments, json_schema_input_type=InstrumentsSent),
        Field(
            description="Which instruments may play: `auto` for any of the eleven, the name of the only one, or "
            "several, as a list or with commas between them. Default: auto.",
            examples=["auto", "piano", ["violin", "piano"]],
        ),
    ] = None

    @model_validator(mode="after")
    def _pitches_in_order(self) -> Self:
        lowest = LOWEST_PITCH if self.lowest_pitch is None else self.lowest_pitch
        highest = HIGHEST_PITCH if self.highest_pitch is None else self.highest_pitch
        if lowest > highest:
            raise ValueError(f"lowest_pitch must not lie above highest_pitch, got {lowest} and {highest}")
        return self

    def resolve(self, defaults: Decoding) -> Options:
        """Fill what is absent with the model's defaults and then with the service's."""
        return Options(**(defaults.model_dump() | self.model_dump(exclude_none=True)))


def concert_pitch(value: object) -> object:
    """The concert pitch that a caller names: `auto`, or a number of Hz."""
    if value is None or value == AUTO:
        return value
    try:
        hz = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        hz = float("nan")
    if isinstance(value, bool) or not LOWEST_A4_HZ <= hz <= HIGHEST_A4_HZ:
        message = f"must be {AUTO}, or {LOWEST_A4_HZ:g} to {HIGHEST_A4_HZ:g} (Hz)"
        raise PydanticCustomError("concert_pitch", "{message}", {"message": message})
    return hz


class HearingRequest(OptionsRequest):
    """All options as a caller sends them with a recording."""

    a4_hz: Annotated[
        ConcertPitch | None,
        BeforeValidator(concert_pitch, json_schema_input_type=ConcertPitch | None),
        Field(
            description="Concert pitch of the recording, 390 to 470 Hz, such as 415 for a baroque ensemble: its A4 is "
            "written as A4. `auto` finds it within a quarter tone of 440. Default: auto.",
            examples=["auto", 415, 442],
        ),
    ] = None
