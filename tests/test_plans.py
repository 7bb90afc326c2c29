"""A whole loss in one C call: the number of the registered operators, whatever the layout, and what changes later."""

import copy
import dataclasses
import gc
import pickle
import threading
import weakref

import pytest
import torch

import losskit
from cases import CASES, where
from inputs import Shape
from losskit import functional
from losskit.core import totals
from losskit.ops import choice, finish, plan, planning

# Losses whose totals have a finish that C knows; the others take the registered operators.
PLANNED = (
    "binary_cross_entropy_with_logits", "cross_entropy", "focal_loss", "mean_focal_loss",
    "generalized_cross_entropy_loss", "symmetric_cross_entropy_loss", "multilabel_soft_margin_loss",
    "dice_loss", "jaccard_loss", "tversky_loss", "focal_tversky_loss",
    "dice_bce_loss", "dice_ce_loss", "dice_focal_loss", "combo_loss",
    "mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss",
)  # fmt: skip
SERVED = where(lambda case: case.entry.name in PLANNED)
SHAPE = Shape(3, 4, (5, 7))
ULP = 2e-7


def is_planned(value):
    return value.grad_fn.name() == "FusedLossBackward"


def step(loss, tensors, **arguments):
    """The value and the gradient by the first tensor."""
    input = tensors[0].detach().clone(memory_format=torch.preserve_format).requires_grad_()
    value = loss(input, *tensors[1:], **arguments)
    return value, torch.autograd.grad(value, input)[0]


def by_operators(loss, tensors, **arguments):
    with choice.forced("native"):
        return step(loss, tensors, **arguments)


def same(loss, tensors, planned=True, **arguments):
    found, gradient = step(loss, tensors, **arguments)
    known, expected = by_operators(loss, tensors, **arguments)
    assert is_planned(found) is planned
    assert not is_planned(known)
    torch.testing.assert_close(found, known, rtol=ULP, atol=1e-7, equal_nan=True)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=float(expected.abs().max()) * 2e-6)
    return found


WITHOUT = {  # losses of labels, regions or differences that no plan serves, and why
    "aucm_loss": "a formula of means, with parameters",
    "balanced_bce_loss": "a mean of two means",
    "equalization_loss": "its weights change",
    "gamma_nll_loss": "its targets are checked first",
    "generalized_dice_focal_loss": "its classes are coupled",
    "generalized_dice_loss": "its classes are coupled",
    "generalized_wasserstein_dice_loss": "its classes are coupled",
    "msle_loss": "its input and target are checked first",
    "nll_loss": "it takes log-probabilities",
    "noise_robust_dice_loss": "it sums powers of errors",
    "pu_loss": "a mean with a floor",
    "sensitivity_specificity_loss": "it sums squared errors by the truth",
    "tweedie_loss": "its targets are checked first",
    "unified_focal_loss": "background has terms and a power of its own",
}


def test_every_loss_that_can_have_one_has_a_plan():
    """A new loss of labels, regions or differences is planned, or stands above with the reason."""
    found = {}
    for case in CASES:
        if not case.loss.planned or case.entry.name in found:
            continue
        tensors = [t.float() if t.is_floating_point() else t for t in case.given().tensors]
        found[case.entry.name] = is_planned(step(case(), tensors)[0])
    assert {name for name, planned in found.items() if not planned} == WITHOUT.keys()
    assert {name for name, planned in found.items() if planned} >= set(PLANNED)


def arguments_of(given):
    generator = torch.Generator().manual_seed(1)
    mask = torch.rand(given.positions, generator=generator) < 0.7
    weight = torch.rand(given.positions, generator=generator)
    return [{}, {"weight": weight}, {"mask": mask}, {"weight": weight, "mask": mask}]


