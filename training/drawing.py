"""What all pictures here share: size, colours, axes of pitch, notes over a spectrogram.

Figures are made by hand, without pyplot, which keeps state of its own and a window system in mind.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from model.cqt import CqtConfig, VariableQ
from model.note import HIGHEST_PITCH, LOWEST_PITCH, Note
from training.prepared import SAMPLE_RATE, Waveform

DPI = 120
# Told apart with any colour vision (Okabe & Ito 2008, "Color universal design").
GREEN, BLUE, RED, ORANGE, GREY = "#009e73", "#0072b2", "#d55e00", "#e69f00", "#8a8f98"
SEQUENCE = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", RED, "#f0e442", GREY)
INK, FAINT = "#24292f", "#d9dde3"
SPECTROGRAM_COLOURS = "Greys"


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure of one axes, sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, plain(figure.add_subplot())


def plain(axes: Axes) -> Axes:
    """Take away what is not needed to read an axes."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=INK)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def save(figure: Figure, path: Path) -> None:
    """Write a PNG, its folder made if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")


def pitch_name(pitch: int) -> str:
    """Scientific pitch notation, C4 being middle C."""
    return f"{('C', 'C♯', 'D', 'E♭', 'E', 'F', 'F♯', 'G', 'A♭', 'A', 'B♭', 'B')[pitch % 12]}{pitch // 12 - 1}"


def name_octaves(axes: Axes, *, vertical: bool = False) -> None:
    """Put a tick at each C of the keyboard."""
    octaves = [pitch for pitch in range(LOWEST_PITCH, HIGHEST_PITCH + 1) if pitch % 12 == 0]
    axis = axes.yaxis if vertical else axes.xaxis
    axis.set_ticks(octaves, [pitch_name(pitch) for pitch in octaves])


def spectrogram(waveform: Waveform) -> npt.NDArray[np.float32]:
    """The log magnitudes that the network sees, shape (n_bins, n_frames)."""
    with torch.inference_mode():
        frames = VariableQ(CqtConfig()).log_magnitudes(torch.from_numpy(waveform)[None])[0]
    return np.asarray(frames.T.numpy(), dtype=np.float32)


def draw_spectrogram(axes: Axes, waveform: Waveform, *, start: float, pitches: tuple[int, int]) -> None:
    """Lay a waveform's spectrogram under notes to come: time in seconds, frequency as MIDI pitch.

    Parameters
    ----------
    axes : Axes
    waveform : ndarray, shape (n,), float32
        At `SAMPLE_RATE`.
    start : float
        When it begins, in seconds.
    pitches : (int, int)
        Lowest and highest pitch to show.
    """
    config = CqtConfig()
    image = spectrogram(waveform)
    half = 6 / config.bins_per_octave  # half a bin, in semitones
    top = LOWEST_PITCH + 12 * (config.n_bins - 1) / config.bins_per_octave + half
    stop = start + len(waveform) / SAMPLE_RATE
    extent = (start, stop, LOWEST_PITCH - half, top)
    loudest = float(image.max())
    axes.imshow(
        image, aspect="auto", origin="lower", extent=extent, cmap=SPECTROGRAM_COLOURS, vmin=loudest - 1.2, vmax=loudest
    )
    axes.grid(visible=False)
    name_octaves(axes, vertical=True)  # before the limits, which it widens
    axes.set(xlim=(start, stop), ylim=(pitches[0] - 0.8, pitches[1] + 0.8), xlabel="seconds")


def draw_notes(
    axes: Axes,
    notes: Iterable[Note],
    *,
    height: float,
    edge: str,
    fill: str = "none",
    alpha: float = 1.0,
    line: float = 1.2,
) -> None:
    """Draw notes as boxes, `height` semitones high."""
    boxes = [Rectangle((n.onset, n.pitch - height / 2), n.offset - n.onset, height) for n in notes]
    axes.add_collection(PatchCollection(boxes, facecolor=fill, edgecolor=edge, linewidth=line, alpha=alpha))


def pitch_span(notes: Iterable[Note]) -> tuple[int, int]:
    """Lowest and highest pitch to show: those of the notes and a third around, the middle of the keyboard if none."""
    pitches = [note.pitch for note in notes] or [48, 84]
    return max(LOWEST_PITCH, min(pitches) - 4), min(HIGHEST_PITCH, max(pitches) + 4)
