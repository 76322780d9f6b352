"""What a synthetic recording is made of: who plays what, on which soundfont, how loud and how tuned, at random."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from model.note import Note
from training.arrange import Rng, fit_register, jitter, legato, move, perform, split_voices, strum, swell, thin
from training.fluidsynth import Effects
from training.instruments import FAMILIES, GUITARS, SWAP_WEIGHTS, instrument, role
from training.musicnet import Part
from training.prepared import Json


@dataclass(frozen=True, slots=True)
class SynthConfig:
    """How varied the renderings are. Probabilities are 0 to 1.

    Parameters
    ----------
    soundfonts : tuple of str
        Paths of SoundFont 2 files.
    soundfont_weights : tuple of float
        How often each is drawn, per part.
    keep_program, swap_in_family : float
        Probability that a part keeps its program, and that it goes to another of its family; else to any instrument.
    guitar_solo : float
        Probability that a piece for keyboard alone is played on guitar.
    split_solo : float
        Probability that a piece for keyboard alone is divided among two players.
    scale_tempo : float
        Probability of another tempo, 0.8 to 1.25 times.
    tuning_cents, part_cents : float
        Largest detuning of the whole recording, and the spread of that of each part.
    dry : float
        Probability of no reverb.
    first_seconds : float
        Render no more than this.
    """

    soundfonts: tuple[str, ...]
    soundfont_weights: tuple[float, ...]
    keep_program: float = 0.55
    swap_in_family: float = 0.25
    guitar_solo: float = 0.25
    split_solo: float = 0.1
    scale_tempo: float = 0.1
    tuning_cents: float = 30.0
    part_cents: float = 4.0
    dry: float = 0.3
    first_seconds: float = float("inf")

    def to_json(self) -> dict[str, Json]:
        """The settings as they go into a manifest; soundfonts by name, wherever they lie."""
        return {
            "soundfonts": [Path(path).stem for path in self.soundfonts],
            "soundfont_weights": list(self.soundfont_weights),
            "keep_program": self.keep_program,
            "swap_in_family": self.swap_in_family,
            "guitar_solo": self.guitar_solo,
            "split_solo": self.split_solo,
            "scale_tempo": self.scale_tempo,
            "tuning_cents": self.tuning_cents,
            "part_cents": self.part_cents,
            "dry": self.dry,
            "first_seconds": None if np.isinf(self.first_seconds) else self.first_seconds,
        }


@dataclass(frozen=True, slots=True)
class Player:
    """One part as it will be rendered: soundfont, tuning, level, release and the swells of held notes."""

    part: Part
    soundfont: str
    cents: float
    gain_db: float
    release_timecents: float
    vibrato: int
    swells: tuple[tuple[float, int], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a rendering depends on."""

    players: tuple[Player, ...]
    effects: Effects
    peak_db: float
    side: str
    tempo: float

    def to_json(self) -> dict[str, Json]:
        """What the manifest says of it."""
        return {
            "players": [
                {"program": p.part.program, "soundfont": p.soundfont, "cents": round(p.cents, 1)} for p in self.players
            ],
            "tempo": round(self.tempo, 3),
            "reverb": round(self.effects.reverb_level, 3),
        }


def crop(parts: Sequence[Part], seconds: float) -> list[Part]:
    """Keep the notes that begin in the first seconds, ending them there."""
    cropped = [
        Part.of(
            part.program,
            [Note(n.onset, n.pitch, min(n.offset, seconds), n.velocity) for n in part.notes if n.onset < seconds - 0.1],
        )
        for part in parts
    ]
    return [part for part in cropped if part.notes]


def make_plan(parts: Sequence[Part], config: SynthConfig, rng: Rng) -> Plan:
    """Draw everything that a rendering depends on."""
    tempo = float(np.exp(rng.uniform(np.log(0.8), np.log(1.25)))) if rng.random() < config.scale_tempo else 1.0
    timed = [Part.of(part.program, [move(note, scale=tempo) for note in part.notes]) for part in parts]
    cast = cast_parts(timed, config, rng)
    tuning = float(rng.uniform(-1, 1) * config.tuning_cents)
    ensemble = tuple(make_player(part, tuning, config, rng) for part in cast)
    return Plan(
        ensemble,
        draw_effects(config, rng),
        peak_db=float(rng.uniform(-20, -1)),
        side=str(rng.choice(["both", "both", "both", "left", "right"])),
        tempo=tempo,
    )


