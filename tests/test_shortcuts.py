"""Shortcuts have the numbers of the definition, and leave to it whatever they do not compute."""

import copy

import pytest
import torch

import losskit
from cases import CASES
from effort import one_in
from inputs import Shape
from losskit import functional
from losskit.ops import choice, closed_rows

SHORT = [
    case
    for case in CASES
    if (case.loss.shortcut is not None and getattr(case.loss, "overlap_kind", "") is not None)
    or case.entry.name == "two_way_loss"
]
NAMES = sorted({case.entry.name for case in SHORT})
SHAPE = Shape(6, 3, (5,))
SERVED = ("ClosedFormFunctionBackward", "FusedLossBackward")


def is_served(value):
    """Whether a shortcut made the value; its node may be below a division or a subtraction."""
    return value.grad_fn.name() in SERVED


def tensors_of(case, dtype=torch.float32, scale=1.0, shape=SHAPE):
    """Float32 numbers in this precision, the logits scaled."""
    first, *others = case.given(shape, seed=3, dtype=torch.float32).tensors
    first = first * scale if case.labels else first
    return [t.to(dtype) if t.is_floating_point() else t for t in (first, *others)]


def step(loss, tensors, wanted=(0,)):
    tensors = [t.clone().requires_grad_() if i in wanted else t for i, t in enumerate(tensors)]
    value = loss(*tensors)
    return value, torch.autograd.grad(value, [tensors[i] for i in wanted])


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
@pytest.mark.parametrize("case", SHORT, ids=str)
def test_the_numbers_are_those_of_the_definition_in_float64(case, scale):
    found, gradients = step(case(), tensors_of(case, scale=scale), case.differentiable)
    with choice.forced("reference"):
        exact, expected = step(case(), tensors_of(case, torch.float64, scale), case.differentiable)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=2e-5, atol=2e-6)
    for gradient, right in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient.double(), right, rtol=2e-5, atol=1e-37 + 2e-6 * right.abs().max().item())


@pytest.mark.parametrize("name", NAMES)
def test_a_shortcut_serves_some_kind_of_target(name):
    cases = [case for case in SHORT if case.entry.name == name]
    shapes = [SHAPE, Shape(6, 3, ()), Shape(6, 1, ())]
    makers = [(case, shape) for case in cases for shape in shapes if not (case.region and not shape.spatial)]
    assert any(is_served(step(case(), tensors_of(case, shape=shape))[0]) for case, shape in makers)


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_it_can_be_differentiated_twice_and_again(case):
    loss, tensors = case(), tensors_of(case)
    first = tensors[0].requires_grad_()
    value = loss(*tensors)
    once = torch.autograd.grad(value, first, retain_graph=True)[0].clone()
    assert torch.equal(torch.autograd.grad(value, first, retain_graph=True)[0], once)
    doubled = torch.autograd.grad(value, first, torch.tensor(2.0), retain_graph=True)[0]
    torch.testing.assert_close(doubled, 2 * once)
    if not case.twice:
        return
    with_graph = torch.autograd.grad(value, first, create_graph=True)[0]
    with choice.forced("reference"):
        expected = torch.autograd.grad(case()(*tensors), first, create_graph=True)[0]
    torch.testing.assert_close(with_graph, expected, rtol=1e-4, atol=1e-6 * expected.abs().max().item())
    if not expected.requires_grad:  # a linear loss
        return
    seconds = [torch.autograd.grad(g.square().sum(), first, allow_unused=True)[0] for g in (with_graph, expected)]
    if seconds[1] is not None:
        torch.testing.assert_close(seconds[0], seconds[1], rtol=1e-3, atol=1e-5 * seconds[1].abs().max().item())


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_without_a_gradient_it_has_the_same_value(case):
    tensors = tensors_of(case)
    value, _ = step(case(), tensors)
    with torch.no_grad():
        assert torch.equal(case()(*tensors), value)
    assert torch.equal(case()(*tensors), value)


@pytest.mark.parametrize("case", [case for case in SHORT if case.labels], ids=str)
def test_labels_that_do_not_count_or_are_none_are_left_to_the_definition(case):
    input, target = tensors_of(case)
    ignored, wrong = target.clone(), target.clone()
    ignored.view(-1)[0], wrong.view(-1)[0] = -100, 7
    if not case.softmax or not target.is_floating_point():
        found, (gradient,) = step(case(), (input, ignored))
        exact, (expected,) = step(case(), (input.double(), ignored.double() if target.is_floating_point() else ignored))
        torch.testing.assert_close(found.double(), exact, rtol=2e-5, atol=1e-6)
        torch.testing.assert_close(gradient.double(), expected, rtol=2e-5, atol=2e-6 * expected.abs().max().item())
    with pytest.raises(ValueError, match="target"):
        case()(input, wrong)


