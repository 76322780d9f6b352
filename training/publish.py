"""``python -m training publish``: put a trained network where the service finds it.

The folder of checkpoints holds the weights, each under a name that carries the first digits of its SHA-256, and
``manifest.json``, which names them all and says which one is served. Nothing there is overwritten: an older file stays
for jobs that still use it.
"""

import json
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from model.checkpoint import file_sha256, load_checkpoint
from model.note_events import DecodingOptions
from training.better import refuse_unless_alike, refuse_unless_better, refuse_without_validation
from training.errors import PublishError
from training.locks import locked
from training.prepared import Json

MANIFEST = "manifest.json"
EVALUATED = {"sets", "first_seconds", "decoding"}  # what there is to read in an evaluation
DECODING = ("onset_threshold", "frame_threshold", "min_note_ms", "latency_ms")  # what a checkpoint brings with it
# What the service reads from a manifest and finds in an address: the rule of app/catalogue.py, which is not imported.
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")
NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Release:
    """What is said of a checkpoint beside its weights.

    Parameters
    ----------
    name : str
        What a job asks for, such as "default" or "accurate": letters, digits, ``.``, ``_`` and ``-``, at most 100.
    trained_on : tuple of str
        The data, in words.
    description : str
    command : str
        The command that trained it.
    licence : str
        Of the weights, which follows from that of the data.
    evaluation : Path
        JSON of ``python -m training evaluate --checkpoint`` of this checkpoint on validation sets. Its settings of
        decoding are published with the checkpoint.
    """

    name: str
    trained_on: tuple[str, ...]
    description: str
    command: str
    licence: str
    evaluation: Path


def publish(checkpoint: Path, folder: Path, release: Release, *, force: bool = False) -> Path:
    """Copy a checkpoint into the folder and name it in the manifest, in place of the one of the same name.

    Parameters
    ----------
    checkpoint : Path
        As `model.checkpoint.save_checkpoint` wrote it.
    folder : Path
        Of published checkpoints.
    release : Release
    force : bool
        Publish even if it is not better.

    Returns
    -------
    Path
        The published file.

    Raises
    ------
    PublishError
        If the name is none or another file has taken it, if the evaluation or the manifest is none or of another file,
        if it was not measured on validation sets, or if it is not better on the same recordings than the published one
        of its name.
    CheckpointError
        If the checkpoint cannot be read.
    """
    check_name(release.name)
    sha256 = file_sha256(checkpoint)
    evaluation = read_json(release.evaluation)
    if not evaluation.keys() >= EVALUATED:
        raise PublishError(f"{release.evaluation}: not what `evaluate --out` writes")
    if evaluation.get("sha256") != sha256:
        raise PublishError(f"{release.evaluation} is not an evaluation of {checkpoint}: it names another SHA-256")
    with locked(folder, wait=True):  # between reading the manifest and writing it, nobody else does
        return place_and_name(checkpoint, folder, release, evaluation, force=force)


def place_and_name(
    checkpoint: Path, folder: Path, release: Release, evaluation: dict[str, Json], *, force: bool
) -> Path:
    """As `publish`, with the evaluation of this checkpoint, in a folder that is locked."""
    manifest = read_manifest(folder, release.name)
    models = cast(list[dict[str, Json]], manifest["models"])
    scores = score_rows(evaluation)
    published = next((entry for entry in models if entry["name"] == release.name), None)
    if not force:
        refuse_without_validation(scores)
        if published is not None:
            refuse_unless_alike(published, evaluation)
            refuse_unless_better(published, scores)
    sha256 = cast(str, evaluation["sha256"])
    target = place(checkpoint, folder, f"{release.name}-{sha256[:8]}.safetensors", sha256)
    entry = describe(checkpoint, target, sha256, release, evaluation, scores)
    others: list[Json] = [other for other in models if other["name"] != release.name]
    write_manifest(folder, {**manifest, "models": [entry, *others]})
    return target


def check_name(name: str) -> None:
    """Refuse a name that no job could ask for, or that would lead out of the folder.

    Raises
    ------
    PublishError
        If it is empty, too long, or holds other characters.
    """
    if len(name) > NAME_LENGTH or not NAME.fullmatch(name):
        raise PublishError(
            f"a name has 1 to {NAME_LENGTH} letters, digits, '.', '_' and '-', and begins with a letter or a digit; "
            f"got {name!r:.120}"
        )