def cast_parts(parts: Sequence[Part], config: SynthConfig, rng: Rng) -> list[Part]:
    """Give every part to an instrument."""
    if all(instrument(part.program).family == "piano" for part in parts):
        draw = rng.random()
        if draw < config.guitar_solo:
            return [cast_guitar(part, rng) for part in parts]
        if draw < config.guitar_solo + config.split_solo:
            parts = [voice for part in parts for voice in split_voices(part)]
            return [articulate(fit_register(part, instrument(any_program(rng))), rng) for part in parts]
    return [articulate(fit_register(part, instrument(draw_program(part, config, rng))), rng) for part in parts]


def cast_guitar(part: Part, rng: Rng) -> Part:
    """Play a keyboard part on guitar: mostly nylon, steel or jazz, thinned to what hands can do, often strummed."""
    program = int(rng.choice(GUITARS, p=[0.35, 0.3, 0.15, 0.1, 0.04, 0.03, 0.03]))
    fitted = fit_register(part, instrument(program))
    thinned = thin(fitted, most_struck=int(rng.integers(2, 6)), most_sounding=6)
    return strum(thinned, rng, gap=float(rng.uniform(0.004, 0.022))) if rng.random() < 0.6 else thinned


def draw_program(part: Part, config: SynthConfig, rng: Rng) -> int:
    """Keep the program, take another of the same role, or any."""
    draw = rng.random()
    if draw < config.keep_program:
        return part.program
    if draw < config.keep_program + config.swap_in_family:
        return int(rng.choice(role(part.program)))
    return any_program(rng)


def any_program(rng: Rng) -> int:
    """Draw a family by weight, then one of its programs."""
    weights = np.array(list(SWAP_WEIGHTS.values()))
    family = str(rng.choice(list(SWAP_WEIGHTS), p=weights / weights.sum()))
    return int(rng.choice(FAMILIES[family]))


def articulate(part: Part, rng: Rng) -> Part:
    """Play a part a little unevenly in time, sometimes shorter or more bound than written."""
    played = legato(part, rng) if rng.random() < 0.3 else part
    return jitter(played, rng, spread=float(rng.uniform(0.002, 0.01)))


def make_player(part: Part, tuning: float, config: SynthConfig, rng: Rng) -> Player:
    """Draw a part's soundfont, tuning, level and dynamics."""
    weights = np.array(config.soundfont_weights) / sum(config.soundfont_weights)
    sustains = instrument(part.program).sustains
    end = max(note.offset for note in part.notes)
    return Player(
        perform(part, rng),
        soundfont=Path(str(rng.choice(config.soundfonts, p=weights))).stem,
        cents=tuning + float(rng.normal(0, config.part_cents)),
        gain_db=float(rng.uniform(-8, 0)),
        release_timecents=float(rng.normal(0, 500)),
        vibrato=int(rng.integers(0, 70)) if sustains and rng.random() < 0.5 else 0,
        swells=draw_swells(end, rng) if sustains and rng.random() < 0.5 else (),
    )


def draw_swells(seconds: float, rng: Rng) -> tuple[tuple[float, int], ...]:
    """Expression controller values every 60 ms, swelling within about 8 dB as bow and breath do."""
    times = np.arange(0, seconds, 0.06)
    values = 104 + 22 * swell(times, rng, period=float(rng.uniform(1, 6)))
    return tuple((float(t), int(v)) for t, v in zip(times, values, strict=True))


def draw_effects(config: SynthConfig, rng: Rng) -> Effects:
    """A room of any size, or none; now and then a chorus."""
    if rng.random() < config.dry:
        return Effects()
    return Effects(
        room=float(rng.uniform(0.1, 0.9)),
        damping=float(rng.uniform(0.0, 0.8)),
        reverb_level=float(rng.uniform(0.1, 0.9)),
        chorus_level=float(rng.uniform(0.3, 2.0)) if rng.random() < 0.15 else 0.0,
    )
