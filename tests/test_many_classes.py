"""Sums over the classes of a large vocabulary keep the precision of float32, with each instruction set."""

import pytest
import torch

import losskit
from operators import LEVELS, instructions

CLASSES = 40_000
LOSSES = {
    "cross-entropy": (losskit.CrossEntropyLoss(), False),
    "soft labels": (losskit.CrossEntropyLoss(), True),
    "label smoothing": (losskit.CrossEntropyLoss(label_smoothing=0.1), False),
    "focal": (losskit.FocalLoss(mode="multiclass"), True),
    "Dice": (losskit.DiceLoss(mode="multiclass", pool="batch"), True),
    "Dice with class weights": (
        losskit.DiceLoss(pool="batch", smooth=1.0, class_weight=torch.linspace(0.5, 2.0, CLASSES)), False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("sure", [0.0, 12.0])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_that_of_float64(name, level, sure):
    """Also where a class is nearly certain: `sure` is added to the first logit."""
    loss, soft = LOSSES[name]
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.randn(2, CLASSES, generator=generator)
    x[:, 0] += 2 * sure
    labels = torch.randn(2, CLASSES, generator=generator).softmax(1)
    target = labels if soft else torch.randint(CLASSES, (2,), generator=generator)
    own = x.clone().requires_grad_()
    with instructions(level):
        value = loss(own, target)
    value.backward()
    exact = x.double().requires_grad_()
    expected = loss(exact, target.double() if soft else target)
    expected.backward()
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=0)
    assert (own.grad.double() - exact.grad).abs().max() < 1e-6 * exact.grad.abs().max()
