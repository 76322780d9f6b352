"""``python -m training compare``: what features, networks, losses and sizes are worth, each with the same budget.

Every cell of the table is a run of `training.fit` in its own folder, without augmentation, scored on fixed cuts of a
validation set. A cell that is finished is not run again, one that was stopped goes on.
"""

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from model.cqt import CqtConfig
from model.transcriber import Transcriber
from training import nmf
from training.checks import Sets, open_sets
from training.comparison_table import Budget, Cell, Table, cell_config
from training.config import FitConfig, read_network
from training.crops import CropDataset
from training.engine import Engine
from training.errors import ConfigError
from training.fit import fit_on
from training.logs import VALIDATION, read_rows
from training.parts import frame_counts
from training.prepared import SAMPLE_RATE, Json, read_audio, read_labels, read_manifest
from training.state import AVERAGE, CONFIG
from training.tune import Remembered, TuneConfig, hear_set, tune
from training.validation import frame_scores

RESULT = "result.json"
SETTINGS = "settings.json"
FEW_THRESHOLDS = TuneConfig((0.1, 0.2, 0.3, 0.4, 0.5), (0.3, 0.5), (40.0,), (0.0,))
PROBE_STEPS = 8  # steps that are timed to turn seconds into steps
BASELINE = "nmf"
Report = Callable[[list[dict[str, Json]]], None]


def compare(
    table: Table, budget: Budget, base: FitConfig, *, data: Path, out: Path, engine: Engine, report: Report
) -> list[dict[str, Json]]:
    """Run what is missing of a table.

    Parameters
    ----------
    table : Table
    budget : Budget
    base : FitConfig
        Sets, batch, precision and seed of all cells. Its first validation set scores them.
    data : Path
        Folder of prepared sets.
    out : Path
        A folder for each cell.
    engine : Engine
    report : callable
        Gets the records so far after each cell that was run, and at the end.

    Returns
    -------
    list of dict
        A record for each finished cell, the baseline first.
    """
    check_same_comparison(budget, base, out)
    sets = open_sets(base, data)
    validation = data / base.validation_sets[0]
    done = [finished(out / BASELINE) or run_baseline(budget, base, sets, validation, out / BASELINE)]
    cells = table.cells()
    for cell in cells:
        record = finished(out / cell.name)
        done.append(record or run_cell(cell, budget, base, sets, validation, out / cell.name, engine))
        if record is None or cell is cells[-1]:
            report(done)
    return done


def check_same_comparison(budget: Budget, base: FitConfig, out: Path) -> None:
    """Refuse to mix cells of two budgets in one folder.

    Raises
    ------
    ConfigError
        If the folder holds cells of other settings.
    """
    settings = json.dumps({"budget": asdict(budget), "base": base.to_dict()}, indent=1)
    out.mkdir(parents=True, exist_ok=True)
    if (out / SETTINGS).exists() and (out / SETTINGS).read_text() != settings:
        raise ConfigError(f"{out} holds a comparison with other settings ({out / SETTINGS}): take another folder")
    (out / SETTINGS).write_text(settings)


def finished(folder: Path) -> dict[str, Json] | None:
    """The record of a cell that is done."""
    path = folder / RESULT
    return json.loads(path.read_text()) if path.exists() else None


def line(record: dict[str, Json]) -> str:
    """A record for the terminal."""
    scores = f"frame F1 {record['f1']:.3f}  note F1 {record['note_f1']:.3f}"
    return f"{record['name']:32} {scores}  {record['seconds']:.0f} s"


