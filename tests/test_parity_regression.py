"""Losses of real numbers against PyTorch: values, gradients by every argument, domains, and where they part."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from losskit import functional as L
from peers import agree

SHAPES = {"line": (7,), "rows": (5, 3), "image": (2, 3, 4, 5), "scalar": ()}
PAIRS: list[tuple[str, dict[str, Any]]] = [
    ("mse_loss", {}),
    ("l1_loss", {}),
    ("smooth_l1_loss", {}),
    ("smooth_l1_loss", {"beta": 0.3}),
    ("smooth_l1_loss", {"beta": 0.0}),
    ("huber_loss", {}),
    ("huber_loss", {"delta": 0.3}),
    ("poisson_nll_loss", {}),
    ("poisson_nll_loss", {"full": True}),
    ("poisson_nll_loss", {"log_input": False}),
    ("poisson_nll_loss", {"log_input": False, "full": True, "eps": 0.1}),
]
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
pairs = pytest.mark.parametrize(("name", "options"), PAIRS, ids=[f"{n}-{o}" for n, o in PAIRS])


def numbers(shape: tuple[int, ...], seed: int = 0, *, positive: bool = False) -> Tensor:
    values = 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.abs() if positive else values


@shapes
@reductions
@pairs
def test_value_and_gradient_are_torchs(
    name: str, options: dict[str, Any], shape: tuple[int, ...], reduction: str
) -> None:
    counts = name == "poisson_nll_loss"
    input = numbers(shape, positive=counts and not options.get("log_input", True))
    target = numbers(shape, 1, positive=counts)

    ours, theirs = (partial(getattr(module, name), reduction=reduction, **options) for module in (L, F))
    agree(ours, theirs, input, target)
    agree(lambda y, x: ours(x, y), lambda y, x: theirs(x, y), target, input)


@shapes
@reductions
@pytest.mark.parametrize("options", [{}, {"full": True}, {"eps": 0.5}], ids=str)
def test_gaussian_nll_is_torchs(options: dict[str, Any], shape: tuple[int, ...], reduction: str) -> None:
    """By mean, target and variance, also where eps takes the variance's place."""
    tensors = [numbers(shape), numbers(shape, 1), numbers(shape, 2, positive=True)]
    for position in range(3):

        def placed(loss: Callable[..., Tensor], at: int = position) -> Callable[..., Tensor]:
            def call(x: Tensor, _: Tensor) -> Tensor:
                return loss(*tensors[:at], x, *tensors[at + 1 :], reduction=reduction, **options)

            return call

        agree(placed(L.gaussian_nll_loss), placed(F.gaussian_nll_loss), tensors[position], tensors[0])


@pytest.mark.parametrize("size", [(4, 1), (1, 3), (1, 1)], ids=str)
def test_gaussian_nll_takes_one_variance_for_several_elements(size: tuple[int, ...]) -> None:
    input, target, var = numbers((4, 3)), numbers((4, 3), 1), numbers(size, 2, positive=True)
    expected = F.gaussian_nll_loss(input, target, var.expand(4, 3), full=True)
    torch.testing.assert_close(L.gaussian_nll_loss(input, target, var, full=True), expected)
    mask = torch.tensor([[True, False, True]])
    kept = F.gaussian_nll_loss(input[:, [0, 2]], target[:, [0, 2]], var.expand(4, 3)[:, [0, 2]])
    torch.testing.assert_close(L.gaussian_nll_loss(input, target, var, mask=mask), kept)


def test_values_worked_by_hand() -> None:
    """Errors of 0.1, -1 and 3.

    Smooth L1, beta 0.5: 0.01 / 1 = 0.01; 1 - 0.25 = 0.75; 3 - 0.25 = 2.75.
    Huber, delta 2: 0.005; 0.5; 2 (3 - 1) = 4.
    Gaussian, variance 4, full: (log 4 + e² / 4 + log 2π) / 2.
    Poisson of rate 2 and a count of 3: 2 - 3 log 2, and Stirling's 3 log 3 - 3 + log(6π) / 2 if full.
    """
    input, target = torch.tensor([1.1, 1.0, 5.0]).double(), torch.tensor([1.0, 2.0, 2.0]).double()

    def holds(value: Tensor, expected: list[float]) -> None:
        torch.testing.assert_close(value, torch.tensor(expected).double(), rtol=1e-7, atol=1e-7)

    holds(L.smooth_l1_loss(input, target, beta=0.5, reduction="none"), [0.01, 0.75, 2.75])
    holds(L.huber_loss(input, target, delta=2.0, reduction="none"), [0.005, 0.5, 4.0])
    gaussian = [(math.log(4) + e * e / 4 + math.log(2 * math.pi)) / 2 for e in (0.1, 1.0, 3.0)]
    holds(L.gaussian_nll_loss(input, target, torch.full((3,), 4.0), full=True, reduction="none"), gaussian)
    rate, count = torch.tensor([2.0]).double(), torch.tensor([3])
    holds(L.poisson_nll_loss(rate, count, log_input=False, eps=1e-12, reduction="none"), [2 - 3 * math.log(2)])
    stirling = 3 * math.log(3) - 3 + math.log(6 * math.pi) / 2
    holds(L.poisson_nll_loss(rate.log(), count, full=True, reduction="none"), [2 - 3 * math.log(2) + stirling])


