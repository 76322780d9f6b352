from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer

from model.note import Note
from tests.model.signals import SR, frequency_of
from tests.training.material import heard_onset, scale, steady, write_piece, write_samples
from training import prepare
from training.augment import pitch_shift
from training.errors import DataError
from training.jobs import run_jobs
from training.musicnet import Part
from training.periodicity import heard_pitch
from training.prepared import read_audio, read_manifest, read_notes
from training.recorded import RecordedConfig, recorded_jobs
from training.sampler import SamplerConfig, play
from training.samples import Voice, load_voices
from training.single_notes import gather_notes, pitch_of

EVERY_TAKE = tuple(range(10))


@pytest.fixture
def voices(tmp_path: Path) -> dict[str, Voice]:
    write_samples(tmp_path / "samples")
    load_voices.cache_clear()
    loaded = load_voices(tmp_path / "samples", ("flute", "guitar"), EVERY_TAKE)
    return {voice.name: voice for voice in loaded}


def played(voice: Voice, notes: list[Note], *, seconds: float = 6.0) -> tuple[np.ndarray, list[Note]]:
    part = Part.of(voice.program, notes)
    result = play(part, voice, seconds=seconds, rng=np.random.default_rng(0), config=SamplerConfig(cents=0.0))
    assert result.unplayable == 0
    return result.audio, list(result.notes)


@pytest.mark.parametrize("name", ["flute", "guitar"])
def test_what_is_heard_begins_at_the_onset(voices: dict[str, Voice], name: str) -> None:
    audio, notes = played(voices[name], scale(8, start=0.5, gap=0.65, length=0.4))
    assert len(notes) == 8
    for note in notes:
        assert heard_onset(audio, near=note.onset) == pytest.approx(note.onset, abs=0.006)


def test_a_note_between_recorded_pitches_is_tuned(voices: dict[str, Voice]) -> None:
    audio, _ = played(voices["flute"], [Note(0.5, 64, 1.5)])
    spectrum = np.abs(np.fft.rfft(audio[int(0.6 * SR) : int(1.4 * SR)] * np.hanning(int(0.8 * SR)), 2**18))
    assert np.argmax(spectrum) * SR / 2**18 == pytest.approx(frequency_of(64), rel=2e-3)


def test_a_cut_note_is_silent_soon_after_its_end(voices: dict[str, Voice]) -> None:
    audio, [note] = played(voices["flute"], [Note(0.5, 65, 1.1, 94)])
    assert note.offset == pytest.approx(1.1)
    assert np.abs(audio[int(1.0 * SR) : int(1.1 * SR)]).max() > 0.5 * np.abs(audio).max()
    assert np.abs(audio[int(1.25 * SR) :]).max() < 1e-3 * np.abs(audio).max()


def test_the_label_ends_where_a_short_sample_ends(voices: dict[str, Voice]) -> None:
    audio, [note] = played(voices["flute"], [Note(0.5, 65, 4.5)])
    assert note.offset == pytest.approx(2.0, abs=0.06)  # the longest flute sample lasts 1.5 s
    loudest = np.abs(audio).max()
    assert np.abs(audio[int((note.offset + 0.06) * SR) :]).max() < 0.06 * loudest
    assert np.abs(audio[int((note.offset - 0.1) * SR) : int(note.offset * SR)]).max() > 0.06 * loudest


def test_louder_velocities_are_louder(voices: dict[str, Voice]) -> None:
    notes = [Note(0.5, 65, 1.0, 30), Note(2.0, 65, 2.5, 60), Note(3.5, 65, 4.0, 120)]
    audio, _ = played(voices["flute"], notes)
    levels = [np.abs(audio[int(note.onset * SR) : int(note.offset * SR)]).max() for note in notes]
    assert levels[0] < levels[1] < levels[2]
    # 30 dB over the range of 127
    assert 20 * np.log10(levels[2] / levels[0]) == pytest.approx(90 / 127 * 30, abs=1.5)


def test_what_no_sample_is_near_is_counted(voices: dict[str, Voice]) -> None:
    part = Part.of(73, [Note(0.5, 60, 1.0), Note(1.5, 100, 2.0)])
    result = play(part, voices["flute"], seconds=3.0, rng=np.random.default_rng(0), config=SamplerConfig())
    assert (len(result.notes), result.unplayable) == (1, 1)
    nothing = Part.of(73, [Note(1.5, 100, 2.0)])
    with pytest.raises(DataError, match=r"flute \(55\.\.79\) can play no note of a part of 1"):
        play(nothing, voices["flute"], seconds=3.0, rng=np.random.default_rng(0), config=SamplerConfig())


@pytest.mark.parametrize("pitch", [40, 52, 64, 76, 88])
def test_a_pitch_named_an_octave_high_is_put_right(pitch: int) -> None:
    tone = steady(pitch, 0.6, lead=0.0)
    assert heard_pitch(tone, pitch) == pytest.approx(pitch, abs=0.02)
    assert heard_pitch(tone, pitch + 12) == pytest.approx(pitch, abs=0.02)


@pytest.mark.parametrize("cents", [-45, -20, 10, 45])
@pytest.mark.parametrize("pitch", [36, 60, 84, 96])
def test_a_note_out_of_tune_is_measured(pitch: int, cents: int) -> None:
    tone, _ = pitch_shift(steady(pitch, 0.6, lead=0.0), semitones=cents / 100)
    assert heard_pitch(tone, pitch) == pytest.approx(pitch + cents / 100, abs=0.03)


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    assert heard_pitch(noise, 60) is None


