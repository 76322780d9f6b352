"""Performances through FluidSynth and the served checkpoint: what the service hears of them."""

from pathlib import Path

import numpy as np
import soxr

from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from benchmarks.notation.playing import Performance
from model.midi import MELODIC_CHANNELS
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from training.fluidsynth import RENDER_RATE, Effects, Event, fresh_synth

PEAK, RINGING_SECONDS = 0.5, 2.0
ROOM = Effects(room=0.5, damping=0.3, reverb_level=0.3)


def transcribed(performances: list[Performance], soundfont: Path) -> list[list[Note]]:
    """The notes that the network hears of each performance."""
    transcriber = Transcriber.load(DEFAULT_CHECKPOINT, device="cpu")
    options = DecodingOptions(**ENTRY["decoding"])
    heard = []
    for played in performances:
        notes = [note for note, _ in played.played]
        wave = rendered(notes, soundfont)
        resampled = soxr.resample(wave, RENDER_RATE, transcriber.sr).astype(np.float32)
        heard.append(decode_notes(transcriber.activations(resampled), options))
    return heard


def rendered(notes: list[Note], soundfont: Path) -> np.ndarray:
    """Sound of the notes, mono at `RENDER_RATE`, shape (samples,)."""
    programs = sorted({note.program for note in notes})
    channels = dict(zip(programs, MELODIC_CHANNELS, strict=False))
    events = []
    for note in notes:
        events.append(Event(note.onset, channels[note.program], "on", note.pitch, note.velocity))
        events.append(Event(note.offset, channels[note.program], "off", note.pitch))
    with fresh_synth((soundfont,)) as synth:
        synth.reset(ROOM)
        for program, channel in channels.items():
            synth.set_channel(channel, soundfont.stem, program)
        audio = synth.render(events, max(note.offset for note in notes) + RINGING_SECONDS).mean(axis=0)
    return audio * (PEAK / max(float(np.abs(audio).max()), 1e-6))
