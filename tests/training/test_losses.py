"""The losses against their definitions."""

import pytest
import torch
import torch.nn.functional as F

from model.network import Outputs
from model.note import HIGHEST_PITCH, LOWEST_PITCH, N_PITCHES
from training.config import LossConfig
from training.losses import pitch_loss, transcription_loss

SHAPE = (2, 5, N_PITCHES)


def example() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and targets of which a tenth are on and some lie between."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(SHAPE, generator=generator)
    target = (torch.rand(SHAPE, generator=generator) < 0.1).float() * torch.rand(SHAPE, generator=generator).sqrt()
    return logits, target


def test_squared_error_is_that_of_targets_128_wide() -> None:
    logits, target = example()
    target = target.ceil()
    wide = [torch.zeros(2, 5, 128) for _ in range(2)]
    for values, narrow in zip(wide, (logits.sigmoid(), target), strict=True):
        values[:, :, LOWEST_PITCH : HIGHEST_PITCH + 1] = narrow
    ours = pitch_loss(logits, target, LossConfig(kind="mse"), positive_weight=1.0)
    torch.testing.assert_close(ours, F.mse_loss(*wide) * 128)


def test_focal_loss_without_focus_is_cross_entropy_and_with_it_forgives_what_is_nearly_right() -> None:
    logits, target = example()
    entropy = pitch_loss(logits, target, LossConfig(), positive_weight=2.0)
    same = pitch_loss(logits, target, LossConfig(kind="focal", focal_gamma=0.0), positive_weight=2.0)
    torch.testing.assert_close(same, entropy)
    near, off = torch.full(SHAPE, -3.0), torch.full(SHAPE, 1.0)
    none = torch.zeros(SHAPE)
    focal = LossConfig(kind="focal")
    ratio = pitch_loss(off, none, focal, positive_weight=1) / pitch_loss(near, none, focal, positive_weight=1)
    plain = pitch_loss(off, none, LossConfig(), positive_weight=1) / pitch_loss(
        near, none, LossConfig(), positive_weight=1
    )
    assert ratio > 100 * plain


@pytest.mark.parametrize("kind", ["bce", "focal", "mse"])
def test_onset_weight_counts_missed_onsets_more_and_false_ones_the_same(kind: str) -> None:
    logits = torch.full(SHAPE, -1.0)
    weights = (1.0, 3.0)
    settings = LossConfig(kind=kind)  # type: ignore[arg-type]
    missed = [pitch_loss(logits, torch.ones(SHAPE), settings, positive_weight=weight) for weight in weights]
    false = [pitch_loss(logits, torch.zeros(SHAPE), settings, positive_weight=weight) for weight in weights]
    torch.testing.assert_close(missed[1], 3 * missed[0])
    torch.testing.assert_close(false[1], false[0])


@pytest.mark.parametrize("kind", ["bce", "focal", "mse"])
def test_each_loss_is_lowest_at_the_truth(kind: str) -> None:
    """Descending from anywhere ends at the targets, the velocity's at onsets alone."""
    _, target = example()
    onset, frame = target.ceil(), target.ceil().flip(1)
    targets = torch.stack([onset, frame, 0.6 * onset], dim=1)
    outputs = Outputs(*(torch.zeros(SHAPE, requires_grad=True) for _ in range(3)))
    optimizer = torch.optim.Adam(outputs[:3], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        parts = transcription_loss(outputs, targets, LossConfig(kind=kind))  # type: ignore[arg-type]
        parts["total"].backward()
        optimizer.step()
    assert torch.equal((outputs.onset_logits > 0).float(), onset)
    assert torch.equal((outputs.frame_logits > 0).float(), frame)
    torch.testing.assert_close(outputs.velocity[onset > 0], 0.6 * onset[onset > 0], atol=0.05, rtol=0)
    assert outputs.velocity[onset == 0].abs().max() == 0