def test_takes_kept_for_validation_are_not_in_training(tmp_path: Path) -> None:
    write_samples(tmp_path)
    load_voices.cache_clear()
    [kept] = load_voices(tmp_path, ("flute",), (0,))
    [others] = load_voices(tmp_path, ("flute",), tuple(range(1, 10)))
    [whole] = load_voices(tmp_path, ("flute",), EVERY_TAKE)
    assert 0 < len(kept.samples) < len(others.samples)
    assert len(kept.samples) + len(others.samples) == len(whole.samples)


def test_a_missing_index_or_instrument_is_named(tmp_path: Path) -> None:
    load_voices.cache_clear()
    with pytest.raises(DataError, match="index of the samples cannot be read"):
        load_voices(tmp_path, ("flute",), EVERY_TAKE)
    write_samples(tmp_path)
    (tmp_path / "flute.flac").unlink()
    with pytest.raises(DataError, match="no audio file for flute"):
        load_voices(tmp_path, ("flute",), EVERY_TAKE)


def test_a_set_of_pieces_and_textures_is_the_same_when_made_again(tmp_path: Path) -> None:
    write_samples(tmp_path / "samples", pitches=range(40, 84, 2))
    write_piece(tmp_path / "midi" / "1727.mid", scale(30))
    config = RecordedConfig(str(tmp_path / "samples"), ("flute", "guitar"), takes=EVERY_TAKE, excerpt_seconds=5.0)
    jobs = recorded_jobs(tmp_path / "midi", ["1727"], "train", config, textures=3, passes=2, seed=1)
    for name in ("a", "b"):
        assert not run_jobs(tmp_path / name, jobs, workers=1).failed
    recordings = read_manifest(tmp_path / "a")
    assert recordings == read_manifest(tmp_path / "b")
    assert [r.id for r in recordings] == ["1727", "1727_2", "texture000", "texture001", "texture002"]
    for recording in recordings:
        notes = read_notes(tmp_path / "a" / f"{recording.id}.tsv")
        audio = read_audio(tmp_path / "a" / f"{recording.id}.wav")
        assert notes
        assert max(note.offset for note in notes) <= recording.seconds
        assert np.abs(audio).max() > 0.05


def test_notes_of_one_file_each_become_samples(tmp_path: Path) -> None:
    files = {"C4.wav": 60, "Ds4.WAV": 63, "Bb3.wav": 58}
    for name, pitch in files.items():
        path = tmp_path / "tone" / "cello" / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, steady(pitch, 0.8, lead=0.1), SR)
    (path.parent / "README.md").write_text("no note")
    assert gather_notes(tmp_path / "tone", {"cello": 42}, tmp_path / "samples") == ({"cello": 3}, {})
    load_voices.cache_clear()
    [voice] = load_voices(tmp_path / "samples", ("cello",), EVERY_TAKE)
    assert voice.program == 42
    assert [round(sample.pitch) for sample in voice.samples] == [58, 60, 63]
    for sample in voice.samples:
        assert sample.onset == pytest.approx(0.1, abs=0.011)
        assert sample.sounding == pytest.approx(0.8, abs=0.06)


def test_an_instrument_without_notes_is_named(tmp_path: Path) -> None:
    (tmp_path / "tone" / "cello").mkdir(parents=True)
    with pytest.raises(DataError, match="cello: no files named after the note they hold"):
        gather_notes(tmp_path / "tone", {"cello": 42}, tmp_path / "samples")


def test_a_note_that_cannot_be_read_is_named_and_keeps_no_other_out(tmp_path: Path) -> None:
    folder = tmp_path / "tone" / "cello"
    folder.mkdir(parents=True)
    (folder / "A3.wav").write_bytes(b"")
    (folder / "B3.wav").symlink_to(tmp_path / "nowhere")
    soundfile.write(folder / "D4.wav", np.zeros(0, np.float32), SR)
    with pytest.raises(DataError, match=r"cello: no file can be read; .*A3\.wav: the file is empty"):
        gather_notes(tmp_path / "tone", {"cello": 42}, tmp_path / "samples")
    soundfile.write(folder / "C4.wav", steady(60, 0.8, lead=0.1), SR)
    with pytest.raises(typer.Exit):
        prepare.samples(root=tmp_path / "tone", out=tmp_path / "samples", instrument=["cello=42"])
    counts, left_out = gather_notes(tmp_path / "tone", {"cello": 42}, tmp_path / "samples")
    assert counts == {"cello": 1}
    assert [path.name for path in left_out] == ["A3.wav", "B3.wav", "D4.wav"]


@pytest.mark.parametrize("text", ["cello", "=42", "cello=", "cello=128", "cello=-1", "cello=200"])
def test_an_instrument_needs_a_name_and_a_program(text: str) -> None:
    assert prepare.parse_instruments(["a=b=127"]) == {"a=b": 127}
    with pytest.raises(DataError, match=f"--instrument takes NAME=PROGRAM, 0 to 127, such as cello=42; got {text}"):
        prepare.parse_instruments([text])


@pytest.mark.parametrize(("name", "pitch"), [("A0", 21), ("C4", 60), ("Cs3", 49), ("Eb5", 75), ("F#2", 42)])
def test_a_file_says_which_note_it_holds(name: str, pitch: int) -> None:
    assert pitch_of(Path(f"{name}.mp3")) == pitch
