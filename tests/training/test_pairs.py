"""Folders of recordings with MIDI files: what belongs together, what the notes are, which split each gets."""

import csv
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import mido
import pretty_midi
import pytest
import soundfile
import typer
from hypothesis import given
from hypothesis import strategies as st

from model.note import Note
from tests.model.signals import sine
from tests.training.material import write_piece
from training import prepare
from training.errors import DataError
from training.jobs import Job, run_jobs
from training.midi_labels import read_midi_labels
from training.pairs import PairsConfig, find_pairs, forget_moved, pairs_jobs
from training.prepared import Split, read_manifest, read_notes
from training.splits import Row, divide, read_table

PEDAL = 64


def add(root: Path, name: str, *, number: int, notes: Sequence[Note] | None = None, suffix: str = ".wav") -> None:
    """A recording unlike that of any other number, and its MIDI file beside it."""
    path = root / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sine(200 + 10 * number, 1.0), 16000)
    write_piece(path.with_suffix(".mid"), [Note(0.1 + number / 100, 60, 0.9)] if notes is None else list(notes))


def ids(jobs: dict[Split, list[Job]]) -> dict[str, list[str]]:
    return {split: sorted(job.id for job in of_split) for split, of_split in jobs.items()}


ALL = PairsConfig(validation=0, test=0)


def test_pairs_are_found_in_all_folders_and_in_several_formats(tmp_path: Path) -> None:
    add(tmp_path, "one", number=1)
    add(tmp_path / "deep" / "er", "two", number=2, suffix=".flac")
    add(tmp_path, "three", number=3, suffix=".mp3")
    add(tmp_path, "four", number=4, suffix=".ogg")
    (tmp_path / "midi").mkdir()
    (tmp_path / "one.mid").rename(tmp_path / "midi" / "one.MIDI")
    (tmp_path / "._one.wav").write_bytes(b"left behind by a system")
    outcome = run_jobs(tmp_path / "out", pairs_jobs(tmp_path, ALL)["train"], workers=1)
    assert sorted(outcome.made) == ["deep__er__two", "four", "one", "three"]
    assert not outcome.failed


def test_one_name_in_several_folders_belongs_together_within_each(tmp_path: Path) -> None:
    for number, folder in enumerate(("monday", "tuesday")):
        add(tmp_path / folder, "take", number=number)
    assert ids(pairs_jobs(tmp_path, ALL))["train"] == ["monday__take", "tuesday__take"]


def test_names_that_would_become_one_are_left_out(tmp_path: Path) -> None:
    add(tmp_path / "a", "b", number=1)
    add(tmp_path, "a__b", number=2)
    add(tmp_path, "c", number=3)
    outcome = run_jobs(tmp_path / "out", pairs_jobs(tmp_path, ALL)["train"], workers=1)
    assert outcome.made == ["c"]
    assert "several files of one name" in outcome.failed["a__b"]


