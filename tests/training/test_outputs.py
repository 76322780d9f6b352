"""What cannot be written is said in a sentence, and before the work where the work is long."""

from pathlib import Path

import pytest

from tests.training.conftest import small_checkpoint
from training.cli import main
from training.outputs import check_file, check_folder


def said_by(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """What the command line ends with."""
    monkeypatch.setattr("sys.argv", ["training", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return str(ended.value.code)


@pytest.mark.parametrize(
    ("command", "option"),
    [("evaluate", "--out"), ("evaluate", "--report"), ("tune", "--out"), ("explore", "--out")],
)
def test_an_output_that_cannot_be_written_is_said_before_anything_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, option: str
) -> None:
    """Of two faults, the output's is named: the set is not there either."""
    (tmp_path / "file").write_text("")
    given = [] if command == "explore" else ["--checkpoint", small_checkpoint(tmp_path / "small.safetensors")]
    outputs = (option, tmp_path / "file" / "out")
    said = said_by(monkeypatch, command, *given, "--data", tmp_path / "none", *outputs)
    assert said.startswith(f"error: {tmp_path / 'file'}")
    assert said.endswith((": Not a directory", ": File exists"))


def test_a_disk_that_is_full_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    checkpoint = small_checkpoint(tmp_path / "small.safetensors")
    monkeypatch.setattr("training.averaging.blend", full)
    both = ("--before", checkpoint, "--after", checkpoint)
    assert said_by(monkeypatch, "blend", *both, "--out", tmp_path / "x") == "error: No space left on device"


@pytest.mark.parametrize("out", ["none/x.safetensors", "folder", "small.safetensors/x"])
def test_a_checkpoint_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    checkpoint = small_checkpoint(tmp_path / "small.safetensors")
    (tmp_path / "folder").mkdir()
    said = said_by(monkeypatch, "resize", "--checkpoint", checkpoint, "--out", tmp_path / out)
    assert said.startswith(f"error: cannot write the checkpoint {tmp_path / out}: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "small.safetensors"]


def test_looking_whether_something_can_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text("results")
    check_file(tmp_path / "there.json")
    check_file(tmp_path / "new" / "other.json")
    check_folder(tmp_path / "folder")
    assert (tmp_path / "there.json").read_text() == "results"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "new", "there.json"]