def keep(folder: Path, record: dict[str, Json]) -> dict[str, Json]:
    """Write a cell's record, which marks it as done."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / (RESULT + ".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n")
    partial.replace(folder / RESULT)
    return record


def run_cell(
    cell: Cell, budget: Budget, base: FitConfig, sets: Sets, validation: Path, folder: Path, engine: Engine
) -> dict[str, Json]:
    """Train one cell and score it."""
    config = cell_config(cell, base, planned_steps(cell, budget, base, sets, folder, engine), budget.looks)
    state = fit_on(sets, config, run=folder, engine=engine)
    curve = [{name: float(row[name]) for name in row if name != "set"} for row in read_rows(folder / VALIDATION)]
    transcriber = Transcriber.load(folder / AVERAGE, device=engine.device)
    note_f1 = note_score(hear_set(validation, transcriber, budget.score_seconds)) if budget.score_seconds else 0.0
    record: dict[str, Json] = {
        "name": cell.name,
        "features": cell.features,
        "network": cell.network,
        "loss": cell.loss,
        "hidden": cell.hidden,
        "layers": cell.layers,
        "parameters": sum(parameter.numel() for parameter in state.network.parameters()),
        "steps": state.step,
        "seconds": state.seconds,
        **{name: curve[-1][name] for name in ("precision", "recall", "f1", "accuracy")},
        "note_f1": note_f1,
        "curve": [dict(point) for point in curve],
    }
    return keep(folder, record)


def planned_steps(cell: Cell, budget: Budget, base: FitConfig, sets: Sets, folder: Path, engine: Engine) -> int:
    """The cell's steps: those of a run that was begun, of the budget, or as many as fit into its seconds."""
    if (folder / CONFIG).exists():
        return FitConfig.read(folder / CONFIG).total_steps
    if not budget.seconds:
        return budget.steps
    probe = cell_config(cell, replace(base, validation_sets=()), PROBE_STEPS, 1)
    with tempfile.TemporaryDirectory() as folder_of_probe:
        state = fit_on(sets, probe, run=Path(folder_of_probe), engine=engine)
    return max(PROBE_STEPS, round(budget.seconds * PROBE_STEPS / state.seconds))


def note_score(heard: list[Remembered]) -> float:
    """Note F1 (onset within 50 ms) at the best of a few thresholds, for all cells alike."""
    chosen, trials = tune({"all": heard}, FEW_THRESHOLDS, report=lambda _: None)
    return next(trial for trial in trials if trial.options == chosen).mean("note_f1")


def run_baseline(budget: Budget, base: FitConfig, sets: Sets, validation: Path, folder: Path) -> dict[str, Json]:
    """Learn the dictionary of single pitches and score it on the same cuts as the networks."""
    config = replace(base, network=read_network({}))
    cqt = CqtConfig()
    count = config.batch_size * (budget.steps or PROBE_STEPS)
    samples = CropDataset(config, sets.train, count=count, augmented=False)
    dictionary = nmf.learn((samples[index] for index in range(count)), cqt)
    few = CropDataset(config, sets.train, first=count, count=2 * config.batch_size, augmented=False)
    threshold = best_threshold([(nmf.levels(dictionary, few[i][0]), few[i][1][1] > 0) for i in range(len(few))])
    cuts = CropDataset(config, sets.validation, count=config.validation_batches * config.batch_size, augmented=False)
    pairs = ((nmf.levels(dictionary, cuts[i][0]), cuts[i][1][1] > 0) for i in range(len(cuts)))
    note_f1 = note_score(hear_with(dictionary, validation, budget.score_seconds)) if budget.score_seconds else 0.0
    record: dict[str, Json] = {
        "name": BASELINE,
        "features": "cqt",
        "network": BASELINE,
        "loss": "kullback-leibler",
        "hidden": 0,
        "layers": 0,
        "parameters": dictionary.spectra.size,
        "steps": 0,
        "seconds": 0.0,
        "pitches_heard_alone": int(dictionary.heard.sum()),
        "threshold": threshold,
        **counted(pairs, threshold),
        "note_f1": note_f1,
        "curve": [],
    }
    return keep(folder, record)


def counted(pairs: Iterable[tuple[nmf.Frames, np.ndarray]], threshold: float) -> dict[str, float]:
    """Frame scores of levels over a threshold against the truth."""
    counts = sum(frame_counts(torch.from_numpy(level > threshold), torch.from_numpy(truth)) for level, truth in pairs)
    hits, misses, false_alarms = torch.as_tensor(counts).tolist()
    return frame_scores(hits, misses, false_alarms)


def best_threshold(pairs: list[tuple[nmf.Frames, np.ndarray]]) -> float:
    """The level with the best frame F1 on training cuts."""
    candidates = [round(0.3 + 0.05 * step, 2) for step in range(14)]
    return max(candidates, key=lambda threshold: counted(pairs, threshold)["f1"])


def hear_with(dictionary: nmf.Dictionary, folder: Path, first_seconds: float) -> list[Remembered]:
    """The validation recordings of a set as the baseline hears them."""
    heard = []
    for recording in read_manifest(folder):
        seconds = min(first_seconds, recording.seconds)
        waveform = read_audio(folder / f"{recording.id}.wav", n_samples=round(seconds * SAMPLE_RATE))
        activations = nmf.as_activations(nmf.levels(dictionary, waveform), dictionary.cqt)
        heard.append(Remembered(read_labels(folder, recording), activations, seconds))
    return heard
