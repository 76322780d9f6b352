import ctypes.util
from pathlib import Path

import numpy as np
import pytest

from model.note import Note
from tests.training.material import heard_onset, scale, write_piece, write_soundfont
from training.attack import measure_attack, probe
from training.errors import DataError
from training.fluidsynth import RENDER_RATE, Effects, Event, Synth
from training.jobs import run_jobs
from training.musicnet import Part
from training.plan import Plan, Player, SynthConfig, make_plan
from training.prepared import SAMPLE_RATE, read_audio, read_manifest, read_notes
from training.synth import render_plan, synth_jobs

pytestmark = pytest.mark.skipif(
    ctypes.util.find_library("fluidsynth") is None, reason="rendering needs the FluidSynth library"
)


@pytest.fixture
def soundfont(tmp_path: Path) -> Path:
    path = tmp_path / "sine.sf2"
    write_soundfont(path)
    return path


def plan_of(part: Part, *, soundfont: str = "sine", cents: float = 0.0) -> Plan:
    player = Player(part, soundfont, cents, gain_db=0.0, release_timecents=0.0, vibrato=0)
    return Plan((player,), Effects(), peak_db=-6.0, side="both", tempo=1.0)


def config_of(soundfont: Path) -> SynthConfig:
    return SynthConfig((str(soundfont),), (1.0,))


def loudest_frequency(audio: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 2**19))
    return float(np.argmax(spectrum) * rate / 2**19)


@pytest.mark.parametrize(("pitch", "cents"), [(69, 0.0), (60, 0.0), (81, 30.0), (57, -45.0)])
def test_a_key_sounds_at_its_pitch_and_tuning(soundfont: Path, pitch: int, cents: float) -> None:
    synth = Synth([soundfont])
    synth.reset(Effects())
    synth.set_channel(0, "sine", 40, cents=cents)
    left, right = synth.render([Event(0.0, 0, "on", pitch, 100)], 1.0)
    expected = 440 * 2 ** ((pitch - 69 + cents / 100) / 12)
    # The sine's own loop is a third of a cent off, being a whole number of samples.
    assert loudest_frequency(left[4410:], RENDER_RATE) == pytest.approx(expected, rel=5e-4)
    np.testing.assert_allclose(left, right, atol=1e-3)


def test_nothing_of_one_rendering_is_heard_in_the_next(soundfont: Path) -> None:
    synth = Synth([soundfont])
    synth.reset(Effects(reverb_level=0.9))
    synth.set_channel(0, "sine", 40, release_timecents=9000)
    synth.render([Event(0.0, 0, "on", 60, 127)], 0.5)
    synth.reset(Effects())
    assert np.abs(synth.render([], 0.5)).max() < 1e-4


def test_every_note_is_heard_at_its_onset(soundfont: Path) -> None:
    part = Part.of(40, [Note(n.onset, n.pitch, n.offset, 90) for n in scale(6, start=0.5, gap=0.6, length=0.3)])
    audio = render_plan(plan_of(part), config_of(soundfont))
    for note in part.notes:
        assert heard_onset(audio, near=note.onset) == pytest.approx(note.onset, abs=0.004)


def test_a_slow_attack_is_started_early(tmp_path: Path) -> None:
    write_soundfont(tmp_path / "slow.sf2", attack_seconds=0.2)
    synth = Synth([tmp_path / "slow.sf2"])
    attack = probe(synth, "slow", 40, 64)
    assert 0.03 < attack.delay <= 0.12
    part = Part.of(40, [Note(0.5, 64, 1.5, 90)])
    assert measure_attack(synth, part, "slow").delay == pytest.approx(attack.delay, abs=0.01)
    audio = render_plan(plan_of(part, soundfont="slow"), config_of(tmp_path / "slow.sf2"))
    first = int(np.argmax(np.abs(audio) > 1e-4)) / SAMPLE_RATE
    assert first == pytest.approx(0.5 - attack.delay, abs=0.01)


def test_the_peak_is_as_planned(soundfont: Path) -> None:
    audio = render_plan(plan_of(Part.of(40, scale(3))), config_of(soundfont))
    assert np.abs(audio).max() == pytest.approx(10 ** (-6 / 20), rel=1e-4)


def test_a_plan_follows_from_its_seed(soundfont: Path) -> None:
    config = config_of(soundfont)
    parts = [Part.of(0, scale(20)), Part.of(40, scale(20))]
    plans = [make_plan(parts, config, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]


def test_a_set_is_the_same_when_made_again_and_its_labels_lie_in_the_audio(tmp_path: Path) -> None:
    write_soundfont(tmp_path / "sine.sf2", programs=tuple(range(128)))
    for name in ("1727", "1733"):
        write_piece(tmp_path / "midi" / f"{name}.mid", scale(10))
    config = config_of(tmp_path / "sine.sf2")
    jobs = synth_jobs(tmp_path / "midi", ["1727", "1733"], "train", config, seed=3)
    assert not run_jobs(tmp_path / "a", jobs, workers=1).failed
    run_jobs(tmp_path / "b", jobs, workers=1)
    assert read_manifest(tmp_path / "a") == read_manifest(tmp_path / "b")
    for recording in read_manifest(tmp_path / "a"):
        notes = read_notes(tmp_path / "a" / f"{recording.id}.tsv")
        assert len(notes) == recording.n_notes > 0
        assert max(note.offset for note in notes) < recording.seconds
        assert len(read_audio(tmp_path / "a" / f"{recording.id}.wav")) == round(recording.seconds * SAMPLE_RATE)


def test_what_is_no_soundfont_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.sf2").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"broken\.sf2: not a soundfont"):
        Synth([tmp_path / "broken.sf2"])


def test_a_missing_program_is_named(soundfont: Path) -> None:
    with pytest.raises(DataError, match="sine has no program 99"):
        Synth([soundfont]).set_channel(0, "sine", 99)
