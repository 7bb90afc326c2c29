"""An infinite logit that is a sure answer (a masked class at -inf) is valid: values and derivatives are the limits."""

import pytest
import torch

import losskit
from cases import LABELLED
from inputs import Case, Shape
from losskit.ops import choice

SHAPE = Shape(2, 4, (5,))
GROWS = {
    "focal_cosine_loss",
    "margin_smoothing_loss",
    "normalized_loss",
}  # with the logits of wrong classes, by definition
CASES = [
    case
    for case in LABELLED
    if case.kind in ("binary", "multilabel", "indices") and case.entry.name not in {"nll_loss", *GROWS}
]


def sure(case: Case, size: float, dtype=torch.float64):
    """Logits, some of size `size` where the answer is right."""
    input, target = case.given(SHAPE, 3, dtype).tensors
    if case.kind == "indices":
        other = (target + 1) % input.shape[1]  # a class that is not the true one
        masked = torch.nn.functional.one_hot(other, input.shape[1]).movedim(-1, 1).bool()
        masked[..., 2:] = False
        return torch.where(masked, -size, input), target
    chosen = torch.zeros_like(target, dtype=torch.bool)
    chosen[..., :2] = True
    return torch.where(chosen, torch.where(target > 0.5, size, -size), input), target


def derivatives(loss, input, target):
    """The value, and the first and second derivative by the finite logits."""
    input = input.clone().requires_grad_()
    value = loss(input, target).sum()
    (first,) = torch.autograd.grad(value, input, create_graph=True)
    if not first.requires_grad:
        return value.detach(), first, torch.zeros_like(first)
    (second,) = torch.autograd.grad(first[input.isfinite()].pow(2).sum(), input)
    return value.detach(), first.detach(), second


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_limit_is_reached(case, reduction):
    options = {"reduction": reduction} if reduction in case.reductions and not case.composite else {}
    loss = case(**options)
    for dtype in (torch.float64, torch.float32):
        known = derivatives(loss, *sure(case, 2000.0, dtype))
        for operator in ("reference", None) if dtype == torch.float32 else (None,):
            if operator is None:
                found = derivatives(loss, *sure(case, torch.inf, dtype))
            else:
                with choice.forced(operator):
                    found = derivatives(loss, *sure(case, torch.inf, dtype))
            for a, b in zip(found, known, strict=True):
                assert a.isfinite().all()
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"gamma": 0.5}, {"gamma": 1.0}])
def test_the_hardest_elements_beside_masked_classes(options):
    input, target = sure(next(c for c in CASES if str(c) == "focal_loss-indices"), torch.inf)
    found = derivatives(losskit.TopKLoss(losskit.FocalLoss(**options), k=0.5), input, target)
    assert all(each.isfinite().all() for each in found)
