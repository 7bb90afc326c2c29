"""Errors planted in formulas, reductions and selections: the checks that other tests make must turn red."""

import dataclasses

import pytest
import torch

import losskit
import losskit.losses.classification
import losskit.losses.region
from authorities import formula_of
from cases import CASES
from inputs import Shape
from losskit.core import means, region, sums
from losskit.core.contract import InputSpec
from losskit.ops import reference
from test_meaning import UNITS, along, keeping, same_as_without, spoilt


def case(name, kind):
    return next(c for c in CASES if c.entry.name == name and c.kind == kind)


def value_check(name, kind, **options):
    """The value under these options against mpmath."""
    chosen = case(name, kind)
    given = chosen.given(Shape(2, 3, (3,)), 3)
    generator = torch.Generator().manual_seed(3)
    weight = torch.rand(given.positions, generator=generator, dtype=torch.float64) + 0.1
    mask = torch.rand(given.positions, generator=generator) < 0.7
    found = chosen(**options)(*given.tensors, weight=weight, mask=mask).item()
    assert found == pytest.approx(
        float(formula_of(chosen).value(chosen, options, given.tensors, weight, mask)), rel=1e-9
    )


def removal_check(name, kind, **options):
    """Masking with NaN behind the mask equals removing."""
    chosen = case(name, kind)
    given, keep = chosen.line(UNITS, 1), keeping(1)
    arguments = {"mask": along(chosen, keep, given.positions)}
    same_as_without(chosen, given, keep, spoilt(chosen, given, keep), arguments, **options)


def ignoring_check(name, kind):
    chosen = case(name, kind)
    given, keep = chosen.line(UNITS, 1), keeping(1)
    input, target = given.tensors
    target = torch.where(along(chosen, keep, target.shape), target, -100)
    same_as_without(chosen, given, keep, [input, target], {})


def doubling_check(name, kind):
    """A weight of 2 equals the element twice."""
    chosen = case(name, kind)
    given = chosen.line(UNITS, 1)
    repeated = chosen.pick(given, torch.tensor([0, 0, 1, 2, 3, 4, 5]))
    weight = torch.ones(UNITS, dtype=torch.float64)
    weight[0] = 2
    torch.testing.assert_close(
        chosen()(*given.tensors, weight=along(chosen, weight, given.positions)), chosen()(*repeated.tensors)
    )


def swapped(total, alpha, beta, smooth):
    return 1 - (total.tp + smooth) / (total.tp + beta * total.fp + alpha * total.fn + smooth)


def multiplied(self, *tensors, weight=None, mask=None):
    """The mask as a factor, on values computed everywhere."""
    value = self.per_element(*tensors)
    share = torch.ones_like(value) if mask is None else mask.to(value.dtype)
    return value * share, share


def by_number(values, weight, counts):
    value, share = ORIGINAL["weighted"](values, weight, counts)
    return value, torch.ones_like(share)


def after(values, weight, counts):
    """The weight once the values are summed."""
    value, share = ORIGINAL["weighted"](values, None, counts)
    factor = 1.0 if weight is None else weight.to(values.dtype).mean()
    return value * factor, share


ORIGINAL = {"weighted": means.weighted}


PARSE = InputSpec.parse


def unmasked(self, *arguments, **options):
    return dataclasses.replace(PARSE(self, *arguments, **options), mask=None)


def silenced(self, tensor, otherwise):
    return tensor if self.counts is None else tensor * self.counts


PLANTED = [
    ("alpha and beta swapped", losskit.losses.region, "tversky", swapped,
     lambda: value_check("tversky_loss", "binary", alpha=0.2, beta=0.9)),
    ("a mask that multiplies", means.ElementLoss, "weighed", multiplied, lambda: removal_check("mse_loss", "pair")),
    ("the number of elements as denominator", means, "weighted", by_number, lambda: doubling_check("mse_loss", "pair")),
    ("the weight after the sum", means, "weighted", after, lambda: doubling_check("l1_loss", "pair")),
    ("the mask dropped", InputSpec, "parse", unmasked, lambda: removal_check("dice_loss", "binary")),
    ("the mask dropped in the mean", InputSpec, "parse", unmasked, lambda: removal_check("cross_entropy", "indices")),
    ("ignored logits multiplied by zero", reference.Elements, "select", silenced,
     lambda: removal_check("binary_cross_entropy_with_logits", "binary")),
    ("1 - p where p belongs", losskit.ops.columns, "one_minus_exp", torch.exp,
     lambda: value_check("focal_loss", "indices")),
    ("absent classes by the formula", region.RegionLoss, "scored",
     lambda self, size: torch.ones_like(size, dtype=torch.bool),
     lambda: value_check("dice_loss", "indices", classes=[1])),
    ("labels one position late", reference, "one_hot",
     lambda indices, classes: ONE_HOT(indices.roll(1, -1), classes), lambda: value_check("cross_entropy", "indices")),
    ("softmax over samples", reference, "log_softmax", lambda x: x.log_softmax(-1),
     lambda: gradient_check("dice_loss", "indices")),
    ("no slope", reference, "log_softmax", lambda x: x.detach().log_softmax(1),
     lambda: gradient_check("cross_entropy", "indices")),
    ("an ignored label that still counts", reference, "can_hold", lambda tensor, value: False,
     lambda: ignoring_check("dice_loss", "indices")),
]  # fmt: skip
ONE_HOT = reference.one_hot


def gradient_check(name, kind):
    chosen = case(name, kind)
    input, target = chosen.given(Shape(1, 3, (2,)), 1).tensors
    input.requires_grad_()
    value = chosen()(input, target)
    assert value.requires_grad
    torch.testing.assert_close(
        torch.autograd.grad(value, input)[0], formula_of(chosen).gradient(chosen, {}, (input, target))
    )


@pytest.mark.parametrize(("place", "name", "wrong", "check"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_a_planted_error_is_caught(place, name, wrong, check, monkeypatch):
    check()  # without the error the check is green
    monkeypatch.setattr(place, name, wrong)
    with pytest.raises((AssertionError, ValueError)):
        check()


def test_the_plants_are_where_they_were():
    assert means.weighted is sums.weighted
    assert reference.one_hot is ONE_HOT