@pytest.mark.parametrize("case", SERVED, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_number_is_that_of_the_operators(case, reduction):
    given = case.given(SHAPE, 3, torch.float32)
    for arguments in arguments_of(given):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            tensors = given.to(dtype).tensors if dtype != torch.float32 else given.tensors
            if case.kind == "soft" and dtype != torch.float32:
                continue  # a distribution rounded to half precision
            options = {"reduction": reduction} if "reduction" in case.loss.options else {}
            same(case(**options), tensors, **arguments)


OPTIONS = {
    "class_weight": [0.5, 2.0, 0.0, 1.0], "label_smoothing": 0.1, "pos_weight": 3.0, "smooth": 1.0, "pool": "batch",
    "absent": "skip", "include_background": False, "classes": [1, 3], "overlap": "l1", "squared": True, "log": True,
    "alpha": 0.3, "beta": 0.9, "gamma": 1.5, "empty": "nan", "q": 0.4, "floor": 0.01, "ignore_index": 2,
    "dice_weight": 0.3, "bce_weight": 0.7, "ce_weight": 0.25, "focal_weight": 2.0, "ce_ratio": 0.2,
    "variant": "tutorial", "delta": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("case", SERVED, ids=str)
def test_every_option_has_its_number(case):
    given = case.given(SHAPE, 4, torch.float32)
    for name, value in OPTIONS.items():
        if name not in case.loss.options or (name == "log" and case.kind == "soft"):
            continue
        if case.given(SHAPE).tensors[0].shape[1] == 1 and name in ("class_weight", "classes"):
            value = [2.0] if name == "class_weight" else [0]
        if name == "alpha" and case.softmax and "focal" in case.entry.name and case.entry.name != "mean_focal_loss":
            value = [0.1, 0.2, 0.3, 0.4] if "tversky" not in case.entry.name else value
        options = {"smooth": 0.5} if name == "log" else {}
        same(case(**{**options, name: value}), given.tensors)


@pytest.mark.parametrize("absent", ["penalize", "formula", "skip"])
@pytest.mark.parametrize("pool", ["sample", "batch"])
@pytest.mark.parametrize("overlap", ["product", "l1"])
def test_absent_and_empty_regions(absent, pool, overlap):
    x, target = torch.randn(3, 4, 6), torch.randint(0, 3, (3, 6))
    target[1] = 0
    for smooth in (0.0, 1.0):
        for mask in (None, torch.tensor([True, False, True]).view(3, 1).expand(3, 6)):
            loss = losskit.DiceLoss(absent=absent, pool=pool, smooth=smooth, overlap=overlap)
            same(loss, (x, target), mask=mask)
    for case_of_nothing in (losskit.DiceLoss(absent=absent, pool=pool), losskit.CrossEntropyLoss()):
        value, gradient = step(case_of_nothing, (x, torch.full((3, 6), -100)))
        assert value.item() == 0
        assert not gradient.any()


def test_parts_that_pool_apart_share_a_pass():
    x, target = torch.randn(3, 4, 6), torch.randint(0, 4, (3, 6))
    same(losskit.DiceLoss(pool="batch") + 0.5 * losskit.JaccardLoss() - losskit.CrossEntropyLoss(), (x, target))


LAYOUTS = {
    "channels last": lambda t: t.movedim(1, -1).contiguous().movedim(-1, 1) if t.dim() == 4 else t,
    "sliced": lambda t: torch.stack([t, t], -1)[..., 0],
    "offset": lambda t: torch.cat([t, t])[t.shape[0] :],
    "transposed": lambda t: t.transpose(-1, -2).contiguous().transpose(-1, -2),
    "expanded": lambda t: t[:1].expand(t.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "name", ["dice_loss", "cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "dice_ce_loss"]
)
def test_layouts(layout, name):
    case = next(c for c in SERVED if c.entry.name == name)
    tensors = [LAYOUTS[layout](t) for t in case.given(SHAPE, 5, torch.float32).tensors]
    found, gradient = step(case(), tensors)
    known, expected = step(case(), [t.double() if t.is_floating_point() else t for t in tensors])
    torch.testing.assert_close(found.double(), known, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-4, atol=1e-6)


def test_larger_inputs_make_their_gradient_later_and_from_what_was_saved():
    for loss in (losskit.DiceLoss(), losskit.DiceLoss() + losskit.BCEWithLogitsLoss(), losskit.DiceLoss(squared=True)):
        x, target = torch.randn(2, 1, 200, 200), torch.rand(2, 1, 200, 200) > 0.5
        same(loss, (x, target))
        same(loss, (x, target.float() * 0.9))  # soft labels: nothing can be saved
        same(loss, (x.half(), target))


# What changes between calls.


def test_an_option_that_is_set_is_seen():
    x, target = torch.randn(2, 4, 5), torch.arange(10).reshape(2, 5) % 4
    for loss, name, value in (
        (losskit.DiceLoss(), "smooth", 1.0),
        (losskit.DiceLoss(), "squared", True),
        (losskit.FocalLoss(), "gamma", 0.5),
        (losskit.DiceCELoss(), "smooth", 1.0),
        (losskit.DiceCELoss(), "ce_weight", 0.1),
        (losskit.CrossEntropyLoss(), "reduction", "sum"),
        (losskit.CrossEntropyLoss(), "ignore_index", 1),
    ):
        before = loss(x, target)
        setattr(loss, name, value)
        assert loss(x, target) != before
        torch.testing.assert_close(loss(x, target), type(loss)(**{name: value})(x, target), rtol=0, atol=0)


def test_a_part_that_is_set_is_seen():
    x, target = torch.randn(2, 4, 5), torch.randint(0, 4, (2, 5))
    total = losskit.DiceLoss() + losskit.CrossEntropyLoss()
    before = total(x, target)
    total.losses[0].smooth = 3.0
    torch.testing.assert_close(total(x, target), (losskit.DiceLoss(smooth=3.0) + losskit.CrossEntropyLoss())(x, target))
    total.losses[0] = losskit.JaccardLoss()
    assert total(x, target) != before
    torch.testing.assert_close(total(x, target), (losskit.JaccardLoss() + losskit.CrossEntropyLoss())(x, target))
    total.numbers[1] = 0.25
    torch.testing.assert_close(
        total(x, target), (losskit.JaccardLoss() + 0.25 * losskit.CrossEntropyLoss())(x, target), rtol=0, atol=0
    )


def test_class_weights_are_read_at_each_call():
    x, target = torch.randn(2, 4, 5, requires_grad=True), torch.randint(0, 4, (2, 5))
    loss = losskit.CrossEntropyLoss(class_weight=[1.0, 2.0, 3.0, 4.0])
    loss(x, target)
    other = losskit.CrossEntropyLoss(class_weight=[4.0, 1.0, 0.0, 2.0])
    loss.load_state_dict(other.state_dict())
    torch.testing.assert_close(loss(x, target), other(x, target), rtol=0, atol=0)
    loss.class_weight.data.copy_(torch.tensor([1.0, 1.0, 1.0, 9.0]))
    expected = torch.nn.functional.cross_entropy(x, target, weight=torch.tensor([1.0, 1.0, 1.0, 9.0]))
    torch.testing.assert_close(loss(x, target), expected)
    torch.testing.assert_close(loss.double()(x, target), expected)
    assert is_planned(loss(x, target))
    torch.testing.assert_close(loss.half()(x, target), expected)  # no numbers that C reads
    learned = losskit.CrossEntropyLoss(class_weight=torch.nn.Parameter(torch.tensor([1.0, 1.0, 1.0, 9.0])))
    learned(x, target).backward()
    assert learned.class_weight.grad.abs().sum() > 0


def test_weights_that_vary_are_called_at_each_call():
    x, target = torch.randn(2, 1, 5, requires_grad=True), (torch.rand(2, 1, 5) > 0.5).float()
    weight = losskit.Scheduled(losskit.compose.linear(1.0, 0.0, steps=10))
    total = losskit.DiceLoss() + weight * losskit.BCEWithLogitsLoss()
    first = total(x, target)
    assert is_planned(first)
    weight.step()
    dice, bce = losskit.DiceLoss()(x, target), losskit.BCEWithLogitsLoss()(x, target)
    torch.testing.assert_close(first, dice + bce)
    torch.testing.assert_close(total(x, target), dice + 0.9 * bce)
    learned = losskit.DiceLoss() + torch.nn.Parameter(torch.tensor(0.5)) * losskit.BCEWithLogitsLoss()
    assert not is_planned(learned(x, target))


def test_parts_come_with_the_loss():
    x, target = torch.randn(2, 1, 5, requires_grad=True), (torch.rand(2, 1, 5) > 0.5).float()
    total = losskit.DiceLoss() + 0.5 * losskit.BCEWithLogitsLoss()
    loss, parts = total.parts(x, target)
    assert is_planned(loss)
    torch.testing.assert_close(parts["dice"].raw, losskit.DiceLoss()(x, target).detach())
    torch.testing.assert_close(parts["bce"].weighted, 0.5 * losskit.BCEWithLogitsLoss()(x, target).detach())
    assert not any(part.raw.requires_grad for part in parts.values())


def test_hooks_of_parts_are_called():
    x, target = torch.randn(2, 1, 5, requires_grad=True), (torch.rand(2, 1, 5) > 0.5).float()
    total, seen = losskit.DiceLoss() + losskit.BCEWithLogitsLoss(), []
    total(x, target)
    total.losses[0].register_forward_hook(lambda *_: seen.append(1))
    total(x, target)
    assert seen


def test_a_normalizer_replaces_the_denominator():
    x, target = torch.randn(2, 4, 5), torch.randint(0, 4, (2, 5))
    for normalizer in (7, 7.0, torch.tensor(7.0)):
        for loss in (losskit.CrossEntropyLoss(label_smoothing=0.1), losskit.CrossEntropyLoss() + losskit.FocalLoss()):
            same(loss, (x, target), normalizer=normalizer)
    same(losskit.DiceLoss(), (x, target), normalizer=7, planned=False)
    assert losskit.CrossEntropyLoss()(x, target, normalizer=0).item() == 0


def test_a_bad_label_is_named_and_the_next_call_is_right():
    x, target = torch.randn(2, 4, 5, requires_grad=True), torch.randint(0, 4, (2, 5))
    loss = losskit.DiceCELoss()
    good = loss(x, target).item()
    bad = target.clone()
    bad[1, 2] = 9
    with pytest.raises(ValueError, match="class index 9"):
        loss(x, bad)
    assert loss(x, target).item() == good


def test_a_normalizer_that_is_no_number_is_not_left_out():
    x, target = torch.randn(2, 4, 5), torch.randint(0, 4, (2, 5))
    for normalizer in (float("nan"), torch.tensor(float("nan"))):
        assert losskit.CrossEntropyLoss()(x, target, normalizer=normalizer).isnan()


def test_a_prior_of_another_length_is_an_error_in_the_function_form_too():
    x, target = torch.randn(2, 4, 5), torch.randint(0, 4, (2, 5))
    functional.cross_entropy(x, target, prior=torch.ones(4))
    with pytest.raises(ValueError, match="prior has 3 numbers"):
        functional.cross_entropy(x, target, prior=torch.ones(3))


def test_a_negated_view_as_class_weights():
    weight = torch.tensor([1 - 1j, 1 - 2j, 1 - 3j, 1 - 4j]).conj().imag
    assert weight.is_neg()
    loss = losskit.CrossEntropyLoss(class_weight=weight, reduction="sum")
    same(loss, (torch.randn(2, 4, 5), torch.randint(0, 4, (2, 5))), planned=False)


def test_an_option_that_is_set_to_a_list_is_read():
    x, target = torch.randn(2, 4, 5), torch.randint(0, 4, (2, 5))
    loss = losskit.DiceLoss()
    loss.classes = [1]
    torch.testing.assert_close(loss(x, target), losskit.DiceLoss(classes=[1])(x, target), rtol=0, atol=0)


def test_a_buffer_that_is_registered_as_an_option_is_seen():
    x, target = torch.randn(2, 4, 5), torch.randint(0, 4, (2, 5))
    loss = losskit.CrossEntropyLoss()
    loss(x, target)
    del loss.class_weight
    loss.register_buffer("class_weight", torch.tensor([1.0, 2.0, 3.0, 4.0]))
    same(loss, (x, target))
    known = losskit.CrossEntropyLoss(class_weight=[1.0, 2.0, 3.0, 4.0])(x, target)
    torch.testing.assert_close(loss(x, target), known, rtol=0, atol=0)


def test_a_factor_that_is_added_to_a_sum_is_seen():
    x, target = torch.randn(2, 1, 5), (torch.rand(2, 1, 5) > 0.5).float()
    total = losskit.DiceLoss() + losskit.BCEWithLogitsLoss()
    total(x, target)
    total.factors["1"] = losskit.Scheduled(losskit.compose.linear(0.25, 0.0, steps=10))
    same(total, (x, target))
    torch.testing.assert_close(
        total(x, target), losskit.DiceLoss()(x, target) + 0.25 * losskit.BCEWithLogitsLoss()(x, target)
    )


class Counting(torch.nn.Module):
    """A factor that is another one at each call."""

    def __init__(self, scale):
        super().__init__()
        self.scale, self.calls = scale, 0

    def forward(self):
        self.calls += 1
        return self.scale / self.calls


@pytest.mark.parametrize("learned", [False, True])
def test_a_factor_is_asked_once_a_call(learned):
    x, target = torch.randn(2, 1, 5), (torch.rand(2, 1, 5) > 0.5).float()
    factor = Counting(torch.nn.Parameter(torch.ones(())) if learned else torch.ones(()))
    total = losskit.DiceLoss() + factor * losskit.BCEWithLogitsLoss()
    loss, parts = total.parts(x, target)
    assert factor.calls == 1
    torch.testing.assert_close(loss.detach(), sum(part.weighted for part in parts.values()))
    total(x, target)
    assert factor.calls == 2


def test_an_option_set_while_another_thread_makes_a_plan_is_seen(monkeypatch):
    x, target = torch.randn(2, 1, 5), (torch.rand(2, 1, 5) > 0.5).float()
    loss, made = losskit.DiceLoss(), planning._made

    def slowly(*arguments):
        plan = made(*arguments)
        monkeypatch.setattr(planning, "_made", made)
        loss.smooth = 5.0
        loss(x.repeat(2, 1, 1), target.repeat(2, 1, 1))  # as the other thread would
        return plan

    monkeypatch.setattr(planning, "_made", slowly)
    loss(x, target)
    torch.testing.assert_close(loss(x, target), losskit.DiceLoss(smooth=5.0)(x, target), rtol=0, atol=0)


# What autograd and the rest of PyTorch do with it.


@pytest.mark.parametrize("size", [6, 40_000])
@pytest.mark.parametrize("make", [losskit.DiceLoss, losskit.BCEWithLogitsLoss, losskit.DiceBCELoss])
def test_backward_twice_and_second_derivatives(make, size):
    x, target = torch.randn(2, 1, size, requires_grad=True), (torch.rand(2, 1, size) > 0.5).float()
    loss = make()(x * 2, target)
    assert is_planned(loss)
    first, second = (torch.autograd.grad(3 * loss, x, retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-9)
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    (twice,) = torch.autograd.grad(gradient.pow(2).sum(), x)
    double = x.detach().double().requires_grad_()
    (known,) = torch.autograd.grad(make()(double * 2, target), double, create_graph=True)
    (expected,) = torch.autograd.grad(known.pow(2).sum(), double)
    torch.testing.assert_close(twice.double(), expected, rtol=1e-3, atol=float(expected.abs().max()) * 1e-4)


def test_an_option_changed_before_a_second_derivative_is_an_error():
    x, target = torch.randn(2, 1, 6, requires_grad=True), (torch.rand(2, 1, 6) > 0.5).float()
    criterion = losskit.DiceLoss()
    loss = criterion(x, target)
    criterion.smooth = 1.0
    with pytest.raises(RuntimeError, match="option was changed"):
        torch.autograd.grad(loss, x, create_graph=True)


def second(loss, input):
    (gradient,) = torch.autograd.grad(loss, input, create_graph=True)
    return gradient, torch.autograd.grad(gradient.pow(2).sum(), input)[0]


@pytest.mark.parametrize("make", [losskit.CrossEntropyLoss, losskit.DiceCELoss])
def test_options_of_a_functional_call_are_those_of_its_second_derivative(make):
    x, target = torch.randn(2, 4, 5, requires_grad=True), torch.randint(0, 4, (2, 5))
    weight = torch.tensor([1.0, 5.0, 0.1, 2.0])
    criterion = make(class_weight=torch.ones(4))
    swapped = {name: weight for name, _ in criterion.named_buffers()}
    loss = torch.func.functional_call(criterion, swapped, (x, target))
    assert is_planned(loss)
    for found, known in zip(second(loss, x), second(make(class_weight=weight)(x, target), x), strict=True):
        torch.testing.assert_close(found, known)
    assert torch.equal(dict(criterion.named_buffers()).popitem()[1], torch.ones(4))


def test_a_prior_changed_before_a_second_derivative_is_an_error():
    x, target = torch.randn(2, 4, 5, requires_grad=True), torch.randint(0, 4, (2, 5))
    criterion = losskit.CrossEntropyLoss(prior=torch.ones(4))
    loss = criterion(x, target)
    criterion.prior.copy_(torch.tensor([1.0, 5.0, 0.1, 2.0]))
    with pytest.raises(RuntimeError, match="option was changed"):
        torch.autograd.grad(loss, x, create_graph=True)


@pytest.mark.parametrize("which", ["input", "target", "class_weight"])
@pytest.mark.parametrize("size", [6, 40_000])
def test_a_tensor_that_was_changed_in_place_is_an_error(which, size):
    x, target = torch.randn(2, 4, size, requires_grad=True), torch.randint(0, 4, (2, size))
    criterion = losskit.DiceCELoss(class_weight=torch.ones(4))
    input = x * 1
    loss = criterion(input, target)
    with torch.no_grad():
        {"input": input, "target": target, "class_weight": criterion.losses[0].class_weight}[which].mul_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_loss_may_be_changed_in_place():
    x, target = torch.randn(2, 1, 6, requires_grad=True), (torch.rand(2, 1, 6) > 0.5).float()
    loss = losskit.DiceBCELoss()(x, target)
    loss /= 4
    loss += 1
    loss.backward()
    torch.testing.assert_close(x.grad, step(losskit.DiceBCELoss(), (x, target))[1] / 4)


def test_batched_gradients():
    x, target = torch.randn(2, 1, 6, requires_grad=True), (torch.rand(2, 1, 6) > 0.5).float()
    for criterion in (losskit.DiceLoss(), losskit.BCEWithLogitsLoss()):
        loss = criterion(x, target)
        (batched,) = torch.autograd.grad(loss, x, torch.tensor([1.0, 2.0]), is_grads_batched=True, retain_graph=True)
        (one,) = torch.autograd.grad(loss, x)
        torch.testing.assert_close(batched, torch.stack([one, 2 * one]))


@pytest.mark.parametrize("size", [6, 40_000])
def test_saved_tensors_may_come_back_in_another_layout(size):
    x, target = torch.randn(2, 3, size), torch.randint(0, 3, (2, size))
    expected = step(losskit.DiceLoss(), (x, target))[1]
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: torch.stack([t, t], -1)[..., 0]):
        (gradient,) = torch.autograd.grad(losskit.DiceLoss()(x.requires_grad_(), target), x, retain_graph=False)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("criterion", [losskit.CrossEntropyLoss, losskit.DiceLoss])
@pytest.mark.parametrize("upstream", [1.0, 3.0])
def test_bfloat16_gradients_are_rounded_once(criterion, upstream):
    """The gradient of the forward pass serves an incoming gradient of 1; any other moves it to the backward pass."""
    x, target = torch.randn(4, 3, 50).bfloat16().requires_grad_(), torch.randint(0, 3, (4, 50))
    loss, in_float = criterion(), x.detach().float().requires_grad_()
    (known,) = torch.autograd.grad(criterion()(in_float, target), in_float, torch.tensor(upstream))
    for _ in range(3):  # the plan changes after the first call
        (one,) = torch.autograd.grad(loss(x, target), x, torch.tensor(upstream))
        assert (one == known.bfloat16()).float().mean() > 0.98  # the others are next to a tie
        torch.testing.assert_close(one, known.bfloat16(), rtol=2**-7, atol=0)
    value = loss(x, target)
    for scale in (1.0, upstream, 1.0):
        (again,) = torch.autograd.grad(value, x, torch.tensor(scale), retain_graph=True)
        torch.testing.assert_close(again, (known * (scale / upstream)).bfloat16(), rtol=1e-2, atol=0)


def test_a_plan_that_changes_between_forward_and_backward():
    x, target = torch.randn(4, 3, 50).bfloat16().requires_grad_(), torch.randint(0, 3, (4, 50))
    loss = losskit.CrossEntropyLoss()
    first, second = loss(x, target), loss(x, target)
    (scaled,) = torch.autograd.grad(second, x, torch.tensor(2.0))
    (one,) = torch.autograd.grad(first, x)
    assert torch.equal(one, scaled / 2)


def test_batched_half_gradients_are_multiplied_in_float32():
    x, target = torch.randn(2, 1, 20_000).half().requires_grad_(), torch.rand(2, 1, 20_000) > 0.5
    loss = losskit.BCEWithLogitsLoss()(x, target)
    (batched,) = torch.autograd.grad(loss, x, torch.tensor([65536.0]), is_grads_batched=True, retain_graph=True)
    (one,) = torch.autograd.grad(loss, x, torch.tensor(65536.0))
    torch.testing.assert_close(batched[0], one, rtol=2e-2, atol=2e-2)


def test_an_infinite_gradient_leaves_what_does_not_count_at_zero():
    x, target = torch.randn(2, 4, 6, requires_grad=True), torch.randint(0, 4, (2, 6))
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[0, 1] = False
    (gradient,) = torch.autograd.grad(losskit.CrossEntropyLoss()(x, target, mask=mask) * float("inf"), x)
    assert not gradient[0, :, 1].any()


@pytest.mark.parametrize("size", [1e-30, 1e-38, 1e-42])
def test_class_weights_as_small_as_they_can_be(size):
    x, target = torch.randn(2, 4, 6), torch.randint(0, 4, (2, 6))
    weight = torch.rand(4) * size
    _, found = step(losskit.CrossEntropyLoss(class_weight=weight), (x, target))
    _, expected = step(losskit.CrossEntropyLoss(class_weight=weight.double()), (x.double(), target))
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)


def test_saved_options_may_come_back_in_another_layout():
    x, target = torch.randn(2, 4, 6, requires_grad=True), torch.randint(0, 4, (2, 6))
    criterion = losskit.CrossEntropyLoss(class_weight=torch.tensor([1.0, 9.0, 2.0, 9.0, 3.0, 9.0, 4.0, 9.0])[::2])
    with torch.autograd.graph.saved_tensors_hooks(torch.Tensor.contiguous, lambda t: t):
        loss = criterion(x, target)
    assert is_planned(loss)
    first, again = (torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(first, again)


def test_a_tensor_that_a_transform_left_behind():
    left, target = [], torch.randint(0, 4, (2, 5))
    x = torch.randn(2, 4, 5)
    torch.func.grad(lambda z: left.append(z * 2) or z.sum())(x)
    torch.testing.assert_close(losskit.CrossEntropyLoss()(left[0], target), losskit.CrossEntropyLoss()(x * 2, target))


@pytest.mark.parametrize("make", [losskit.CrossEntropyLoss, losskit.DiceLoss])
def test_transforms_over_an_option_alone(make):
    x, target = torch.randn(2, 4, 5), torch.randint(0, 4, (2, 5))
    criterion, weights = make(class_weight=torch.ones(4)), torch.rand(3, 4)

    def of_weight(weight):
        return torch.func.functional_call(criterion, {"class_weight": weight}, (x, target))

    each = torch.stack([of_weight(weight) for weight in weights])
    torch.testing.assert_close(torch.func.vmap(of_weight)(weights), each)
    learned = weights[0].clone().requires_grad_()
    (expected,) = torch.autograd.grad(of_weight(learned), learned)
    torch.testing.assert_close(torch.func.grad(of_weight)(weights[0]), expected)


def test_threads_share_a_graph():
    x, target = torch.randn(2, 4, 5, requires_grad=True), torch.randint(0, 4, (2, 5))
    loss = losskit.DiceCELoss(class_weight=[1.0, 2.0, 3.0, 4.0])(x, target)
    expected, found = torch.autograd.grad(loss, x, retain_graph=True)[0], []

    def run():
        found.extend(torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(100))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 400
    for gradient in found:
        torch.testing.assert_close(gradient, expected)


def test_half_gradients_are_rounded_once():
    """A loss scaled by 65536 has its gradient in float16, where the gradient itself would be lost."""
    x, target = torch.randn(2, 1, 200_000).half().requires_grad_(), torch.rand(2, 1, 200_000) > 0.5
    for criterion in (losskit.BCEWithLogitsLoss(), losskit.DiceLoss()):
        (gradient,) = torch.autograd.grad(criterion(x, target) * 65536, x)
        (known,) = torch.autograd.grad(criterion(x.double(), target) * 65536, x)
        assert (gradient != 0).float().mean() > 0.95
        torch.testing.assert_close(gradient, known, rtol=2e-3, atol=1e-5)


def test_threads_share_a_loss():
    x, target = torch.randn(4, 3, 50), torch.randint(0, 3, (4, 50))
    criterion, wrong = losskit.DiceCELoss(), []
    expected = [step(criterion, (x[k : k + 1], target[k : k + 1])) for k in range(4)]

    def run(k):
        for _ in range(200):
            value, gradient = step(criterion, (x[k : k + 1], target[k : k + 1]))
            if value != expected[k][0] or not torch.equal(gradient, expected[k][1]):
                wrong.append(k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# What is kept.


def test_copies_and_pickles_start_without_plans():
    x, target = torch.randn(2, 1, 6), (torch.rand(2, 1, 6) > 0.5).float()
    for criterion in (losskit.DiceLoss(), losskit.DiceLoss() + losskit.BCEWithLogitsLoss()):
        value = criterion(x, target)
        assert len(criterion.plans) == 1
        for twin in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
            assert not twin.plans
            assert twin(x, target) == value


def test_a_shallow_copy_has_plans_of_its_own():
    x, target = torch.randn(2, 1, 6), (torch.rand(2, 1, 6) > 0.5).float()
    first = losskit.DiceLoss()
    second = copy.copy(first)
    first.smooth, second.smooth = 1.0, 20.0
    for criterion in (first, second):
        torch.testing.assert_close(criterion(x, target), losskit.DiceLoss(smooth=criterion.smooth)(x, target))


def test_a_loss_pickled_before_there_were_plans_is_read():
    x, target = torch.randn(2, 1, 6), (torch.rand(2, 1, 6) > 0.5).float()
    old = {name: value for name, value in vars(losskit.DiceLoss(smooth=1.0)).items() if name != "plans"}
    criterion = losskit.DiceLoss.__new__(losskit.DiceLoss)
    criterion.__setstate__(old)
    assert criterion(x, target) == losskit.DiceLoss(smooth=1.0)(x, target)


def test_plans_are_few():
    criterion = losskit.BCEWithLogitsLoss()
    for size in range(1, 3 * plan.MOST_PLANS):
        criterion(torch.randn(size, 1), torch.ones(size, 1))
        assert len(criterion.plans) <= plan.MOST_PLANS


def test_no_tensor_and_no_loss_is_kept_alive():
    x, target = torch.randn(2, 4, 6, requires_grad=True), torch.randint(0, 4, (2, 6))
    weight = torch.ones(4)
    functional.cross_entropy(x, target, class_weight=weight).backward()
    criterion = losskit.DiceCELoss(class_weight=weight)
    criterion(x, target).backward()
    kept = [weakref.ref(t) for t in (x, target, weight, criterion)]
    del x, target, weight, criterion
    gc.collect()
    assert [ref() for ref in kept] == [None] * 4


def test_functions_read_the_tensors_of_their_options_at_each_call():
    x, target = torch.randn(2, 4, 6, requires_grad=True), torch.randint(0, 4, (2, 6))
    for _ in range(3):
        weight = torch.rand(4)
        found = functional.cross_entropy(x, target, class_weight=weight, label_smoothing=0.1)
        assert is_planned(found)
        known = losskit.CrossEntropyLoss(class_weight=weight, label_smoothing=0.1)(x, target)
        torch.testing.assert_close(found, known, rtol=0, atol=0)
    with pytest.raises(ValueError, match="class_weight"):
        functional.cross_entropy(x, target, class_weight=torch.tensor([1.0, -1.0, 1.0, 1.0]), label_smoothing=0.1)


def test_a_class_of_ones_own_is_not_what_its_base_is_planned_for():
    class Mine(losskit.DiceLoss):
        def per_class(self, total):
            return 2 * super().per_class(total)

    class Renamed(losskit.DiceLoss):
        """Dice by another name."""

    x = torch.randn(2, 1, 6, requires_grad=True)
    target = torch.tensor([[[1.0, 0, 1, 0, 1, 0]], [[0.0, 1, 1, 0, 0, 1]]])  # each has foreground
    dice = losskit.DiceLoss()(x, target)
    torch.testing.assert_close(Mine()(x, target), 2 * dice)
    torch.testing.assert_close(Renamed()(x, target), dice)
    assert is_planned(Renamed()(x, target))


class Tripled:
    """A mixin, which is no loss itself."""

    def conclude(self, sums):
        numerator, denominator = super().conclude(sums)
        return 3 * numerator, denominator


class Mixed(Tripled, losskit.CrossEntropyLoss):
    pass


class Weighted(losskit.CrossEntropyLoss):
    def class_weights(self, like):
        return torch.tensor([1.0, 2.0, 3.0, 4.0]).to(like)


class ByClass(losskit.DiceLoss):
    def by_class(self, numbers):
        return numbers * torch.tensor([1.0, 2.0, 3.0, 4.0]).to(numbers)


class Pairs(losskit.DiceLoss):
    def pairs(self, columns):
        value, share = super().pairs(columns)
        return 2 * value, share


class Truth(losskit.FocalLoss):
    def truth_weights(self, inputs):
        return torch.tensor([[1.0], [2.0], [3.0], [4.0]], dtype=torch.float64)


@pytest.mark.parametrize("cls", [Mixed, Weighted, ByClass, Pairs, Truth])
def test_methods_of_ones_own_are_used(cls):
    x, target = torch.randn(2, 4, 6), torch.randint(0, 4, (2, 6))
    same(cls(), (x, target), planned=False)
    same(cls() + losskit.CrossEntropyLoss(), (x, target), planned=False)


def test_a_method_that_is_replaced_on_an_object_is_its_alone(monkeypatch):
    x, target = torch.randn(2, 1, 6), (torch.rand(2, 1, 6) > 0.5).float()
    known = losskit.TverskyLoss(smooth=0.125)(x, target)
    patched = losskit.TverskyLoss(smooth=0.25)
    for criterion in (patched, patched + losskit.BCEWithLogitsLoss()):
        before = criterion(x, target)
        with monkeypatch.context() as patch:
            patch.setattr(patched, "per_class", lambda total: 2 * losskit.TverskyLoss.per_class(patched, total))
            assert criterion(x, target) > before
            same(criterion, (x, target), planned=False)
        assert criterion(x, target) == before
    patched = losskit.TverskyLoss(smooth=0.125, alpha=0.5)
    patched.per_class = lambda total: 2 * losskit.TverskyLoss.per_class(patched, total)
    totals._known_tapes.clear()
    torch.testing.assert_close(patched(x, target), 2 * known)
    assert losskit.TverskyLoss(smooth=0.125)(x, target) == known


def test_jit_trace_is_refused():
    x, target = torch.randn(2, 1, 6), (torch.rand(2, 1, 6) > 0.5).float()
    with pytest.raises(RuntimeError, match=r"torch\.export"):
        torch.jit.trace(losskit.DiceLoss(), (x, target))


# The tests above can fail.


def unsmoothed(self, inputs, watched):
    return dataclasses.replace(FINISH_PLAN(self, inputs, watched), smoothing=0.0)


FINISH_PLAN = losskit.ClassificationLoss.finish_plan
PLANTED = [
    ("no smoothing", losskit.ClassificationLoss, "finish_plan", unsmoothed, {"label_smoothing": 0.1}),
    ("absent classes by the formula", finish, "ABSENT", ("penalize", "skip", "formula"), {}),
    ("a loss of the sum", finish, "REDUCTIONS", ("sum", "mean"), {}),
]


@pytest.mark.parametrize(("place", "name", "wrong", "options"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_a_planted_error_is_seen(place, name, wrong, options, monkeypatch):
    x, target = torch.randn(3, 4, 6), torch.randint(0, 3, (3, 6))
    monkeypatch.setattr(place, name, wrong)
    loss = losskit.CrossEntropyLoss(**options) if options else losskit.DiceLoss()
    with pytest.raises(AssertionError, match="not close"):
        same(loss, (x, target))
