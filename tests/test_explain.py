"""Which operator serves a loss, in how many passes, and why each other one does not: nothing falls back unnoticed."""

import pytest
import torch

import losskit
from cases import LABELS, Shape, where
from losskit import functional
from losskit.core.algebra import WeightedSum
from losskit.core.classification import ClassificationLoss
from losskit.core.region import RegionLoss
from losskit.ops import choice

SHAPE = Shape(2, 3, (4, 5))
REFUSED = {
    "nll_loss": "the input holds log-probabilities",
    "multilabel_soft_margin_loss": "a term is a formula of the loss's own",
}
FUSED = where(lambda c: c.kind in LABELS and issubclass(c.loss, RegionLoss | ClassificationLoss | WeightedSum))


def passes_of(loss, *tensors, **arguments):
    with choice.recorded() as passes:
        loss(*tensors, **arguments)
    return passes


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_one_pass_of_the_c_kernels_serves_every_region_and_classification_loss_and_composite(case):
    given = case.given(SHAPE, 1, torch.float32)
    arguments = {"mask": torch.rand(given.positions) < 0.7, "weight": torch.rand(given.positions)}
    for each in ({}, arguments):
        (only,) = passes_of(case(), *given.tensors, **each)
        if case.entry.name in REFUSED:
            assert (only.operator, only.refused["native"]) == ("reference", REFUSED[case.entry.name])
        else:
            assert only.operator == "native"
            assert "native" not in only.refused


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["dice_ce_loss", "focal_loss"])
def test_half_precision_is_served_too(name, dtype):
    x, target = torch.randn(2, 3, 8).to(dtype), torch.randint(0, 3, (2, 8))
    (only,) = passes_of(getattr(functional, name), x, target)
    assert only.operator == "native"


X, T = torch.randn(2, 3, 8), torch.randint(0, 3, (2, 8))


@pytest.mark.parametrize(
    ("reason", "call"),
    [
        ("the input is float64", lambda: functional.dice_loss(X.double(), T)),
        ("the input is empty", lambda: functional.dice_loss(X[:0], T[:0])),
        (
            "the input holds probabilities (from_logits=False)",
            lambda: functional.dice_loss(X.softmax(1), T, from_logits=False),
        ),
        (
            "weight asks for a gradient",
            lambda: functional.cross_entropy(X, T, weight=torch.ones(2, 8, requires_grad=True)),
        ),
        (
            "target asks for a gradient",
            lambda: functional.cross_entropy(X, X.softmax(1).requires_grad_()),
        ),
        (
            "forward-mode differentiation",
            lambda: torch.func.jvp(lambda x: functional.dice_loss(x, T), (X,), (X,)),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused_is_refused_for_a_reason(reason, call):
    (only,) = passes_of(call)
    assert only.operator == "reference"
    assert only.refused["native"] == reason
    assert reason in str(only)


def test_a_composite_is_as_many_passes_as_it_has_readings_and_explain_says_so():
    one = losskit.DiceLoss() + 0.5 * losskit.FocalLoss() + losskit.CrossEntropyLoss()
    explained = losskit.explain(one, X, T)
    assert [each.operator for each in explained] == ["native"]
    assert "one pass over the input" in str(explained)
    two = losskit.CrossEntropyLoss() + losskit.DiceLoss(mode="multilabel")
    explained = losskit.explain(two, X, T)
    assert [each.operator for each in explained] == ["native", "reference"]
    assert explained.passes[1].refused["native"] == "the target holds class indices, each class one against the rest"
    assert "2 passes over the input" in str(explained)
    assert "not native: the input is float64" in str(losskit.explain(two, X.double(), T))


def test_one_operator_can_be_forced_and_says_why_it_cannot():
    with choice.forced("reference"):
        (only,) = passes_of(functional.dice_loss, X, T)
    assert (only.operator, only.refused["native"]) == ("reference", "LOSSKIT_BACKEND asks for reference")
    with choice.forced("native"), pytest.raises(RuntimeError, match="native, which does not"):
        functional.dice_loss(X.double(), T)
