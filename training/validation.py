"""How the averaged network does on validation sets while a run goes on: its loss, and its frames against the truth."""

from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader

from model.networks import AnyNetwork
from training.config import FitConfig
from training.crops import CropDataset, Recording
from training.parts import PARTS


def look(
    network: AnyNetwork, fabric: Fabric, config: FitConfig, sets: Mapping[str, list[Recording]]
) -> dict[str, dict[str, float]]:
    """Loss and frame scores on fixed cuts of each validation set.

    Parameters
    ----------
    network : TranscriptionNetwork or SequenceNetwork
        In evaluation mode.
    fabric : Fabric
    config : FitConfig
    sets : dict of str to list of Recording
        The validation sets.

    Returns
    -------
    dict of str to dict
        For each set ``loss``, and ``precision``, ``recall``, ``f1`` and ``accuracy`` of what the
        trained part counts (frames over 0.5, or instruments), over all pitches and cuts together. Accuracy is hits over
        hits, misses and false alarms.
    """
    return {name: _look_at_set(network, fabric, config, {name: recordings}) for name, recordings in sets.items()}


@torch.inference_mode()
def _look_at_set(
    network: AnyNetwork, fabric: Fabric, config: FitConfig, recordings: dict[str, list[Recording]]
) -> dict[str, float]:
    part = PARTS[config.part]
    cuts = CropDataset(config, recordings, count=config.validation_batches * config.batch_size, augmented=False)
    losses = []
    counts = torch.zeros(3, dtype=torch.int64, device=fabric.device)
    for batch in DataLoader(cuts, batch_size=config.batch_size):
        waveform, targets = (part.to(fabric.device) for part in batch)
        frames = network.to_frames(waveform)
        with fabric.autocast():
            heard = part.hear(network, frames)
        losses.append(part.loss(heard, targets, config.loss)["total"])
        counts += part.count(heard, targets)
    hits, misses, false_alarms = counts.tolist()
    return {"loss": torch.stack(losses).mean().item(), **frame_scores(hits, misses, false_alarms)}


def frame_scores(hits: int, misses: int, false_alarms: int) -> dict[str, float]:
    """Precision, recall, F1 and accuracy from counts; 0 where there is nothing to count."""
    return {
        "precision": hits / max(1, hits + false_alarms),
        "recall": hits / max(1, hits + misses),
        "f1": 2 * hits / max(1, 2 * hits + misses + false_alarms),
        "accuracy": hits / max(1, hits + misses + false_alarms),
    }
