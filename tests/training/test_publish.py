import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.catalogue import ModelMetadata
from model.checkpoint import file_sha256, load_checkpoint
from model.errors import CheckpointError
from model.note_events import DecodingOptions
from tests.training.conftest import small_checkpoint
from training.errors import PublishError
from training.publish import Release, publish, published_decoding

DECODING = {"onset_threshold": 0.4, "frame_threshold": 0.3, "min_note_ms": 30.0, "latency_ms": 6.0}


def release(
    folder: Path,
    checkpoint: Path,
    *,
    note_f1: float,
    instruments: float | None = None,
    data: str = "maps_validation",
    split: str = "validation",
    first_seconds: float | None = 60,
    n_recordings: int = 23,
    n_failed: int = 0,
    sha256: str | None = "5e7",
) -> Release:
    """A release with an evaluation as `evaluate` writes it."""
    path = folder / f"{checkpoint.stem}.json"
    scores = {"note_f1": note_f1, "frame_f1": 0.5}
    if instruments is not None:
        scores["note_instrument_f1"] = instruments
    of_set = {"split": split, "mean": scores, "n_recordings": n_recordings, "n_failed": n_failed}
    if sha256 is not None:
        of_set["recordings_sha256"] = sha256
    path.write_text(
        json.dumps(
            {
                "sha256": file_sha256(checkpoint),
                "first_seconds": first_seconds,
                "decoding": {**DECODING, "lowest_pitch": 21},
                "sets": {data: of_set},
            }
        )
    )
    return Release("default", ("MAPS",), "a test", "python -m training fit", "CC BY-NC-SA 4.0", path)


