"""``python -m training compare``: what features, networks, losses and sizes are worth, each with the same budget.

Every cell of the table is a run of `training.fit` in its own folder, without augmentation, scored on fixed cuts of a
validation set. A cell that is finished is not run again, one that was stopped goes on.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

from model.cqt import CqtConfig
from model.features import FEATURES
from model.networks import CONVOLUTION
from model.sequence import KINDS
from model.transcriber import Transcriber
from training import nmf
from training.augment import AugmentConfig
from training.checks import Sets, open_sets
from training.config import FitConfig, LossConfig, read_network
from training.crops import CropDataset
from training.engine import Engine
from training.errors import ConfigError
from training.fit import fit_on
from training.logs import VALIDATION, read_rows
from training.prepared import SAMPLE_RATE, Json, read_audio, read_manifest, read_notes
from training.state import AVERAGE, CONFIG
from training.tune import Remembered, TuneConfig, hear_set, tune
from training.typed import strict
from training.validation import frame_counts, frame_scores

RESULT = "result.json"
SETTINGS = "settings.json"
PLAIN = AugmentConfig(
    room=0, equaliser=0, low_pass=0, high_pass=0, noise=0, compress=0, clip=0, quantise=0, level_db=(-20.0, 0.0)
)
FEW_THRESHOLDS = TuneConfig((0.1, 0.2, 0.3, 0.4, 0.5), (0.3, 0.5), (40.0,), (0.0,))
PROBE_STEPS = 8  # steps that are timed to turn seconds into steps
BASELINE = "nmf"
Report = Callable[[list[dict[str, Json]]], None]


@dataclass(frozen=True)
class Cell:
    """One row of the table.

    Parameters
    ----------
    features, network, loss : str
        Kinds, as a configuration names them.
    hidden, layers : int
        Sizes; of the convolutional network they are its own and stand as 0.
    """

    features: str
    network: str
    loss: str
    hidden: int
    layers: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.features}-{self.network}-{self.loss}-{self.hidden}x{self.layers}"


@dataclass(frozen=True)
class Table:
    """What is compared.

    Parameters
    ----------
    features, networks, losses : tuple of str
        All are combined. The convolutional network reads the variable-Q transform alone and stands once per loss.
    hidden, layers : tuple of int
        The first of each is the size in the table. The others are tried with the first feature and loss in the
        network `sized`.
    sized : str
        The network whose sizes are varied.
    """

    features: tuple[str, ...] = tuple(FEATURES)
    networks: tuple[str, ...] = (*KINDS, CONVOLUTION)
    losses: tuple[str, ...] = ("bce", "mse", "focal")
    hidden: tuple[int, ...] = (128, 32, 64, 256)
    layers: tuple[int, ...] = (2, 1, 3)
    sized: str = "bilstm"

    def __post_init__(self) -> None:
        allowed = {
            "features": tuple(FEATURES),
            "networks": (*KINDS, CONVOLUTION),
            "losses": ("bce", "mse", "focal"),
        }
        for name, choices in allowed.items():
            unknown = [one for one in getattr(self, name) if one not in choices]
            if unknown or not getattr(self, name):
                raise ConfigError(f"{name}: allowed are {', '.join(choices)}, got {', '.join(unknown) or 'none'}")

    def cells(self) -> list[Cell]:
        """All cells, those that say most first: a table that is cut short by time is still one."""
        hidden, layers, loss, feature = self.hidden[0], self.layers[0], self.losses[0], self.features[0]
        by_feature = [self._cell(f, n, loss) for f, n in product(self.features, self.networks)]
        by_loss = [self._cell(feature, n, one) for one, n in product(self.losses, self.networks)]
        by_size = [
            *(Cell(feature, self.sized, loss, size, layers) for size in self.hidden),
            *(Cell(feature, self.sized, loss, hidden, count) for count in self.layers),
        ]
        rest = [self._cell(f, n, one) for one, f, n in product(self.losses, self.features, self.networks)]
        return list(dict.fromkeys([*by_feature, *by_loss, *by_size, *rest]))

    def _cell(self, feature: str, network: str, loss: str) -> Cell:
        if network == CONVOLUTION:
            return Cell("cqt", network, loss, 0, 0)
        return Cell(feature, network, loss, self.hidden[0], self.layers[0])


@dataclass(frozen=True)
class Budget:
    """What every cell gets.

    Parameters
    ----------
    steps : int
        Steps of the optimizer; 0 if seconds count.
    seconds : float
        Time of the steps, turned into steps by timing a few of them; 0 if steps count.
    looks : int
        Times that the validation set is heard: the points of a curve.
    score_seconds : float
        Notes are scored on so much of each validation recording; 0 leaves them out.
    """

    steps: int = 1000
    seconds: float = 0.0
    looks: int = 10
    score_seconds: float = 20.0


def base_config(
    train: Sequence[str], validation: str, *, batch_size: int, segment_seconds: float, seed: int
) -> FitConfig:
    """What all cells have in common: plain cuts of the training sets, in equal shares, in float32."""
    return FitConfig(
        sets=dict.fromkeys(train, 1.0),
        validation_sets=(validation,),
        augment=PLAIN,
        max_semitones=0,
        detune_semitones=0.0,
        mix_probability=0.0,
        batch_size=batch_size,
        segment_seconds=segment_seconds,
        precision="32-true",
        seed=seed,
    )


def cell_config(cell: Cell, base: FitConfig, steps: int, looks: int) -> FitConfig:
    """A cell's run: the base configuration with its network, its loss and its budget."""
    sizes = {"kind": cell.network, "features": {"kind": cell.features}, "hidden": cell.hidden, "layers": cell.layers}
    return replace(
        base,
        network=read_network({} if cell.network == CONVOLUTION else sizes),
        loss=strict(LossConfig, {"kind": cell.loss}),
        total_steps=steps,
        warmup_steps=max(1, steps // 10),
        decay_steps=max(1, steps // 3),
        validate_every=max(1, steps // looks),
        report_every=max(1, steps // looks),
        save_every=max(1, steps // 4),
    )


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
        heard.append(Remembered(read_notes(folder / f"{recording.id}.tsv"), activations, seconds))
    return heard
