"""User-defined losses: a formula, as a function or as a class, becomes a full loss."""

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
    """Weights errors above and below differently."""

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
    # every error is above: 0.1 x (1 + 2 + 3 + 4) / 4
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

    with pytest.raises(TypeError, match="reduction is an option of every regression loss"):

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
    """Although the fused operators have the formula of its base class."""

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


@losskit.loss
def paired_boxes(first, second, scale: float = 1.0):
    """One value per box, from four numbers each."""
    return scale * (first - second).abs().sum(-1)


@losskit.loss(batch=True)
def spread(first, power: float = 2.0):
    """One number for the batch."""
    return first.std(0).pow(power).mean()


def test_values_of_samples_are_a_mean_in_every_respect():
    torch.manual_seed(0)
    a, b = torch.randn(6, 4, dtype=torch.float64), torch.randn(6, 4, dtype=torch.float64)
    values = 3 * (a - b).abs().sum(1)
    weight, mask = torch.rand(6, dtype=torch.float64), torch.tensor([True, False, True, True, False, True])
    assert issubclass(paired_boxes.Module, losskit.MeanLoss)
    share = weight * mask
    close = torch.testing.assert_close
    close(paired_boxes(a, b, scale=3.0, weight=weight, mask=mask), (values * share).sum() / share.sum())
    close(paired_boxes(a, b, scale=3.0, normalizer=4), values.sum() / 4)
    close(paired_boxes(a, b, scale=3.0, reduction="none"), values)
    module = paired_boxes.Module(scale=3.0)
    pieces = [slice(0, 1), slice(1, 1), slice(1, 6)]
    sums = sum(module.totals(a[s], b[s], weight=weight[s]) for s in pieces)
    close(module.finish(sums), (values * weight).sum() / weight.sum())
    a.requires_grad_()
    (whole,) = torch.autograd.grad(module(a, b), a)
    for loss in losskit.distributed.micro_batches(module, lambda x: x, [(a[s], b[s]) for s in pieces]):
        loss.backward()
    close(a.grad, whole)
    with pytest.raises(TypeError, match=r"its targets alone do not determine how many values it has.*micro_batches"):
        module.counts(b)
    both = losskit.MSELoss() + 0.5 * module
    close(both(a, b, normalizer=2), ((a - b) ** 2).sum() / 2 + 0.25 * values.sum())


def test_a_class_of_values_is_the_same():
    class Boxes(losskit.MeanLoss):
        """One value per box."""

        scale: float = 1.0

        def values(self, first: Tensor, second: Tensor) -> Tensor:
            return self.scale * (first - second).abs().sum(-1)

        def values_shape(self, target: Tensor) -> torch.Size:
            return target.shape[:-1]

    a, b, mask = torch.randn(6, 4), torch.randn(6, 4), torch.arange(6) < 4
    assert torch.equal(Boxes(scale=3.0)(a, b, mask=mask), paired_boxes(a, b, scale=3.0, mask=mask))
    assert Boxes().counts(b, mask=mask)["denominator"] == 4  # from the targets, if the class defines it
    with pytest.raises(TypeError, match=r"Boxes takes \(first, second\); second is missing"):
        Boxes()(a)


def test_values_have_the_batch_first():
    @losskit.loss
    def one_number(a, b):
        return (a - b).abs().mean()

    @losskit.loss
    def transposed(a, b):
        return (a - b).abs().T

    a, b = torch.zeros(3, 2), torch.ones(3, 2)
    with pytest.raises(ValueError, match=r"one_number: .*one number per sample.*got one number.*loss\(batch=True\)"):
        one_number(a, b)
    with pytest.raises(ValueError, match=r"transposed: .*\(3, \*\) for a \(3, 2\); got \(2, 3\)\. Make dimension 0"):
        transposed(a, b)


