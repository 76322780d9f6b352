"""The pictures of an evaluation report, each drawn from what a `Study` gathered."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from model.note import HIGHEST_PITCH, LOWEST_PITCH
from training.drawing import (
    BLUE,
    DPI,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    draw_notes,
    draw_spectrogram,
    name_octaves,
    new_figure,
    pitch_span,
    plain,
)
from training.prepared import Waveform
from training.report.breakdown import VELOCITY_STEP, Breakdown
from training.report.curves import Point, best
from training.report.instruments import Confusion, program_name
from training.report.note_errors import Kind
from training.report.passages import Passage, is_shift
from training.report.study import DEVIATION_MS, Study
from training.scores import ONSET_SECONDS, Counts

FEW = 20  # precision or recall of fewer notes than this says little, and is drawn faintly


def errors_picture(study: Study) -> Figure:
    """How many errors there are of each kind."""
    counts = study.all_errors
    kinds = list(Kind)
    figure, axes = new_figure(7.5, 4.2)
    axes.barh(range(len(kinds)), [counts[kind] for kind in kinds], color=[kind_colour(kind) for kind in kinds])
    axes.set_yticks(range(len(kinds)), [kind.value.replace("_", " ") for kind in kinds])
    axes.invert_yaxis()
    axes.grid(visible=False)
    most = max(counts.values(), default=0) or 1
    for row, kind in enumerate(kinds):
        axes.text(counts[kind] + most / 100, row, f"{counts[kind]:,}", va="center", fontsize=9, color=INK)
    axes.set(xlabel="notes", xlim=(0, 1.12 * most))
    return figure


def kind_colour(kind: Kind) -> str:
    """Missed blue, extra red, wrong time orange, wrong end grey; the same everywhere."""
    if kind.startswith("missed"):
        return BLUE
    if kind.startswith("extra"):
        return RED
    return ORANGE if is_shift(kind) else GREY


def pitches_picture(pitches: Breakdown[int]) -> Figure:
    """Precision and recall of each pitch, over the number of its notes."""
    keyboard = range(LOWEST_PITCH, HIGHEST_PITCH + 1)
    counts = [pitches[pitch] for pitch in keyboard]
    figure = Figure(figsize=(10, 4.6), dpi=DPI, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for name, colour in (("precision", RED), ("recall", BLUE), ("f1", INK)):
        values = [getattr(one, name) if one.hits + one.misses + one.false_alarms else np.nan for one in counts]
        enough = np.where([pitches.in_reference(pitch) >= FEW for pitch in keyboard], values, np.nan)
        above.plot(keyboard, values, ".", color=colour, alpha=0.3, markersize=4)
        above.plot(keyboard, enough, color=colour, label=name.replace("f1", "F1"), linewidth=1.6)
    plain(above).set(ylim=(0, 1.02), ylabel="share")
    above.legend(fontsize=9, ncols=3, loc="lower center", frameon=False)
    plain(below).bar(keyboard, [pitches.in_reference(pitch) for pitch in keyboard], color=GREY, width=0.9)
    below.set(ylabel="notes", xlim=(LOWEST_PITCH - 1, HIGHEST_PITCH + 1))
    name_octaves(below)
    return figure


def curves_picture(curves: dict[str, Sequence[Point]], chosen: dict[str, Counts]) -> Figure:
    """Precision against recall, with the point at which the system was scored.

    Parameters
    ----------
    curves : dict of str to sequence of Point
        Names such as "notes".
    chosen : dict of str to Counts
        What was scored, by the same names.
    """
    figure, axes = new_figure(5.6, 5.2)
    for level in np.arange(0.5, 1.0, 0.1):
        recall = np.linspace(level / 2 + 0.001, 1, 200)
        axes.plot(recall, level * recall / (2 * recall - level), color=FAINT, linewidth=0.8)
        axes.text(1.005, level / (2 - level), f"F1 {level:.1f}", fontsize=8, color=GREY, va="center")
    for (name, counts), colour in zip(chosen.items(), (BLUE, GREEN), strict=True):
        points = curves.get(name, [])
        axes.plot([p.recall for p in points], [p.precision for p in points], color=colour, linewidth=1.8)
        axes.plot(counts.recall, counts.precision, "o", color=colour, label=f"{name}, as scored: F1 {counts.f1:.3f}")
        if points:
            top = best(points)
            label = f"{name}, best: F1 {top.f1:.3f} at {top.threshold:.2f}"
            axes.plot(top.recall, top.precision, "o", color=colour, markerfacecolor="white", label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="recall", ylabel="precision")
    axes.legend(fontsize=9, loc="lower left", frameon=False)
    return figure


def onsets_picture(study: Study) -> Figure:
    """How late notes of the right pitch were found."""
    figure, axes = new_figure(7.5, 3)
    bins = sorted(study.onset_deviations)
    inside = [-ONSET_SECONDS * 1000 <= edge < ONSET_SECONDS * 1000 for edge in bins]
    colours = [GREEN if right else ORANGE for right in inside]
    heights = [study.onset_deviations[edge] for edge in bins]
    axes.bar(bins, heights, width=0.9 * DEVIATION_MS, align="edge", color=colours)
    axes.set(xlabel="found later than the reference by, in ms", ylabel="notes", yscale="log")
    axes.legend(
        handles=[Patch(color=GREEN, label="within 50 ms"), Patch(color=ORANGE, label="beyond")],
        fontsize=9,
        frameon=False,
    )
    return figure


def velocities_picture(study: Study) -> Figure:
    """Recall by the reference's velocity, and how the found velocity follows it."""
    figure = Figure(figsize=(10, 4), dpi=DPI, layout="constrained")
    left, right = map(plain, figure.subplots(1, 2))
    lows = sorted(study.velocities.all_keys())
    counts = [study.velocities[low] for low in lows]
    left.bar(lows, [one.recall for one in counts], width=0.9 * VELOCITY_STEP, align="edge", color=BLUE)
    for low, one in zip(lows, counts, strict=True):
        n_notes = one.hits + one.misses
        left.text(low + VELOCITY_STEP * 0.45, one.recall + 0.01, f"{n_notes:,}", ha="center", fontsize=8)
    left.set(ylim=(0, 1.06), xlabel="velocity in the reference", ylabel="recall (above: notes)")
    velocities = np.arange(len(study.loudness))
    n = study.loudness.sum(axis=1)
    enough = velocities[n >= FEW]
    spread = np.log10(np.maximum(study.loudness, 0.3)).T
    right.imshow(spread, origin="lower", aspect="equal", cmap="Blues", vmin=-0.5)
    means = (study.loudness[enough] @ velocities) / n[enough]
    right.plot(enough, means, color=RED, label="mean found")
    right.plot([0, 127], [0, 127], color=GREY, linewidth=0.8, linestyle="--", label="equal")
    right.set(xlabel="velocity in the reference", ylabel="velocity found")
    right.legend(fontsize=9, frameon=False, loc="upper left")
    return figure


