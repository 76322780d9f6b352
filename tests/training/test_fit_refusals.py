"""Training runs that are refused before hours are lost."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from model.errors import DeviceError
from model.network import NetworkConfig
from model.sequence import SequenceConfig
from tests.model.signals import SR
from tests.training.conftest import SMALL, small_checkpoint
from tests.training.material import write_tune_set
from tests.training.runs import HERE, LSTM, settings
from training import checks
from training.config import FitConfig
from training.engine import Engine
from training.errors import DataError, FitError
from training.fit import fit as run_fit
from training.state import LAST


def test_a_gpu_that_is_not_there_is_said(tmp_path: Path, data: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(DeviceError, match="PyTorch finds no CUDA GPU"):
        run_fit(settings(), data=data, run=tmp_path / "run", engine=Engine(device="cuda"))


def test_a_checkpoint_of_another_network_is_refused_with_what_differs(tmp_path: Path, data: Path) -> None:
    first = small_checkpoint(tmp_path / "first.safetensors")
    other = settings(network=replace(SMALL, pitch_hidden=9))
    with pytest.raises(FitError, match="another network than the configuration: pitch_hidden 8 / 9"):
        run_fit(other, data=data, run=tmp_path / "run", engine=HERE, init=first)


def test_a_run_does_not_go_on_with_other_samples_but_may_become_longer(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "run"
    run_fit(settings(total_steps=2), data=data, run=run, engine=HERE)
    with pytest.raises(FitError, match=r"other settings \(there / now\): batch_size 2 / 4\. .*--init"):
        run_fit(settings(total_steps=2, batch_size=4), data=data, run=run, engine=HERE)
    assert run_fit(settings(total_steps=4), data=data, run=run, engine=HERE).step == 4


def test_a_run_does_not_go_on_with_other_recordings_of_the_same_sets(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "run"
    run_fit(settings(total_steps=2), data=data, run=run, engine=HERE)
    before = (run / LAST).read_bytes()
    shutil.rmtree(data / "tunes")
    write_tune_set(data / "tunes", split="train", count=3)
    with pytest.raises(FitError, match=r"trained on other recordings of tunes than there are now: .*--init"):
        run_fit(settings(total_steps=4), data=data, run=run, engine=HERE)
    assert (run / LAST).read_bytes() == before


def test_two_runs_at_once_in_one_folder_are_refused(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "run"
    holding = (
        "import pathlib, sys\n"
        "from training.locks import locked\n"
        "with locked(pathlib.Path(sys.argv[1]), wait=False):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", holding, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(FitError, match=r"another process is training in .*run: wait"):
            run_fit(settings(), data=data, run=run, engine=HERE)
        process.communicate("\n")
    assert not (run / "metrics.csv").exists()
    assert run_fit(settings(total_steps=1), data=data, run=run, engine=HERE).step == 1


def cut_short(data: Path) -> None:
    path = data / "tunes" / "tune0.wav"
    audio, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, audio[: len(audio) // 2], rate)


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (lambda data: shutil.rmtree(data / "check"), "check: no such prepared set; there are: tunes"),
    (lambda data: (data / "tunes" / "tune1.wav").unlink(), r"tune1\.wav: cannot be read"),
    (lambda data: (data / "tunes" / "tune1.tsv").unlink(), r"tune1\.tsv: labels cannot be read"),
    (cut_short, r"tune0\.wav: 2\.00 s long, its manifest says 4\.00 s"),
    (lambda data: (data / "tunes" / "tune1.tsv").write_bytes(b""), r"tune1\.tsv: 0 notes, its manifest says 9"),
    (lambda data: shutil.copytree(data / "check", data / "tunes", dirs_exist_ok=True), "no recording of split 'train'"),
    (lambda data: soundfile.write(data / "check" / "tune0.wav", np.zeros(100), 44100), "44100 Hz, 1 channels"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE)
def test_faults_of_the_data_are_named_before_the_first_step(
    tmp_path: Path, data: Path, damage: Callable[[Path], object], said: str
) -> None:
    damage(data)
    with pytest.raises(DataError, match=said):
        run_fit(settings(), data=data, run=tmp_path / "run", engine=HERE)
    assert not (tmp_path / "run" / LAST).exists()


def test_a_batch_that_does_not_fit_into_memory_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(FitError, match=r"20000000 samples of 0\.5 s needs about .* GB .*lower batch_size"):
        run_fit(settings(batch_size=20_000_000), data=data, run=tmp_path / "run", engine=HERE)


def test_the_memory_of_a_sample_grows_with_its_length() -> None:
    short, long = (checks.sample_bytes(settings(network=SMALL, segment_seconds=length)) for length in (0.5, 2.0))
    assert 3 < long / short < 5


@pytest.mark.parametrize("kind", ["convolution", "transformer"])
def test_the_memory_of_a_long_sample_is_known_without_making_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = SMALL if kind == "convolution" else replace(LSTM, kind="transformer", heads=2)
    config = settings(network=network, segment_seconds=30.0)
    whole = checks.kept_bytes(config, 30 * SR)
    measured: list[int] = []

    def kept_bytes(config: FitConfig, n_samples: int) -> int:
        measured.append(n_samples)
        return plain(config, n_samples)

    plain = checks.kept_bytes
    monkeypatch.setattr(checks, "kept_bytes", kept_bytes)
    assert checks.sample_bytes(config) == pytest.approx(whole, rel=0.01)
    assert max(measured) < 7 * SR
    assert checks.sample_bytes(replace(config, segment_seconds=1e9)) > 1e12


def test_a_disk_that_is_too_full_is_refused(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LOG_BYTES", 1 << 60)
    with pytest.raises(FitError, match="of disk left, the run needs"):
        run_fit(settings(), data=data, run=tmp_path / "run", engine=HERE)


def test_a_run_folder_that_cannot_be_made_is_refused(tmp_path: Path, data: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FitError, match="cannot write to the run folder"):
        run_fit(settings(), data=data, run=tmp_path / "file" / "run", engine=HERE)


@pytest.mark.parametrize(
    ("engine", "precision", "said"),
    [
        (Engine("cpu", devices=3), "32-true", "batch_size 2 must be a multiple of the 3 devices"),
        (Engine("cpu"), "16-mixed", "needs a GPU"),
    ],
)
def test_devices_that_do_not_suit_are_refused(
    tmp_path: Path, data: Path, engine: Engine, precision: str, said: str
) -> None:
    with pytest.raises(FitError, match=said):
        run_fit(settings(precision=precision), data=data, run=tmp_path / "run", engine=engine)


@pytest.mark.parametrize(
    ("network", "message"),
    [(LSTM, "needs a network with an instrument head"), (SMALL, "set network.instrument_channels")],
)
def test_instruments_of_a_network_without_a_head_are_refused(
    data: Path, tmp_path: Path, network: NetworkConfig | SequenceConfig, message: str
) -> None:
    with pytest.raises(FitError, match=message):
        run_fit(settings(network=network, part="instruments"), data=data, run=tmp_path / "run", engine=HERE)
