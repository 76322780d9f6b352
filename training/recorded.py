"""Sets made of recorded single notes: excerpts of pieces and textures made by rule, a recorded instrument to a part.

Some excerpts have a soundfont's piano or other instruments beside the recorded ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from model.note import Note
from training.arrange import Rng, fit_register, jitter, move, perform, strum, thin
from training.errors import DataError
from training.instruments import Instrument, instrument
from training.jobs import Job
from training.musicnet import Part, piece_number, read_parts
from training.plan import SynthConfig, make_plan
from training.prepared import SAMPLE_RATE, Json, Recording, Split, Waveform, write_recording
from training.room import in_room, rooms
from training.sampler import Played, SamplerConfig, play
from training.samples import Voice, load_voices
from training.synth import render_plan
from training.textures import texture

TAIL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RecordedConfig:
    """How a set of recorded notes is made. Probabilities are 0 to 1.

    Parameters
    ----------
    samples : str
        Folder of the samples and their index.
    instruments : tuple of str
        Which recorded instruments.
    takes : tuple of int
        Which takes of each, 0 to 9.
    most_semitones : int
        How far a sample may be moved.
    synth : SynthConfig or None
        Soundfonts for accompaniment; none without.
    excerpt_seconds : float
        Length of each recording.
    guitar : float
        Probability that a part which may go to any instrument goes to a plucked one, if there is one.
    accompanied : float
        Probability that in a piece of several parts some are left to soundfonts.
    room : float
        Probability of a room around all.
    """

    samples: str
    instruments: tuple[str, ...]
    takes: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9)
    most_semitones: int = 2
    synth: SynthConfig | None = None
    excerpt_seconds: float = 80.0
    guitar: float = 0.3
    accompanied: float = 0.4
    room: float = 0.6

    def to_json(self) -> dict[str, Json]:
        """The settings as they go into a manifest."""
        return {
            "instruments": list(self.instruments),
            "takes": list(self.takes),
            "most_semitones": self.most_semitones,
            "synth": self.synth.to_json() if self.synth else None,
            "excerpt_seconds": self.excerpt_seconds,
            "guitar": self.guitar,
            "accompanied": self.accompanied,
            "room": self.room,
        }


def recorded_jobs(
    root: Path, ids: Sequence[str], split: Split, config: RecordedConfig, *, textures: int, passes: int, seed: int
) -> list[Job]:
    """One job per texture and per piece and pass, in a random order."""
    settings: dict[str, Json] = {"seed": seed, **config.to_json()}
    pieces = [
        Job(
            piece if number == 0 else f"{piece}_{number + 1}",
            partial(make_piece, root / f"{piece}.mid", number, split, config, seed, settings),
            settings,
        )
        for number in range(passes)
        for piece in ids
    ]
    made_up = [
        Job(f"texture{i:03d}", partial(make_texture, i, split, config, seed, settings), settings)
        for i in range(textures)
    ]
    jobs = pieces + made_up
    return [jobs[i] for i in np.random.default_rng(seed).permutation(len(jobs))]


def make_piece(
    midi: Path, number: int, split: Split, config: RecordedConfig, seed: int, settings: dict[str, Json], folder: Path
) -> Recording:
    """Play an excerpt of a piece, another one for each number, and write it."""
    rng = np.random.default_rng([seed, piece_number(midi.stem), number])
    parts = excerpt(read_parts(midi), config.excerpt_seconds, rng)
    name = midi.stem if number == 0 else f"{midi.stem}_{number + 1}"
    return make(name, parts, split, config, settings, rng, folder)


def make_texture(
    number: int, split: Split, config: RecordedConfig, seed: int, settings: dict[str, Json], folder: Path
) -> Recording:
    """Make one to four voices of rule-made music, play and write them."""
    rng = np.random.default_rng([seed, 10**6 + number])
    count = int(rng.choice([1, 2, 3, 4], p=[0.45, 0.3, 0.15, 0.1]))
    low = [int(rng.integers(24, 60)) for _ in range(count)]
    parts = [
        texture(start, start + int(rng.integers(14, 30)), seconds=config.excerpt_seconds, rng=rng) for start in low
    ]
    return make(f"texture{number:03d}", parts, split, config, settings, rng, folder)


def make(
    name: str,
    parts: Sequence[Part],
    split: Split,
    config: RecordedConfig,
    settings: dict[str, Json],
    rng: Rng,
    folder: Path,
) -> Recording:
    """Give parts to players, mix what they play, and write it."""
    seconds = max(note.offset for part in parts for note in part.notes) + TAIL_SECONDS
    sampled, left = divide(parts, config, rng)
    layers, cast = play_all(sampled, seconds, config, rng)
    if left and config.synth:
        layers.append(accompany(left, config.synth, seconds, rng))
        cast.append({"instrument": "soundfont", "parts": len(left)})
    waveform = mix([layer.audio for layer in layers], config, rng)
    notes = [note for layer in layers for note in layer.notes]
    source = "MusicNetEM and textures played with recorded single notes"
    return write_recording(
        folder, name, waveform, notes, source=source, split=split, made={"settings": settings, "cast": cast}
    )


def play_all(
    parts: Sequence[Part], seconds: float, config: RecordedConfig, rng: Rng
) -> tuple[list[Played], list[Json]]:
    """Give each part to a recorded instrument; returns what was played, and by whom."""
    voices = load_voices(Path(config.samples), config.instruments, config.takes)
    sampler = SamplerConfig(most_semitones=config.most_semitones)
    tuning = float(rng.uniform(-25, 25))
    layers: list[Played] = []
    cast: list[Json] = []
    for part in parts:
        voice = draw_voice(part, voices, config, rng)
        prepared = prepare_part(part, voice, rng)
        layers.append(
            play(prepared, voice, seconds=seconds, rng=rng, config=sampler, cents=tuning + float(rng.normal(0, 4)))
        )
        cast.append({"instrument": voice.name, "unplayable": layers[-1].unplayable})
    return layers, cast


def excerpt(parts: Sequence[Part], seconds: float, rng: Rng) -> list[Part]:
    """Cut a random stretch of a piece, its notes moved to begin within the first second.

    Raises
    ------
    DataError
        If nothing sounds there.
    """
    end = max(note.offset for part in parts for note in part.notes)
    start = float(rng.uniform(0, max(0.01, end - seconds)))
    shift = float(rng.uniform(0.1, 0.5)) - start
    chosen = [[n for n in part.notes if start <= n.onset < start + seconds - 0.2] for part in parts]
    cut = [
        Part.of(part.program, [shorten(move(note, shift=shift), seconds) for note in notes])
        for part, notes in zip(parts, chosen, strict=True)
    ]
    sounding = [part for part in cut if part.notes]
    if not sounding:
        raise DataError(f"nothing sounds from {start:.0f} s on for {seconds:.0f} s")
    return sounding


def shorten(note: Note, seconds: float) -> Note:
    """End a note by the end of the excerpt."""
    return Note(note.onset, note.pitch, max(note.onset + 0.02, min(note.offset, seconds + 0.5)), note.velocity)


def divide(parts: Sequence[Part], config: RecordedConfig, rng: Rng) -> tuple[list[Part], list[Part]]:
    """Tell which parts recorded instruments play and which are left to soundfonts: keyboards first."""
    if len(parts) < 2 or config.synth is None or rng.random() >= config.accompanied:
        return list(parts), []
    keyboards = [part for part in parts if instrument(part.program).family == "piano"]
    left = keyboards or [parts[int(rng.integers(len(parts)))]]
    return [part for part in parts if part not in left], left


def draw_voice(part: Part, voices: Sequence[Voice], config: RecordedConfig, rng: Rng) -> Voice:
    """Choose an instrument: guitar for many keyboard parts, else any."""
    plucked = [voice for voice in voices if not voice.sustains]
    bowed = [voice for voice in voices if voice.sustains]
    keyboard = instrument(part.program).family == "piano"
    if plucked and (not bowed or rng.random() < config.guitar * (2 if keyboard else 0.6)):
        return plucked[int(rng.integers(len(plucked)))]
    return bowed[int(rng.integers(len(bowed)))]


def prepare_part(part: Part, voice: Voice, rng: Rng) -> Part:
    """Bring a part into the instrument's range and playing: dynamics, strings that ring, few enough voices."""
    player = Instrument(voice.program, "", voice.lowest, voice.highest)
    fitted = jitter(fit_register(part, player), rng, spread=float(rng.uniform(0.001, 0.008)))
    if not voice.sustains:
        ringing = ring(fitted, rng) if rng.random() < 0.6 else fitted
        strummed = strum(ringing, rng, gap=float(rng.uniform(0.003, 0.02))) if rng.random() < 0.6 else ringing
        return perform(thin(strummed, most_struck=6, most_sounding=6), rng)
    return perform(thin(fitted, most_struck=int(rng.integers(1, 5)), most_sounding=int(rng.integers(1, 7))), rng)


