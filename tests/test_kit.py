"""Losses of one's own: a formula, as a function or as a class, becomes everything a loss is."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from losskit.core import catalogue


@losskit.regression_loss
def power_loss(input, target, power: losskit.Positive = 2.0):
    """Raises absolute errors to a power."""
    return (input - target).abs() ** power


@losskit.region_loss
def smooth_dice(total, smooth: float = 1.0):
    return 1 - (2 * total.tp + smooth) / (total.pred + total.target + smooth)


@losskit.classification_loss
def poly_loss(log_p, epsilon: float = 1.0):
    return -log_p + epsilon * (1 - log_p.exp())


@losskit.loss
def angle_loss(first, second, floor: float = 0.0):
    return (1 - F.cosine_similarity(first, second)).clamp_min(floor)


class PinballLoss(losskit.RegressionLoss):
    """Prices errors above and below apart."""

    q: losskit.Fraction = 0.5

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        error = target - input
        return torch.maximum(self.q * error, (self.q - 1) * error)


class WeightedAngle(losskit.Loss):
    """A loss of the fourth kind with its own constructor, as tutorials write them."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self.scale * (1 - F.cosine_similarity(input, target)).mean()


X = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
Y = torch.tensor([[0.0, 0.0], [0.0, 1.0]])


def test_a_function_gets_options_weights_masks_and_reductions():
    # errors 1, 2, 3, 4; cubed 1, 8, 27, 64
    assert power_loss(X, Y, power=3.0).item() == pytest.approx(25.0)
    assert power_loss(X, Y, power=3.0, reduction="sum").item() == pytest.approx(100.0)
    assert torch.equal(power_loss(X, Y, power=3.0, reduction="none"), torch.tensor([[1.0, 8.0], [27.0, 64.0]]))
    weight = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    assert power_loss(X, Y, weight=weight).item() == pytest.approx((1 + 4 + 2 * 16) / 4)
    mask = torch.tensor([[True, False], [False, True]])
    assert power_loss(X, Y, mask=mask).item() == pytest.approx((1 + 16) / 2)


def test_the_class_form_is_the_same_computation():
    module = power_loss.Module(power=3.0)
    assert isinstance(module, torch.nn.Module)
    assert module(X, Y).item() == power_loss(X, Y, power=3.0).item()
    assert repr(module) == "power_loss(power=3.0)"


def test_a_region_formula_gets_links_classes_and_pools():
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    target = torch.arange(32).reshape(2, 4, 4) % 3
    p = logits.softmax(1)
    one_hot = F.one_hot(target, 3).movedim(-1, 1).float()
    dice = 1 - (2 * (p * one_hot).sum((2, 3)) + 0.5) / (p.sum((2, 3)) + one_hot.sum((2, 3)) + 0.5)
    torch.testing.assert_close(smooth_dice(logits, target, smooth=0.5), dice.mean())
    torch.testing.assert_close(smooth_dice(logits, target, smooth=0.5, classes=[2]), dice[:, 2].mean())
    torch.testing.assert_close(smooth_dice(logits, target, smooth=0.5, reduction="none"), dice)


def test_a_term_serves_sigmoid_and_softmax():
    logits = torch.tensor([[0.5, -1.0, 2.0]])
    p = logits.softmax(1)[0, 2]
    torch.testing.assert_close(poly_loss(logits, torch.tensor([2])), -p.log() + 1 - p)
    q = 1 - torch.sigmoid(torch.tensor(0.5))
    torch.testing.assert_close(poly_loss(torch.tensor([0.5]), torch.tensor([0]), epsilon=2.0), -q.log() + 2 * (1 - q))


def test_any_function_of_tensors_is_a_loss():
    a, b = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    torch.testing.assert_close(angle_loss(a, b, reduction="none"), torch.tensor([0.0, 1.0]))
    assert angle_loss(a, b, weight=torch.tensor([1.0, 3.0])).item() == pytest.approx(0.75)
    assert angle_loss(a, b, floor=0.5).item() == pytest.approx(0.75)


def test_a_class_declares_its_options_as_attributes():
    # every error is from above: 0.1 x (1 + 2 + 3 + 4) / 4
    assert PinballLoss(q=0.9)(X, Y).item() == pytest.approx(0.25)
    assert list(inspect.signature(PinballLoss).parameters) == ["q", "reduction", "empty"]
    assert repr(PinballLoss(q=0.9)) == "PinballLoss(q=0.9)"
    with pytest.raises(ValueError, match=r"PinballLoss: q must be a number >= 0 .*<= 1.*got 2"):
        PinballLoss(q=2.0)


def test_a_constructor_of_ones_own_is_left_alone():
    loss = WeightedAngle(scale=2.0)
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert loss(a, b).item() == pytest.approx(2.0)
    assert (0.5 * loss + losskit.MSELoss())(a, b).item() == pytest.approx(2.0)


@pytest.mark.parametrize("module", [power_loss.Module(power=3.0), smooth_dice.Module(smooth=0.25), PinballLoss(q=0.3)])
def test_modules_pickle_and_copy(module):
    for again in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert type(again) is type(module)
        assert repr(again) == repr(module)


def test_class_weights_of_a_formula_are_in_the_state_dict():
    module = smooth_dice.Module(class_weight=[1.0, 2.0, 3.0])
    other = smooth_dice.Module(class_weight=[0.0, 0.0, 0.0])
    other.load_state_dict(module.state_dict())
    assert other.class_weight.tolist() == [1.0, 2.0, 3.0]