def test_a_nan_stays_one():
    for case in SHORT:
        first, *others = tensors_of(case)
        first.view(-1)[0] = torch.nan
        if case.labels:
            assert case()(first, *others).isnan(), case


def test_a_formula_of_a_users_own_is_not_passed_over():
    class Doubled(losskit.ZLPRLoss):
        def weighed(self, *tensors, **arguments):
            value, share = super().weighed(*tensors, **arguments)
            return 2 * value, share

    x, t = torch.randn(4, 3), torch.tensor([[1.0, 0, 0]] * 4)
    assert Doubled()(x, t) == pytest.approx(2 * losskit.ZLPRLoss()(x, t).item(), rel=1e-6)
    own = losskit.FocalCosineLoss()
    own.per_position = lambda logits, target: logits.sum(1) * 0 + target.sum(1) * 3
    assert own(x, torch.tensor([0, 1, 2, 0])) == pytest.approx(3.0)


def test_a_method_replaced_on_the_instance_is_used():
    anchor, positive, negative = torch.randn(3, 4, 5)
    loss = losskit.TripletMarginLoss()
    loss.distance = lambda a, b: (a - b).abs().sum(-1)
    expected = (1 + loss.distance(anchor, positive) - loss.distance(anchor, negative)).clamp_min(0).mean()
    torch.testing.assert_close(loss(anchor, positive, negative), expected)
    weighted = losskit.GeneralizedDiceLoss()
    weighted._weights = lambda target: torch.zeros_like(target)
    assert weighted(torch.randn(2, 3, 4), torch.randint(3, (2, 4))) == 0


def test_nan_among_the_scores_of_multilabel_margin_gives_nan():
    x = torch.randn(4, 3)
    x[1, 0] = torch.nan
    assert losskit.MultiLabelMarginLoss()(x, torch.tensor([[0, -1, -1]] * 4)).isnan()
    assert losskit.MultiLabelMarginLoss()(x, torch.tensor([[1, -1, -1]] * 4)).isnan()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_multilabel_margin_has_no_gradient_exactly_at_the_margin_as_in_pytorch(dtype):
    x = torch.tensor([[1.0, 0.0, 0.5]], dtype=dtype, requires_grad=True)
    t = torch.tensor([[0, -1, -1]])
    (found,) = torch.autograd.grad(losskit.MultiLabelMarginLoss()(x, t), x)
    (expected,) = torch.autograd.grad(torch.nn.functional.multilabel_margin_loss(x, t), x)
    torch.testing.assert_close(found, expected)


def test_gradients_at_the_ends_of_the_range_are_those_of_the_definition():
    x = torch.randn(4, 3)
    x[0, 0] = -torch.inf
    balanced = losskit.DistributionBalancedLoss(class_counts=[3, 4, 5], num_samples=20)
    edge = torch.randn(4, 3)
    edge[0, 0] = -3e38
    for loss, first, target in (
        (losskit.BiTemperedLoss(), x, torch.tensor([0, 1, 2, 0])),
        (losskit.BiTemperedLoss(), x, torch.tensor([1, 1, 2, 0])),
        (balanced, edge, torch.ones(4, 3)),
        (balanced, edge, torch.zeros(4, 3)),
    ):
        value, (gradient,) = step(loss, (first, target))
        with choice.forced("reference"):
            exact, (expected,) = step(loss, (first.double(), target))
        torch.testing.assert_close(value.double(), exact, rtol=2e-5, atol=1e-6)
        torch.testing.assert_close(gradient.double(), expected, rtol=2e-5, atol=1e-6)


def test_explain_reports_the_closed_form():
    x, t = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 1, 2, 0])
    (only,) = losskit.explain(losskit.NLLLoss(), x.log_softmax(1), t)
    assert only.operator == "closed form"
    assert "gradient in the forward pass" in str(only)
    (only,) = losskit.explain(losskit.AUCMLoss(), x, torch.ones(4, 3))
    assert only.operator == "closed form"
    (only,) = losskit.explain(losskit.NLLLoss(), x.log_softmax(1), t, weight=torch.ones(4, 1))
    assert only.operator == "reference"
    (only,) = losskit.explain(losskit.GeneralizedDiceLoss(), torch.randn(2, 3, 4), torch.randint(3, (2, 4)))
    assert only.operator == "native"


