"""Data for tests, made on the spot: pieces as MIDI, recorded notes with their index, a soundfont of one sine."""

import csv
import struct
from pathlib import Path

import numpy as np
import pretty_midi
import soundfile
from numpy.typing import NDArray

from model.note import Note
from tests.model.signals import SR, frequency_of, melody, plucked
from training.prepared import Split, write_manifest, write_recording

Row = tuple[str, int, int, str, str, float, float, float]


def write_piece(path: Path, notes: list[Note], *, program: int = 0) -> None:
    """Write a piece as MusicNet's MIDI files are: one track for each program, no dynamics."""
    midi = pretty_midi.PrettyMIDI(resolution=960)
    track = pretty_midi.Instrument(program)
    track.notes = [pretty_midi.Note(100, note.pitch, note.onset, note.offset) for note in notes]
    midi.instruments.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.write(str(path))


def scale(count: int, *, start: float = 0.2, gap: float = 0.35, length: float = 0.3, low: int = 60) -> list[Note]:
    """Single notes a whole tone apart, one after the other."""
    return [Note(start + i * gap, low + 2 * (i % 7), start + i * gap + length) for i in range(count)]


def steady(pitch: int, seconds: float, *, lead: float) -> NDArray[np.float32]:
    """A blown note: silence for `lead` seconds, a 5 ms attack, five even partials that lose 10 dB, and a 50 ms end."""
    time = np.arange(int(seconds * SR)) / SR
    tone = np.sum([np.sin(2 * np.pi * k * frequency_of(pitch) * time) / k for k in range(1, 6)], axis=0)
    envelope = np.clip(time / 0.005, 0, 1) * np.clip((seconds - time) / 0.05, 0, 1)
    fading = 1 - 0.7 * time / seconds
    return np.concatenate([np.zeros(int(lead * SR)), 0.2 * tone * fading * envelope]).astype(np.float32)


def write_samples(root: Path, *, pitches: range = range(55, 80, 2)) -> None:
    """A flute (steady notes of 0.5 and 1.5 s) and a guitar (plucked), every other semitone, and their index."""
    root.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for name, program in (("flute", 73), ("guitar", 24)):
        pieces: list[NDArray[np.float32]] = []
        position = 0.0
        for pitch in pitches:
            for code, dynamic, seconds, lead in (("05", "piano", 0.5, 0.05), ("15", "forte", 1.5, 0.12)):
                tail = plucked(pitch, seconds) if name == "guitar" else steady(pitch, seconds, lead=0)
                note = np.concatenate([np.zeros(int(lead * SR), dtype=np.float32), tail])
                rows.append((name, program, pitch, dynamic, code, position, len(note) / SR, lead))
                pieces.append(note)
                position += len(note) / SR
        soundfile.write(root / f"{name}.flac", np.concatenate(pieces), SR)
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["instrument", "program", "pitch_midi", "dynamic", "length_code", "start_s", "duration_s", "onset_s"]
        )
        writer.writerows(rows)


def write_soundfont(path: Path, *, attack_seconds: float = 0.001, programs: tuple[int, ...] = (0, 24, 40, 73)) -> None:
    """A soundfont of one looped sine for some programs (SoundFont 2.01 specification, chapters 4 to 7)."""
    rate, root_pitch, period_count = 44100, 69, 44
    n_samples = round(rate * period_count / 440)
    wave = (12000 * np.sin(2 * np.pi * period_count * np.arange(n_samples) / n_samples)).astype("<i2")
    samples = wave.tobytes() + bytes(46 * 2)  # the specification asks for 46 zeros after each sample
    timecents = round(1200 * np.log2(attack_seconds))

    def name(text: str) -> bytes:
        return text.encode().ljust(20, b"\0")

    presets = b"".join(struct.pack("<20sHHHIII", name("sine"), p, 0, i, 0, 0, 0) for i, p in enumerate(programs))
    presets += struct.pack("<20sHHHIII", name("EOP"), 0, 0, len(programs), 0, 0, 0)
    count = len(programs)
    chunks = {
        b"phdr": presets,
        b"pbag": b"".join(struct.pack("<HH", i, 0) for i in range(count + 1)),
        b"pmod": bytes(10),
        # generator 41: which instrument
        b"pgen": b"".join(struct.pack("<HH", 41, 0) for _ in range(count)) + bytes(4),
        b"inst": struct.pack("<20sH", name("sine"), 0) + struct.pack("<20sH", name("EOI"), 1),
        b"ibag": struct.pack("<HHHH", 0, 0, 3, 0),
        b"imod": bytes(10),
        # generators 34, 54 and 53: attack in timecents, looped while held, which sample
        b"igen": struct.pack("<HhHHHH", 34, timecents, 54, 1, 53, 0) + bytes(4),
        b"shdr": struct.pack("<20sIIIIIBbHH", name("sine"), 0, n_samples, 0, n_samples, rate, root_pitch, 0, 0, 1)
        + struct.pack("<20sIIIIIBbHH", name("EOS"), 0, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    info = chunk(b"ifil", struct.pack("<HH", 2, 1)) + chunk(b"isng", b"EMU8000\0") + chunk(b"INAM", b"sine\0\0")
    body = b"sfbk" + chunk(b"LIST", b"INFO" + info) + chunk(b"LIST", b"sdta" + chunk(b"smpl", samples))
    body += chunk(b"LIST", b"pdta" + b"".join(chunk(key, value) for key, value in chunks.items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(chunk(b"RIFF", body))


def chunk(kind: bytes, content: bytes) -> bytes:
    """A RIFF chunk, padded to an even length."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def heard_onset(audio: NDArray[np.float32], *, near: float, sr: int = SR, reach: float = 0.15) -> float:
    """When, around `near` seconds, sound first exceeds a tenth (20 dB under) of the loudest there."""
    first = max(0, int((near - reach) * sr))
    stretch = np.abs(audio[first : int((near + reach) * sr)])
    return (first + int(np.argmax(stretch > 0.1 * stretch.max()))) / sr


def write_tune_set(folder: Path, *, split: Split, seconds: float = 4.0, count: int = 2) -> None:
    """A prepared set of plucked tunes, each recording another one."""
    folder.mkdir(parents=True)
    records = []
    for index in range(count):
        notes = [
            Note(0.1 + 0.4 * i, 55 + (5 * i + 3 * index) % 24, 0.45 + 0.4 * i) for i in range(int(seconds / 0.4) - 1)
        ]
        wave = melody([(note.onset, note.offset, note.pitch) for note in notes], seconds)
        records.append(write_recording(folder, f"tune{index}", wave, notes, source="test", split=split, made={}))
    write_manifest(folder, records)