def test_a_link_to_what_is_there_already_names_nothing_anew(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for path in (
        root / "train/one.wav",
        root / "train/one.mid",
        root / "validation/two.wav",
        root / "validation/two.mid",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "pool").mkdir()
    for path in [*root.glob("*/*")]:
        (tmp_path / "pool" / path.name).symlink_to(path)
    (root / "all").symlink_to(tmp_path / "pool")
    (root / "notes.txt").symlink_to(tmp_path / "nowhere")
    sources, problems = find_pairs(root)
    assert sorted(source.id for source in sources) == ["train__one", "validation__two"]
    assert problems == {}


def test_links_to_folders_are_followed_once_and_what_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "in"
    add(root / "b", "inside", number=1)
    add(tmp_path / "disk", "outside", number=2)
    add(root / "locked", "hidden", number=3)
    (tmp_path / "disk" / "round").symlink_to(root)
    (root / "a").symlink_to(root / "b")
    (root / "linked").symlink_to(tmp_path / "disk")
    for name in ("lost.wav", "lost.mid", "monday"):
        (root / name).symlink_to(tmp_path / "nowhere")
    (root / "b" / "folder.mid").mkdir()
    soundfile.write(root / "b" / "folder.wav", sine(300, 1.0), 16000)
    really = os.scandir

    def scandir(path: str | Path) -> Iterator[os.DirEntry[str]]:
        """The tests may run as one who may read everything."""
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really(path)

    monkeypatch.setattr(os, "scandir", scandir)
    outcome = run_jobs(tmp_path / "out", pairs_jobs(root, ALL)["train"], workers=1)
    assert sorted(outcome.made) == ["b__inside", "linked__outside"]
    assert outcome.failed == {
        "./locked": f"{root}/locked: cannot be read: Permission denied",
        "./monday": f"{root}/monday: cannot be read: a link to nothing",
        "b__folder": f"{root}/b/folder.wav: there are no labels of this name",
        "lost": f"{root}/lost.wav: cannot be read: No such file or directory",
    }


def test_a_folder_without_pairs_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such folder"):
        pairs_jobs(tmp_path / "nowhere", ALL)
    with pytest.raises(DataError, match="found neither recordings nor MIDI files"):
        pairs_jobs(tmp_path, ALL)
    add(tmp_path, "one", number=1)
    (tmp_path / "one.mid").unlink()
    with pytest.raises(DataError, match=r"no recording has a MIDI file.*one\.wav: there are no labels of this name"):
        pairs_jobs(tmp_path, ALL)


def midi_of(path: Path, *, program: int, notes: Sequence[Note], pedal: Sequence[tuple[float, int]]) -> Path:
    """One instrument with its sustain pedal."""
    midi = pretty_midi.PrettyMIDI(resolution=960)
    track = pretty_midi.Instrument(program)
    track.notes = [pretty_midi.Note(note.velocity, note.pitch, note.onset, note.offset) for note in notes]
    track.control_changes = [pretty_midi.ControlChange(PEDAL, value, time) for time, value in pedal]
    midi.instruments.append(track)
    midi.write(str(path))
    return path


@pytest.mark.parametrize(
    ("pedal", "offset"),
    [
        ([], 1.0),
        ([(0.2, 127), (2.0, 0)], 2.0),  # down before the key is let go: until it is lifted
        ([(0.2, 127), (0.8, 0)], 1.0),  # lifted while the key is held
        ([(1.5, 127), (2.0, 0)], 1.0),  # down too late
        ([(0.2, 60), (2.0, 0)], 1.0),  # half down is up
        ([(0.2, 127), (0.9, 0), (0.95, 127), (2.5, 0)], 2.5),  # changed just before
        ([(0.2, 127), (0.3, 90), (2.0, 0)], 2.0),  # two values, both down
        ([(0.2, 127)], 3.5),  # never lifted: until the last note ends
    ],
)
def test_the_pedal_holds_notes(tmp_path: Path, pedal: Sequence[tuple[float, int]], offset: float) -> None:
    notes = [Note(0.5, 60, 1.0, 70), Note(3.0, 64, 3.5, 80)]
    path = midi_of(tmp_path / "a.mid", program=4, notes=notes, pedal=pedal)
    held = read_midi_labels(path, pedal=True).notes[0]
    assert (held.pitch, held.velocity, held.program) == (60, 70, 4)
    assert held.offset == pytest.approx(offset, abs=0.001)
    assert read_midi_labels(path, pedal=False).notes[0].offset == pytest.approx(1.0, abs=0.001)


def test_a_key_that_is_struck_again_ends_what_the_pedal_held(tmp_path: Path) -> None:
    notes = [Note(0.5, 60, 0.7), Note(1.0, 60, 1.2)]
    path = midi_of(tmp_path / "a.mid", program=0, notes=notes, pedal=[(0.0, 127), (2.0, 0)])
    first, second = read_midi_labels(path, pedal=True).notes
    assert (first.offset, second.offset) == (pytest.approx(1.0, abs=0.001), pytest.approx(2.0, abs=0.001))


def two_hands(path: Path, *, left: int, pedal_on: int) -> Path:
    """A note in each hand's track, the right one's on channel 0, and the pedal on a third track."""
    midi = mido.MidiFile(ticks_per_beat=500)
    for channel, messages in (
        (0, [("note_on", {"note": 72, "velocity": 70}, 0), ("note_off", {"note": 72}, 500)]),
        (left, [("note_on", {"note": 48, "velocity": 70}, 0), ("note_off", {"note": 48}, 500)]),
        (
            pedal_on,
            [("control_change", {"control": PEDAL, "value": value}, 250 * i) for i, value in ((1, 127), (5, 0))],
        ),
    ):
        track = midi.add_track()
        for kind, values, time in messages:
            track.append(mido.Message(kind, channel=channel, time=time, **values))
    midi.save(str(path))
    return path


def test_two_hands_share_the_pedal_of_their_channel(tmp_path: Path) -> None:
    """At 120 beats a minute a tick is a millisecond: keys until 0.5 s, the pedal from 0.25 to 1.5 s."""
    notes = read_midi_labels(two_hands(tmp_path / "a.mid", left=0, pedal_on=0), pedal=True).notes
    assert [(note.pitch, note.offset) for note in notes] == [(48, pytest.approx(1.5)), (72, pytest.approx(1.5))]
    for left, pedal_on in ((1, 0), (0, 1)):
        notes = read_midi_labels(two_hands(tmp_path / "b.mid", left=left, pedal_on=pedal_on), pedal=True).notes
        assert [note.offset for note in notes] == [pytest.approx(0.5)] * 2


def test_what_is_no_note_for_the_network_is_counted(tmp_path: Path) -> None:
    midi = pretty_midi.PrettyMIDI(resolution=960)
    for program, drum, pitch in ((0, False, 60), (0, False, 12), (0, True, 38)):
        track = pretty_midi.Instrument(program, is_drum=drum)
        track.notes = [pretty_midi.Note(100, pitch, 0.1, 0.9)]
        midi.instruments.append(track)
    midi.write(str(tmp_path / "a.mid"))
    labels = read_midi_labels(tmp_path / "a.mid", pedal=True)
    assert [note.pitch for note in labels.notes] == [60]
    assert labels.remarks == {"notes outside the keyboard": 1, "notes of drums": 1}


@pytest.mark.parametrize(
    ("played", "offsets", "lost"),
    [
        ([("on", 0), ("off", 1)], [1], 0),
        ([("on", 0)], [], 1),  # never ends
        ([("on", 0), ("off", 0)], [], 1),  # no length
        ([("on", 0), ("on", 1), ("off", 2), ("off", 3)], [1, 2], 0),  # struck again before it ended
        ([("on", 0), ("off", 1), ("on", 2)], [1], 1),
    ],
)
def test_no_stroke_is_lost_uncounted(
    tmp_path: Path, played: Sequence[tuple[str, int]], offsets: Sequence[int], lost: int
) -> None:
    midi = mido.MidiFile(ticks_per_beat=500)
    tick = 0
    track, drums = midi.add_track(), midi.add_track()
    for kind, second in played:
        track.append(mido.Message(f"note_{kind}", note=60, time=1000 * second - tick))
        tick = 1000 * second
    drums.append(mido.Message("note_on", channel=9, note=40))
    midi.save(str(tmp_path / "a.mid"))
    labels = read_midi_labels(tmp_path / "a.mid", pedal=False)
    assert [note.offset for note in labels.notes] == offsets
    assert labels.remarks == ({"notes without an end or without length": lost} if lost else {})


@given(names=st.sets(st.integers(0, 999).map(str), min_size=4, max_size=40), seed=st.integers(0, 99))
def test_every_piece_gets_one_split_by_its_name_and_the_seed(names: set[str], seed: int) -> None:
    splits = divide(names, validation=0.2, test=0.1, seed=seed)
    assert splits.keys() == names
    assert set(splits.values()) == {"train", "validation", "test"}
    assert divide(sorted(names, reverse=True), validation=0.2, test=0.1, seed=seed) == splits


def test_pieces_that_come_later_move_no_other() -> None:
    names = [str(number) for number in range(300)]
    before, after = (divide(some, validation=0.2, test=0.1, seed=3) for some in (names[:150], names))
    assert after | before == after
    counts = [list(after.values()).count(split) for split in ("validation", "test")]
    assert counts == [pytest.approx(60, abs=15), pytest.approx(30, abs=12)]


def test_another_seed_draws_others() -> None:
    names = [str(number) for number in range(40)]
    drawn = [divide(names, validation=0.2, test=0.2, seed=seed) for seed in (1, 2)]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(("validation", "test"), [(0.6, 0.6), (1, 0), (0.5, 0.5)])
def test_shares_that_leave_nothing_for_training_are_refused(validation: float, test: float) -> None:
    with pytest.raises(DataError, match=f"--validation {validation} and --test {test} leave nothing for training"):
        divide("abcdef", validation=validation, test=test, seed=0)


def test_a_table_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,split\na.wav,test\n", encoding="utf-8-sig")
    assert from_table(tmp_path / "t.csv").table == {"a": Row("test", None)}


def test_too_few_pieces_are_refused() -> None:
    with pytest.raises(DataError, match="2 pieces: 1 for validation and 1 for testing leave none for training"):
        divide(["a", "b"], validation=0.1, test=0.1, seed=0)


def test_recordings_of_the_same_notes_stay_together(tmp_path: Path) -> None:
    for number in range(12):
        add(tmp_path / f"piano{number % 3}", f"{number // 3}", number=number, notes=[Note(0.1, 60 + number // 3, 0.9)])
    for seed in range(5):
        found = ids(pairs_jobs(tmp_path, PairsConfig(0.25, 0.25, seed)))
        pieces = [{name.partition("__")[2] for name in found[split]} for split in ("train", "validation", "test")]
        assert sum(map(len, pieces)) == len(set.union(*pieces)) == 4, "no piece in two splits"
        assert all(pieces)


def write_table(path: Path, columns: Sequence[str], *rows: Sequence[str]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def from_table(path: Path) -> PairsConfig:
    rows = read_table(path, file_column="file", split_column="split", piece_column="piece")
    return PairsConfig(0.5, 0, table=rows)


def test_a_table_gives_splits(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b", "sub/c", "d")):
        add(tmp_path / "in", name, number=number)
    rows = [("a.wav", "test"), ("b.mid", "train"), ("sub/c", "validation"), ("gone.wav", "train")]
    table = write_table(tmp_path / "t.csv", ("file", "split"), *rows)
    jobs = pairs_jobs(tmp_path / "in", from_table(table))
    outcome = run_jobs(tmp_path / "out", jobs.pop("train"), workers=1)
    assert ids(jobs) == {"validation": ["sub__c"], "test": ["a"]}
    assert outcome.made == ["b"]
    assert "d.wav: the table does not name it" in outcome.failed["d"]
    assert "the table names it, and there is no such pair" in outcome.failed["gone"]


def test_a_table_gives_pieces(tmp_path: Path) -> None:
    for number in range(6):
        add(tmp_path / "in", str(number), number=number)
    table = write_table(tmp_path / "t.csv", ("file", "piece"), *[(f"{n}.wav", f"piece {n % 2}") for n in range(6)])
    found = ids(pairs_jobs(tmp_path / "in", from_table(table)))
    assert sorted((found["train"], found["validation"])) == [["0", "2", "4"], ["1", "3", "5"]]


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        (("path", "split"), [], r"t\.csv: needs a column file, and split or piece; has \['path', 'split'\]"),
        (("file", "year"), [], "needs a column file, and split or piece"),
        (("file", "split"), [("a", "dev")], r"t\.csv, line 2: split must be one of train, validation, test, got dev"),
        (("file", "split"), [("a.wav", "train"), ("a.mid", "test")], "line 3: a is named twice"),
        (("file", "split"), [("a", "train"), ("b", "")], "gives a split to some recordings and none to 1: b"),
        (
            ("file", "split", "piece"),
            [("a", "train", "x"), ("b", "test", "x")],
            r"1 pieces lie in several splits.*a \(train",
        ),
    ],
)
def test_a_table_that_cannot_be_followed_is_refused(
    tmp_path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]], said: str
) -> None:
    for number, name in enumerate("ab"):
        add(tmp_path / "in", name, number=number)
    with pytest.raises(DataError, match=said):
        pairs_jobs(tmp_path / "in", from_table(write_table(tmp_path / "t.csv", columns, *rows)))


def test_folders_give_splits(tmp_path: Path) -> None:
    for number, folder in enumerate(("train", "train/more", "validation", "test")):
        add(tmp_path / folder, str(number), number=number)
    found = ids(pairs_jobs(tmp_path, PairsConfig(by_folder=True)))
    assert found == {"train": ["train__0", "train__more__1"], "validation": ["validation__2"], "test": ["test__3"]}
    add(tmp_path / "spare", "4", number=4)
    with pytest.raises(DataError, match=r"4\.wav: lies in spare; with --by-folder all lie in folders train"):
        pairs_jobs(tmp_path, PairsConfig(by_folder=True))


def test_the_same_notes_in_two_given_splits_are_refused(tmp_path: Path) -> None:
    for number, folder in enumerate(("train", "test")):
        add(tmp_path / folder, "x", number=number, notes=[Note(0.1, 60, 0.9)])
    with pytest.raises(DataError, match="1 pieces lie in several splits, which tests what was learned by heart"):
        pairs_jobs(tmp_path, PairsConfig(by_folder=True))


def test_prepared_sets_do_not_go_where_recordings_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="what is prepared would be taken for recordings next time"):
        prepare.pairs(root=tmp_path, out=tmp_path / "data")


def test_what_lost_its_midi_leaves_its_set_and_its_prepared_files_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, folder in enumerate(("train", "validation", "validation")):
        add(tmp_path / "in" / folder, str(number), number=number)
    prepare.pairs(root=tmp_path / "in", out=tmp_path, name="mine", by_folder=True, workers=1)
    (tmp_path / "in" / "validation" / "2.mid").unlink()
    with pytest.raises(typer.Exit):
        prepare.pairs(root=tmp_path / "in", out=tmp_path, name="mine", by_folder=True, workers=1)
    said = capsys.readouterr().out
    assert "belongs to another split" not in said
    assert "  validation__2 is no longer in the source, nor in the set; its files stay" in said.splitlines()
    wav = tmp_path / "in" / "validation" / "2.wav"
    assert f"  left out validation__2: {wav}: there are no labels of this name" in said.splitlines()
    assert [recording.id for recording in read_manifest(tmp_path / "mine_validation")] == ["validation__1"]
    assert (tmp_path / "mine_validation" / "validation__2.wav").exists()


def test_what_moves_to_another_split_leaves_the_old_one(tmp_path: Path) -> None:
    for number in range(2):
        add(tmp_path / "in", str(number), number=number)
    run_jobs(tmp_path / "train", pairs_jobs(tmp_path / "in", ALL)["train"], workers=1)
    assert forget_moved(tmp_path / "train", ["1", "7"]) == ["1"]
    assert [recording.id for recording in read_manifest(tmp_path / "train")] == ["0"]
    assert not (tmp_path / "train" / "1.wav").exists()
    assert read_notes(tmp_path / "train" / "0.tsv")
