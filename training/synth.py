"""Synthetic MusicNet: pieces rendered with soundfonts, no two alike.

A recording is planned first (`training.plan`), all of it drawn from the seed and the id, then rendered here. Labels
are exact by construction: an instrument that speaks slowly is started early by the time that its attack was measured
to take, so that what is heard begins where the label says.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from training.attack import Attack, measure_attack
from training.fluidsynth import (
    CC_EXPRESSION,
    CC_MODULATION,
    CC_VOLUME,
    DRUM_CHANNEL,
    RENDER_RATE,
    Event,
    Stereo,
    Synth,
    fresh_synth,
    listening_synth,
)
from training.jobs import Job
from training.musicnet import piece_number, read_parts
from training.plan import Plan, Player, SynthConfig, crop, make_plan
from training.prepared import SAMPLE_RATE, Json, Recording, Split, Waveform, write_recording

TAIL_SECONDS = 1.5  # after the last note, for its release and the room
CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)


def synth_jobs(
    root: Path, ids: Sequence[str], split: Split, config: SynthConfig, *, seed: int, prefix: str = ""
) -> list[Job]:
    """One job per piece, in a random order so that the first few are already varied."""
    order = np.random.default_rng(seed).permutation(len(ids))
    settings: dict[str, Json] = {"seed": seed, **config.to_json()}
    return [
        Job(
            prefix + ids[i],
            partial(make_synth, root / f"{ids[i]}.mid", prefix, split, config, seed, settings),
            settings,
        )
        for i in order
    ]


def make_synth(
    midi: Path, prefix: str, split: Split, config: SynthConfig, seed: int, settings: dict[str, Json], folder: Path
) -> Recording:
    """Plan, render and write one piece."""
    rng = np.random.default_rng([seed, piece_number(midi.stem)])
    plan = make_plan(crop(read_parts(midi), config.first_seconds), config, rng)
    waveform = render_plan(plan, config)
    notes = [note for player in plan.players for note in player.part.notes]
    return write_recording(
        folder,
        prefix + midi.stem,
        waveform,
        notes,
        source="MusicNetEM through FluidSynth",
        split=split,
        made={"settings": settings, **plan.to_json()},
    )


def render_plan(plan: Plan, config: SynthConfig) -> Waveform:
    """Render a plan to mono at the prepared rate, its peak at the level planned."""
    soundfonts = tuple(Path(path) for path in config.soundfonts)
    listener = listening_synth(soundfonts)
    attacks = [measure_attack(listener, player.part, player.soundfont) for player in plan.players]
    with fresh_synth(soundfonts) as synth:
        return finish(play(plan, attacks, synth), plan)


def play(plan: Plan, attacks: Sequence[Attack], synth: Synth) -> Stereo:
    """Set up the channels and play all parts."""
    synth.reset(plan.effects)
    events: list[Event] = []
    volumes = balance(plan.players, attacks)
    for channel, player, attack, volume in zip(CHANNELS, plan.players, attacks, volumes, strict=False):
        synth.set_channel(
            channel,
            player.soundfont,
            player.part.program,
            cents=player.cents,
            release_timecents=player.release_timecents,
        )
        events += player_events(player, channel, attack, volume)
    seconds = max(note.offset for player in plan.players for note in player.part.notes) + TAIL_SECONDS
    return synth.render(events, seconds)


def balance(players: Sequence[Player], attacks: Sequence[Attack]) -> list[int]:
    """Channel volumes that bring all parts to one loudness and then to the balance planned.

    Volume can only turn down, so the part that needs most of it stays at 127. FluidSynth attenuates by 40 log10(127 /
    value).
    """
    too_loud = np.array([a.level_db - p.gain_db for a, p in zip(attacks, players, strict=True)])
    attenuation = np.clip(too_loud - too_loud.min(), 0, 36)
    return [int(value) for value in np.round(127 * 10 ** (-attenuation / 40))]


def player_events(player: Player, channel: int, attack: Attack, volume: int) -> list[Event]:
    """All events of one part, notes begun early by what the attack takes."""
    controls = [
        Event(0.0, channel, "control", CC_VOLUME, volume),
        Event(0.0, channel, "control", CC_MODULATION, player.vibrato),
        *(Event(time, channel, "control", CC_EXPRESSION, value) for time, value in player.swells),
    ]
    starts = early_starts(player, attack)
    ons = [
        Event(start, channel, "on", note.pitch, note.velocity)
        for start, note in zip(starts, player.part.notes, strict=True)
    ]
    offs = [Event(note.offset, channel, "off", note.pitch) for note in player.part.notes]
    return controls + ons + offs


def early_starts(player: Player, attack: Attack) -> list[float]:
    """When to strike each note so that it is heard at its onset, never before the last note of its pitch has ended."""
    free: dict[int, float] = {}
    starts: list[float] = []
    for note in player.part.notes:
        starts.append(max(free.get(note.pitch, 0.0), note.onset - attack.delay))
        free[note.pitch] = note.offset
    return starts


def finish(stereo: Stereo, plan: Plan) -> Waveform:
    """Mix down, resample and set the peak."""
    mono = {"both": stereo.mean(axis=0), "left": stereo[0], "right": stereo[1]}[plan.side]
    resampled = soxr.resample(mono, RENDER_RATE, SAMPLE_RATE)
    peak = float(np.abs(resampled).max())
    gain = 10 ** (plan.peak_db / 20) / peak if peak > 0 else 0.0
    return np.asarray(resampled * gain, dtype=np.float32)
