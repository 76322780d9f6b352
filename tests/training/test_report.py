"""What a person gets who asks for a report."""

import json
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile
from PIL import Image

from model.activations import Activations
from model.midi import write_midi
from model.note import LOWEST_PITCH, N_PITCHES, Note
from model.note_events import DecodingOptions
from tests.training.conftest import small_checkpoint
from tests.training.sets import links_of, write_set
from tests.training.test_whole import run
from training.digest import digest_of
from training.evaluate import Transcription
from training.prepared import read_manifest
from training.report.curves import ONSET_THRESHOLDS, best, frame_curve, note_curve, notes_by_threshold
from training.report.note_errors import Kind, compare
from training.report.passages import excerpt, worst, worst_of_recording
from training.report.study import Study
from training.scores import tally

VIOLIN = 40
A = [Note(0.5, 60, 0.9, 40), Note(1.0, 64, 1.4, 60), Note(2.0, 67, 2.8, 90), Note(5.2, 72, 5.9, 70)]
B = [Note(0.5, 55, 1.5, 50, program=VIOLIN), Note(2.5, 57, 3.5, 80, program=VIOLIN)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_set(tmp_path / "data" / "mixed", {"a": A, "b": B})
    return tmp_path / "data" / "mixed"


def evaluation(tmp_path: Path, data: Path, report: Path) -> list[object]:
    """The command line that evaluates the MIDI files in the folder ``other``."""
    return ["evaluate", "--midi-folder", tmp_path / "other", "--data", data, "--report", report]


def test_a_report_is_complete_and_says_what_was_counted(tmp_path: Path, data: Path) -> None:
    (tmp_path / "other").mkdir()
    # One note late, one missed, one an octave off in recording a; b is right, its instruments one right, one wrong.
    write_midi([Note(0.6, 60, 0.9, 40), A[2], Note(1.0, 76, 1.4), A[3]], tmp_path / "other" / "a.mid")
    write_midi([B[0], Note(2.5, 57, 3.5, 80)], tmp_path / "other" / "b.mid")
    report = tmp_path / "report"
    run(*evaluation(tmp_path, data, report), "--out", tmp_path / "s.json")

    results = json.loads((report / "report.json").read_text())["sets"]["mixed"]
    plain = json.loads((tmp_path / "s.json").read_text())["sets"]["mixed"]
    assert {key: results[key] for key in plain} == plain
    assert plain["recordings_sha256"] == digest_of(read_manifest(data))
    assert results["mean"]["note_f1"] == pytest.approx((0.5 + 1) / 2)
    assert results["pooled"]["note_f1"] == pytest.approx(4 / 6)
    assert {kind: n for kind, n in results["errors"].items() if n} == {"late_onset": 1, "missed": 1, "extra_octave": 1}
    assert results["errors_by_recording"]["b"] == {}
    assert results["by_pitch"][0] == {
        "pitch": 55, "name": "G3", "notes_in_reference": 1, "notes_found": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0
    }  # fmt: skip
    assert results["instruments"]["note_and_program"]["pooled"]["f1"] == pytest.approx(3 / 6)
    assert results["instruments"]["note_and_program"]["solos"][0] == {"id": "a", "reference": 0, "found": 0}
    assert results["mean"]["note_instrument_f1"] == pytest.approx((0.5 + 0.5) / 2)
    assert {"reference": VIOLIN, "found": 0, "notes": 1} in results["instruments"]["note_and_program"]["confusion"]
    assert [row["f1"] for row in results["instruments"]["of_one_instrument"]] == [0.5, 1.0]
    assert results["onset_deviation_ms"]["median_by_recording"]["b"] == pytest.approx(0, abs=1)

    files = links_of(report / "index.html")
    assert len(files) == len(set(files)) > 10
    for file in files:
        assert file.stat().st_size > 0
    drawn = {file.relative_to(report).as_posix() for file in report.rglob("*.png")}
    assert drawn == {file.relative_to(report).as_posix() for file in files if file.suffix == ".png"}
    assert "mixed/confusion.png" in drawn
    for picture in drawn:
        pixels = np.asarray(Image.open(report / picture).convert("L"))
        assert pixels.std() > 1, f"{picture} is empty"


def test_the_worst_passage_is_there_to_look_at_and_to_listen_to(tmp_path: Path, data: Path) -> None:
    (tmp_path / "other").mkdir()
    write_midi([*A[:3], Note(5.2, 72, 5.5)], tmp_path / "other" / "a.mid")
    write_midi([Note(0.5, 55, 1.5)], tmp_path / "other" / "b.mid")
    report = tmp_path / "report"
    run(*evaluation(tmp_path, data, report))
    [passage] = json.loads((report / "report.json").read_text())["sets"]["mixed"]["worst_passages"]
    assert (passage["recording"], passage["start"], passage["errors"]) == ("b", 0.0, {"missed": 1})
    reference = pretty_midi.PrettyMIDI(str(report / passage["reference_midi"]))
    estimate = pretty_midi.PrettyMIDI(str(report / passage["estimate_midi"]))
    assert [(note.pitch, round(note.start, 2)) for note in reference.instruments[0].notes] == [(55, 0.5), (57, 2.5)]
    assert [note.pitch for note in estimate.instruments[0].notes] == [55]
    audio, rate = soundfile.read(report / passage["audio"])
    assert len(audio) / rate == 5.0


def test_a_checkpoint_has_curves(tmp_path: Path, data: Path) -> None:
    checkpoint = small_checkpoint(tmp_path / "small.safetensors")
    report = tmp_path / "report"
    run("evaluate", "--checkpoint", checkpoint, "--data", data, "--seconds", 1, "--device", "cpu", "--report", report)
    results = json.loads((report / "report.json").read_text())["sets"]["mixed"]
    assert [point["threshold"] for point in results["curves"]["notes"]] == list(ONSET_THRESHOLDS)
    assert len(results["curves"]["frames"]) == 255
    assert results["instruments"]["note_and_program"] is None
    assert all(file.exists() for file in links_of(report / "index.html"))


def test_missing_and_damaged_midi_files_are_named_and_the_rest_is_scored(tmp_path: Path) -> None:
    names = ("damaged", "cut", "<b>missing", "empty", "right")
    write_set(tmp_path / "data" / "five", dict.fromkeys(names, A))
    other = tmp_path / "other"
    other.mkdir()
    write_midi(A, other / "right.mid")
    write_midi([], other / "empty.mid")
    (other / "damaged.mid").write_bytes(b"MThd and then nothing that a sequencer would know")
    (other / "cut.mid").write_bytes((other / "right.mid").read_bytes()[:60])
    report = tmp_path / "report"
    said = run(
        "evaluate", "--midi-folder", other, "--data", tmp_path / "data" / "five", "--report", report, exit_code=1
    )
    assert "3 of 5 recordings could not be scored" in said
    assert "damaged.mid: not a MIDI file" in said
    assert "no MIDI file <b>missing.mid" in said
    results = json.loads((report / "report.json").read_text())["sets"]["five"]
    assert set(results["failed"]) == {"damaged", "cut", "<b>missing"}
    assert results["n_failed"] == 3
    # A file without notes is an answer: everything was missed.
    assert results["mean"]["note_recall"] == 0.5
    page = (report / "index.html").read_text()
    assert "3 more could not be scored" in page
    assert "&lt;b&gt;missing" in page  # a name stays text
    assert "<b>missing" not in page


def peaks(*notes: tuple[int, int, float]) -> Activations:
    """Activations with an onset of some probability at (frame, pitch), each sounding 10 frames; 50 frames a second."""
    values = np.zeros((300, 3, N_PITCHES), dtype=np.uint8)
    for frame, pitch, probability in notes:
        values[frame, 0, pitch - LOWEST_PITCH] = round(255 * probability)
        values[frame : frame + 10, 1, pitch - LOWEST_PITCH] = 255
    return Activations(values, 50.0)


def test_notes_against_the_onset_threshold_counted_by_hand() -> None:
    true = [Note(1.0, 60, 1.2), Note(2.0, 62, 2.2)]
    activations = peaks((50, 60, 0.9), (100, 62, 0.3), (150, 64, 0.7))
    points = note_curve(notes_by_threshold(true, activations, DecodingOptions(), seconds=6))
    at = {point.threshold: (point.precision, point.recall) for point in points}
    assert at[0.2] == pytest.approx((2 / 3, 1))
    assert at[0.5] == pytest.approx((1 / 2, 1 / 2))
    assert at[0.85] == (1, 0.5)
    assert at[0.95] == (1, 0)  # nothing found: nothing wrong
    assert best(points).threshold == 0.05


def test_frames_against_their_level_counted_by_hand() -> None:
    posteriors = np.zeros((2, 256), dtype=np.int64)
    posteriors[0, [0, 100, 200]] = 80, 10, 5
    posteriors[1, [50, 150, 250]] = 1, 2, 7
    at = {round(point.threshold * 255): point for point in frame_curve(posteriors)}
    assert (at[1].precision, at[1].recall) == pytest.approx((10 / 25, 1))
    assert (at[101].precision, at[101].recall) == pytest.approx((9 / 14, 0.9))
    assert (at[250].precision, at[250].recall) == pytest.approx((1, 0.7))


def test_passages_are_ranked_by_wrong_notes(data: Path) -> None:
    recording = read_manifest(data)[0]
    true = [Note(0.5 * i + 0.1, 60, 0.5 * i + 0.4) for i in range(30)]
    found = [note for note in true if note.onset > 1 and not 5 <= note.onset < 7 and note.onset < 12]
    passages = worst_of_recording(recording, compare(true, found), seconds=15.0)
    assert [(one.start, one.stop, one.errors) for one in passages] == [
        (10.0, 15.0, {Kind.MISSED: 6}),
        (5.0, 10.0, {Kind.MISSED: 4}),
    ]
    assert worst(passages[::-1]) == passages
    piece = excerpt(passages[1].true, 5.0, 10.0)
    assert [round(note.onset, 6) for note in piece[:2]] == [0.1, 0.6]


def test_a_study_counts_a_late_note_once_and_tells_how_late(data: Path) -> None:
    study = Study(None)
    recording = read_manifest(data)[0]
    late = [Note(n.onset + 0.02, n.pitch, n.offset, 127 - n.velocity) for n in A]
    study.observe(recording, 6.0, A, Transcription(late, None))
    assert study.lateness[recording.id] == pytest.approx(0.02)
    assert sum(study.onset_deviations.values()) == 4
    assert set(study.onset_deviations) <= {15, 20}
    assert study.loudness[40, 87] == 1
    together = tally(A, late, seconds=6.0, frame_rate=50.0)
    assert study.pitches.total() == together.notes
