"""What is wrong with a recording is named wherever it comes from, and the good one beside it is made."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from model.audio import AudioLimits, AudioReader
from model.note import Note
from tests.model.signals import sine
from tests.training.material import write_piece
from training.intake import convert_audio
from training.jobs import Job, Outcome, run_jobs
from training.maps import maps_jobs
from training.pairs import PairsConfig, pairs_jobs
from training.prepared import Json, read_audio, read_manifest, read_notes
from training.published import published_jobs

SR = 44100
GOOD, BAD = "1727", "1733"  # two of MusicNet's training ids


def maps_files(root: Path, name: str) -> tuple[Path, Path]:
    return root / f"{name}.wav", root / f"{name}.tsv"


def musicnet_files(root: Path, name: str) -> tuple[Path, Path]:
    return root / "train_data" / f"{name}.wav", root / "train_labels" / f"{name}.csv"


def pairs_files(root: Path, name: str) -> tuple[Path, Path]:
    return root / "audio" / f"{name}.wav", root / "notes" / f"{name}.mid"


def write_maps(path: Path, notes: list[Note]) -> None:
    path.write_text("#\n" + "".join(f"{n.onset}\t{n.offset}\t{n.pitch}\t{n.velocity}\n" for n in notes))


def write_musicnet(path: Path, notes: list[Note]) -> None:
    rows = [f"{round(n.onset * SR)},{round(n.offset * SR)},1,{n.pitch},0,1,Quarter\n" for n in notes]
    path.write_text("start_time,end_time,instrument,note,start_beat,end_beat,note_value\n" + "".join(rows))


class Kind:
    """A way that recordings come in: where the files of one lie, how its labels are written, how all are listed."""

    def __init__(
        self,
        files: Callable[[Path, str], tuple[Path, Path]],
        write: Callable[[Path, list[Note]], None],
        jobs: Callable[[Path], list[Job]],
    ) -> None:
        self.files, self.write, self.jobs = files, write, jobs

    def add(self, root: Path, name: str, *, pitch: int = 69, notes: list[Note] | None = None) -> tuple[Path, Path]:
        """Two seconds of a tone, unlike that of any other pitch, and one note."""
        audio, labels = self.files(root, name)
        for path in (audio, labels):
            path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(audio, sine(440 * 2 ** ((pitch - 69) / 12), 2.0, sr=SR), SR, subtype="FLOAT")
        self.write(labels, [Note(0.5, pitch, 1.5)] if notes is None else notes)
        return audio, labels

    def prepare(self, root: Path, out: Path) -> Outcome:
        return run_jobs(out, self.jobs(root), workers=1)


def musicnet_jobs(root: Path) -> list[Job]:
    for kind in ("test_data", "test_labels"):
        (root / kind).mkdir(exist_ok=True)
    return published_jobs(root, "train")


KINDS = {
    "maps": Kind(maps_files, write_maps, lambda root: maps_jobs(root, "train")),
    "musicnet": Kind(musicnet_files, write_musicnet, musicnet_jobs),
    "pairs": Kind(pairs_files, write_piece, lambda root: pairs_jobs(root, PairsConfig(0, 0))["train"]),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def put_sample(path: Path, value: float) -> None:
    """Replace one sample in the middle of a float WAV."""
    samples, sr = soundfile.read(path, dtype="float32")
    samples[len(samples) // 2] = value
    soundfile.write(path, samples, sr, subtype="FLOAT")


def cut_short(path: Path) -> None:
    """Take the last quarter away from behind a header that still counts it."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])


