"""The page of a comparison: Markdown with tables, and PNG plots of the curves and of performance against size."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.networks import CONVOLUTION
from training.compare import BASELINE
from training.comparison_table import Budget, Table

Record = dict[str, Any]
CURVES = ("loss", "precision", "recall", "f1", "accuracy")
SMALL_STEPS = 2000  # below this a page says that its budget is small
NAMES = {"f1": "F1", "note_f1": "note F1"}


def write_page(
    folder: Path, table: Table, budget: Budget, records: Sequence[Record], *, sets: str, command: str
) -> None:
    """Write ``README.md``, ``results.json`` and the plots.

    Parameters
    ----------
    folder : Path
    table : Table
    budget : Budget
    records : sequence of dict
        As `training.compare.compare` returns them; a table that is not whole yet is said to be so.
    sets : str
        What was trained and scored on, in words.
    command : str
        The command that made it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(records, indent=None) + "\n")
    first_loss, first_feature = table.losses[0], table.features[0]
    by_network = [
        r for r in records if r["loss"] == first_loss and r["features"] == first_feature and at_size(r, table)
    ]
    by_feature = [r for r in records if r["loss"] == first_loss and r["network"] == table.sized and at_size(r, table)]
    by_loss = [r for r in records if r["features"] == first_feature and r["network"] == table.sized]
    by_loss = [r for r in by_loss if at_size(r, table)]
    draw_curves(folder / "networks.png", by_network, lambda r: str(r["network"]))
    draw_curves(folder / "features.png", by_feature, lambda r: str(r["features"]))
    draw_curves(folder / "losses.png", by_loss, lambda r: str(r["loss"]))
    draw_sizes(folder / "sizes.png", records, table)
    (folder / "README.md").write_text(page(table, budget, records, sets=sets, command=command))


def at_size(record: Record, table: Table) -> bool:
    """Whether a record has the table's size, and is not one of those that vary it."""
    return (record["hidden"], record["layers"]) in {(table.hidden[0], table.layers[0]), (0, 0)}


