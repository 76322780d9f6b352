"""FluidSynth through its C library: several soundfonts loaded once, many recordings rendered by one process.

Only what rendering needs is bound. Instruments sit on MIDI channels, each with a soundfont, a program and a tuning of
its own; time is counted in samples, and events fall on FluidSynth's blocks of 64 samples (1.5 ms at 44.1 kHz).
"""

import ctypes
import ctypes.util
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.errors import DataError

RENDER_RATE = 44100
BLOCK = 64  # FluidSynth starts and ends voices at multiples of this many samples
DRUM_CHANNEL = 9
LONGEST_RELEASE_SECONDS = 8
CC_MODULATION, CC_VOLUME, CC_EXPRESSION = 1, 7, 11
GEN_RELEASE, GEN_FINE_TUNE = 38, 52  # SoundFont 2.01 specification, section 8.1.2: volume envelope release, fine tune

Stereo = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Event:
    """What happens on a channel at a time.

    Parameters
    ----------
    time : float
        Seconds.
    channel : int
        MIDI channel, 0-based.
    kind : {"on", "off", "control"}
        Note on, note off or controller change.
    number : int
        Pitch or controller.
    value : int
        Velocity or controller value; unused for "off".
    """

    time: float
    channel: int
    kind: str
    number: int
    value: int = 0

    def order(self) -> tuple[float, int]:
        """At one time a note ends before the next one begins, and controllers come before both."""
        return self.time, {"control": 0, "off": 1, "on": 2}[self.kind]


@dataclass(frozen=True, slots=True)
class Effects:
    """FluidSynth's room and chorus, as fluid_synth_set_reverb and fluid_synth_set_chorus take them; level 0 is off."""

    room: float = 0.3
    damping: float = 0.2
    reverb_level: float = 0.0
    chorus_level: float = 0.0


