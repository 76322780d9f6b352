"""What the network heard, as it is kept: three probabilities for every frame and pitch, one byte each.

Where the network tells instruments apart, their probabilities follow, at a quarter of the frame rate. A byte resolves a
probability to 0.004, which moves no onset by more than a tenth of a millisecond; one hour is 40 MB, and 36 MB of
instruments. Everything after the network reads these bytes, so decoding again gives exactly what decoding the first
time gave.

On disk it is a safetensors file whose header is padded to a fixed size: frames are appended while they are computed,
and the header, which holds their number, is written last. A file without a header was not finished.
"""

import json
import math
import mmap
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ActivationsError
from model.instruments import N_INSTRUMENTS
from model.note import N_PITCHES

HEADER_BYTES = 512
TENSOR = "activations"
INSTRUMENTS_TENSOR = "instruments"


@dataclass(frozen=True)
class Activations:
    """Activations of a recording, 0 to 255 for a probability of 0 to 1.

    Parameters
    ----------
    values : ndarray, shape (frames, 3, N_PITCHES), uint8
        Onset, frame and velocity.
    frame_rate : float
        Frames per second.
    instruments : ndarray, shape (ceil(frames / RATE_DIVISOR), N_INSTRUMENTS, N_PITCHES), uint8, or None
        Of each instrument of `model.instruments`, if there is a note; None where the network did not tell.
    mapping : mmap, optional
        The file that both lie in, if they do.
    """

    values: NDArray[np.uint8]
    frame_rate: float
    instruments: NDArray[np.uint8] | None = None
    mapping: mmap.mmap | None = None

    def release(self) -> None:
        """Give back the memory of what was read of the file; it is read again when asked for.

        Who goes through a recording of hours block by block calls this after each.
        """
        if self.mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.mapping.madvise(mmap.MADV_DONTNEED)

    @property
    def onset(self) -> NDArray[np.uint8]:
        """Shape (frames, N_PITCHES)."""
        return self.values[:, 0]

    @property
    def frame(self) -> NDArray[np.uint8]:
        """Shape (frames, N_PITCHES)."""
        return self.values[:, 1]

    @property
    def velocity(self) -> NDArray[np.uint8]:
        """Shape (frames, N_PITCHES)."""
        return self.values[:, 2]

    @property
    def duration(self) -> float:
        """Seconds from the start to the end of the last frame."""
        return len(self.values) / self.frame_rate


class ActivationsWriter:
    """Writes activations as they come; a context manager.

    Parameters
    ----------
    path : Path
        Overwritten.
    frame_rate : float
        Frames per second.
    """

    def __init__(self, path: Path, frame_rate: float) -> None:
        self.frame_rate = frame_rate
        self.n_frames = 0
        self._n_steps = 0
        self._file = path.open("wb")
        self._file.write(bytes(HEADER_BYTES))
        # They come with the frames and stand behind all of them.
        self._instruments = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115

    def append(self, values: NDArray[np.uint8], instruments: NDArray[np.uint8] | None = None) -> None:
        """Append frames and what was heard of instruments, as in `Activations`."""
        self._file.write(np.ascontiguousarray(values).data)
        self.n_frames += len(values)
        if instruments is not None:
            self._instruments.write(np.ascontiguousarray(instruments).data)
            self._n_steps += len(instruments)

    def __enter__(self) -> "ActivationsWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._instruments.seek(0)
            shutil.copyfileobj(self._instruments, self._file)
            self._file.seek(0)
            self._file.write(_header(self.n_frames, self._n_steps, self.frame_rate))
        self._instruments.close()
        self._file.close()


def _header(n_frames: int, n_steps: int, frame_rate: float) -> bytes:
    """The safetensors header: its length as 8 bytes, then JSON, padded with spaces to `HEADER_BYTES`."""
    header: dict[str, object] = {"__metadata__": {"frame_rate": repr(frame_rate)}}
    shapes = {TENSOR: [n_frames, 3, N_PITCHES]}
    if n_steps:
        shapes[INSTRUMENTS_TENSOR] = [n_steps, N_INSTRUMENTS, N_PITCHES]
    begin = 0
    for name, shape in shapes.items():
        end = begin + math.prod(shape)
        header[name] = {"dtype": "U8", "shape": shape, "data_offsets": [begin, end]}
        begin = end
    length = HEADER_BYTES - 8
    return length.to_bytes(8, "little") + json.dumps(header).encode().ljust(length)


def open_activations(path: Path) -> Activations:
    """Map a file that `ActivationsWriter` finished.

    Raises
    ------
    ActivationsError
        If the file is missing, unfinished or cut short.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length == HEADER_BYTES - 8 else {}
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        frame_rate = float(header["__metadata__"]["frame_rate"])
        end = max(tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__")
        if path.stat().st_size != HEADER_BYTES + end:
            raise ActivationsError(f"{path.name} is not as long as its header says")
        instruments = _view(mapping, header[INSTRUMENTS_TENSOR]) if INSTRUMENTS_TENSOR in header else None
        return Activations(_view(mapping, header[TENSOR]), frame_rate, instruments, mapping)
    except (OSError, KeyError, ValueError) as error:
        raise ActivationsError(f"{path.name} does not hold finished activations: {error}") from error


def _view(mapping: mmap.mmap, tensor: dict[str, Any]) -> NDArray[np.uint8]:
    """One tensor of a file, by its entry in the header."""
    shape = tuple(tensor["shape"])
    offset = HEADER_BYTES + tensor["data_offsets"][0]
    return np.frombuffer(mapping, dtype=np.uint8, count=math.prod(shape), offset=offset).reshape(shape)
