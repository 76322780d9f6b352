"""model/notation/choice.json: what the evidence for a reading counts for, learned from scores that are not reported.

Every score is played a few times; each reading of each performance gets its evidence and its worth: how much of the
beats, bars, time signature and note values it has right. The network learns to give the worthy ones probability.
Works weigh by the square root of their excerpts, and each group of music weighs as much as `GROUP_WEIGHTS` says.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import model.notation
from benchmarks.notation.more import own_work
from benchmarks.notation.playing import Performance, play
from benchmarks.notation.scores import Group, Score
from model.notation.barring import beats_of, considered, tracked
from model.notation.beats import Beats
from model.notation.choice import LARGEST_DEVIATION, Choice
from model.notation.events import gather
from model.notation.evidence import names
from model.notation.metre import Reading
from model.notation.types import NotationOptions

CHOICE = Path(model.notation.__file__).parent / "choice.json"
FIRST_SEED, SEEDS_APART = 10_000, 1_000
WORTH = {"beat": 0.25, "downbeat": 0.1, "metre": 0.3, "value": 0.35}
NEAR_SECONDS, SAME_TEMPO = 0.07, 0.12  # of a beat; of the log2 of a quarter
KEPT_WRONG, NEARLY_RIGHT = 250, 0.5  # readings kept for learning: so many, and all whose worth is so near the best
GROUP_WEIGHTS: dict[Group, float] = {"chamber": 1.0, "chorale": 1.0, "piano": 0.5, "tune": 1.0}
LARGEST_WEIGHT = 6.0
NETWORKS, UNITS, DROPOUT = 3, 24, 0.3  # networks whose means are one network
EPOCHS, BATCH = 20, 16
RATE, DECAY, SHARPNESS = 0.009, 0.03, 10.0
OTHER_TEMPO = 0.15  # standard deviation of the log of the factor by which each example is slower, anew each time


@dataclass(frozen=True)
class Example:
    """A performance: the evidence for its readings, shape (readings, numbers), and their worth, shape (readings, 4)."""

    name: str
    group: Group
    evidence: NDArray[np.float32]
    worth: NDArray[np.float32]

    @property
    def total(self) -> NDArray[np.float32]:
        """Worth of each reading, 0 to 1."""
        return self.worth @ np.array(list(WORTH.values()), dtype=np.float32)


def examples(scores: list[Score], *, times: int) -> Iterator[Example]:
    """Play each score so many times."""
    for k in range(times):
        for i, score in enumerate(scores):
            yield example(play(score, seed=FIRST_SEED + SEEDS_APART * k + i))


def example(played: Performance) -> Example:
    """All readings of a performance."""
    events = gather(played.notes)
    found = list(tracked(events.times, events.weights, NotationOptions()))
    candidates = considered(played.notes, events, found, NotationOptions())
    end = max(note.offset for note in played.notes)
    worth = [worth_of(played, reading, beats, events.times[0], end) for reading, beats, _ in candidates]
    numbers = np.array([row for _, _, row in candidates], dtype=np.float32)
    return Example(played.score.name, played.score.group, numbers, np.array(worth, dtype=np.float32))


def worth_of(played: Performance, reading: Reading, beats: Beats, first: float, end: float) -> tuple[float, ...]:
    """What a reading has right, in the order of `WORTH`."""
    grid = beats_of(reading, beats.times, first, end)
    inside = (grid >= first - NEAR_SECONDS) & (grid < end)
    bars = np.arange(len(grid)) % reading.metre.beats == 0
    metre = played.score.metre
    beat, shared = agreement(played.beats, grid[inside])
    downbeat, _ = agreement(played.downbeats, grid[inside & bars])
    quarter = np.median(np.diff(grid)) / float(reading.metre.beat)
    true_quarter = np.median(np.diff(played.beats)) / float(metre.beat)
    same = abs(np.log2(quarter / true_quarter)) < SAME_TEMPO
    return beat, downbeat, float(reading.metre == metre), float(same) * shared


def agreement(reference: NDArray[np.float64], estimate: NDArray[np.float64]) -> tuple[float, float]:
    """F-measure, and the share of the fewer that are near one of the other.

    As mir_eval's, but for beats so near that they could be paired otherwise: thousands are compared.
    """
    if len(reference) == 0 or len(estimate) == 0:
        return 0.0, 0.0
    after = np.searchsorted(estimate, reference)
    padded = np.concatenate([[-np.inf], estimate, [np.inf]])
    near = np.minimum(np.abs(padded[after] - reference), np.abs(padded[after + 1] - reference))
    found, sizes = float(np.sum(near <= NEAR_SECONDS)), (len(reference), len(estimate))
    return 2 * found / sum(sizes), min(1.0, found / min(sizes))


def thinned(whole: Example, rng: np.random.Generator) -> Example:
    """All that is nearly right, and some of what is wrong."""
    total = whole.total
    kept = total > total.max() - NEARLY_RIGHT
    kept[rng.choice(len(total), min(KEPT_WRONG, len(total)), replace=False)] = True
    return Example(whole.name, whole.group, whole.evidence[kept], whole.worth[kept])


class Network(torch.nn.Module):
    """`model.notation.choice.Choice`, to be learned."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(numbers, 1, bias=False)
        self.hidden = torch.nn.Linear(numbers, UNITS)
        self.output = torch.nn.Linear(UNITS, 1, bias=False)
        self.dropout = torch.nn.Dropout(DROPOUT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(readings, numbers) to (readings,)."""
        return (self.linear(x) + self.output(self.dropout(torch.tanh(self.hidden(x)))))[:, 0]


def at_other_tempo(numbers: torch.Tensor, log_factor: float) -> torch.Tensor:
    """The same evidence, shape (readings, numbers), of a slower performance."""
    index = {name: i for i, name in enumerate(names())}
    logs = [index[f"log {of}"] for of in ("beat", "quarter", "bar")]
    squares = [index[f"log {of} squared"] for of in ("beat", "quarter", "bar")]
    slower = numbers.clone()
    slower[:, logs] += log_factor
    slower[:, squares] = slower[:, logs] ** 2
    slower[:, index["attacks a second"]] -= log_factor
    return slower


def learn(chosen: list[Example]) -> dict[str, NDArray[np.float64]]:
    """The fields of a `model.notation.choice.Choice`: the mean of several networks."""
    numbers = np.concatenate([e.evidence for e in chosen]).astype(np.float64)
    mean, scale = numbers.mean(axis=0), numbers.std(axis=0) + 1e-3
    learned = [learn_one(chosen, mean, scale, seed=seed) for seed in range(NETWORKS)]
    return {
        "mean": mean,
        "scale": scale,
        "linear": np.mean([kept["linear.weight"][0] for kept in learned], axis=0),
        "hidden": np.concatenate([kept["hidden.weight"] for kept in learned]),
        "offset": np.concatenate([kept["hidden.bias"] for kept in learned]),
        "output": np.concatenate([kept["output.weight"][0] for kept in learned]) / NETWORKS,
    }


def learn_one(
    chosen: list[Example], mean: NDArray[np.float64], scale: NDArray[np.float64], *, seed: int
) -> dict[str, NDArray[np.float64]]:
    """The weights of one network."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    centre, spread = torch.tensor(mean, dtype=torch.float32), torch.tensor(scale, dtype=torch.float32)
    chosen = [thinned(e, rng) for e in chosen]
    raw = [torch.tensor(e.evidence) for e in chosen]
    gains = [torch.tensor(SHARPNESS * (e.total - e.total.max())) for e in chosen]
    weights = weights_of(chosen)
    network = Network(len(mean))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    batches = -(-len(chosen) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * batches)
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(len(chosen)), batches):
            inputs = torch.cat([at_other_tempo(raw[i], rng.normal(0, OTHER_TEMPO)) for i in batch])
            inputs = ((inputs - centre) / spread).clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)
            scores = network(inputs).split([len(raw[i]) for i in batch])
            # Of the probability that the network spreads over the readings: how much lies on worthy ones.
            losses = [
                weights[i] * (torch.logsumexp(s, 0) - torch.logsumexp(s + gains[i], 0))
                for i, s in zip(batch, scores, strict=True)
            ]
            optimizer.zero_grad()
            torch.stack(losses).mean().backward()
            optimizer.step()
            schedule.step()
    return {name: value.detach().double().numpy() for name, value in network.named_parameters()}