def instruments_picture(programs: Breakdown[int]) -> Figure:
    """Recall of each instrument's notes."""
    order = sorted(programs.all_keys(), key=lambda program: -programs.in_reference(program))
    figure, axes = new_figure(7.5, 0.9 + 0.34 * len(order))
    axes.barh(range(len(order)), [programs[program].recall for program in order], color=BLUE)
    axes.set_yticks(range(len(order)), [program_name(program) for program in order])
    axes.invert_yaxis()
    axes.grid(visible=False)
    for row, program in enumerate(order):
        recall, n_notes = programs[program].recall, programs.in_reference(program)
        axes.text(recall + 0.01, row, f"{recall:.3f} of {n_notes:,}", va="center", fontsize=9)
    axes.set(xlim=(0, 1.25), xlabel="recall", xticks=np.arange(0, 1.01, 0.2))
    return figure


def confusion_picture(confused: Confusion) -> Figure:
    """Which instrument was taken for which, each row of the reference in shares."""
    rows = sorted({true for true, _ in confused if true is not None})
    columns = sorted({*rows, *(found for _, found in confused if found is not None)})
    table = np.array([[confused[true, found] for found in [*columns, None]] for true in [*rows, None]], dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    side = 2.4 + 0.5 * len(columns)
    figure, axes = new_figure(side + 1, 1.8 + 0.4 * len(rows))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(table):
        if count:
            colour = "white" if shares[row, column] > 0.5 else INK
            axes.text(column, row, f"{int(count):,}", ha="center", va="center", fontsize=8, color=colour)
    axes.grid(visible=False)
    names = [*map(program_name, columns), "not found"]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(rows) + 1), [*map(program_name, rows), "not there"])
    axes.set(xlabel="found", ylabel="reference")
    return figure


def passage_picture(passage: Passage, waveform: Waveform) -> Figure:
    """Reference and estimate over the spectrogram of a passage's audio."""
    notes = [one.note for one in [*passage.true, *passage.found]]
    figure, axes = new_figure(11, 5)
    draw_spectrogram(axes, waveform, start=passage.start, pitches=pitch_span(notes))
    draw_notes(axes, [one.note for one in passage.true], height=0.95, edge=INK, line=0.8)
    for one in passage.found:
        colour = GREEN if one.kind is None else kind_colour(one.kind)
        draw_notes(axes, [one.note], height=0.5, edge=colour, fill=colour, alpha=0.85, line=0.5)
    missed = [one.note for one in passage.true if one.kind is not None and not is_shift(one.kind)]
    draw_notes(axes, missed, height=0.95, edge=BLUE, line=2)
    axes.legend(handles=passage_legend(), fontsize=9, ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.09))
    return figure


def passage_legend() -> list[Patch]:
    """What the colours of a passage mean."""
    return [
        Patch(facecolor="none", edgecolor=INK, linewidth=0.8, label="reference"),
        Patch(facecolor="none", edgecolor=BLUE, linewidth=2, label="missed"),
        Patch(color=GREEN, label="found"),
        Patch(color=RED, label="extra"),
        Patch(color=ORANGE, label="found early or late"),
    ]
