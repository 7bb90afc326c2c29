"""A class that no label has, and whose probability is all but nothing: the slope of its ratio overflows in float32."""

from contextlib import nullcontext

import pytest
import torch

import losskit
from cases import where
from inputs import Shape
from losskit.ops import choice

UNBOUNDED = {"noise_robust_dice_loss"}  # p^1.5 over p^2 grows without bound as p vanishes
CASES = where(
    lambda c: (
        c.kind in ("binary", "multilabel", "indices") and "absent" in c.loss.options and c.entry.name not in UNBOUNDED
    )
)
PLAIN = {"exp_log_loss", "sensitivity_specificity_loss"}  # terms of their own, which the kernels do not take


def vanished(case, size):
    """Logits of class 0, which no position has, at -size."""
    input, target = case.given(Shape(2, 3, (4,)), 3).tensors
    if case.kind == "indices":
        target = target.clamp(min=1)
    else:
        target[:, 0] = 0
    input[:, 0] = -size
    return input, target


def gradient(loss, input, target):
    input = input.clone().requires_grad_()
    loss(input, target).backward()
    return input.grad


@pytest.mark.parametrize("operator", ["reference", "native", "usual"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_has_the_gradient_of_float64(case, operator):
    operator = "usual" if case.entry.name in PLAIN and operator == "native" else operator
    loss = case(absent="formula")
    mode = {"mode": "multilabel"} if case.kind == "multilabel" else {}
    several = loss + losskit.FocalLoss(gamma=1.5, **mode)
    for size in (80.0, 90.0, 100.0, 103.0, 120.0):
        input, target = vanished(case, size)
        for criterion in (loss, several):
            with nullcontext() if operator == "usual" else choice.forced(operator):
                found = gradient(criterion, input.float(), target)
            assert found.isfinite().all(), (size, criterion)
            torch.testing.assert_close(found.double(), gradient(criterion, input, target), rtol=1e-3, atol=1e-6)