def manifest(folder: Path) -> dict[str, list[dict[str, object]]]:
    content: dict[str, list[dict[str, object]]] = json.loads((folder / "manifest.json").read_text())
    return content


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder with one published checkpoint of note F1 0.8."""
    checkpoint = small_checkpoint(tmp_path / "first.safetensors", seed=1)
    publish(checkpoint, tmp_path / "served", release(tmp_path, checkpoint, note_f1=0.8))
    return tmp_path / "served"


def test_what_is_published_loads_under_its_hash(published: Path) -> None:
    [entry] = manifest(published)["models"]
    sha256 = str(entry["sha256"])
    assert entry["file"] == f"default-{sha256[:8]}.safetensors"
    network = load_checkpoint(published / str(entry["file"]), sha256=sha256)
    assert entry["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert entry["decoding"] == DECODING
    assert entry["frame_rate"] == network.config.features.frame_rate
    assert entry["licence"] == "CC BY-NC-SA 4.0"
    assert {"data": "maps_validation", "split": "validation", "metric": "note_f1", "value": 0.8} in entry["scores"]
    assert manifest(published)["default"] == "default"


def test_what_is_published_is_known_by_its_decoding(tmp_path: Path, published: Path) -> None:
    [file] = published.glob("*.safetensors")
    assert published_decoding(file) == DecodingOptions(0.4, 0.3, 30.0, 6.0)
    assert published_decoding(published / "other.safetensors") is None
    assert published_decoding(tmp_path / "first.safetensors") is None  # no manifest there


def test_a_better_one_takes_the_name_and_the_old_file_stays(tmp_path: Path, published: Path) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    target = publish(checkpoint, published, release(tmp_path, checkpoint, note_f1=0.81))
    assert [entry["file"] for entry in manifest(published)["models"]] == [target.name]
    assert len(list(published.glob("default-*.safetensors"))) == 2


@pytest.mark.parametrize("note_f1", [0.8, 0.79])
def test_what_is_not_better_is_refused_unless_forced(tmp_path: Path, published: Path, note_f1: float) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    before = manifest(published)
    with pytest.raises(PublishError, match=f"on maps_validation .* note_f1 {note_f1:.4f} against 0.8000"):
        publish(checkpoint, published, release(tmp_path, checkpoint, note_f1=note_f1))
    assert manifest(published) == before
    assert len(list(published.glob("*.safetensors"))) == 1
    publish(checkpoint, published, release(tmp_path, checkpoint, note_f1=note_f1), force=True)
    assert manifest(published) != before


def test_at_equal_notes_the_instruments_decide(tmp_path: Path, published: Path) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    publish(checkpoint, published, release(tmp_path, checkpoint, note_f1=0.8, instruments=0.5))
    third = small_checkpoint(tmp_path / "third.safetensors", seed=3)
    with pytest.raises(PublishError, match=r"note_instrument_f1 0\.4000 against 0\.5000"):
        publish(third, published, release(tmp_path, third, note_f1=0.8, instruments=0.4))
    with pytest.raises(PublishError, match=r"note_f1 0\.7900 against 0\.8000"):
        publish(third, published, release(tmp_path, third, note_f1=0.79, instruments=0.9))
    publish(third, published, release(tmp_path, third, note_f1=0.8, instruments=0.6))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"first_seconds": 30}, "on the first 60 s of each recording, this one on the first 30 s: .* --seconds 60"),
        ({"first_seconds": None}, "this one on all"),
        ({"n_recordings": 3}, "held 23 recordings when default-[0-9a-f]*.safetensors was measured, and holds 3 now"),
        ({"sha256": "07e"}, "maps_validation held other recordings when default-[0-9a-f]*.safetensors was measured"),
        ({"n_failed": 1}, "recordings of maps_validation could not be scored"),
    ],
)
def test_scores_of_unlike_recordings_are_not_compared(
    tmp_path: Path, published: Path, other: dict[str, Any], said: str
) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    better = release(tmp_path, checkpoint, note_f1=0.9, **other)
    with pytest.raises(PublishError, match=said):
        publish(checkpoint, published, better)
    publish(checkpoint, published, better, force=True)


@pytest.mark.parametrize("name", ["", "x" * 101, "a/b", "../evil", ".hidden", "two words", "späte", "line\n"])
def test_a_name_that_the_service_could_not_read_is_refused(tmp_path: Path, published: Path, name: str) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    before = manifest(published)
    named = replace(release(tmp_path, checkpoint, note_f1=0.9), name=name)
    with pytest.raises(PublishError, match=r"a name has 1 to 100 letters, digits, .*; got '"):
        publish(checkpoint, published, named, force=True)
    assert manifest(published) == before
    assert len(list(tmp_path.glob("**/*.safetensors"))) == 3
    with pytest.raises(ValidationError):  # the service has the same rule
        ModelMetadata(name=name, sha256="0" * 64)


def test_every_name_that_the_service_takes_may_be_published(tmp_path: Path, published: Path) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    name = ModelMetadata(name="9A._-" + "x" * 95, sha256="0" * 64).name
    publish(checkpoint, published, replace(release(tmp_path, checkpoint, note_f1=0.9), name=name))
    assert {entry["name"] for entry in manifest(published)["models"]} == {"default", name}


def test_what_was_published_before_recordings_were_known_by_their_audio_is_compared(
    tmp_path: Path, published: Path
) -> None:
    content = manifest(published)
    assert content["models"][0].pop("scored_sha256") == {"maps_validation": "5e7"}
    (published / "manifest.json").write_text(json.dumps(content))
    for seed, sha256 in ((2, None), (3, "5e7")):
        checkpoint = small_checkpoint(tmp_path / f"{seed}.safetensors", seed=seed)
        publish(checkpoint, published, release(tmp_path, checkpoint, note_f1=0.8 + seed / 100, sha256=sha256))


@pytest.mark.parametrize("name", ["default", "another"])
def test_scores_on_test_recordings_decide_nothing(tmp_path: Path, published: Path, name: str) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    tested = replace(release(tmp_path, checkpoint, note_f1=0.99, split="test"), name=name)
    with pytest.raises(PublishError, match="the evaluation holds no validation set"):
        publish(checkpoint, published, tested)
    publish(checkpoint, published, tested, force=True)


def test_scores_on_another_set_are_not_compared(tmp_path: Path, published: Path) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    with pytest.raises(PublishError, match="evaluate on a set in common"):
        publish(checkpoint, published, release(tmp_path, checkpoint, note_f1=0.99, data="other_validation"))


def test_what_tune_wrote_is_no_evaluation(tmp_path: Path, published: Path) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    given = release(tmp_path, checkpoint, note_f1=0.9)
    given.evaluation.write_text(json.dumps({"sha256": file_sha256(checkpoint), "chosen": DECODING, "trials": []}))
    with pytest.raises(PublishError, match=r"second\.json: not what `evaluate --out` writes"):
        publish(checkpoint, published, given)


@pytest.mark.parametrize("content", [{}, {"models": None}, {"models": ["default"]}, {"models": [{"file": "x"}]}])
def test_a_manifest_that_is_none_is_said_and_stays(tmp_path: Path, published: Path, content: Any) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    (published / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(PublishError, match=r"manifest\.json is not a manifest of checkpoints"):
        publish(checkpoint, published, release(tmp_path, checkpoint, note_f1=0.9))
    assert manifest(published) == content


def test_an_evaluation_of_another_file_is_refused(tmp_path: Path, published: Path) -> None:
    first, second = tmp_path / "first.safetensors", small_checkpoint(tmp_path / "second.safetensors", seed=2)
    with pytest.raises(PublishError, match="another SHA-256"):
        publish(second, published, release(tmp_path, first, note_f1=0.9))


def test_nothing_is_overwritten(tmp_path: Path, published: Path) -> None:
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    taken = published / f"default-{file_sha256(checkpoint)[:8]}.safetensors"
    taken.write_bytes(b"something else")
    with pytest.raises(PublishError, match="nothing is overwritten"):
        publish(checkpoint, published, release(tmp_path, checkpoint, note_f1=0.9))
    assert taken.read_bytes() == b"something else"


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, published: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    before = manifest(published)
    with pytest.raises(CheckpointError):
        publish(broken, published, release(tmp_path, broken, note_f1=0.9))
    assert manifest(published) == before


def test_two_that_publish_at_once_both_stand_in_the_manifest(tmp_path: Path, published: Path) -> None:
    """Another process has read the manifest and writes it only after this one has begun."""
    other = (
        "import json, pathlib, sys\n"
        "from training.locks import locked\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with locked(folder, wait=True):\n"
        "    manifest = json.loads((folder / 'manifest.json').read_text())\n"
        "    print('read', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    manifest['models'].append({**manifest['models'][0], 'name': 'theirs'})\n"
        "    (folder / 'manifest.json').write_text(json.dumps(manifest))\n"
    )
    command = [sys.executable, "-c", other, str(published)]
    checkpoint = small_checkpoint(tmp_path / "second.safetensors", seed=2)
    named = replace(release(tmp_path, checkpoint, note_f1=0.9), name="ours")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "read\n"
        publishing = threading.Thread(target=publish, args=(checkpoint, published, named))
        publishing.start()
        publishing.join(0.5)
        waited = publishing.is_alive()
        process.communicate("go on\n")
    publishing.join()
    assert waited
    assert {entry["name"] for entry in manifest(published)["models"]} == {"default", "theirs", "ours"}
