"""The one note type of the project."""

from dataclasses import dataclass

LOWEST_PITCH = 21  # A0, the piano's lowest key
HIGHEST_PITCH = 108  # C8, the piano's highest key
N_PITCHES = HIGHEST_PITCH - LOWEST_PITCH + 1


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """A sounding note.

    Parameters
    ----------
    onset, offset : float
        Seconds from the start of the recording, ``0 <= onset < offset``.
    pitch : int
        MIDI note number, `LOWEST_PITCH` to `HIGHEST_PITCH`.
    velocity : int
        MIDI velocity, 1 to 127.
    confidence : float
        The network's probability of the onset, 0 to 1. A reference note has 1.
    program : int
        General MIDI program, 0-based (0 is the acoustic grand piano).
    instrument_confidence : float
        The network's probability of the program, 0 to 1. A reference note has 1.

    Raises
    ------
    ValueError
        If a value lies outside its range.
    """

    onset: float
    pitch: int
    offset: float
    velocity: int = 64
    confidence: float = 1.0
    program: int = 0
    instrument_confidence: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.onset < self.offset:
            raise ValueError(f"a note needs 0 <= onset < offset, got onset {self.onset} and offset {self.offset}")
        if not LOWEST_PITCH <= self.pitch <= HIGHEST_PITCH:
            raise ValueError(f"pitch must lie in {LOWEST_PITCH}..{HIGHEST_PITCH}, got {self.pitch}")
        if not 1 <= self.velocity <= 127:
            raise ValueError(f"velocity must lie in 1..127, got {self.velocity}")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence must lie in 0..1, got {self.confidence}")
        if not 0 <= self.program <= 127:
            raise ValueError(f"program must lie in 0..127, got {self.program}")
        if not 0 <= self.instrument_confidence <= 1:
            raise ValueError(f"instrument_confidence must lie in 0..1, got {self.instrument_confidence}")