def test_class_counts_that_need_a_gradient_have_it():
    x = torch.randn(4, 3)
    loss = losskit.DistributionBalancedLoss(class_counts=[3, 4, 5], num_samples=20)
    loss.class_counts.requires_grad_()
    (found,) = torch.autograd.grad(loss(x, torch.ones(4, 3)), loss.class_counts)
    with choice.forced("reference"):
        (expected,) = torch.autograd.grad(loss(x, torch.ones(4, 3)), loss.class_counts)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("case", one_in(3, SHORT))
def test_it_compiles_into_one_graph(case):
    tensors = tensors_of(case)
    torch._dynamo.reset()
    compiled = torch.compile(case(), fullgraph=True, backend="aot_eager")
    found, gradients = step(compiled, tensors, case.differentiable)
    value, expected = step(case(), tensors, case.differentiable)
    torch.testing.assert_close(found, value, rtol=1e-4, atol=1e-6)
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_an_option_that_changes_before_the_second_backward_pass_is_an_error():
    loss = losskit.NLLLoss()
    x = torch.randn(4, 3).log_softmax(1).requires_grad_()
    value = loss(x, torch.tensor([0, 1, 2, 0]))
    loss.ignore_index = 1
    torch.autograd.grad(value, x, retain_graph=True)
    with pytest.raises(RuntimeError, match="an option was changed"):
        torch.autograd.grad(value, x)


def test_the_parameters_of_aucm_have_the_gradients_of_the_definition():
    x = torch.randn(32, 1)
    t = (torch.rand(32, 1) < 0.3).float()
    loss = losskit.AUCMLoss(a=0.7, b=0.2, alpha=0.4)
    names = [name for name, _ in loss.named_parameters()]
    value = loss(x.requires_grad_(), t)
    assert is_served(value)
    found = torch.autograd.grad(value, [x, *loss.parameters()])
    exact = copy.deepcopy(loss)
    expected = torch.autograd.grad(exact(x.double(), t.double()), [x, *exact.parameters()])
    for name, a, b in zip(["input", *names], found, expected, strict=True):
        torch.testing.assert_close(a.double(), b.double(), rtol=1e-5, atol=1e-7, msg=name)
    again = functional.aucm_loss(x, t, a=loss.a, b=loss.b, alpha=loss.alpha, margin=1.0)
    torch.testing.assert_close(again, value)


def test_soft_labels_and_other_dtypes_are_left_to_the_definition():
    x = torch.randn(4, 3, requires_grad=True)
    assert not is_served(losskit.ZLPRLoss()(x, torch.full((4, 3), 0.5)))
    assert not is_served(losskit.ZLPRLoss()(x.double(), torch.ones(4, 3)))
    assert not is_served(losskit.ZLPRLoss(reduction="sum")(x, torch.ones(4, 3)))
    assert not is_served(losskit.ZLPRLoss()(x, torch.ones(4, 3), mask=torch.ones(4, 1, dtype=torch.bool)))
    assert is_served(losskit.ZLPRLoss()(x, torch.ones(4, 3)))


def test_a_planted_mistake_is_seen(monkeypatch):
    case = next(case for case in SHORT if case.entry.name == "zlpr_loss")
    right = closed_rows.zlpr
    monkeypatch.setattr(closed_rows, "zlpr", lambda *given: (right(*given)[0] * 1.001, right(*given)[1]))
    with pytest.raises(AssertionError):
        test_the_numbers_are_those_of_the_definition_in_float64(case, 1.0)


@pytest.mark.parametrize("rows", [2, 10_000])
@pytest.mark.parametrize("operator", ["closed form", "definition"])
def test_a_class_exactly_at_the_margin_has_no_gradient_as_in_pytorch(operator, rows):
    x = torch.tensor([[2.0, 1.0, 0.5]]).repeat(rows, 1).requires_grad_()
    target = torch.zeros(rows, dtype=torch.long)
    loss = losskit.MultiMarginLoss()
    value = loss(x, target) if operator == "closed form" else loss(x.double(), target)
    (found,) = torch.autograd.grad(value, x)
    (expected,) = torch.autograd.grad(torch.nn.functional.multi_margin_loss(x, target), x)
    assert torch.equal(found, expected)
