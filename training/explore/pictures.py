"""The pictures of a data set, each drawn from its `Statistics`."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from model.note import HIGHEST_PITCH, LOWEST_PITCH, Note
from training.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    SEQUENCE,
    draw_notes,
    draw_spectrogram,
    name_octaves,
    new_figure,
    pitch_span,
)
from training.explore.statistics import TIME_EDGES, Counts, Statistics
from training.prepared import Waveform
from training.report.instruments import program_name

MOST_ROWS = 20  # groups or instruments in one picture; the table has them all


def largest_groups(statistics: Statistics) -> list[str]:
    """Names of the groups with most notes, those first."""
    return sorted(statistics.groups, key=lambda name: -statistics.groups[name].notes)[:MOST_ROWS]


def groups_picture(statistics: Statistics) -> Figure:
    """Notes of each composer."""
    names = largest_groups(statistics)
    return bars(names, [statistics.groups[name].notes for name in names])


def programs_picture(statistics: Statistics) -> Figure:
    """Notes of each instrument."""
    most = statistics.programs.most_common(MOST_ROWS)
    return bars([program_name(program) for program, _ in most], [count for _, count in most])


def bars(names: Sequence[str], counts: Sequence[int]) -> Figure:
    """Horizontal bars with their numbers."""
    figure, axes = new_figure(7.5, 0.9 + 0.3 * len(names))
    axes.barh(range(len(names)), counts, color=BLUE)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(visible=False)
    most = max(counts, default=0) or 1
    for row, count in enumerate(counts):
        axes.text(count + most / 100, row, f"{count:,} ({count / (sum(counts) or 1):.1%})", va="center", fontsize=9)
    axes.set(xlabel="notes", xlim=(0, 1.3 * most))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


def pitches_picture(statistics: Statistics) -> Figure:
    """Pitches by composer, each row in shares of its own."""
    names = largest_groups(statistics)
    figure, axes = new_figure(10, 1.3 + 0.3 * len(names))
    table = np.array([statistics.groups[name].pitches[LOWEST_PITCH : HIGHEST_PITCH + 1] for name in names], dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    extent = (LOWEST_PITCH - 0.5, HIGHEST_PITCH + 0.5, len(names) - 0.5, -0.5)
    image = axes.imshow(100 * shares, aspect="auto", cmap="Blues", extent=extent, interpolation="nearest")
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    name_octaves(axes)
    figure.colorbar(image, ax=axes, label="% of notes", pad=0.01)
    return figure


def octaves_picture(statistics: Statistics) -> Figure:
    """Octaves by composer, in per cent of its notes."""
    names = largest_groups(statistics)
    octaves = range(1, 10)  # scientific pitch notation's 0 to 8, where the piano's keys lie
    table = np.array([statistics.groups[name].octaves[octaves] for name in names], dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, axes = new_figure(7.5, 1 + 0.34 * len(names))
    axes.imshow(shares, aspect="auto", cmap="Blues", vmin=0)
    for (row, column), share in np.ndenumerate(shares):
        if table[row, column]:
            colour = "white" if share > 0.6 * shares.max() else INK
            axes.text(column, row, f"{share:.1%}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(octaves)), [f"C{octave - 1} to B{octave - 1}" for octave in octaves])
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    return figure


def times_picture(counts: Counts, label: str) -> Figure:
    """A histogram over the bins of `TIME_EDGES`, seconds on a logarithmic axis."""
    figure, axes = new_figure(7.5, 3)
    shown = counts[1:-1]
    axes.bar(TIME_EDGES[:-1], shown, width=np.diff(TIME_EDGES), align="edge", color=BLUE)
    axes.set(xscale="log", xlabel=label, ylabel="notes")
    used = np.flatnonzero(shown)
    if len(used):
        axes.set_xlim(TIME_EDGES[used[0]] / 1.1, TIME_EDGES[used[-1] + 1] * 1.1)
    low, high = axes.get_xlim()
    ticks = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


def polyphony_picture(statistics: Statistics) -> Figure:
    """Share of the time during which so many notes sound."""
    seconds = statistics.polyphony
    shares = 100 * seconds / (seconds.sum() or 1)
    last = int(np.flatnonzero(shares >= 0.05).max(initial=1))
    figure, axes = new_figure(7.5, 3)
    axes.bar(range(last + 1), shares[: last + 1], color=[GREY, *[BLUE] * last])
    axes.set(xlabel="notes sounding at once", ylabel="% of the time", xticks=range(0, last + 1, 1 if last <= 20 else 5))
    return figure


def strip_picture(waveform: Waveform, notes: Sequence[Note], *, start: float) -> Figure:
    """Labels over the spectrogram of some seconds, a colour for each instrument."""
    figure, axes = new_figure(11, 3.8)
    draw_spectrogram(axes, waveform, start=start, pitches=pitch_span(notes))
    programs = sorted({note.program for note in notes})
    colours = {program: (GREEN, *SEQUENCE)[n % (len(SEQUENCE) + 1)] for n, program in enumerate(programs)}
    for program, colour in colours.items():
        mine = [note for note in notes if note.program == program]
        draw_notes(axes, mine, height=0.9, edge=colour, fill=colour, alpha=0.35, line=0)
        draw_notes(axes, mine, height=0.9, edge=colour, line=1.3)
    handles = [Patch(color=colour, label=program_name(program)) for program, colour in colours.items()]
    axes.legend(handles=handles, fontsize=9, ncols=6, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    return figure