def ring(part: Part, rng: Rng) -> Part:
    """Leave strings to ring after the written end."""
    longest = float(rng.uniform(0.3, 3.0))
    return Part.of(
        part.program,
        [Note(n.onset, n.pitch, n.offset + float(rng.uniform(0, longest)), n.velocity) for n in part.notes],
    )


def accompany(parts: Sequence[Part], config: SynthConfig, seconds: float, rng: Rng) -> Played:
    """Render parts with soundfonts, to the length of the others."""
    steady = SynthConfig(config.soundfonts, config.soundfont_weights, guitar_solo=0.0, split_solo=0.0, scale_tempo=0.0)
    plan = make_plan(parts, steady, rng)
    audio = render_plan(plan, config)
    length = round(seconds * SAMPLE_RATE)
    fitted = np.pad(audio[:length], (0, max(0, length - len(audio))))
    notes = [note for player in plan.players for note in player.part.notes if note.onset < seconds - 0.05]
    return Played(fitted, tuple(notes), 0)


def mix(layers: Sequence[Waveform], config: RecordedConfig, rng: Rng) -> Waveform:
    """Balance layers within 10 dB of each other, put a room around them, and set the peak."""
    gains = 10 ** (rng.uniform(-10, 0, len(layers)) / 20)
    levels = [float(np.sqrt((layer**2).mean())) + 1e-6 for layer in layers]
    balanced = sum(
        (layer * (gain / level) for layer, gain, level in zip(layers, gains, levels, strict=True)), np.float32(0)
    )
    mixed = np.asarray(balanced, dtype=np.float32)
    if rng.random() < config.room:
        stock = rooms(0, 256)
        mixed = in_room(mixed, stock[int(rng.integers(len(stock)))])
    peak = float(np.abs(mixed).max()) + 1e-9
    return np.asarray(mixed * (10 ** (rng.uniform(-18, -1) / 20) / peak), dtype=np.float32)
