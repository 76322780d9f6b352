"""Labels played again on a recorded piano: what is written sounds where its labels say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.note import Note
from training.errors import DataError
from training.jobs import run_jobs
from training.prepared import SAMPLE_RATE, read_audio, read_manifest, read_notes, write_manifest, write_recording
from training.replay import ReplayConfig, replay_jobs
from training.salamander import load_piano

QUIET_BEFORE = 0.1  # seconds before each stroke in the files


def hz(pitch: int) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


@pytest.fixture
def piano(tmp_path: Path) -> Path:
    """Every third key from C4 to C5, struck softly and loudly: decaying sines after a short silence."""
    folder = tmp_path / "piano" / "inner"
    folder.mkdir(parents=True)
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for name, pitch in {"C4": 60, "D#4": 63, "F#4": 66, "A4": 69, "C5": 72}.items():
        for strength in (4, 14):
            sound = np.exp(-3 * time) * np.sin(2 * np.pi * hz(pitch) * time) * strength / 20
            audio = np.concatenate([np.zeros(round(QUIET_BEFORE * SAMPLE_RATE)), sound])
            soundfile.write(folder / f"{name}v{strength}.wav", audio, SAMPLE_RATE)
    return tmp_path / "piano"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A prepared set of one recording, whose audio does not matter."""
    folder = tmp_path / "source"
    folder.mkdir()
    notes = [Note(0.5 + 0.5 * i, 60 + i, 0.9 + 0.5 * i, 30 + 8 * i) for i in range(10)]
    silence = np.zeros(8 * SAMPLE_RATE, dtype=np.float32)
    write_manifest(folder, [write_recording(folder, "a", silence, notes, source="test", split="train", made={})])
    return folder


def test_strokes_have_their_pitch_strength_and_attack(piano: Path) -> None:
    voice = load_piano(piano)
    assert (voice.lowest, voice.highest, len(voice.samples)) == (60, 72, 10)
    assert all(abs(sample.onset - QUIET_BEFORE) <= 0.01 for sample in voice.samples)
    soft, loud = sorted((s for s in voice.samples if s.pitch == 69), key=lambda sample: sample.velocity)
    assert soft.velocity == pytest.approx(3.5 * 127 / 16)
    assert soft.level < loud.level


def test_labels_are_played_where_they_say(tmp_path: Path, piano: Path, source: Path) -> None:
    config = ReplayConfig(str(piano), most_semitones=0, tempo=(0.8, 0.8001), room=0.0, tuning_cents=0.0)
    outcome = run_jobs(tmp_path / "replayed", replay_jobs(source, config, seed=1), workers=1)
    assert outcome.failed == {}
    [record] = read_manifest(tmp_path / "replayed")
    assert record.split == "train"
    notes, audio = read_notes(tmp_path / "replayed" / "a.tsv"), read_audio(tmp_path / "replayed" / "a.wav")
    assert [note.pitch for note in notes] == list(range(60, 70))
    assert [note.onset for note in notes] == pytest.approx([(0.5 + 0.5 * i) / 0.8 for i in range(10)], abs=1e-3)
    for note in notes:
        first = round(note.onset * SAMPLE_RATE)
        before, after = audio[first - 320 : first - 160], audio[first : first + 1600]
        assert np.abs(after).max() > 20 * np.abs(before).max()
        spectrum = np.abs(np.fft.rfft(after * np.hanning(len(after)), 1 << 15))
        assert np.argmax(spectrum) * SAMPLE_RATE / (1 << 15) == pytest.approx(hz(note.pitch), rel=0.01)


def test_what_lies_beyond_the_keys_is_left_out_and_counted(tmp_path: Path, piano: Path, source: Path) -> None:
    jobs = replay_jobs(source, ReplayConfig(str(piano), most_semitones=12), seed=4)
    assert run_jobs(tmp_path / "replayed", jobs, workers=1).failed == {}
    [record] = read_manifest(tmp_path / "replayed")
    played = read_notes(tmp_path / "replayed" / "a.tsv")
    assert record.made["unplayable"] == 10 - len(played) > 0
    assert all(58 <= note.pitch <= 74 for note in played)


def test_a_recording_that_comes_or_is_damaged_changes_no_other(tmp_path: Path, piano: Path, source: Path) -> None:
    config = ReplayConfig(str(piano))
    run_jobs(tmp_path / "before", replay_jobs(source, config, seed=1), workers=1)
    silence = np.zeros(2 * SAMPLE_RATE, dtype=np.float32)
    for name in ("0", "1"):
        write_recording(source, name, silence, [Note(0.5, 60, 1.0)], source="test", split="train", made={})
    records = [replace(read_manifest(source)[0], id=name, n_notes=1) for name in ("0", "1")]
    write_manifest(source, [*records, *read_manifest(source)])
    (source / "1.tsv").unlink()
    outcome = run_jobs(tmp_path / "after", replay_jobs(source, config, seed=1), workers=1)
    assert (sorted(outcome.made), list(outcome.failed)) == (["0", "a"], ["1"])
    assert "1.tsv: labels cannot be read" in outcome.failed["1"]
    assert read_manifest(tmp_path / "before")[0] == read_manifest(tmp_path / "after")[1]


def test_a_folder_without_strokes_and_an_empty_set_are_refused(tmp_path: Path, piano: Path) -> None:
    with pytest.raises(DataError, match=r"no files of the Salamander piano, such as D#4v10\.ogg"):
        load_piano(tmp_path / "nothing")
    with pytest.raises(DataError, match="no prepared set"):
        replay_jobs(tmp_path / "nothing", ReplayConfig(str(piano)), seed=0)
