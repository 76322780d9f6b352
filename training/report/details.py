"""What a `Study` found out, as values for a JSON file. Keys stay as they are: other programs read them."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from training.drawing import pitch_name
from training.prepared import Json
from training.report.breakdown import VELOCITY_STEP, Breakdown
from training.report.curves import Point, frame_curve, note_curve
from training.report.instruments import carries_programs, note_and_program, program_name
from training.report.note_errors import Kind
from training.report.study import DEVIATION_MS, Study
from training.scores import Counts, Tally


def details(study: Study, together: Tally) -> dict[str, Json]:
    """Everything but the plain scores.

    Parameters
    ----------
    study : Study
    together : Tally
        Pooled over the set.

    Returns
    -------
    dict
    """
    curves = curves_of(study, together)
    return {
        "errors": {kind.value: study.all_errors[kind] for kind in Kind},
        "errors_by_recording": {
            name: {kind.value: count for kind, count in counts.most_common()} for name, counts in study.errors.items()
        },
        "onset_deviation_ms": {
            "bin_width": DEVIATION_MS,
            "notes_from": {str(edge): count for edge, count in sorted(study.onset_deviations.items())},
            "median_by_recording": {name: round(1000 * late, 1) for name, late in study.lateness.items()},
        },
        "by_pitch": [
            {"pitch": pitch, "name": pitch_name(pitch), **shares(study.pitches[pitch])}
            for pitch in sorted(study.pitches.all_keys())
        ],
        "recall_by_velocity": [
            {"from": low, "to": low + VELOCITY_STEP - 1, **recall(study.velocities[low])}
            for low in sorted(study.velocities.all_keys())
        ],
        "velocity": velocity(study),
        "instruments": instruments(study),
        "curves": {name: [dict(asdict(point)) for point in points] for name, points in curves.items()},
    }


def curves_of(study: Study, together: Tally) -> dict[str, Sequence[Point]]:
    """Precision-recall curves by name; none for a system that only gives notes."""
    curves: dict[str, Sequence[Point]] = {}
    if study.by_threshold is not None:
        curves["notes"] = note_curve(study.by_threshold)
    if together.posteriors is not None:
        curves["frames"] = frame_curve(together.posteriors)
    return curves


def shares(counts: Counts) -> dict[str, Json]:
    """Counts as scores."""
    return {
        "notes_in_reference": counts.hits + counts.misses,
        "notes_found": counts.hits + counts.false_alarms,
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
    }


def recall(counts: Counts) -> dict[str, Json]:
    """Counts where only the reference's notes can be told apart."""
    return {"notes_in_reference": counts.hits + counts.misses, "recall": counts.recall}


def velocity(study: Study) -> dict[str, Json] | None:
    """How well velocities of found notes agree with the reference's; None where it has no dynamics."""
    n_notes = int(study.loudness.sum())
    if n_notes == 0:
        return None
    true, found = np.nonzero(study.loudness)
    weights = study.loudness[true, found]
    covariance = np.cov(true, found, fweights=weights, ddof=0)
    spread = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    return {
        "notes": n_notes,
        "mean_absolute_error": float(np.average(np.abs(true - found), weights=weights)),
        "mean_in_reference": float(np.average(true, weights=weights)),
        "mean_found": float(np.average(found, weights=weights)),
        "correlation": float(covariance[0, 1]) / spread if spread else None,
    }


def instruments(study: Study) -> dict[str, Json]:
    """Scores by General MIDI program.

    ``recall`` needs no programs from the system. ``of_one_instrument`` are recordings in which one instrument plays.
    ``note_and_program`` is there if the system says which instrument plays.
    """
    return {
        "recall": rows(study.programs, recall_only=True),
        "of_one_instrument": rows(study.solos),
        "note_and_program": with_programs(study) if carries_programs(study.confused) else None,
    }


def with_programs(study: Study) -> dict[str, Json]:
    """Scores of notes together with their instrument, and the confusion matrix as a list."""
    scored = note_and_program(study.confused)
    solos: list[Json] = [
        {"id": name, "reference": true, "found": found} for name, (true, found) in study.solo_players.items()
    ]
    confused = sorted(study.confused.items(), key=lambda item: -item[1])
    return {
        "pooled": shares(scored.total()),
        "solos": solos,
        "solos_right": sum(true == found for true, found in study.solo_players.values()),
        "by_program": rows(scored),
        "confusion": [{"reference": true, "found": found, "notes": count} for (true, found), count in confused],
    }


def rows(programs: Breakdown[int], *, recall_only: bool = False) -> list[Json]:
    """A row for each program, the most frequent first."""
    order = sorted(programs.all_keys(), key=lambda program: (-programs.in_reference(program), program))
    score = recall if recall_only else shares
    return [{"program": program, "name": program_name(program), **score(programs[program])} for program in order]