class Synth:
    """A synthesizer with its soundfonts.

    Parameters
    ----------
    soundfonts : sequence of Path
        Files in SoundFont 2 format.

    Raises
    ------
    DataError
        If the FluidSynth library or a soundfont cannot be loaded.
    """

    def __init__(self, soundfonts: Sequence[Path]) -> None:
        self._lib = load_library()
        settings = self._settings = self._lib.new_fluid_settings()
        self._lib.fluid_settings_setnum(settings, b"synth.sample-rate", float(RENDER_RATE))
        self._lib.fluid_settings_setint(settings, b"synth.polyphony", 512)
        self._lib.fluid_settings_setnum(settings, b"synth.gain", 0.2)
        self._synth = self._lib.new_fluid_synth(settings)
        self._fonts = {path.stem: self._load(path) for path in soundfonts}

    def _load(self, path: Path) -> int:
        font = int(self._lib.fluid_synth_sfload(self._synth, str(path).encode(), 0)) if path.exists() else -1
        if font < 0:
            raise DataError(f"{path}: not a soundfont that FluidSynth can load")
        return font

    def close(self) -> None:
        """Free what the library holds; the synthesizer cannot be used any more."""
        self._lib.delete_fluid_synth(self._synth)
        self._lib.delete_fluid_settings(self._settings)

    def reset(self, effects: Effects) -> None:
        """Silence all, put back all controllers, and set the room."""
        self._lib.fluid_synth_system_reset(self._synth)
        for switch in (self._lib.fluid_synth_reverb_on, self._lib.fluid_synth_chorus_on):
            switch(self._synth, -1, 0)
        self._let_ring_out()
        self._lib.fluid_synth_reverb_on(self._synth, -1, int(effects.reverb_level > 0))
        self._lib.fluid_synth_chorus_on(self._synth, -1, int(effects.chorus_level > 0))
        self._lib.fluid_synth_set_reverb(self._synth, effects.room, effects.damping, 0.5, effects.reverb_level)
        self._lib.fluid_synth_set_chorus(self._synth, 3, effects.chorus_level, 0.4, 6.0, 0)

    def _let_ring_out(self) -> None:
        """A reset lets sounding notes go through their release, which would be heard in what is rendered next."""
        audio = np.zeros((2, 64 * BLOCK), dtype=np.float32)
        for _ in range(LONGEST_RELEASE_SECONDS * RENDER_RATE // audio.shape[1]):
            self._write(audio, 0, audio.shape[1])
            if not audio.any():
                return

    def set_channel(
        self, channel: int, soundfont: str, program: int, *, cents: float = 0.0, release_timecents: float = 0.0
    ) -> None:
        """Give a channel its instrument, its tuning, and a longer or shorter release (1200 timecents double it).

        Raises
        ------
        DataError
            If the soundfont was not loaded or lacks the program.
        """
        font = self._fonts.get(soundfont)
        if font is None or self._lib.fluid_synth_program_select(self._synth, channel, font, 0, program) != 0:
            raise DataError(f"soundfont {soundfont} has no program {program}; loaded: {', '.join(self._fonts)}")
        self._lib.fluid_synth_set_gen(self._synth, channel, GEN_FINE_TUNE, cents)
        self._lib.fluid_synth_set_gen(self._synth, channel, GEN_RELEASE, release_timecents)

    def render(self, events: Iterable[Event], seconds: float) -> Stereo:
        """Play events.

        Parameters
        ----------
        events : iterable of Event
            In any order.
        seconds : float
            Length of what is rendered.

        Returns
        -------
        np.ndarray [shape=(2, n), dtype=float32]
            At `RENDER_RATE`; may exceed full scale.
        """
        n_samples = -(-int(seconds * RENDER_RATE) // BLOCK) * BLOCK
        audio = np.zeros((2, n_samples), dtype=np.float32)
        position = 0
        for event in sorted(events, key=Event.order):
            target = min(n_samples, round(event.time * RENDER_RATE / BLOCK) * BLOCK)
            self._write(audio, position, target)
            position = max(position, target)
            self._send(event)
        self._write(audio, position, n_samples)
        return audio

    def _send(self, event: Event) -> None:
        if event.kind == "on":
            self._lib.fluid_synth_noteon(self._synth, event.channel, event.number, event.value)
        elif event.kind == "off":
            self._lib.fluid_synth_noteoff(self._synth, event.channel, event.number)
        else:
            self._lib.fluid_synth_cc(self._synth, event.channel, event.number, event.value)

    def _write(self, audio: Stereo, start: int, stop: int) -> None:
        if stop > start:
            left, right = (audio[side].ctypes.data_as(ctypes.c_void_p) for side in (0, 1))
            self._lib.fluid_synth_write_float(self._synth, stop - start, left, start, 1, right, start, 1)


@lru_cache(maxsize=1)
def listening_synth(soundfonts: tuple[Path, ...]) -> Synth:
    """The synthesizer of this process for trying instruments; it also keeps the samples in memory for all others.

    Its first note differs in the last digits from the same note played later, so that one is played here.
    """
    synth = Synth(soundfonts)
    synth.reset(Effects())
    synth.render([Event(0.0, 0, "on", 60, 100)], 0.1)
    return synth


@contextmanager
def fresh_synth(soundfonts: tuple[Path, ...]) -> Iterator[Synth]:
    """A synthesizer for one recording.

    The reverb's slow modulation goes on through a reset: what is rendered would depend on what was rendered before.
    """
    listening_synth(soundfonts)  # while it lives, opening the same soundfonts again takes a fraction of a second
    synth = Synth(soundfonts)
    try:
        yield synth
    finally:
        synth.close()


def check_soundfont(path: Path) -> None:
    """Look at a file's first bytes before any rendering begins; loading a large soundfont takes seconds.

    Raises
    ------
    DataError
        If it is missing or something else.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise DataError(f"no such soundfont: {path}: {error.strerror}") from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise DataError(f"{path}: not a soundfont; expected a .sf2 or .sf3 file")


def load_library() -> ctypes.CDLL:
    """Load FluidSynth's library and declare the calls that take more than ints."""
    name = ctypes.util.find_library("fluidsynth")
    if name is None:
        raise DataError(
            "rendering needs the FluidSynth library (Debian and Ubuntu: libfluidsynth3), which is not installed"
        )
    lib = ctypes.CDLL(name)
    pointer, number, integer = ctypes.c_void_p, ctypes.c_double, ctypes.c_int
    signatures: dict[str, tuple[list[type], type | None]] = {
        "new_fluid_settings": ([], pointer),
        "new_fluid_synth": ([pointer], pointer),
        "delete_fluid_synth": ([pointer], None),
        "delete_fluid_settings": ([pointer], None),
        "fluid_settings_setnum": ([pointer, ctypes.c_char_p, number], integer),
        "fluid_settings_setint": ([pointer, ctypes.c_char_p, integer], integer),
        "fluid_synth_sfload": ([pointer, ctypes.c_char_p, integer], integer),
        "fluid_synth_system_reset": ([pointer], integer),
        "fluid_synth_reverb_on": ([pointer, integer, integer], integer),
        "fluid_synth_chorus_on": ([pointer, integer, integer], integer),
        "fluid_synth_set_reverb": ([pointer, number, number, number, number], None),
        "fluid_synth_set_chorus": ([pointer, integer, number, number, number, integer], None),
        "fluid_synth_program_select": ([pointer, *[integer] * 4], integer),
        "fluid_synth_set_gen": ([pointer, integer, integer, ctypes.c_float], integer),
        "fluid_synth_noteon": ([pointer, integer, integer, integer], integer),
        "fluid_synth_noteoff": ([pointer, integer, integer], integer),
        "fluid_synth_cc": ([pointer, integer, integer, integer], integer),
        "fluid_synth_write_float": (
            [pointer, integer, pointer, integer, integer, pointer, integer, integer],
            integer,
        ),
    }
    for function, (arguments, result) in signatures.items():
        getattr(lib, function).argtypes = arguments
        getattr(lib, function).restype = result
    return lib
