"""What would end a run hours later is looked for before its first step: data, disk and memory."""

import copy
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import soundfile
import torch
from torch import Tensor

from model.labels import NoteArrays
from model.networks import build_network
from training.config import FitConfig
from training.crops import Recording, read_set
from training.digest import digest_of
from training.engine import Engine
from training.errors import DataError, FitError
from training.outputs import check_folder
from training.parts import PARTS
from training.prepared import MANIFEST, SAMPLE_RATE, labels_fault, read_manifest

NAMED = 5  # faults that are named; the others are counted
LOG_BYTES = 64 << 20
WORKER_BYTES = 350 << 20  # a process that prepares samples: its libraries, rooms and noises
MEASURED_FRAMES = (64, 128, 256)  # some six seconds at most
SPARE = 1.2  # what is measured is not all: temporary results come on top


@dataclass(frozen=True)
class Sets:
    """The recordings that a run hears, by set, and what tells those it is trained on from others."""

    train: dict[str, list[Recording]]
    validation: dict[str, list[Recording]]
    digests: dict[str, str]


def open_sets(config: FitConfig, data: Path) -> Sets:
    """Open every recording of every set that the run uses, and read its notes.

    Raises
    ------
    DataError
        Names sets and files that are missing, cut, or of another rate, and says how to make them.
    FitError
        If the network hears another rate than the sets have.
    """
    if config.network.features.sr != SAMPLE_RATE:
        raise FitError(f"prepared sets are at {SAMPLE_RATE} Hz, the network's sr is {config.network.features.sr}")
    wanted = [*((name, "train") for name in config.sets), *((name, "validation") for name in config.validation_sets)]
    faults = [fault for name, split in wanted for fault in set_faults(data / name, split)]
    if faults:
        more = f"\n  and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise DataError("the data is not as it should be:\n  " + "\n  ".join(faults[:NAMED]) + more)
    return Sets(
        {name: read_set(data / name, "train") for name in config.sets},
        {name: read_set(data / name, "validation") for name in config.validation_sets},
        {name: digest_of(one for one in read_manifest(data / name) if one.split == "train") for name in config.sets},
    )


def set_faults(folder: Path, split: str) -> list[str]:
    """Everything wrong with the recordings of a split, a sentence each."""
    if not (folder / MANIFEST).exists():
        there = sorted(path.parent.name for path in folder.parent.glob(f"*/{MANIFEST}"))
        return [f"{folder}: no such prepared set; there are: {', '.join(there) or 'none'}; see training prepare --help"]
    recordings = [recording for recording in read_manifest(folder) if recording.split == split]
    if not any(recording.n_notes for recording in recordings):
        return [f"{folder}: no recording of split {split!r} with notes in it"]
    audio = [audio_fault(folder / f"{recording.id}.wav", recording.seconds) for recording in recordings]
    labels = [labels_fault(folder, recording) for recording in recordings]
    return [fault for fault in (*audio, *labels) if fault]


def audio_fault(path: Path, seconds: float) -> str | None:
    """What is wrong with a recording's audio, if anything."""
    try:
        found = soundfile.info(path)
    except (OSError, soundfile.LibsndfileError) as error:
        return f"{path}: cannot be read: {error}"
    if (found.samplerate, found.channels) != (SAMPLE_RATE, 1):
        return f"{path}: {found.samplerate} Hz, {found.channels} channels; prepared audio is mono at {SAMPLE_RATE} Hz"
    if abs(found.frames / SAMPLE_RATE - seconds) > 0.01:
        return f"{path}: {found.frames / SAMPLE_RATE:.2f} s long, its manifest says {seconds:.2f} s"
    return None


def check_disk(config: FitConfig, run: Path) -> None:
    """Make the run folder and see that a whole run fits.

    Raises
    ------
    FitError
        If it cannot be written, or the disk is too full.
    """
    try:
        check_folder(run)
        free = shutil.disk_usage(run).free
    except OSError as error:
        raise FitError(f"cannot write to the run folder {run}: {error}") from error
    weights = weight_bytes(config)
    # Weights, their average and two moments, twice while a new save replaces an old one; and three checkpoints.
    needed = LOG_BYTES + weights * (2 * 4 + 3)
    if free < needed:
        raise FitError(f"{run} has {in_words(free)} of disk left, the run needs {in_words(needed)}")


def check_memory(config: FitConfig, engine: Engine, device: torch.device) -> None:
    """See that a step fits into the device's memory, from what one sample of it keeps for the way back.

    Raises
    ------
    FitError
        Says how much is needed, how much there is and what to lower.
    """
    batch = config.batch_size // engine.total
    needed = int(SPARE * (batch * sample_bytes(config) + 6 * weight_bytes(config)))
    if device.type == "cpu":
        needed = engine.devices * (needed + engine.workers * WORKER_BYTES)
    free = free_memory(device)
    if free < needed:
        place = "the GPU" if device.type == "cuda" else "this machine"
        raise FitError(
            f"a step of {batch} samples of {config.segment_seconds:g} s needs about {in_words(needed)} of memory, "
            f"{place} has {in_words(free)} free: lower batch_size, segment_seconds or the number of workers"
        )


def sample_bytes(config: FitConfig) -> int:
    """Bytes that the forward pass of one sample keeps for the backward pass.

    What a long sample keeps is reckoned from short ones: it might not fit. It grows with the frames, and with their
    square where each is compared with all others, so three lengths tell.
    """
    features = config.network.features
    n_frames = math.ceil(config.segment_seconds * features.sr / features.hop_length)
    if n_frames <= MEASURED_FRAMES[-1]:
        return kept_bytes(config, int(config.segment_seconds * features.sr))
    measured = [kept_bytes(config, frames * features.hop_length) for frames in MEASURED_FRAMES]
    return int(np.polynomial.Polynomial.fit(MEASURED_FRAMES, measured, 2)(n_frames))


def kept_bytes(config: FitConfig, n_samples: int) -> int:
    """Bytes that a sample of so many samples of audio keeps, measured on a copy of the network on the CPU."""
    network, part = build_network(config.network), PARTS[config.part]
    network.eval()
    part.trained(network).train()
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    waveform = torch.zeros(1, n_samples)
    frames = network.to_frames(waveform)
    nothing = NoteArrays.from_notes([])
    targets = torch.from_numpy(part.draw(nothing, frames.shape[1], config.network.features.frame_rate))[None]
    with torch.autograd.graph.saved_tensors_hooks(keep, copy.copy):
        part.loss(part.hear(network, frames), targets, config.loss)
    return sum(kept.values()) + frames.nbytes + waveform.nbytes + targets.nbytes


def weight_bytes(config: FitConfig) -> int:
    """Bytes of the network's weights."""
    with torch.device("meta"):
        return sum(value.nbytes for value in build_network(config.network).state_dict().values())


def free_memory(device: torch.device) -> int:
    """Bytes free on a GPU, or on this machine within the limit of its container."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    try:
        return min(free, int(limit.read_text()) - int(used.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return free


def in_words(n_bytes: int) -> str:
    """Bytes as MB or GB."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