def test_weighted_means_divide_by_the_weights() -> None:
    """As PyTorch's own do for L1 and the squared error, though not for Huber."""
    input, target, weight = numbers((4, 3)), numbers((4, 3), 1), numbers((4, 3), 2, positive=True)
    for name in ("mse_loss", "l1_loss"):
        expected = getattr(F, name)(input, target, weight=weight)
        torch.testing.assert_close(getattr(L, name)(input, target, weight=weight), expected)
    each = F.huber_loss(input, target, reduction="none")
    torch.testing.assert_close(L.huber_loss(input, target, weight=weight), (weight * each).sum() / weight.sum())


def test_huber_joins_the_parabola_and_the_line() -> None:
    """Without bound it is half the squared error; its second derivative is 1 within delta, at 0 too, and 0 beyond."""
    input, target = numbers((20,)), numbers((20,), 1)
    half = F.mse_loss(input, target, reduction="none") / 2
    torch.testing.assert_close(L.huber_loss(input, target, delta=math.inf, reduction="none"), half)
    curvature = torch.func.grad(torch.func.grad(lambda x: L.huber_loss(x, torch.tensor(0.0))))
    assert [float(curvature(torch.tensor(x))) for x in (0.0, 0.5, 2.0)] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pairs
def test_half_precision_is_computed_in_single(name: str, options: dict[str, Any], dtype: torch.dtype) -> None:
    input, target = (numbers((6, 5), s, positive=True).to(dtype) for s in (0, 1))
    value = getattr(L, name)(input, target, **options)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, getattr(F, name)(input.float(), target.float(), **options))


def test_a_count_of_zero_has_a_slope() -> None:
    """PyTorch's Stirling term, 0 there, has a NaN for its slope."""
    target = torch.tensor([0.0, 1.0, 3.0]).double().requires_grad_()
    value = L.poisson_nll_loss(torch.zeros(3).double(), target, full=True, reduction="sum")
    expected = torch.tensor([0.0, 0.0, math.log(3) + 1 / 6]).double()  # of y log y - y + log(2πy) / 2 at 3
    torch.testing.assert_close(torch.autograd.grad(value, target)[0], expected)


def refused(message: str, name: str, *tensors: Tensor, **options: Any) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(L, name)(*tensors, **options)


def test_domains_are_errors_that_name_the_value() -> None:
    x = numbers((4, 3))
    refused(r"var holds -2, but a variance is not negative.*var\.exp\(\)", "gaussian_nll_loss", x, x, 0 * x - 2)
    refused(r"var has shape \(3,\), but it takes \(4, 3\)", "gaussian_nll_loss", x, x, x[0])
    refused("input holds -1, but log_input=False takes rates", "poisson_nll_loss", 0 * x - 1, x, log_input=False)
    refused("delta must be a number > 0; got 0", "huber_loss", x, x, delta=0)
    refused("beta must be a number >= 0; got -1", "smooth_l1_loss", x, x, beta=-1)
    for name in ("l1_loss", "huber_loss", "poisson_nll_loss"):
        refused(r"input has shape \(4, 3\) and target \(4, 1\); they must be equal", name, x, x[:, :1])


def test_what_does_not_count_may_hold_anything() -> None:
    """Negative or NaN variance, rate and target under a mask reach neither value nor gradient."""
    mask = torch.tensor([True, False, True])
    bad = torch.tensor([0.0, math.nan, 0.0]).double()
    for wrong in (bad, torch.tensor([0.0, -5.0, 0.0]).double()):
        for name, options, extra in (
            ("gaussian_nll_loss", {}, (numbers((3,), 2, positive=True) + wrong,)),
            ("poisson_nll_loss", {"log_input": False}, ()),
            ("smooth_l1_loss", {"beta": 0.1}, ()),
        ):
            base, target = numbers((3,), positive=True), numbers((3,), 1, positive=True)
            input = (base + wrong).requires_grad_()
            loss = getattr(L, name)
            value = loss(input, target + bad, *extra, mask=mask, **options)
            value.backward()
            kept = [t[mask] for t in (base.requires_grad_(), target, *extra)]
            expected = loss(*kept, **options)
            expected.backward()
            torch.testing.assert_close(value, expected)
            torch.testing.assert_close(input.grad, base.grad)


def test_late_verdicts_of_compiled_code() -> None:
    """Compiled, a negative variance makes the loss NaN, and the next call or `flush_errors` says why."""
    torch._dynamo.reset()
    compiled = torch.compile(losskit.GaussianNLLLoss(), fullgraph=True, backend="aot_eager")
    x = numbers((4,))
    assert compiled(x, x, 0 * x - 1).isnan()
    with pytest.raises(ValueError, match="var holds -1"):
        losskit.flush_errors()
    assert compiled(x, x, 0 * x - 1).isnan()
    with pytest.raises(ValueError, match="var holds -1"):
        compiled(x, x, 0 * x + 1)
    assert compiled(x, x, 0 * x + 1) == 0
    losskit.flush_errors()


def test_totals_of_three_tensors_add() -> None:
    """Micro-batches of a loss with a variance, by its sums and by the counts that targets alone tell."""
    criterion = losskit.GaussianNLLLoss()
    tensors = numbers((6, 2)), numbers((6, 2), 1), numbers((6, 2), 2, positive=True)
    weight = numbers((6, 1), 3, positive=True)
    whole = criterion(*tensors, weight=weight)
    parts = [slice(0, 1), slice(1, 6)]
    first, second = (criterion.totals(*(t[p] for t in tensors), weight=weight[p]) for p in parts)
    torch.testing.assert_close(criterion.finish(first + second), whole)
    counts = sum(criterion.counts(tensors[1][p], weight[p]) for p in parts)
    shares = [criterion(*(t[p] for t in tensors), weight=weight[p], whole=counts) for p in parts]
    torch.testing.assert_close(sum(shares), whole)
