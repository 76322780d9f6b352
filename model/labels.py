"""Notes to training targets, on the same frame grid that decoding reads.

Frame ``t`` stands for the moment ``t / frame_rate``. Times between frames are kept: an onset's target falls linearly
from 1 at the onset to 0 two frames away (after the regression targets of Kong et al. 2021, "High-resolution piano
transcription with pedals by regressing onset and offset times"), which is what lets decoding place it between frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS, N_INSTRUMENTS, RATE_DIVISOR
from model.note import HIGHEST_PITCH, LOWEST_PITCH, N_PITCHES, Note

# Programs that are the same instrument: the other acoustic pianos.
NEAREST = {1: 0, 2: 0, 3: 0}
OUTPUTS = {instrument.program: index for index, instrument in enumerate(INSTRUMENTS)}
ONSET_REACH = 2.0  # frames from an onset to where its target is 0


@dataclass(frozen=True)
class NoteArrays:
    """Notes as parallel arrays, for data sets with a million of them.

    Parameters
    ----------
    onset, offset : ndarray, shape (n,), float64
        Seconds.
    pitch, velocity : ndarray, shape (n,), int64
        MIDI note number, and MIDI velocity 1 to 127.
    program : ndarray, shape (n,), int64
        0-based General MIDI program.
    """

    onset: NDArray[np.float64]
    offset: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    program: NDArray[np.int64]

    @classmethod
    def from_notes(cls, notes: list[Note]) -> "NoteArrays":
        """The same notes as arrays."""
        return cls(
            np.array([note.onset for note in notes], dtype=np.float64),
            np.array([note.offset for note in notes], dtype=np.float64),
            np.array([note.pitch for note in notes], dtype=np.int64),
            np.array([note.velocity for note in notes], dtype=np.int64),
            np.array([note.program for note in notes], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.onset)

    def select(self, mask: NDArray[np.bool_]) -> "NoteArrays":
        """The notes where ``mask`` (shape ``(n,)``) is true."""
        return NoteArrays(
            self.onset[mask], self.offset[mask], self.pitch[mask], self.velocity[mask], self.program[mask]
        )


@dataclass(frozen=True)
class Targets:
    """What the network should say, each of shape ``(n_frames, N_PITCHES)``, float32, 0 to 1."""

    onset: NDArray[np.float32]
    frame: NDArray[np.float32]
    velocity: NDArray[np.float32]


def note_targets(notes: NoteArrays, *, n_frames: int, frame_rate: float) -> Targets:
    """Draw notes on a frame grid.

    Parameters
    ----------
    notes : NoteArrays
        Times may lie before 0 or after the last frame; what falls outside the grid is left out, as are pitches outside
        `LOWEST_PITCH` to `HIGHEST_PITCH`.
    n_frames : int
        Length of the grid.
    frame_rate : float
        Frames per second.

    Returns
    -------
    Targets
        ``velocity`` is velocity / 127 at the frames that an onset reaches and 0 elsewhere.
    """
    onset, velocity = (np.zeros((n_frames, N_PITCHES), dtype=np.float32) for _ in range(2))
    targets = Targets(onset, frame_targets(notes, n_frames=n_frames, frame_rate=frame_rate), velocity)
    for index in np.flatnonzero(_on_keyboard(notes)):
        pitch = notes.pitch[index] - LOWEST_PITCH
        _draw_onset(targets, notes.onset[index] * frame_rate, pitch, notes.velocity[index] / 127)
    return targets


def frame_targets(notes: NoteArrays, *, n_frames: int, frame_rate: float) -> NDArray[np.float32]:
    """The part of `note_targets` that says which pitches sound, shape ``(n_frames, N_PITCHES)``, 0 or 1."""
    frame = np.zeros((n_frames, N_PITCHES), dtype=np.float32)
    first = np.ceil(notes.onset * frame_rate).astype(np.int64)
    last = np.ceil(notes.offset * frame_rate).astype(np.int64)
    for index in np.flatnonzero(_on_keyboard(notes)):
        pitch = notes.pitch[index] - LOWEST_PITCH
        frame[max(first[index], 0) : max(last[index], first[index] + 1, 0), pitch] = 1
    return frame


def seconds_played(notes: NoteArrays) -> NDArray[np.float64]:
    """How long the notes of each instrument are together, shape ``(N_INSTRUMENTS,)``."""
    total = np.zeros(N_INSTRUMENTS)
    for program in np.unique(notes.program):
        output = OUTPUTS.get(NEAREST.get(int(program), int(program)))
        if output is not None:
            mine = notes.select(notes.program == program)
            total[output] += (mine.offset - mine.onset).sum()
    return total


def instrument_targets(notes: NoteArrays, *, n_frames: int, frame_rate: float) -> NDArray[np.float32]:
    """Which instruments sound where, on the grid of the network's instruments.

    Parameters
    ----------
    notes : NoteArrays
        Those of a program that is none of `model.instruments` and not near one (`NEAREST`) are left out.
    n_frames, frame_rate
        As for `note_targets`.

    Returns
    -------
    ndarray, shape (ceil(n_frames / RATE_DIVISOR), N_INSTRUMENTS, N_PITCHES), float32, 0 or 1
    """
    n_steps = -(-n_frames // RATE_DIVISOR)
    targets = np.zeros((n_steps, N_INSTRUMENTS, N_PITCHES), dtype=np.float32)
    first = np.floor(notes.onset * frame_rate / RATE_DIVISOR).astype(np.int64)
    last = np.ceil(notes.offset * frame_rate / RATE_DIVISOR).astype(np.int64)
    for index in np.flatnonzero(_on_keyboard(notes)):
        program = int(notes.program[index])
        output = OUTPUTS.get(NEAREST.get(program, program))
        if output is not None:
            pitch = notes.pitch[index] - LOWEST_PITCH
            targets[max(first[index], 0) : max(last[index], first[index] + 1, 0), output, pitch] = 1
    return targets


def _on_keyboard(notes: NoteArrays) -> NDArray[np.bool_]:
    """Which notes have a pitch that is a target, shape ``(n,)``."""
    return np.asarray((notes.pitch >= LOWEST_PITCH) & (notes.pitch <= HIGHEST_PITCH))


def _draw_onset(targets: Targets, position: float, pitch: int, velocity: float) -> None:
    """Draw one onset's triangle around ``position`` (frames); of two that meet, the stronger one stays."""
    nearby = np.arange(int(np.ceil(position - ONSET_REACH)), int(np.floor(position + ONSET_REACH)) + 1)
    nearby = nearby[(nearby >= 0) & (nearby < len(targets.onset))]
    strength = (1 - np.abs(nearby - position) / ONSET_REACH).astype(np.float32)
    stronger = strength > targets.onset[nearby, pitch]
    targets.onset[nearby[stronger], pitch] = strength[stronger]
    targets.velocity[nearby[stronger], pitch] = velocity
