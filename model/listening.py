"""Audio of any length to activations, in windows, whatever hears the windows.

Nothing here imports torch: a process may have its windows heard by another one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.activations import Activations, ActivationsWriter
from model.audio import AudioSource, AudioSummary
from model.instruments import RATE_DIVISOR
from model.loudness import SILENCE_DBFS, Loudness
from model.note import N_PITCHES
from model.peaks import Peaks
from model.tuning import Tuning
from model.windows import WindowConfig, windows


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Parameters
    ----------
    seconds_done : float
        Audio that the network has heard.
    seconds_total : float or None
        Length of the audio as its header states it; None when it states none.
    """

    seconds_done: float
    seconds_total: float | None


class Heard(NamedTuple):
    """What was heard in a window, as in `Activations`."""

    values: NDArray[np.uint8]
    instruments: NDArray[np.uint8] | None

    def kept(self, frames: slice) -> "Heard":
        """Some frames of it, from a multiple of `RATE_DIVISOR` on."""
        steps = slice(frames.start // RATE_DIVISOR, -(-frames.stop // RATE_DIVISOR))
        return Heard(self.values[frames], None if self.instruments is None else self.instruments[steps])


class Listener(ABC):
    """What turns a waveform into activations.

    Parameters
    ----------
    sr : int
        Sampling rate (Hz) of the waveforms that it hears.
    hop_length : int
        Samples from frame to frame.
    window : WindowConfig
    retunes : bool
        Whether it reads notes by the recording's own concert pitch; else by A = 440 Hz whatever that is.
    """

    def __init__(self, *, sr: int, hop_length: int, window: WindowConfig, retunes: bool) -> None:
        self.sr = sr
        self.hop_length = hop_length
        self.window = window
        self.retunes = retunes

    @abstractmethod
    def hear(self, samples: NDArray[np.float32], cents: int) -> Heard:
        """Hear one window of a recording that is ``cents`` above A = 440 Hz: (samples,) -> all its frames."""

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sr / self.hop_length

    def activations(self, waveform: NDArray[np.float32], *, a4_hz: float | None = None) -> Activations:
        """Hear a waveform that is in memory.

        Parameters
        ----------
        waveform : ndarray, shape (samples,), float32
            Mono at `sr`, full scale at 1.
        a4_hz : float, optional
            Its concert pitch; found where it is not given.

        Returns
        -------
        Activations
            ``ceil(samples / hop_length)`` frames.
        """
        parts = list(self.stream([waveform], Tuning(self.sr, a4_hz)))
        instruments = [part.instruments for part in parts if part.instruments is not None]
        return Activations(
            np.concatenate([np.zeros((0, 3, N_PITCHES), dtype=np.uint8), *(part.values for part in parts)]),
            self.frame_rate,
            np.concatenate(instruments) if instruments else None,
        )

    def stream(self, blocks: Iterable[NDArray[np.float32]], tuning: Tuning) -> Iterator[Heard]:
        """Hear blocks of a waveform as they come.

        Parameters
        ----------
        blocks : iterable of ndarray, shape (n,), float32
        tuning : Tuning
            Of the recording; it hears each window first.

        Yields
        ------
        Heard
            One piece per window.
        """
        loudness = Loudness(self.sr)
        for window in windows(blocks, self.window, hop_length=self.hop_length):
            if self.retunes:
                tuning.add(window.samples)
            yield self.hear(loudness.raised(window.samples), tuning.cents).kept(window.keep)

    def write_activations(
        self,
        audio: AudioSource,
        target: Path,
        *,
        on_progress: Callable[[Progress], None],
        peaks: Path | None = None,
        a4_hz: float | None = None,
    ) -> AudioSummary:
        """Hear a recording and write what was heard; memory does not grow with its length.

        Parameters
        ----------
        audio : AudioSource
            A file opened for decoding at `sr`.
        target : Path
            Where the activations go (`model.activations`).
        on_progress : callable
            Called after each window. An exception that it raises stops the run and is passed on.
        peaks : Path, optional
            Where the loudness of each hundredth of a second goes, a byte each (`model.peaks`).
        a4_hz : float, optional
            The recording's concert pitch; found where it is not given.

        Returns
        -------
        AudioSummary
            With the concert pitch that the notes were read by.

        Raises
        ------
        ModelError
            If the file cannot be read as audio within the limits, or ``a4_hz`` lies outside its range.
        """
        heard = Peaks(self.sr)
        tuning = Tuning(self.sr, a4_hz)
        with ActivationsWriter(target, self.frame_rate) as writer:
            for part in self.stream(heard.watch(audio.blocks()), tuning):
                writer.append(part.values, part.instruments)
                on_progress(Progress(writer.n_frames / self.frame_rate, audio.claimed_seconds))
        if peaks is not None:
            peaks.write_bytes(heard.to_bytes())
        if heard.dbfs < SILENCE_DBFS:
            audio.summary.warnings.append("the recording is silent: there is nothing to transcribe")
        if self.retunes:
            audio.summary.a4_hz = tuning.a4_hz
        elif a4_hz is not None:
            audio.summary.warnings.append("this model reads all notes by A4 = 440 Hz, whatever a4_hz says")
        return audio.summary
