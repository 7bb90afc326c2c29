"""What is no list of operations on numbers runs as plain PyTorch, with the reason in `explain`."""

import warnings

import pytest
import torch
from torch import nn

import losskit
from losskit import RegressionLoss
from losskit.ops.constants import MOST_ROWS
from own_formulas import compared, reason

X, T = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0)).unbind(0)
NUMBERS, TENSOR, MODULE, NAMES = [1.0, 2.0], torch.tensor(2.0), nn.Softplus(), {"scale": 2.0}


class Config:
    scale = 2.0


class Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad.clamp(-1, 1)


def imports(d):
    import random

    return d * (1 if random else 2)


def many(d):
    values = [(d + k).abs() for k in range(MOST_ROWS + 4)]
    out = values[0]
    for value in values[1:]:
        out = torch.maximum(out * d, value)
    for value in values:
        out = out * value
    return out


def hooked(d):
    d.register_hook(lambda grad: grad * 2)
    return d


def indexed(d):
    out = d.abs()
    out[d > 0] = 2.0
    return out + d


REFUSED = {
    "a list": (lambda d: d * NUMBERS[1], "uses NUMBERS, a list: make it a tuple"),
    "a dict": (lambda d: d * NAMES["scale"], "uses NAMES, a dict"),
    "a tensor": (lambda d: d * TENSOR, "uses TENSOR, a tensor: make it an option"),
    "a module": (lambda d: MODULE(d), "uses MODULE, a module"),
    "a class": (lambda d: d * Config.scale, "uses Config, the class Config"),
    "an import": (imports, "imports random"),
    "print": (lambda d: print(end="") or d, "uses print, a built-in function"),
    "getattr": (lambda d: getattr(d, "abs")(), "uses getattr"),  # noqa: B009
    "a branch on data": (lambda d: d if d.sum() > 0 else -d, "calls sum"),
    "a branch on an element": (lambda d: d if d.reshape(-1)[0] > 0 else -d, "calls select"),
    "item": (lambda d: d * d.abs().max().item(), "calls max"),
    "numpy": (lambda d: d * float(d.detach().numpy().max()), "takes values out of PyTorch: numpy"),
    "tolist": (lambda d: d * max(d.detach().flatten().tolist()), "takes values out of PyTorch: tolist"),
    "randomness": (lambda d: d + 0 * torch.rand_like(d), "calls rand_like"),
    "a reduction": (lambda d: d / d.abs().sum(), "calls sum"),
    "softmax": (lambda d: d * d.softmax(-1), "calls _softmax"),
    "another order": (lambda d: d.flip(0), "calls flip"),
    "indexing": (indexed, "calls index_put"),
    "an operation without a tape": (lambda d: torch.sin(d), "calls sin"),
    "truncation": (lambda d: d * d.long(), "a result of int64"),
    "half precision": (lambda d: d.half().to(d.dtype), "a result of float16"),
    "double precision": (lambda d: (d.double() + 1).to(d.dtype), "computes in float64"),
    "the dtype": (lambda d: d * torch.finfo(d.dtype).eps, "something else for another dtype"),
    "the shape": (lambda d: d / d.numel(), "it reads its shape"),
    "requires_grad": (lambda d: d if d.requires_grad else 2 * d, "uses requires_grad"),
    "grad mode": (lambda d: d if torch.is_grad_enabled() else 2 * d, "uses is_grad_enabled"),
    "strides": (lambda d: d if d.is_contiguous() else 2 * d, "uses is_contiguous"),
    "a hook": (hooked, "uses register_hook"),
    "a gradient that is cut": (lambda d: Clipped.apply(d), "not proportional"),
    "too many values": (many, "values at a time"),
    "no gradient": (lambda d: (d > 0).float(), "no gradient"),
    "an error": (lambda d: d if d.ndim == 2 else 1 / 0, "raises ZeroDivisionError"),
    "powers that differ": (lambda d: d.abs() ** d, "power that differs between elements"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_runs_as_plain_pytorch_and_says_why(name):
    formula, why = REFUSED[name]

    @losskit.regression_loss
    def own(input, target):
        return formula(input - target)

    loss = own.Module()
    if name == "no gradient":
        assert why in reason(loss, X, T)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, known, tape = compared(loss, (X, T))
    assert not tape
    for a, b in zip(found, known, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert why in reason(loss, X.clone().requires_grad_(), T)


def test_what_a_call_returns_without_a_gradient_is_that_of_the_formula():
    @losskit.regression_loss
    def counted(input, target):
        return (input - target).abs() * (1 if torch.is_grad_enabled() else 3)

    with torch.no_grad():
        torch.testing.assert_close(counted(X, T), 3 * (X - T).abs().mean())


def test_a_counter_counts():
    class Counted(RegressionLoss):
        def __post_init__(self):
            super().__post_init__()
            self.step = 0

        def per_element(self, input, target):
            self.step += 1
            return (input - target).abs() * self.step

    loss = Counted()
    assert [round(float(loss(X, T) / (X - T).abs().mean()), 4) for _ in range(3)] == [1, 2, 3]
    assert "sets step" in reason(loss, X, T)


def test_tensors_and_modules_of_ones_own():
    class Learned(RegressionLoss):
        def __post_init__(self):
            super().__post_init__()
            self.scale = nn.Parameter(torch.tensor(2.0))

        def per_element(self, input, target):
            return (input - target).abs() * self.scale

    loss = Learned()
    assert "uses self.scale, a tensor or a module" in reason(loss, X, T)
    loss(X, T).backward()
    torch.testing.assert_close(loss.scale.grad, (X - T).abs().mean())


def test_a_term_and_a_region_say_why_as_well():
    @losskit.classification_loss
    def term(log_p):
        return torch.sin(log_p)

    @losskit.region_loss
    def region(total):
        return torch.sin(1 - total.tp / total.target)

    labels = torch.arange(8).view(1, 8) % 4
    assert "calls sin" in str(losskit.explain(term.Module(), X.view(1, 4, 8), labels))
    explained = str(losskit.explain(region.Module(), X.view(1, 4, 8), labels))
    assert "native for" in explained
    assert "calls sin" in explained
