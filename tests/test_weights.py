"""The weights of a mean lie in [0, 1e30]: CONTRACT.md 8. Any others are an error, or NaN where none can be raised."""

import math

import pytest
import torch

import losskit
from cases import where
from inputs import Shape
from losskit.ops import choice

WEIGHTED = where(lambda case: case.weight)
MEANS = [case for case in WEIGHTED if case.mean and not case.region and case.has("reduction")]
SHAPE = Shape(2, 3, (5,))
SIZES = {"below 0": -0.5, "huge": 1e38, "NaN": math.nan}


def weights(given, value=None):
    """Weights of this call, one of them the value."""
    weight = torch.rand(given.positions, generator=torch.Generator().manual_seed(1)) + 0.5
    if value is not None:
        weight.view(-1)[-1] = value
    return weight


def paths(loss, given):
    """Ways of calling it, each with a weight."""
    x, *rest = given.tensors
    yield "planned", lambda w: loss(x, *rest, weight=w)
    yield "with a gradient", lambda w: loss(x.clone().requires_grad_(), *rest, weight=w)
    yield "double", lambda w: loss(*given.to(torch.float64).tensors, weight=w.double())
    yield "a weight with a gradient", lambda w: loss(x, *rest, weight=w.clone().requires_grad_())
    if loss.summable:
        yield "from sums", lambda w: loss.finish(loss.totals(x, *rest, weight=w))
        yield "over batches", lambda w: loss.finish(loss.totals(x, *rest) + loss.totals(x, *rest, weight=w))


@pytest.mark.parametrize("value", SIZES)
@pytest.mark.parametrize("case", WEIGHTED, ids=str)
def test_a_mean_refuses_them(case, value):
    given, loss = case.given(SHAPE, 3, torch.float32), case()
    for name, call in paths(loss, given):
        assert torch.isfinite(call(weights(given)).detach()).all(), name
        with pytest.raises(ValueError, match=r"below 0, above 1e\+30 or NaN"):
            call(weights(given, SIZES[value]))


@pytest.mark.parametrize("case", [case for case in WEIGHTED if case.mask], ids=str)
def test_that_of_an_element_which_does_not_count_may_be_anything(case):
    given, loss = case.given(SHAPE, 3, torch.float32), case()
    mask = torch.ones(given.positions, dtype=torch.bool)
    mask.view(-1)[-1] = False
    for dtype in (torch.float32, torch.float64):
        known = loss(*given.to(dtype).tensors, weight=weights(given), mask=mask)
        for value in SIZES.values():
            torch.testing.assert_close(loss(*given.to(dtype).tensors, weight=weights(given, value), mask=mask), known)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", MEANS, ids=str)
def test_with_a_sum_or_a_normalizer_a_weight_of_either_sign_is_linear(case, dtype):
    given = case.given(SHAPE, 3, dtype)
    weight = torch.randn(given.positions, generator=torch.Generator().manual_seed(1)).to(dtype)
    summed = case(reduction="sum")
    expected = summed(*given.tensors, weight=weight.clamp(min=0)) - summed(*given.tensors, weight=-weight.clamp(max=0))
    torch.testing.assert_close(summed(*given.tensors, weight=weight), expected, rtol=1e-5, atol=1e-5)
    loss = case()
    if loss.takes_normalizer:
        found = loss(*given.tensors, weight=weight, normalizer=-4.0)
        torch.testing.assert_close(found, expected / -4.0, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("operator", ["reference", "native"])
@pytest.mark.parametrize("loss", [losskit.DiceLoss(), losskit.BCEWithLogitsLoss(), losskit.MSELoss()], ids=repr)
def test_where_nothing_can_be_raised_the_mean_is_nan(loss, operator):
    x, target = torch.randn(2, 1, 40), (torch.rand(2, 1, 40) > 0.5).float()
    weight = torch.ones(2, 2, 1, 40)
    weight[1, 1, 0, 7] = -1.0
    with choice.forced(operator):
        found = torch.func.vmap(lambda w: loss(x, target, weight=w))(weight)
    assert found[1].isnan()
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    assert [bool(compiled(x, target, weight=w).isnan()) for w in weight] == [False, True]
    torch._dynamo.reset()


@pytest.mark.parametrize("criterion", [losskit.TopKLoss(losskit.CrossEntropyLoss(), k=1.0)], ids=repr)
def test_wrappers_refuse_them_too(criterion):
    weight = torch.tensor([[1.0], [-1.0]])
    with pytest.raises(ValueError, match="below 0"):
        criterion(torch.randn(2, 3, 4), torch.zeros(2, 4, dtype=torch.long), weight=weight)
