"""A report as a folder: ``report.json``, ``index.html``, and for each set a folder of pictures, MIDI and audio."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import cast

import soundfile

from model.midi import write_midi
from training.drawing import save
from training.evaluate import summary, write_report
from training.pages import write_page
from training.prepared import SAMPLE_RATE, Json, read_audio
from training.report.details import curves_of, details
from training.report.instruments import carries_programs
from training.report.note_errors import Kind
from training.report.passages import Passage, excerpt
from training.report.pictures import (
    confusion_picture,
    curves_picture,
    errors_picture,
    instruments_picture,
    onsets_picture,
    passage_picture,
    pitches_picture,
    velocities_picture,
)
from training.report.study import Studied, Study
from training.scores import Tally

KINDS: dict[Kind, str] = {
    Kind.EARLY_ONSET: "right pitch, found 50 to 300 ms early",
    Kind.LATE_ONSET: "right pitch, found 50 to 300 ms late",
    Kind.EXTRA_SPLIT: "extra onset within a note that goes on sounding",
    Kind.EXTRA_OCTAVE: "extra, one or two octaves from a note that begins with it",
    Kind.EXTRA_FIFTH: "extra, a fifth or a twelfth from a note that begins with it",
    Kind.EXTRA: "extra, none of these",
    Kind.MISSED_UNISON: "missed beside a found note of the same pitch (another instrument's)",
    Kind.MISSED_MERGED: "missed: an earlier note of its pitch was held instead",
    Kind.MISSED_OCTAVE: "missed, one or two octaves from a found note that begins with it",
    Kind.MISSED_FIFTH: "missed, a fifth or a twelfth from a found note that begins with it",
    Kind.MISSED: "missed, none of these",
    Kind.EARLY_OFFSET: "found, but ends too early",
    Kind.LATE_OFFSET: "found, but ends too late",
}


def write_report_folder(folder: Path, settings: dict[str, Json], studied: Sequence[Studied]) -> None:
    """Write the whole report; files of an earlier one are overwritten.

    Parameters
    ----------
    folder : Path
        Made if missing.
    settings : dict
        What was evaluated and how.
    studied : sequence of Studied
        Sets with different names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sets = [write_set(folder, one) for one in studied]
    results: dict[str, Json] = {str(one["name"]): one["results"] for one in sets}
    write_report(folder / "report.json", {**settings, "sets": results})
    write_page(
        folder / "index.html",
        "evaluation",
        title="Evaluation",
        settings=settings,
        sets=cast(list[Json], sets),
        kinds={kind.value: text for kind, text in KINDS.items()},
    )


def write_set(folder: Path, studied: Studied) -> dict[str, Json]:
    """Write one set's files; returns what the page says of it."""
    name = studied.folder.name
    together = reduce(Tally.__add__, (one.tally for one in studied.outcome.scored))
    passages: list[Json] = [
        write_passage(folder, studied.folder, number, passage)
        for number, passage in enumerate(studied.study.passages, start=1)
    ]
    return {
        "name": name,
        "n_notes": together.notes.hits + together.notes.misses,
        "pictures": dict(draw_all(folder, name, studied.study, together)),
        "results": {**summary(studied.outcome), **details(studied.study, together), "worst_passages": passages},
    }


def draw_all(folder: Path, name: str, study: Study, together: Tally) -> dict[str, str]:
    """Draw a set's pictures; returns their addresses relative to `folder`."""
    chosen = {"notes": together.notes, "frames": together.frames}
    figures = {
        "errors": errors_picture(study),
        "curves": curves_picture(curves_of(study, together), chosen),
        "onsets": onsets_picture(study),
        "pitches": pitches_picture(study.pitches),
        "instruments": instruments_picture(study.programs),
    }
    if study.loudness.any():
        figures["velocities"] = velocities_picture(study)
    if carries_programs(study.confused):
        figures["confusion"] = confusion_picture(study.confused)
    for what, figure in figures.items():
        save(figure, folder / name / f"{what}.png")
    return {what: f"{name}/{what}.png" for what in figures}


def write_passage(folder: Path, data: Path, number: int, passage: Passage) -> dict[str, Json]:
    """Write a passage as picture, MIDI and audio; returns what the page says of it."""
    base = f"{data.name}/passage-{number:02d}"
    start, stop = passage.start, passage.stop
    waveform = read_audio(
        data / f"{passage.recording.id}.wav",
        start=round(start * SAMPLE_RATE),
        n_samples=round((stop - start) * SAMPLE_RATE),
    )
    save(passage_picture(passage, waveform), folder / f"{base}.png")
    write_midi(excerpt(passage.true, start, stop), folder / f"{base}-reference.mid", title="reference")
    write_midi(excerpt(passage.found, start, stop), folder / f"{base}-estimate.mid", title="estimate")
    soundfile.write(folder / f"{base}.flac", waveform, SAMPLE_RATE, subtype="PCM_16")
    return {
        "recording": passage.recording.id,
        "start": start,
        "stop": stop,
        "errors": {kind.value: count for kind, count in passage.errors.items()},
        "picture": f"{base}.png",
        "reference_midi": f"{base}-reference.mid",
        "estimate_midi": f"{base}-estimate.mid",
        "audio": f"{base}.flac",
    }