def test_a_loss_of_the_whole_batch_returns_one_number_and_takes_no_weights():
    x = torch.randn(5, 3)
    torch.testing.assert_close(spread(x), x.std(0).square().mean())
    torch.testing.assert_close(spread.Module(power=1.0)(x), spread(x, power=1.0))
    torch.testing.assert_close(spread.Module()(first=x), spread(x))
    for name in ("weight", "mask", "normalizer"):
        for call in (spread, spread.Module()):
            with pytest.raises(TypeError, match=rf"spread is .* the whole batch .*, so it takes no {name}"):
                call(x, **{name: torch.ones(5)})
    with pytest.raises(TypeError, match="averaging over ranks averages these losses"):
        losskit.distributed.sync(spread)

    @losskit.loss(batch=True)
    def of_samples(x):
        return x.abs().sum(1)

    with pytest.raises(TypeError, match=r"must return a tensor of one number; got shape \(5,\).*leave batch=True out"):
        of_samples(x)


@losskit.classification_loss
def z_loss(logits):
    return logits.logsumexp(1) ** 2


@losskit.classification_loss
def confident(log_p, logits, scale: float = 1.0):
    return -scale * log_p * logits.detach().amax(1)


def test_a_value_from_the_logits_leaves_padding_out():
    torch.manual_seed(0)
    x, t = torch.randn(4, 5, 7, dtype=torch.float64), torch.randint(0, 5, (4, 7))
    t[:, 4:] = -100
    x[:, :, 6] = torch.nan  # where nothing counts
    x.requires_grad_()
    z, kept = x.logsumexp(1)[:, :4] ** 2, t[:, :4]
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0], dtype=torch.float64)
    close = torch.testing.assert_close
    close(z_loss(x, t), z.mean())
    share = weights[kept]
    close(z_loss(x, t, class_weight=weights), (z * share).sum() / share.sum())
    assert z_loss(x, t, reduction="none").shape == (4, 7)
    mask = torch.rand(4, 7) < 0.7
    close(z_loss(x, t, mask=mask), z[mask[:, :4]].mean())
    log_p = F.log_softmax(x[..., :4], 1).gather(1, kept.unsqueeze(1)).squeeze(1)
    close(confident(x, t, scale=2.0), (-2 * log_p * x[..., :4].detach().amax(1)).mean())
    both = losskit.CrossEntropyLoss() + 0.01 * z_loss.Module()
    expected = -log_p.mean() + 0.01 * z.mean()
    close(both(x, t), expected)
    (gradient,) = torch.autograd.grad(both(x, t), x)
    assert gradient.isfinite().all()
    close(gradient[..., :4], torch.autograd.grad(expected, x)[0][..., :4])
    pieces = [slice(0, 1), slice(1, 4)]
    counts = sum(both.counts(t[s], num_classes=5) for s in pieces)
    close(sum(both(x[s], t[s], whole=counts) for s in pieces), expected)
    with pytest.raises(ValueError, match="holds the class index 5, but input has 5 classes"):
        z_loss(x.detach(), t.where(t != 2, 5))


def test_a_value_from_the_logits_of_soft_and_binary_targets():
    torch.manual_seed(0)
    x, t = torch.randn(4, 3, dtype=torch.float64), torch.rand(4, 3, dtype=torch.float64).softmax(1)
    close = torch.testing.assert_close
    highest = x.amax(1, keepdim=True)
    expected = (-t * x.log_softmax(1) * highest).sum(1)
    close(confident(x, t, mode="multiclass"), expected.mean())
    one_hot = F.one_hot(x.argmax(1), 3)
    close(
        confident(x, one_hot, mode="multiclass", class_weight=[1, 2, 3]),
        confident(x, x.argmax(1), class_weight=[1, 2, 3]),
    )

    @losskit.classification_loss
    def margin(log_p, logits):
        return -log_p * logits.detach().abs()

    y = torch.tensor([[1, 0, 1]] * 4)
    bce = F.binary_cross_entropy_with_logits(x, y.double(), reduction="none") * x.abs()
    close(margin(x, y, mode="multilabel"), bce.mean())
    close(margin(x, y, mode="multilabel", reduction="none"), bce)
    close(margin(x[:, 0], y[:, 0]), bce[:, 0].mean())

    @losskit.classification_loss
    def kept(logits):
        return logits.logsumexp(1, keepdim=True)

    with pytest.raises(ValueError, match=r"per_position\(logits\) must return shape \(4,\); got \(4, 1\)"):
        kept(x, x.argmax(1))