def draw_curves(path: Path, records: Sequence[Record], label: Callable[[Record], str]) -> None:
    """Loss, precision, recall, F1 and accuracy by epoch, a line for each record."""
    figure = Figure(figsize=(13, 2.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
        for record in records:
            values = [point[name] for point in record["curve"]]
            if values:
                axes.plot(range(1, len(values) + 1), values, marker=".", markersize=4, linewidth=1, label=label(record))
        finish(axes, "epoch", NAMES.get(name, name))
    if records:
        figure.axes[-1].legend(fontsize=7)
    save(figure, path)


def draw_sizes(path: Path, records: Sequence[Record], table: Table) -> None:
    """Frame scores against hidden size and against layers."""
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    sized = [
        r
        for r in records
        if (r["network"], r["loss"], r["features"]) == (table.sized, table.losses[0], table.features[0])
    ]
    left, right = figure.subplots(1, 2)
    by_hidden = sorted((r for r in sized if r["layers"] == table.layers[0]), key=lambda r: int(r["hidden"]))
    by_layers = sorted((r for r in sized if r["hidden"] == table.hidden[0]), key=lambda r: int(r["layers"]))
    for axes, rows, name in ((left, by_hidden, "hidden"), (right, by_layers, "layers")):
        for score in CURVES[1:]:
            axes.plot([r[name] for r in rows], [r[score] for r in rows], marker="o", label=NAMES.get(score, score))
        axes.set_xticks([r[name] for r in rows])
        finish(axes, "hidden size" if name == "hidden" else "layers", "score")
    left.legend(fontsize=7)
    save(figure, path)


def finish(axes: Axes, x: str, y: str) -> None:
    """Label and grid."""
    axes.set_xlabel(x, fontsize=8)
    axes.set_title(y, fontsize=9)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG that says nothing of when and by what it was made, so that the same figures give the same file."""
    with mpl.rc_context({"savefig.dpi": 90}):
        figure.savefig(path, metadata={"Software": None})


def page(table: Table, budget: Budget, records: Sequence[Record], *, sets: str, command: str) -> str:
    """The page as Markdown."""
    feature, loss = table.features[0], table.losses[0]
    sized = [record for record in records if at_size(record, table)]
    by_feature = grid(table.features, table.networks, [r for r in sized if r["loss"] == loss], "features")
    by_loss = grid(table.losses, table.networks, [r for r in sized if r["features"] == feature], "loss")
    best = max(records, key=lambda record: record["f1"])
    return f"""# Features, networks and losses on one budget

{budget_in_words(table, budget, records)} {sets}

Made by

    {command}

Frame scores are counted at a threshold of 0.5 (the baseline's is chosen on training cuts), note F1 (onset within 50 ms)
at the best of a few thresholds on the validation recordings, for all alike. Best frame F1: {best["name"]},
{best["f1"]:.3f}. Everything is in [results.json](results.json).

`cqt` is the variable-Q transform, `{CONVOLUTION}` the network that is served, which reads that alone, and `{BASELINE}`
a non-negative matrix factorisation with a dictionary of single pitches learned from the training set.

## Features and networks ({loss})

Frame F1, and note F1 in brackets; {table.hidden[0]} hidden, {table.layers[0]} layers. The {BASELINE} baseline:
{baseline_in_words(records)}.

{by_feature}

## Losses and networks ({feature})

{by_loss}

## By epoch

An epoch here is the time between two looks at the validation set, {budget.looks} in all. Losses of different kinds do
not compare with each other.

Networks ({feature}, {loss}):

![Loss, precision, recall, F1 and accuracy by epoch for each network](networks.png)

Features ({table.sized}, {loss}):

![The same for each front end](features.png)

Losses ({feature}, {table.sized}):

![The same for each loss](losses.png)

## By size ({feature}, {table.sized}, {loss})

![Scores against hidden size and layers](sizes.png)

## All cells

{everything(records)}
"""


def budget_in_words(table: Table, budget: Budget, records: Sequence[Record]) -> str:
    """How much each cell was trained, and what that means; which cells are missing."""
    trained = [record["name"] for record in records if record["steps"]]
    missing = [cell.name for cell in table.cells() if cell.name not in trained]
    amount = f"{budget.seconds:g} seconds" if budget.seconds else f"{budget.steps} steps"
    small = "The budget is small: each" if max((r["steps"] for r in records), default=0) < SMALL_STEPS else "Each"
    said = (
        f"**{small} cell was trained for {amount}, without augmentation.** The figures say how fast each combination "
        "learns on that budget, not what it reaches with more: the served network takes thousands of steps. A score "
        "of 0 says that nothing rose over the threshold within the budget."
    )
    return said + (f" Not trained: {', '.join(missing)}." if missing else "")


def baseline_in_words(records: Sequence[Record]) -> str:
    """Scores of the baseline."""
    [record] = [record for record in records if record["name"] == BASELINE]
    return f"{record['f1']:.3f} ({record['note_f1']:.3f})"


def grid(rows: Sequence[str], networks: Sequence[str], records: Sequence[Record], row_key: str) -> str:
    """A table of frame and note F1: a row for each feature or loss, a column for each network."""
    found = {(record[row_key], record["network"]): record for record in records}
    lines = [f"| | {' | '.join(networks)} |", "|---|" + "---|" * len(networks)]
    for row in rows:
        cells = [found.get((row, network)) for network in networks]
        said = [f"{cell['f1']:.3f} ({cell['note_f1']:.3f})" if cell else "" for cell in cells]
        lines.append(f"| {row} | {' | '.join(said)} |")
    return "\n".join(lines)


def everything(records: Sequence[Record]) -> str:
    """All records, best frame F1 first."""
    lines = [
        "| features | network | loss | hidden x layers | parameters | precision | recall | F1 | accuracy | note F1 |",
        "|" + "---|" * 10,
    ]
    for r in sorted(records, key=lambda record: -float(record["f1"])):
        size = f"{r['hidden']} x {r['layers']}" if r["hidden"] else ""
        scores = " | ".join(f"{r[name]:.3f}" for name in ("precision", "recall", "f1", "accuracy", "note_f1"))
        head = f"{r['features']} | {r['network']} | {r['loss']} | {size} | {r['parameters']:,}"
        lines.append(f"| {head} | {scores} |")
    return "\n".join(lines)