def weights_of(chosen: list[Example]) -> NDArray[np.float64]:
    """How much each example counts, 1 on average."""
    works = Counter((e.group, own_work(e.name)) for e in chosen)
    weights = np.array([works[e.group, own_work(e.name)] ** -0.5 for e in chosen])
    for group, weight in GROUP_WEIGHTS.items():
        mine = np.array([e.group == group for e in chosen])
        if mine.any():
            weights[mine] *= weight / weights[mine].sum()
    return np.minimum(weights / weights.mean(), LARGEST_WEIGHT)


def write(fields: dict[str, NDArray[np.float64]]) -> None:
    """Keep what was learned: four digits, each unit of the hidden layer on a line."""
    lines = [f'"names": {json.dumps(names())}']
    for name, values in fields.items():
        rows = [f"[{', '.join(f'{value:.4g}' for value in row)}]" for row in np.atleast_2d(values)]
        lines.append(f'"{name}": ' + ("[\n" + ",\n".join(rows) + "\n]" if values.ndim == 2 else rows[0]))
    CHOICE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def validate(chosen: list[Example], *, folds: int = 4) -> dict[str, float]:
    """Worth of what is chosen in works that were not learned from; means of the groups' means."""
    works = sorted({(e.group, own_work(e.name)) for e in chosen})
    fold = dict(zip(works, np.random.default_rng(1).permutation(len(works)) % folds, strict=True))
    worths: dict[str, list[NDArray[np.float32]]] = {}
    for number in range(folds):
        out = [fold[e.group, own_work(e.name)] == number for e in chosen]
        choice = Choice(**learn([e for e, held in zip(chosen, out, strict=True) if not held]))
        for e, held in zip(chosen, out, strict=True):
            if held:
                worths.setdefault(e.group, []).append(e.worth[choice.log_odds(e.evidence).argmax()])
    means = np.mean([np.mean(rows, axis=0) for rows in worths.values()], axis=0)
    return dict(zip(WORTH, means.tolist(), strict=True))