def read_manifest(folder: Path, first_name: str) -> dict[str, Json]:
    """Read the folder's manifest; in an empty folder the first name published becomes the default.

    Raises
    ------
    PublishError
        If there is one that is none.
    """
    path = folder / MANIFEST
    if not path.exists():
        return {"default": first_name, "models": []}
    manifest = read_json(path)
    models = manifest.get("models")
    if not isinstance(models, list) or not all(isinstance(entry, dict) and "name" in entry for entry in models):
        raise PublishError(f"{path} is not a manifest of checkpoints: it lists no models by name")
    return manifest


def score_rows(evaluation: dict[str, Json]) -> list[dict[str, Json]]:
    """The means of an evaluation as the manifest lists them."""
    sets = cast(dict[str, dict[str, Json]], evaluation["sets"])
    return [
        {"data": name, "split": results["split"], "metric": metric, "value": round(value, 4)}
        for name, results in sets.items()
        for metric, value in cast(dict[str, float], results["mean"]).items()
    ]


def place(checkpoint: Path, folder: Path, name: str, sha256: str) -> Path:
    """Copy a file under a temporary name and rename it; a file of that name stays if it is the same one."""
    target = folder / name
    if target.exists():
        if file_sha256(target) != sha256:
            raise PublishError(f"{target} is there and is another file; nothing is overwritten")
        return target
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{name}.partial"
    shutil.copyfile(checkpoint, partial)
    partial.replace(target)
    return target


def describe(
    checkpoint: Path,
    target: Path,
    sha256: str,
    release: Release,
    evaluation: dict[str, Json],
    scores: list[dict[str, Json]],
) -> dict[str, Json]:
    """The manifest's entry, as the service reads it."""
    network = load_checkpoint(checkpoint, sha256=sha256)
    sets = cast(dict[str, dict[str, Json]], evaluation["sets"])
    return {
        "name": release.name,
        "file": target.name,
        "sha256": sha256,
        "bytes": target.stat().st_size,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "frame_rate": network.config.features.frame_rate,
        "trained_on": list(release.trained_on),
        "licence": release.licence,
        "scores": list(scores),
        "scored_seconds": evaluation["first_seconds"],
        "scored_recordings": {name: results["n_recordings"] for name, results in sets.items()},
        "scored_sha256": {name: results.get("recordings_sha256") for name, results in sets.items()},
        "decoding": dict(decoding_of(evaluation, "decoding")),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "description": release.description,
        "command": release.command,
    }


def tuned_decoding(tuned: Path) -> dict[str, float]:
    """The settings that `tune` chose, by their names in `DecodingOptions`.

    Raises
    ------
    PublishError
        If the file is none of `tune`'s.
    """
    try:
        return decoding_of(read_json(tuned), "chosen")
    except (KeyError, TypeError) as error:
        raise PublishError(f"{tuned}: not what `tune` writes") from error


def tuned_for(tuned: Path) -> str | None:
    """SHA-256 of the checkpoint that thresholds were tuned for, where the file says it."""
    return cast(str | None, read_json(tuned).get("sha256"))


def decoding_of(document: dict[str, Json], key: str) -> dict[str, float]:
    """The settings that a checkpoint brings with it, out of a document of `tune` or `evaluate`."""
    found = cast(dict[str, float], document[key])
    return {name: found[name] for name in DECODING}


def published_decoding(checkpoint: Path) -> DecodingOptions | None:
    """The settings that a checkpoint was published with, if a manifest beside it names it.

    Raises
    ------
    PublishError
        If there is a manifest that cannot be read.
    """
    path = checkpoint.parent / MANIFEST
    models = cast(list[dict[str, Json]], read_json(path).get("models", [])) if path.exists() else []
    decoding = next((entry["decoding"] for entry in models if entry["file"] == checkpoint.name), None)
    return None if decoding is None else DecodingOptions(**cast(dict[str, float], decoding))  # type: ignore[arg-type]


def read_json(path: Path) -> dict[str, Json]:
    """Read a JSON object.

    Raises
    ------
    PublishError
        If there is none.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise PublishError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise PublishError(f"{path} holds a {type(content).__name__}, expected a JSON object")
    return content


def write_manifest(folder: Path, manifest: dict[str, Json]) -> None:
    """Replace the manifest at once, so that a service that reads it never sees half."""
    partial = folder / f".{MANIFEST}.partial"
    partial.write_text(json.dumps(manifest, indent=1) + "\n")
    partial.replace(folder / MANIFEST)
