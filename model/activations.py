"""What the network heard, as it is kept: three probabilities for every frame and pitch, one byte each.

A byte resolves a probability to 0.004, which moves no onset by more than a tenth of a millisecond; one hour is 40 MB.
Everything after the network reads these bytes, so decoding again gives exactly what decoding the first time gave.

On disk it is a safetensors file whose header is padded to a fixed size: frames are appended while they are computed,
and the header, which holds their number, is written last. A file without a header was not finished.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from model.errors import ActivationsError
from model.note import N_PITCHES

HEADER_BYTES = 512
TENSOR = "activations"


@dataclass(frozen=True)
class Activations:
    """Activations of a recording, 0 to 255 for a probability of 0 to 1.

    Parameters
    ----------
    values : ndarray, shape (frames, 3, N_PITCHES), uint8
        Onset, frame and velocity; may be a memory map.
    frame_rate : float
        Frames per second.
    """

    values: NDArray[np.uint8]
    frame_rate: float

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
        self._file = path.open("wb")
        self._file.write(bytes(HEADER_BYTES))

    def append(self, values: NDArray[np.uint8]) -> None:
        """Append frames, shape (frames, 3, N_PITCHES), uint8."""
        self._file.write(np.ascontiguousarray(values).data)
        self.n_frames += len(values)

    def __enter__(self) -> "ActivationsWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._file.seek(0)
            self._file.write(_header(self.n_frames, self.frame_rate))
        self._file.close()


def _header(n_frames: int, frame_rate: float) -> bytes:
    """The safetensors header: its length as 8 bytes, then JSON, padded with spaces to `HEADER_BYTES`."""
    shape = [n_frames, 3, N_PITCHES]
    tensor = {"dtype": "U8", "shape": shape, "data_offsets": [0, int(np.prod(shape))]}
    text = json.dumps({"__metadata__": {"frame_rate": repr(frame_rate)}, TENSOR: tensor})
    length = HEADER_BYTES - 8
    return length.to_bytes(8, "little") + text.encode().ljust(length)


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
        shape = tuple(header[TENSOR]["shape"])
        frame_rate = float(header["__metadata__"]["frame_rate"])
        if path.stat().st_size != HEADER_BYTES + int(np.prod(shape)):
            raise ActivationsError(f"{path.name} is not as long as its header says")
        if shape[0] == 0:
            return Activations(np.zeros(shape, dtype=np.uint8), frame_rate)
        return Activations(np.memmap(path, dtype=np.uint8, mode="r", offset=HEADER_BYTES, shape=shape), frame_rate)
    except (OSError, KeyError, ValueError) as error:
        raise ActivationsError(f"{path.name} does not hold finished activations: {error}") from error
