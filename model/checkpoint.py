"""Checkpoints: weights and the configuration that builds their network, in one safetensors file.

A file is only ever read after its SHA-256 was compared with the one that the manifest names, and loading runs no code
from it.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from model.errors import CheckpointError
from model.networks import AnyNetwork, build_network, network_config_from_dict

FORMAT = "1"  # of the metadata; another one is refused


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits.

    Raises
    ------
    CheckpointError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error.strerror}") from error


def save_checkpoint(network: AnyNetwork, path: Path) -> None:
    """Write weights and configuration, first under a temporary name so that no reader sees half a file.

    Raises
    ------
    CheckpointError
        If it cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    metadata = {"format": FORMAT, "network": json.dumps(network.config.to_dict())}
    try:
        save_file(weights, partial, metadata=metadata)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            partial.unlink()
        raise CheckpointError(f"cannot write the checkpoint {path}: {error}") from error


def load_checkpoint(path: Path, *, sha256: str | None = None) -> AnyNetwork:
    """Build the network that a checkpoint describes and give it its weights, on the CPU and in evaluation mode.

    Parameters
    ----------
    path : Path
        A file that `save_checkpoint` wrote.
    sha256 : str, optional
        What the file's SHA-256 must be.

    Raises
    ------
    CheckpointError
        If the file is missing, has another SHA-256, or does not hold such a network.
    """
    found = file_sha256(path)
    if sha256 is not None and found != sha256:
        raise CheckpointError(
            f"the checkpoint {path} has SHA-256 {found}, its manifest says {sha256}: it was changed or cut"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise CheckpointError(
                    f"{path} has checkpoint format {metadata.get('format')!r}, this version reads {FORMAT!r}"
                )
            network = build_network(network_config_from_dict(json.loads(metadata["network"])))
            network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not hold a network of this version: {error}") from error
    return network.eval()
