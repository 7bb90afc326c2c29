"""A part that the code of a loss holds constant: on purpose by detach() and no_grad(), by mistake in other ways."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit.checker import battery
from losskit.checker.checks.constants import without_detachment
from losskit.checker.finding import Severity
from losskit.checker.subject import Subject

DERIVATIVES = ["slope-disagrees", "second-derivative", "forward-mode"]
LABELS = {"kind": "binary", "scores": "logits", "target": "same"}
NUMBERS = {"kind": "regression", "scores": "values", "target": "same"}


def of(loss, **told):
    return battery.run(Subject.of(loss, **told), select=DERIVATIVES)


def weights(x, y):
    """Weights of an asymmetric loss: (1 - pt) ** 1 for positives and (1 - pt) ** 4 for negatives."""
    return torch.where(y > 0, 1 - x.sigmoid(), x.sigmoid() ** 4)


def bce(x, y):
    return F.binary_cross_entropy_with_logits(x, y, reduction="none")


def by_detach(x, y):
    return (weights(x, y).detach() * bce(x, y)).mean()


def by_no_grad(x, y):
    with torch.no_grad():
        w = weights(x, y)
    return (w * bce(x, y)).mean()


@torch.no_grad()
def _weights(x, y):
    return weights(x, y)


def by_a_decorator(x, y):
    return (_weights(x, y) * bce(x, y)).mean()


class ByOption(nn.Module):
    def forward(self, x, y):
        with torch.set_grad_enabled(False):
            w = weights(x, y)
        return (w * bce(x, y)).mean()


@pytest.mark.parametrize("loss", [by_detach, by_no_grad, by_a_decorator, ByOption()])
def test_a_weight_that_is_held_constant_on_purpose_is_a_property(loss):
    report = of(loss, **LABELS)
    assert [each.severity for each in report["slope-disagrees"]] == [Severity.PROPERTY], report
    assert {each.severity for each in report} == {Severity.PROPERTY}, report
    assert report.exit_code() == 0


def by_data(x, y):
    return (weights(x, y).data * bce(x, y)).mean()


def by_item(x, y):
    return bce(x, y).mean() * x.detach().abs().mean().item()


def by_a_new_tensor(x, y):
    return bce(x, y).mean() * torch.tensor(float(x.detach().abs().mean()))


def by_numpy(x, y):
    return (torch.from_numpy(weights(x, y).detach().numpy()) * bce(x, y)).mean()


def one_of_two(x, y):
    # one part is held constant by detach(), another by .data
    return (weights(x, y).detach() * x.data.abs() * bce(x, y)).mean()


class _Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad / 2


def by_a_wrong_backward(x, y):
    return (weights(x, y).detach() * bce(_Half.apply(x), y)).mean()


def by_the_factor_of_a_focal_loss(x, y):
    plain = bce(x, y)
    return ((1 - (-plain).exp()).detach() ** 2 * plain).mean()


WRONG = (by_data, by_item, by_a_new_tensor, by_numpy, one_of_two, by_a_wrong_backward, by_the_factor_of_a_focal_loss)


@pytest.mark.parametrize("loss", WRONG)
def test_any_other_constant_is_wrong(loss):
    report = of(loss, **LABELS)
    assert [each.severity for each in report["slope-disagrees"]] == [Severity.WRONG], report


def test_the_option_of_a_focal_loss_says_that_its_factor_is_a_constant():
    class Focal(nn.Module):
        def __init__(self, detach_factor=True):
            super().__init__()
            self.detach_factor = detach_factor

        def forward(self, x, y):
            plain = bce(x, y)
            factor = (1 - (-plain).exp()) ** 2
            return ((factor.detach() if self.detach_factor else factor) * plain).mean()

    assert of(Focal(), **LABELS).exit_code() == 0


class _Square(torch.autograd.Function):
    """A square whose backward is right, but computes with a constant."""

    @staticmethod
    def forward(ctx, x):
        ctx.x = x.detach()
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.x * grad


def test_a_backward_that_cannot_be_differentiated_is_a_trap():
    report = of(lambda x, y: _Square.apply(x - y).mean(), **NUMBERS)
    assert [(each.check, each.severity) for each in report] == [("second-derivative", Severity.TRAP)]
    assert report.exit_code() == 0
    assert report.exit_code(strict=True) == 1


def test_detachment_comes_back():
    x = torch.ones(2, requires_grad=True)
    with without_detachment():
        with torch.no_grad(), torch.set_grad_enabled(False):
            assert (2 * x).requires_grad
        assert x.detach() is x
        assert torch.detach(x) is x
    assert not x.detach().requires_grad
    assert not torch.detach(x).requires_grad
    with torch.no_grad():
        assert not (2 * x).requires_grad
    with torch.set_grad_enabled(False):
        assert not (2 * x).requires_grad
    assert (2 * x).requires_grad
