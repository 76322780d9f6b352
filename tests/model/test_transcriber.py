"""The served network at work: the same notes whatever the window, the container or the way in."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mir_eval.transcription import precision_recall_f1_overlap
from mir_eval.util import midi_to_hz

import model
from model.activations import Activations, open_activations
from model.audio import AudioLimits, AudioReader, AudioSummary
from model.checkpoint import file_sha256, load_checkpoint, save_checkpoint
from model.errors import CheckpointError, DecodeFailedError, DeviceError
from model.listening import Progress
from model.network import NetworkConfig, TranscriptionNetwork
from model.note import Note
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from model.tuning import Tuning
from model.windows import WindowConfig
from tests.model.files import encode
from tests.model.signals import SR, TUNE, TUNE_SECONDS, frequency_of, melody, sine

CHECKPOINTS = Path(model.__file__).parent / "checkpoints"
ENTRY = next(
    entry
    for manifest in [json.loads((CHECKPOINTS / "manifest.json").read_text())]
    for entry in manifest["models"]
    if entry["name"] == manifest["default"]
)
LONG_SECONDS = 180.0


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber.load(CHECKPOINTS / ENTRY["file"], sha256=ENTRY["sha256"], device="cpu", threads=2)


@pytest.fixture(scope="module")
def long_melody() -> tuple[np.ndarray, list[tuple[float, float, int]]]:
    """Three minutes of chords and runs, other ones throughout."""
    rng = np.random.default_rng(7)
    notes, now = [], 0.2
    while now < LONG_SECONDS - 3:
        for pitch in rng.choice(np.arange(36, 90), size=rng.integers(1, 5), replace=False):
            notes.append((now, now + float(rng.uniform(0.15, 1.5)), int(pitch)))
        now += float(rng.choice([0.125, 0.25, 0.5, 0.75]))
    return melody(notes, LONG_SECONDS), notes


def decoded(activations: Activations) -> list[Note]:
    return decode_notes(activations, DecodingOptions(**ENTRY["decoding"]))


def hear(
    transcriber: Transcriber, path: Path, target: Path, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> AudioSummary:
    with path.open("rb") as file, AudioReader(file, sr=transcriber.sr, limits=AudioLimits()) as reader:
        return transcriber.write_activations(reader, target, on_progress=on_progress)


def share_in_common(ours: list[Note], theirs: list[Note], **offsets: float | None) -> float:
    """Note F1 of one list against the other: same pitch, onsets within 10 ms, offsets within 50 ms or 20 %."""
    parts = []
    for notes in (theirs, ours):
        parts.append(np.array([(note.onset, note.offset) for note in notes]))
        parts.append(midi_to_hz(np.array([note.pitch for note in notes])))
    return float(precision_recall_f1_overlap(*parts, onset_tolerance=0.01, **offsets)[2])


def test_the_tune_is_heard(transcriber: Transcriber) -> None:
    notes = decoded(transcriber.activations(melody(TUNE, TUNE_SECONDS)))
    hits = sum(any(n.pitch == pitch and abs(n.onset - onset) < 0.05 for n in notes) for onset, _, pitch in TUNE)
    assert hits >= 0.8 * len(TUNE)
    assert len(notes) <= 1.3 * len(TUNE)


# The shortest has a seam every 11 s, each of which may cost a note: 0.9954 in bfloat16, 0.9941 in float32.
@pytest.mark.parametrize(("window_frames", "least"), [(700, 0.993), (1500, 0.995), (2500, 0.995)])
def test_the_window_hardly_changes_the_notes(
    window_frames: int,
    least: float,
    transcriber: Transcriber,
    long_melody: tuple[np.ndarray, list[tuple[float, float, int]]],
) -> None:
    wave, played = long_melody
    sizes = WindowConfig(window_frames=window_frames)
    windowed = Transcriber(transcriber.network, transcriber.device, window=sizes)
    whole = Transcriber(transcriber.network, transcriber.device, window=WindowConfig(window_frames=10**6))
    expected = decoded(whole.activations(wave))
    assert len(expected) > 0.5 * len(played)
    found = decoded(windowed.activations(wave))
    assert share_in_common(found, expected, offset_ratio=None) >= least
    assert share_in_common(found, expected) >= 0.97  # where a fading note ends is the least certain


def test_blocks_of_any_size_give_the_same_bytes(transcriber: Transcriber) -> None:
    wave = melody(TUNE, TUNE_SECONDS)
    whole = transcriber.activations(wave).values
    blocks = [wave[start : start + 1777] for start in range(0, len(wave), 1777)]
    np.testing.assert_array_equal(
        np.concatenate([part.values for part in transcriber.stream(blocks, Tuning(SR))]), whole
    )


def test_wav_and_flac_give_the_same_notes_and_a_file_what_the_waveform_gives(
    transcriber: Transcriber, tmp_path: Path
) -> None:
    wave = np.rint(melody(TUNE, TUNE_SECONDS) * 32767).astype(np.float32) / 32768
    heard = []
    for kind in ("wav", "flac"):
        path = encode(tmp_path / f"a.{kind}", wave, sr=SR, kind=kind)
        seen: list[Progress] = []
        summary = hear(transcriber, path, tmp_path / kind, on_progress=seen.append)
        assert summary.duration == pytest.approx(TUNE_SECONDS)
        assert seen[-1].seconds_done == pytest.approx(TUNE_SECONDS, abs=0.03)
        assert seen[-1].seconds_total == pytest.approx(TUNE_SECONDS)
        heard.append(open_activations(tmp_path / kind).values)
    np.testing.assert_array_equal(heard[0], heard[1])
    assert np.abs(heard[0].astype(int) - transcriber.activations(wave).values.astype(int)).max() <= 3


def test_windows_heard_together_are_heard_as_alone(transcriber: Transcriber) -> None:
    wave = melody(TUNE, TUNE_SECONDS)
    waves = np.stack([wave, wave[::-1], np.zeros_like(wave)])
    cents = [0, -40, 0]
    alone_each = map(transcriber.hear, waves, cents)
    for together, alone in zip(transcriber.hear_together(waves, cents), alone_each, strict=True):
        np.testing.assert_allclose(together.values, alone.values, atol=1)
        assert together.instruments is not None
        np.testing.assert_allclose(together.instruments, alone.instruments, atol=1)


def test_bfloat16_and_float32_hear_the_same(transcriber: Transcriber) -> None:
    wave = melody(TUNE, TUNE_SECONDS)
    heard = [
        decoded(Transcriber(transcriber.network, transcriber.device, bfloat16=bfloat16).activations(wave))
        for bfloat16 in (True, False)
    ]
    assert share_in_common(*heard, offset_ratio=None) > 0.9


@pytest.mark.parametrize(
    "wave",
    [np.zeros(5 * SR), np.full(5 * SR, 0.5), np.zeros(1), sine(frequency_of(69), 0.02)],
    ids=["silence", "direct current", "one sample", "20 ms"],
)
def test_nothing_to_hear_gives_no_notes(wave: np.ndarray, transcriber: Transcriber) -> None:
    assert decoded(transcriber.activations(wave.astype(np.float32))) == []


def test_silence_succeeds_with_a_warning(transcriber: Transcriber, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.wav", np.zeros(SR, dtype=np.float32), sr=SR, kind="wav")
    summary = hear(transcriber, path, tmp_path / "a")
    assert summary.warnings == ["the recording is silent: there is nothing to transcribe"]


def test_an_exception_from_on_progress_stops_the_run_and_leaves_nothing_that_looks_finished(
    transcriber: Transcriber, tmp_path: Path
) -> None:
    path = encode(tmp_path / "a.wav", melody(TUNE, TUNE_SECONDS), sr=SR, kind="wav")

    def stop(progress: Progress) -> None:
        raise InterruptedError(f"cancelled after {progress.seconds_done} s")

    with pytest.raises(InterruptedError):
        hear(transcriber, path, tmp_path / "a", on_progress=stop)
    assert (tmp_path / "a").read_bytes()[:8] == bytes(8)


def test_a_checkpoint_survives_the_file_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = TranscriptionNetwork(NetworkConfig(fine_channels=4, pitch_channels=8)).eval()
    path = tmp_path / "a.safetensors"
    save_checkpoint(network, path)
    read = load_checkpoint(path, sha256=file_sha256(path))
    assert read.config == network.config
    wave = torch.from_numpy(melody(TUNE, TUNE_SECONDS))[None]
    with torch.inference_mode():
        for one, other in zip(network(wave), read(wave), strict=True):
            torch.testing.assert_close(one, other, atol=0, rtol=0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="it was changed or cut"):
        load_checkpoint(path, sha256=file_sha256(CHECKPOINTS / ENTRY["file"]))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", bytes(100)])
def test_other_files_are_not_checkpoints(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(CheckpointError, match="does not hold a network"):
        load_checkpoint(tmp_path / "a")


def test_a_missing_checkpoint_and_a_missing_device_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read the checkpoint"):
        load_checkpoint(tmp_path / "a")
    with pytest.raises(DeviceError, match="auto, cpu or cuda"):
        Transcriber.load(CHECKPOINTS / ENTRY["file"], device="tpu")


def test_damaged_audio_is_reported_not_transcribed(transcriber: Transcriber, tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"fLaC" + bytes(64))
    with pytest.raises(DecodeFailedError):
        hear(transcriber, tmp_path / "a.flac", tmp_path / "b")
