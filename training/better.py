"""Whether a checkpoint may take the place of a published one: scores of the same validation recordings decide."""

from typing import cast

from training.errors import PublishError
from training.prepared import Json

SCORES = ("note_f1", "note_instrument_f1")  # what a new checkpoint must do better in, the first before the second


def refuse_without_validation(scores: list[dict[str, Json]]) -> None:
    """See that a checkpoint was scored on a validation set; settings chosen on tests would make tests worthless.

    Raises
    ------
    PublishError
        If it was not.
    """
    if not by_set(scores, SCORES[0]):
        raise PublishError("the evaluation holds no validation set: evaluate on one, or force it")


def refuse_unless_alike(published: dict[str, Json], evaluation: dict[str, Json]) -> None:
    """See that both checkpoints were scored on the same recordings of the sets that they have in common.

    Raises
    ------
    PublishError
        If some could not be scored, or there were others, or more or less of each.
    """
    sets = cast(dict[str, dict[str, Json]], evaluation["sets"])
    failed = sorted(name for name, results in sets.items() if results["n_failed"])
    if failed:
        raise PublishError(f"recordings of {', '.join(failed)} could not be scored: mend them, or force it")
    now = evaluation["first_seconds"]
    before = published.get("scored_seconds", now)
    if before != now:
        raise PublishError(
            f"{published['file']} was measured on {said_seconds(before)} of each recording, this one on "
            f"{said_seconds(now)}: evaluate with --seconds {before or 0:g}, or force it"
        )
    counts = cast(dict[str, int], published.get("scored_recordings", {}))  # earlier ones were not counted
    for name in sorted(counts.keys() & sets.keys()):
        if counts[name] != sets[name]["n_recordings"]:
            raise PublishError(
                f"{name} held {counts[name]} recordings when {published['file']} was measured, and holds "
                f"{sets[name]['n_recordings']} now: evaluate both on the same, or force it"
            )
    digests = cast(dict[str, str | None], published.get("scored_sha256", {}))  # nor were they known by their audio
    for name in sorted(digests.keys() & sets.keys()):
        before, now = digests[name], sets[name].get("recordings_sha256")
        if before and now and before != now:
            raise PublishError(
                f"{name} held other recordings when {published['file']} was measured: evaluate both on the same, or "
                "force it"
            )


def said_seconds(first_seconds: Json) -> str:
    """How much of a recording was scored, in words."""
    return f"the first {first_seconds:g} s" if first_seconds else "all"


def refuse_unless_better(published: dict[str, Json], scores: list[dict[str, Json]]) -> None:
    """Compare means over the validation sets that both were measured on; tests decide nothing.

    The first of `SCORES` that differs decides. One that the published checkpoint was not measured in counts as lower.

    Raises
    ------
    PublishError
        If it is not better, or they have no set in common.
    """
    old = cast(list[dict[str, Json]], published["scores"])
    common = sorted(by_set(old, SCORES[0]).keys() & by_set(scores, SCORES[0]).keys())
    if not common:
        raise PublishError(
            f"{published['file']} was measured on {sorted(by_set(old, SCORES[0]))}, this one on "
            f"{sorted(by_set(scores, SCORES[0]))}: evaluate on a set in common, or force it"
        )
    before, after = ([mean_over(common, rows, metric) for metric in SCORES] for rows in (old, scores))
    if after <= before:
        compared = ", ".join(
            f"{metric} {one:.4f} against {other:.4f}" for metric, one, other in zip(SCORES, after, before, strict=True)
        )
        raise PublishError(
            f"on {', '.join(common)} it is no better than {published['file']}: {compared} (-1 is not measured)"
        )


def mean_over(sets: list[str], scores: list[dict[str, Json]], metric: str) -> float:
    """Mean of a score over sets, to the four digits of the manifest; -1 if it was not measured on all of them."""
    values = by_set(scores, metric)
    return round(sum(values[name] for name in sets) / len(sets), 4) if values.keys() >= set(sets) else -1.0


def by_set(scores: list[dict[str, Json]], metric: str) -> dict[str, float]:
    """A score by validation set."""
    rows = [row for row in scores if row["metric"] == metric and row.get("split") == "validation"]
    return {str(row["data"]): float(cast(float, row["value"])) for row in rows}
