"""The overlap "l1": what is small is summed by itself, so no operator loses it to the rounding of large sums."""

import pytest
import torch

import losskit
from losskit.ops import choice, reference
from losskit.ops.columns import REGION_COLUMNS
from losskit.ops.inputs import Inputs

LOSSES = [
    *(losskit.TverskyLoss(alpha=a, beta=b, overlap="l1") for a, b in ((0.5, 0.0), (0.0, 0.5), (1.0, 1.0))),
    *(cls(overlap="l1") for cls in (losskit.DiceLoss, losskit.JaccardLoss)),
    losskit.FocalTverskyLoss(overlap="l1", beta=0.0),
]


def batches():
    """Sure answers to labels of one class, of a distribution, and of yes and no."""
    generator = torch.Generator().manual_seed(0)
    for classes, scale in ((150, 30.0), (4, 30.0), (4, 300.0)):
        x = torch.randn(2, classes, 500, generator=generator) * scale
        yield x, torch.randint(0, classes, (2, 500), generator=generator), None
        yield x, torch.softmax(torch.randn(x.shape, generator=generator) * 4, 1), "multiclass"
        yield x, (torch.rand(x.shape, generator=generator) > 0.5).float(), "multilabel"
        yield x, torch.rand(x.shape, generator=generator).round(decimals=1), "multilabel"


def both(loss, x, target):
    x = x.clone().requires_grad_()
    value = loss(x, target)
    (gradient,) = torch.autograd.grad(value, x)
    return value.detach().double(), gradient.double()


@pytest.mark.parametrize("operator", ["native", "reference"])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_float32_has_the_numbers_of_float64(loss, operator):
    for x, target, mode in batches():
        loss.mode = mode
        exact, slope = both(loss, x.double(), target.double() if target.is_floating_point() else target)
        with choice.forced(operator):
            value, gradient = both(loss, x, target)
        torch.testing.assert_close(value, exact, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(gradient, slope, rtol=1e-4, atol=1e-5 * slope.abs().max().item())


@pytest.mark.parametrize("operator", ["native", "reference"])
def test_of_hard_labels_it_is_the_product(operator):
    for x, target, mode in batches():
        if target.is_floating_point() and not bool(((target == 0) | (target == 1)).all()):
            continue
        with choice.forced(operator):
            found = both(losskit.DiceLoss(overlap="l1", mode=mode), x, target)
            known = both(losskit.DiceLoss(mode=mode), x, target)
        for a, b in zip(found, known, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-9)


def test_the_totals_are_those_of_their_definition():
    x, target = torch.randn(2, 3, 40, dtype=torch.float64), torch.rand(2, 3, 40, dtype=torch.float64)
    p = torch.sigmoid(x)
    inputs = Inputs("Loss", x, target, None, None, "sigmoid", -100, True, None, x.shape)
    found = dict(zip(REGION_COLUMNS, reference.totals(inputs, REGION_COLUMNS).unbind(-1), strict=True))
    torch.testing.assert_close(found["tp_l1"], ((p + target - (p - target).abs()) / 2).sum(-1))
    torch.testing.assert_close(found["fp_l1"], (p - target).clamp(min=0).sum(-1))
    torch.testing.assert_close(found["fp_l1"] + found["fn_l1"], (p - target).abs().sum(-1))
