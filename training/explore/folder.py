"""What there is in prepared sets: ``explore.json``, ``index.html``, and a folder of pictures for each set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from model.note import Note
from training.drawing import pitch_name, save
from training.errors import DataError
from training.evaluate import write_report
from training.explore.pictures import (
    groups_picture,
    octaves_picture,
    pitches_picture,
    polyphony_picture,
    programs_picture,
    strip_picture,
    times_picture,
)
from training.explore.statistics import TIME_EDGES, Counts, Group, Statistics, gather
from training.pages import write_page
from training.prepared import SAMPLE_RATE, Json, Recording, read_audio, read_labels, read_manifest
from training.report.instruments import program_name

STRIP_SECONDS = 10.0
N_STRIPS = 6


def explore(data: Sequence[Path], out: Path, composers: Mapping[str, str] | None) -> dict[str, dict[str, str]]:
    """Draw prepared sets.

    Parameters
    ----------
    data : sequence of Path
        ``PREPARED/<set>`` each, with different names.
    out : Path
        Made if missing; files of an earlier run are overwritten.
    composers : dict of str to str, or None
        As in `gather`.

    Returns
    -------
    dict of str to dict of str to str
        By set, recordings that could not be read, with the cause.

    Raises
    ------
    DataError
        If a set is empty or nothing in it can be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    sets: dict[str, Json] = {}
    failed = {}
    for folder in data:
        statistics = gather(folder, composers)
        strips = draw_strips(folder, out, statistics)
        pictures = draw_all(statistics, out, folder.name)
        sets[folder.name] = {**figures(statistics), "pictures": dict(pictures), "strips": strips}
        failed[folder.name] = statistics.failed
    write_report(out / "explore.json", {"sets": sets})
    groups = "source" if composers is None else "composer"
    write_page(out / "index.html", "explore", title="Data sets", sets=sets, groups=groups)
    return failed


def draw_all(statistics: Statistics, out: Path, name: str) -> dict[str, str]:
    """Draw a set's pictures; returns their addresses relative to `out`."""
    drawn = {
        "groups": groups_picture(statistics),
        "pitches": pitches_picture(statistics),
        "octaves": octaves_picture(statistics),
        "instruments": programs_picture(statistics),
        "lengths": times_picture(statistics.lengths, "length of the note, s"),
        "intervals": times_picture(statistics.intervals, "since the onset before, s"),
        "polyphony": polyphony_picture(statistics),
    }
    for what, figure in drawn.items():
        save(figure, out / name / f"{what}.png")
    return {what: f"{name}/{what}.png" for what in drawn}


def draw_strips(folder: Path, out: Path, statistics: Statistics) -> list[Json]:
    """Draw labels over the audio of some recordings, evenly spread over the set; unreadable audio is named."""
    readable = [recording for recording in read_manifest(folder) if recording.id not in statistics.failed]
    picks = sorted({int(pick) for pick in np.linspace(0, len(readable) - 1, N_STRIPS)})
    strips: list[Json] = []
    for recording in (readable[pick] for pick in picks):
        path = f"{folder.name}/strip-{len(strips) + 1}.png"
        try:
            strips.append(draw_strip(folder, recording, out / path) | {"picture": path})
        except DataError as error:
            statistics.failed[recording.id] = error.message
    return strips


def draw_strip(folder: Path, recording: Recording, path: Path) -> dict[str, Json]:
    """Draw the middle of one recording."""
    start = max(0.0, (recording.seconds - STRIP_SECONDS) / 2)
    waveform = read_audio(
        folder / f"{recording.id}.wav",
        start=round(start * SAMPLE_RATE),
        n_samples=round(STRIP_SECONDS * SAMPLE_RATE),
    )
    stop = start + len(waveform) / SAMPLE_RATE
    notes = [note for note in read_labels(folder, recording) if sounds(note, start, stop)]
    save(strip_picture(waveform, notes, start=start), path)
    return {"recording": recording.id, "start": start, "stop": stop}


def sounds(note: Note, start: float, stop: float) -> bool:
    """Whether a note sounds in a stretch of time."""
    return note.onset < stop and note.offset > start


def figures(statistics: Statistics) -> dict[str, Json]:
    """A set's numbers, for JSON and page."""
    groups = sorted(statistics.groups.items(), key=lambda item: -item[1].notes)
    sounding = statistics.polyphony[1:].sum() or 1.0
    return {
        **of_group(statistics.total),
        "groups": {name: of_group(group) for name, group in groups},
        "instruments": [
            {"program": program, "name": program_name(program), "notes": count}
            for program, count in statistics.programs.most_common()
        ],
        "length_s": quartiles(statistics.lengths),
        "interval_s": quartiles(statistics.intervals),
        "polyphony": {
            "mean_while_sounding": float(statistics.polyphony @ np.arange(len(statistics.polyphony)) / sounding),
            "seconds": {str(n): round(float(s), 3) for n, s in enumerate(statistics.polyphony) if s > 0},
        },
        "failed": dict(statistics.failed),
    }


def of_group(group: Group) -> dict[str, Json]:
    """A group's numbers."""
    used = np.flatnonzero(group.pitches)
    return {
        "recordings": group.recordings,
        "seconds": group.seconds,
        "notes": group.notes,
        "lowest": pitch_name(int(used[0])) if len(used) else None,
        "median": pitch_name(median_pitch(group.pitches)) if len(used) else None,
        "highest": pitch_name(int(used[-1])) if len(used) else None,
    }


def median_pitch(pitches: Counts) -> int:
    """The pitch that half of the notes do not exceed."""
    return int(np.searchsorted(np.cumsum(pitches), pitches.sum() / 2))


def quartiles(counts: Counts) -> dict[str, Json]:
    """Percentiles of a histogram over `TIME_EDGES`: the upper edges of the bins in which they fall."""
    edges = [*TIME_EDGES, np.inf]
    total = np.cumsum(counts)
    if not total[-1]:
        return {}
    found = {percent: edges[int(np.searchsorted(total, total[-1] * percent / 100))] for percent in (5, 25, 50, 75, 95)}
    return {str(percent): round(float(edge), 3) if np.isfinite(edge) else None for percent, edge in found.items()}
