"""Where memory is short a call raises MemoryError, whichever allocation fails, and the next call is right."""

from contextlib import nullcontext

import pytest
import torch

from effort import one_in
from losskit import LovaszLoss, classification_loss, functional, regression_loss
from losskit.ops import choice, differences, native
from losskit.ops.columns import Difference, kernel_columns
from operators import Case, drawn_coefficients, given, run

MOST = 200  # allocations of a call
CALLS = {
    "sigmoid, hard": Case("sigmoid", 2, 1, (20_011,), columns="region"),
    "sigmoid, soft": Case("sigmoid", 2, 2, (10_007,), soft=True, target_dtype="float32", columns="all"),
    "sigmoid, masked": Case("sigmoid", 3, 2, (7001,), mask=True, columns="log", pooled=True),
    "sigmoid, weighted": Case("sigmoid", 2, 2, (10_007,), weight="float32", columns="formulas", dtype="bfloat16"),
    "softmax, few classes": Case("softmax", 2, 4, (5003,), columns="index"),
    "softmax, many classes": Case("softmax", 2, 40, (503,), weight="float32", columns="index"),
    "softmax, all elements": Case("softmax", 2, 5, (4001,), soft=True, target_dtype="float32", columns="all"),
    "softmax, channels last": Case("softmax", 2, 40, (21, 23), layout="channels last", columns="index", pooled=True),
}


def sums(name):
    case = CALLS[name]
    g = given(case)
    coefficients = drawn_coefficients(case)(torch.empty(1 if case.pooled else case.n, case.c, len(g.columns)))
    return [*run(case, g, coefficients)[:2], run(case, g)[0], run(case, g, coefficients, totals=False)[1]]


def difference(name):
    g = given(Case("sigmoid", 2, 2, (10_007,), soft=True, target_dtype="float32", mask=name == "difference, masked"))
    tensors = (g.input, g.target, None, g.mask, None)
    coefficients = torch.rand(2, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return native.run(
        *tensors, "difference", None, *kernel_columns(differences.columns(Difference(2.0, 0.7))),
        pooled=False, totals=True, coefficients=coefficients,
    )[:2]  # fmt: skip


def loss(function, c, *, planned=False, **options):
    """The value and its gradient, by way of autograd: activations and increments are kept in between."""

    def of(name):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(2, c, 20_011, generator=generator).requires_grad_()
        shape = (2, 1, 20_011) if c == 1 else (2, 20_011)
        target = torch.randint(0, max(2, c), shape, generator=generator)
        with nullcontext() if planned else choice.forced("native"):
            value = function(x, target, **options)
        return value.detach(), *torch.autograd.grad(value, x)

    return of


@regression_loss
def own_difference(input, target):
    return torch.log1p((input - target).abs()) * (input - target)


@classification_loss
def own_term(log_p):
    return torch.tanh(-log_p) - log_p


def of_elements(dtype):
    def of(name):
        generator = torch.Generator().manual_seed(0)
        x, t = (torch.randn(2, 20_011, generator=generator).to(dtype) for _ in range(2))
        x.requires_grad_()
        value = own_difference(x, t, mask=t > -1)
        return value.detach(), *torch.autograd.grad(value, x)

    return of


def scattered(name):
    """Ranks of rows that no tile fills and of classes side by side."""
    x = torch.randn(2, 21, 23, 17, generator=torch.Generator().manual_seed(0))
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    value = LovaszLoss(pool="batch")(x, torch.arange(2 * 23 * 17).reshape(2, 23, 17) % 21)
    return value.detach(), *torch.autograd.grad(value, x)


def borders(name):
    generator = torch.Generator().manual_seed(0)
    masks = (torch.rand(2, *space, generator=generator) < 0.9 for space in ((150, 90), (30, 17, 23)))
    return [native.distances(mask, [1.0, 0.5, 2.0][: mask.dim() - 1]) for mask in masks]


COMPUTED = {
    **dict.fromkeys(CALLS, sums),
    **dict.fromkeys(("difference", "difference, masked"), difference),
    "activations, sigmoid": loss(functional.dice_loss, 1),
    "activations, softmax": loss(functional.dice_ce_loss, 4),
    "whole, sigmoid": loss(functional.dice_loss, 1, planned=True),
    "whole, softmax": loss(functional.dice_ce_loss, 40, planned=True),
    "whole, mean": loss(functional.cross_entropy, 4, planned=True),
    "own formula, float32": of_elements(torch.float32),
    "own formula, float64": of_elements(torch.float64),
    "own term, sigmoid": loss(own_term, 1, planned=True),
    "own term, softmax": loss(own_term, 4, planned=True),
    "own term, smoothed": loss(own_term, 40, planned=True, label_smoothing=0.1),
    "ranks, sigmoid": loss(functional.lovasz_loss, 1),
    "ranks, softmax": loss(functional.lovasz_loss, 3),
    "ranks, pooled": loss(functional.lovasz_loss, 3, pool="batch"),
    "ranks, channels last": scattered,
    "distances": borders,
}


def attempt(name, n):
    """The result, or None where the n-th allocation failed."""
    fail = native.library().losskit_fail_allocation
    try:
        fail(n)
        return COMPUTED[name](name)
    except MemoryError:
        return None
    finally:
        fail(-1)


def failures(name):
    """Make each allocation fail in turn; how many there are."""
    expected = COMPUTED[name](name)
    for n in range(1, MOST):
        found = attempt(name, n)
        for again, first in zip(found or COMPUTED[name](name), expected, strict=True):
            assert torch.equal(again, first)
        if found is not None:
            return n - 1
    return MOST


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", one_in(2, list(COMPUTED)))
def test_each_allocation_that_fails_is_reported(name, threads):
    assert 2 <= failures(name) < MOST
