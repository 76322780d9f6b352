"""Counts what music does at the levels of a bar, in the half of the scores that is for tuning: model/notation/profile.json."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import model.notation
from benchmarks.notation.playing import Performance
from model.notation.barring import metre_named, pattern_of
from model.notation.events import gather
from model.notation.grid import PARTS, place
from model.notation.metre import EDGES, N_LEVELS, Reading, features, levels
from model.notation.types import Metre

PROFILE = Path(model.notation.__file__).parent / "profile.json"
# Those that the tuning scores lack get what their kind has.
TRIED = ("4/4", "3/4", "2/4", "2/2", "6/8", "3/8", "9/8", "12/8", "5/4", "3/2")
OF_THE_KIND = 2.0  # scores of its kind that a time signature borrows, besides its own
PRIOR = 1.0  # scores that each is given beforehand
Counts = dict[str, NDArray[np.float64]]  # by feature (levels, bins); "attacks" and "places" (levels,)


def fit(performances: list[Performance]) -> None:
    """Count and write the profile; a performance counts as one, however long."""
    prior = Counter(dict.fromkeys(TRIED, PRIOR))
    counts: dict[str, Counts] = {}
    for played in performances:
        name = f"{played.score.metre.numerator}/{played.score.metre.denominator}"
        if name in TRIED:
            prior[name] += 1
            add(counts.setdefault(name, nothing()), count(played), 1.0)
    result: dict[str, Any] = {"prior": {}, "occupied": {}, "features": {}}
    for name in TRIED:
        mine = nothing()
        alike = [other for other in counts if kind(metre_named(other)) == kind(metre_named(name))]
        for other in alike or list(counts):
            add(mine, counts[other], OF_THE_KIND / sum(prior[o] - PRIOR for o in alike or counts))
        if name in counts:
            add(mine, counts[name], 1.0)
        result["prior"][name] = round(float(np.log(prior[name] / prior.total())), 3)
        result["occupied"][name] = np.round((mine["attacks"] + 0.01) / (mine["places"] + 0.1), 4).tolist()
        result["features"][name] = {
            feature: np.round((mine[feature] + 0.1) / (mine[feature] + 0.1).sum(axis=1, keepdims=True), 4).tolist()
            for feature in EDGES
        }
    PROFILE.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def kind(metre: Metre) -> tuple[bool, bool]:
    """Compound or not; in threes or not."""
    return metre.compound, metre.beats % 3 == 0


def nothing() -> Counts:
    """Counts of zero."""
    tables = {feature: np.zeros((N_LEVELS, len(edges) + 1)) for feature, edges in EDGES.items()}
    return {**tables, "attacks": np.zeros(N_LEVELS), "places": np.zeros(N_LEVELS)}


def add(total: Counts, more: Counts, weight: float) -> None:
    """Add, in place."""
    for name, values in more.items():
        total[name] += weight * values


def count(played: Performance) -> Counts:
    """Counts of one performance, as shares of its attacks and of its beats."""
    metre = played.score.metre
    events = gather(played.notes)
    places = place(events.times, played.beats, pattern_of(metre))
    first = int(np.flatnonzero(played.beats == played.downbeats[0])[0])
    reading = Reading(metre, PARTS, first * PARTS % (PARTS * metre.beats))
    level = levels(places, reading)
    result = nothing()
    for feature, bins in features(played.notes, events).items():
        np.add.at(result[feature], (level, bins), 1 / len(events.times))
    result["attacks"] = np.bincount(levels(np.unique(places), reading), minlength=N_LEVELS) / len(played.beats)
    result["places"] = np.bincount(levels(np.arange(reading.bar), reading), minlength=N_LEVELS) / metre.beats
    return result