def test_ones_own_losses_enter_the_catalogue_without_an_authority():
    entry = catalogue.find("power_loss")
    assert entry.loss is power_loss.Module
    assert entry.authority == ""
    assert entry.family == "your own"
    assert entry.summary == "Raises absolute errors to a power."


def test_a_users_loss_never_replaces_ours():
    type("DiceLoss", (losskit.RegionLoss,), {"per_class": lambda self, total: 1 - total.tp, "__doc__": "Mine."})
    assert catalogue.find("dice").loss is losskit.DiceLoss


def test_both_forms_compile():
    expected = power_loss(X, Y, power=3.0)
    for function in (lambda x, y: power_loss(x, y, power=3.0), power_loss.Module(power=3.0)):
        torch._dynamo.reset()
        torch.testing.assert_close(torch.compile(function, fullgraph=True, backend="aot_eager")(X, Y), expected)


def test_a_wrong_signature_is_told():
    with pytest.raises(TypeError, match=r"a region loss takes 1 parameter .*\(total\); got \(input, target\)"):

        @losskit.region_loss
        def of_tensors(input, target):
            return input

    with pytest.raises(TypeError, match="every option has a default"):

        @losskit.regression_loss
        def without_default(input, target, delta):
            return input

    with pytest.raises(TypeError, match="not as \\*args"):

        @losskit.regression_loss
        def anything(input, target, **options):
            return input

    with pytest.raises(TypeError, match="reduction is an option every regression loss has"):

        @losskit.regression_loss
        def reducing(input, target, reduction="mean"):
            return input


def test_a_reduced_return_is_told_at_the_first_call():
    @losskit.regression_loss
    def reduced(input, target):
        return ((input - target) ** 2).mean()

    with pytest.raises(ValueError, match=r"must return shape \(2, 2\); got \(\)\. .*leave out \.mean\(\)"):
        reduced(X, Y)

    @losskit.regression_loss
    def a_number(input, target):
        return 1.0

    with pytest.raises(TypeError, match="must return a tensor"):
        a_number(X, Y)

    @losskit.region_loss
    def over_classes(total):
        return (1 - total.tp / total.pred).mean(-1)

    with pytest.raises(ValueError, match="must return shape"):
        over_classes(torch.randn(2, 1, 4, 4), torch.ones(2, 1, 4, 4))


def test_a_coupled_formula_sees_the_chosen_classes():
    class Coupled(losskit.RegionLoss):
        """Generalised Dice without weights."""

        def per_sample(self, total: losskit.Totals) -> Tensor:
            return 1 - 2 * total.tp.sum(-1) / (total.pred + total.target).sum(-1)

    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    target = torch.arange(32).reshape(2, 4, 4) % 3
    p, t = logits.softmax(1)[:, 1:], F.one_hot(target, 3).movedim(-1, 1)[:, 1:]
    expected = 1 - 2 * (p * t).sum((1, 2, 3)) / (p.sum((1, 2, 3)) + t.sum((1, 2, 3)))
    torch.testing.assert_close(Coupled(include_background=False, reduction="none")(logits, target), expected)
    with pytest.raises(TypeError, match="class_weight has no meaning"):
        Coupled(class_weight=[1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("kind", "method", "given"),
    [
        (losskit.RegionLoss, r"per_class\(total\)", None),
        (losskit.ClassificationLoss, r"term\(log_p\)", (torch.zeros(3), torch.ones(3))),
        (losskit.RegressionLoss, r"per_element\(input, target\)", (X, Y)),
        (losskit.Loss, r"values\(\.\.\.\) or forward", (X, Y)),
    ],
)
def test_a_class_without_its_formula_is_told(kind, method, given):
    extra = (losskit.core.labels.ModeOptions,) if kind is losskit.ClassificationLoss else ()
    cls = type("Unfinished", (*extra, kind), {})
    with pytest.raises(TypeError, match=f"Unfinished must define {method}"):
        cls()(*given)


def test_an_overridden_formula_is_used() -> None:
    """Whatever the fused operators know of the loss it derives from."""

    class Triple(losskit.MSELoss):
        def per_element(self, input: Tensor, target: Tensor) -> Tensor:
            return 3 * (input - target).abs()

    class Flat(losskit.FocalLoss):
        def term(self, log_p: Tensor) -> Tensor:
            return torch.ones_like(log_p)

    assert Triple()(torch.ones(4), torch.zeros(4)) == 3
    assert Flat()(torch.randn(4, 3), torch.tensor([0, 1, 2, 0])) == 1


def test_what_a_mask_leaves_out_of_a_loss_of_ones_own_has_no_gradient():
    @losskit.loss
    def pairwise(a, b):
        return -F.logsigmoid(a - b)

    @losskit.loss
    def of_rows(a, b):
        return (a * b).sum(-1)

    a = torch.tensor([1.0, torch.nan, 2.0], requires_grad=True)
    mask = torch.tensor([True, False, True])
    value = pairwise(a, torch.zeros(3), mask=mask)
    torch.testing.assert_close(value, F.softplus(-a.detach())[mask].mean())
    (gradient,) = torch.autograd.grad(value, a)
    torch.testing.assert_close(gradient, torch.where(mask, -torch.sigmoid(-a.detach()) / 2, 0.0))
    rows = torch.tensor([[1.0, 2.0], [torch.inf, torch.nan], [3.0, 4.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(of_rows(rows, rows.detach(), mask=mask), rows)
    assert gradient.isfinite().all()
    assert not gradient[1].any()