def write(samples: NDArray[np.float32], sr: int) -> Callable[[Path], None]:
    return lambda path: soundfile.write(path, samples, sr, subtype="FLOAT")


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty file": (lambda path: path.write_bytes(b""), "the file is empty"),
    "no audio": (lambda path: path.write_bytes(b"hello " * 100), "not audio of a kind that can be read"),
    "header alone": (write(np.zeros(0, np.float32), SR), "without a single sample"),
    "damaged header": (lambda path: path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt "), "1733.wav"),
    "cut short": (cut_short, "cut short: 1.5 s could be read"),
    "NaN": (lambda path: put_sample(path, float("nan")), "the sample at 1.000 s is not a finite number"),
    "infinity": (lambda path: put_sample(path, float("inf")), "the sample at 1.000 s is not a finite number"),
    "silence": (write(np.zeros(2 * SR, np.float32), SR), "holds only silence"),
    "rate too low": (write(sine(440, 2.0, sr=2000), 2000), "the sampling rate is 2000 Hz"),
    "labels of something longer": (write(sine(440, 0.3, sr=SR), SR), "1 labels begin after its end at 0.3 s"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_audio_that_cannot_be_trusted_is_left_out_and_named(tmp_path: Path, kind: Kind, fault: str) -> None:
    spoil, said = FAULTS[fault]
    kind.add(tmp_path / "in", GOOD)
    audio, _ = kind.add(tmp_path / "in", BAD, pitch=60)
    spoil(audio)
    outcome = kind.prepare(tmp_path / "in", tmp_path / "out")
    assert [name.endswith(GOOD) for name in outcome.made] == [True]
    [(name, why)] = outcome.failed.items()
    assert name.endswith(BAD)
    assert str(audio) in why
    assert said in why
    assert len(list((tmp_path / "out").iterdir())) == 3  # one WAV, one table, the manifest; nothing half done
    assert left_out(tmp_path / "out") == {name: why}


def left_out(folder: Path) -> dict[str, str]:
    """What the manifest says that was left out."""
    manifest: dict[str, dict[str, str]] = json.loads((folder / "manifest.json").read_text())
    return manifest["left_out"]


@pytest.mark.parametrize("missing", ["audio", "labels"])
def test_a_file_without_its_partner_is_named(tmp_path: Path, kind: Kind, missing: str) -> None:
    kind.add(tmp_path / "in", GOOD)
    audio, labels = kind.add(tmp_path / "in", BAD, pitch=60)
    gone, alone = (audio, labels) if missing == "audio" else (labels, audio)
    gone.unlink()
    outcome = kind.prepare(tmp_path / "in", tmp_path / "out")
    assert len(outcome.made) == 1
    [why] = outcome.failed.values()
    assert str(alone) in why
    assert ("no recording of this name" if missing == "audio" else "no labels of this name") in why


@pytest.mark.parametrize("lost", ["audio", "labels"])
def test_a_file_that_cannot_be_read_does_not_keep_the_others_out(tmp_path: Path, kind: Kind, lost: str) -> None:
    kind.add(tmp_path / "in", GOOD)
    path = kind.add(tmp_path / "in", BAD, pitch=60)[0 if lost == "audio" else 1]
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    outcome = kind.prepare(tmp_path / "in", tmp_path / "out")
    assert len(outcome.made) == 1
    assert any(f"{path}: cannot be read: No such file" in why for why in outcome.failed.values())


def test_endings_in_capitals_and_of_every_kind_are_found(tmp_path: Path, kind: Kind) -> None:
    for name, pitch, ending in ((GOOD, 69, ".WAV"), (BAD, 60, ".aif")):
        audio, labels = kind.add(tmp_path / "in", name, pitch=pitch)
        soundfile.write(
            audio.with_suffix(ending), soundfile.read(audio)[0], SR, format="AIFF" if ending == ".aif" else "WAV"
        )
        audio.unlink()
        labels.rename(labels.with_suffix(labels.suffix.upper()))
    outcome = kind.prepare(tmp_path / "in", tmp_path / "out")
    assert (len(outcome.made), outcome.failed) == (2, {})


def test_the_same_audio_twice_counts_once(tmp_path: Path, kind: Kind) -> None:
    first, _ = kind.add(tmp_path / "in", GOOD)
    second, _ = kind.add(tmp_path / "in", BAD)
    written = second.read_bytes()
    stamp = written.index(b"PEAK") + 12  # seconds since 1970, in the header of a float WAV
    second.write_bytes(written[:stamp] + bytes([written[stamp] ^ 1]) + written[stamp + 1 :])
    outcome = kind.prepare(tmp_path / "in", tmp_path / "out")
    assert len(outcome.made) == 1
    [why] = outcome.failed.values()
    assert why == f"{second}: the same audio as {first}"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00nonsense", b"one line\n"])
def test_damaged_labels_are_named(tmp_path: Path, kind: Kind, content: bytes) -> None:
    kind.add(tmp_path / "in", GOOD)
    _, labels = kind.add(tmp_path / "in", BAD, pitch=60)
    labels.write_bytes(content)
    outcome = kind.prepare(tmp_path / "in", tmp_path / "out")
    assert len(outcome.made) == 1
    [why] = outcome.failed.values()
    assert str(labels) in why


def test_labels_without_a_usable_note_are_named(tmp_path: Path, kind: Kind) -> None:
    kind.add(tmp_path / "in", GOOD)
    _, labels = kind.add(tmp_path / "in", BAD, pitch=60, notes=[])
    outcome = kind.prepare(tmp_path / "in", tmp_path / "out")
    [why] = outcome.failed.values()
    assert f"{labels}: holds no note" in why


def test_a_recording_is_made_again_when_its_labels_change(tmp_path: Path, kind: Kind) -> None:
    _, labels = kind.add(tmp_path / "in", GOOD)
    kind.prepare(tmp_path / "in", tmp_path / "out")
    assert kind.prepare(tmp_path / "in", tmp_path / "out").made == []
    kind.write(labels, [Note(0.25, 69, 1.5)])
    [name] = kind.prepare(tmp_path / "in", tmp_path / "out").made
    assert [note.onset for note in read_notes(tmp_path / "out" / f"{name}.tsv")] == [0.25]


def test_what_became_unusable_leaves_the_set(tmp_path: Path, kind: Kind) -> None:
    kind.add(tmp_path / "in", GOOD)
    audio, _ = kind.add(tmp_path / "in", BAD, pitch=60)
    kind.prepare(tmp_path / "in", tmp_path / "out")
    audio.write_bytes(b"")
    kind.prepare(tmp_path / "in", tmp_path / "out")
    assert len(read_manifest(tmp_path / "out")) == 1
    assert len(left_out(tmp_path / "out")) == 1


def test_training_hears_what_a_request_hears(tmp_path: Path) -> None:
    """Stereo at an odd rate, as the service reads it and as it comes out of a prepared set: equal to a 16-bit step."""
    time = np.arange(3 * 22050) / 22050
    soundfile.write(tmp_path / "a.flac", 0.4 * np.stack([np.sin(2000 * time), np.cos(3000 * time)], axis=1), 22050)
    summary = convert_audio(tmp_path / "a.flac", tmp_path / "b.wav")
    with (tmp_path / "a.flac").open("rb") as file, AudioReader(file, sr=16000, limits=AudioLimits()) as reader:
        served = np.concatenate(list(reader.blocks()))
    assert summary.sr == 22050
    np.testing.assert_allclose(read_audio(tmp_path / "b.wav"), served, atol=1.01 / 32768)


def test_low_rates_are_remarked(tmp_path: Path) -> None:
    audio, _ = KINDS["maps"].add(tmp_path / "in", GOOD)
    soundfile.write(audio, sine(440, 2.0, sr=8000), 8000)
    KINDS["maps"].prepare(tmp_path / "in", tmp_path / "out")
    [recording] = read_manifest(tmp_path / "out")
    remarks: Json = {"recordings under 16000 Hz, without their upper partials": 1}
    assert (recording.made["sr"], recording.made["remarks"]) == (8000, remarks)


def test_a_wav_whose_header_counts_more_than_the_format_can_is_read(tmp_path: Path) -> None:
    """Recorders that stream leave the lengths at their largest; there is no telling that such a file is whole."""
    audio, _ = KINDS["maps"].add(tmp_path / "in", GOOD)
    content = bytearray(audio.read_bytes())
    content[4:8] = struct.pack("<I", 0xFFFFFFFF)
    audio.write_bytes(content)
    assert KINDS["maps"].prepare(tmp_path / "in", tmp_path / "out").made == [GOOD]
