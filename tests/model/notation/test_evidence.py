"""What speaks for a reading, and the network that weighs it."""

import numpy as np
import pytest

from model.notation.barring import considered, tracked
from model.notation.beats import Beats
from model.notation.choice import Choice, load_choice
from model.notation.events import gather
from model.notation.evidence import LAG, LARGEST, autocorrelations, crossing, evidence, hear, names
from model.notation.grid import PARTS
from model.notation.metre import Reading, features, load_profile
from model.notation.types import Metre, NotationOptions
from tests.model.notation.melodies import ode

INDEX = {name: i for i, name in enumerate(names())}


def numbers(metre: Metre, *, interval: float, beat: int = PARTS, tempo: float = 100.0) -> dict[str, float]:
    """The evidence for one reading of the Ode on an even grid from its first note."""
    notes = ode(tempo=tempo)
    events = gather(notes)
    end = notes[-1].offset + interval
    beats = Beats(np.arange(notes[0].onset, end, interval), "simple", 0.0)
    heard = hear(notes, events, beats, features(notes, events), best=0.0)
    return dict(zip(names(), evidence(heard, Reading(metre, beat, 0), load_profile()), strict=True))


def test_every_number_has_a_name_and_is_bounded() -> None:
    notes = ode()
    events = gather(notes)
    found = list(tracked(events.times, events.weights, NotationOptions()))
    rows = np.array([row for _, _, row in considered(notes, events, found, NotationOptions())])
    assert rows.shape[1] == len(names()) == len(set(names()))
    assert np.abs(rows).max() <= LARGEST


def test_the_written_values_are_those_of_the_reading() -> None:
    right = numbers(Metre(4, 4), interval=0.6)
    halved = numbers(Metre(4, 4), interval=1.2)
    assert right["4/4"] == 1
    assert right["3/4"] == 0
    assert right["median step"] == 0  # a quarter
    assert halved["median step"] == -1  # an eighth
    assert right["log beat"] == pytest.approx(0)
    assert halved["log beat"] == pytest.approx(np.log(2))


def test_another_tempo_changes_the_tempo_alone() -> None:
    slow, fast = numbers(Metre(4, 4), interval=0.75, tempo=80), numbers(Metre(4, 4), interval=0.5, tempo=120)
    # Bass and harmony are heard over so many seconds.
    others = [name for name in names() if "log" not in name and "second" not in name and "explained" not in name]
    others = [name for name in others if not name.startswith(("low", "harmony"))]
    assert [slow[name] for name in others] == pytest.approx([fast[name] for name in others], abs=1e-6)


def test_a_bar_is_like_the_next_one_and_not_like_what_lies_between() -> None:
    alternating = np.arange(0, 40) * PARTS
    loud = {
        "length": np.tile([3, 0, 0, 0], 10),
        "height": np.tile([0, 2, 2, 2], 10),
        "harmony": np.zeros(40, dtype=int),
    }
    lags = autocorrelations(alternating, loud)[1]
    bar = 4 * PARTS // LAG
    assert lags[bar] > 0.8
    assert lags[bar // 2] < 0


def test_notes_over_a_barline_are_counted() -> None:
    notes = ode()
    events = gather(notes)
    beats = Beats(np.arange(notes[0].onset, notes[-1].offset + 0.6, 0.6), "simple", 0.0)
    heard = hear(notes, events, beats, features(notes, events), best=0.0)
    in_its_bars, _, _ = crossing(heard, Reading(Metre(4, 4), PARTS, 0))
    off_by_two, _, _ = crossing(heard, Reading(Metre(4, 4), PARTS, 2 * PARTS))
    assert in_its_bars == 0
    assert off_by_two > 0.15  # every whole note of the bass


def test_a_network_without_hidden_units_is_a_weighted_sum() -> None:
    weights = np.zeros(len(names()))
    weights[INDEX["filled"]] = 2.0
    none = np.zeros((1, len(names())))
    plain = Choice(np.zeros(len(names())), np.ones(len(names())), weights, none, np.zeros(1), np.zeros(1))
    rows = np.zeros((2, len(names())))
    rows[1, INDEX["filled"]] = 0.5
    assert plain.log_odds(rows).tolist() == [0, 1]


def test_the_kept_network_prefers_the_bars_of_a_known_tune() -> None:
    notes = ode()
    events = gather(notes)
    beats = Beats(np.arange(notes[0].onset - 2.4, notes[-1].offset + 0.6, 0.6), "simple", 0.0)
    heard = hear(notes, events, beats, features(notes, events), best=0.0)
    readings = [Reading(Metre(4, 4), PARTS, start * PARTS) for start in range(4)]
    rows = np.array([evidence(heard, reading, load_profile()) for reading in readings])
    assert load_choice().log_odds(rows).argmax() == 0
