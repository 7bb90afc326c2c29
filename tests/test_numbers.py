"""CONTRACT.md 15 to 17 and 19: extreme logits, precision, derivatives, layouts."""

import math

import pytest
import torch
from hypothesis import assume
from hypothesis import given as examples
from hypothesis import strategies as st

from authorities import formula_of
from cases import CASES, where
from domains import options_of
from effort import few
from inputs import Shape

HALVES = [torch.float16, torch.bfloat16]
UNBOUNDED = {"poisson_nll_loss", "tweedie_loss", "gamma_nll_loss"}  # grow exponentially by definition
# Roots of 1 - score, by options: what is below the rounding of p itself grows by them.
ROOTS = {
    "exp_log_loss": lambda o: min(1, o.get("gamma", 0.3)),
    "unified_focal_loss": lambda o: 1 - o.get("gamma", 0.5),
    "mcc_loss": lambda o: 0.5,
}
# Where classes, risks or sizes of gradients are equal.
KINKED = {"lovasz_loss", "pu_loss", "ghm_loss"}
EVEN = {"erosion_hausdorff_loss", "cldice_loss", "dice_cldice_loss"}  # of equal numbers they have no slope
# A share at the edge of the support, a slope by several classes, a slope along a direction.
DIFFERENCES = {
    *("entmax_loss", "sparsemax_loss", "focal_cosine_loss", "generalized_dice_loss"),
    *("generalized_dice_focal_loss", "generalized_wasserstein_dice_loss"),
}
FORMULAS = where(lambda case: formula_of(case) is not None and case.entry.name != "nll_loss")


def leaves(case, given):
    return [t.clone().requires_grad_(i in case.differentiable) for i, t in enumerate(given.tensors)]


def with_gradient(case, given, loss=None, **arguments):
    tensors = leaves(case, given)
    value = (loss or case())(*tensors, **arguments)
    return value, torch.autograd.grad(value, [tensors[i] for i in case.differentiable])


# Extreme logits


@pytest.mark.parametrize("case", FORMULAS, ids=str)
@few(4)
@examples(
    scale=st.sampled_from([20.0, 100.0, 1e4]),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]),
    seed=st.integers(0, 30),
    data=st.data(),
)
def test_extreme_logits_against_mpmath(case, scale, dtype, seed, data):
    options = data.draw(options_of(case, 1 if case.kind == "binary" else 3))
    assume(not options.get("log"))
    # Ratios and roots of probabilities alone: of subnormal numbers, and undefined where they are 0.
    assume(scale < 100 or (options.get("beta") != 0 and case.entry.name != "mcc_loss"))
    assume(scale < 1e3 or options.get("absent") != "formula")
    input, target = case.given(Shape(1, 3, (3,)), seed).tensors
    target = target.float().double() if case.kind == "scores" else target  # as float32 holds them, of which 1 - t is
    signs = torch.where(input > 0.2, 1.0, torch.where(input < -0.2, -1.0, 0.0))
    input = (signs * scale).to(dtype).requires_grad_()
    loss = case(**options)
    value = loss(input, target)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    of_sums = case.region or case.composite or case.entry.name == "aucm_loss"
    near_zero = torch.finfo(value.dtype).eps if of_sums else 1e-30  # 1 - score, from p itself
    root = ROOTS[case.entry.name](options) if case.entry.name in ROOTS else 1
    near_zero = near_zero**root
    if getattr(loss, "logit_bias", lambda: None)() is not None:  # a sum with the logit is rounded as the logit is
        near_zero = max(near_zero, torch.finfo(value.dtype).eps * scale)
    wanted = float(formula_of(case).value(case, options, (input, target)))
    assert value.item() == pytest.approx(wanted, rel=2e-6, abs=near_zero)
    value.backward()
    assert input.grad.isfinite().all()
    kinked = case.entry.name in KINKED or (case.spatial and not case.smooth)
    if not kinked and options.get("overlap") != "l1" and options.get("margin") != 0 and scale < 1e3:
        wanted = formula_of(case).gradient(case, options, (input, target))
        rounding = torch.finfo(dtype).eps
        smallest = max(torch.finfo(dtype).smallest_normal, 1e-27)  # as far as the differences in mpmath go
        if case.entry.name in ("focal_tversky_loss", *ROOTS):  # of 1 - index, which is below the rounding of p itself
            smallest = torch.finfo(value.dtype).eps ** root
        # Slopes that are no multiples of p cancel; of AUCM those of positives are all less those of negatives.
        if case.entry.name in ("normalized_loss", "focal_cosine_loss", "aucm_loss"):
            smallest = max(smallest, 4 * torch.finfo(value.dtype).eps)
        if case.spatial:  # as do slopes by the neighbours of a position
            smallest = max(smallest, 1e-15)
        # The slopes by p of several classes, or of the parts of a formula, may cancel: what is left is their rounding.
        x = input.detach().double()
        others = 1 - torch.eye(x.shape[1], dtype=x.dtype)
        p, q = (x.softmax(1), others @ x.softmax(1)) if case.softmax else (x.sigmoid(), (-x).sigmoid())
        apart = (input.grad.double() - wanted).abs()
        cancelled = 64 * torch.finfo(value.dtype).eps * p * q
        assert (apart <= (8 * rounding + 1e-5) * wanted.abs() + cancelled + smallest).all(), (input.grad, wanted)


@pytest.mark.parametrize("case", where(lambda c: c.entry.name not in {*UNBOUNDED, "ctc_loss"}), ids=str)
@pytest.mark.parametrize("scale", [50.0, 1e4])
def test_float32_equals_float64_at_extremes(case, scale):
    given = case.given(Shape(2, 3, (4,)), 5)
    scaled = given.tensors[0] * scale
    scaled = scaled.log_softmax(1) if (given.tensors[0] <= 0).all() else scaled
    given = given._replace(tensors=(scaled.float().double(), *given.tensors[1:]))
    given = given.to(torch.float32).to(torch.float64)
    value, grads = with_gradient(case, given)
    single, single_grads = with_gradient(case, given.to(torch.float32))
    rounding = scale * 1e-7 if case.entry.name == "triplet_margin_loss" else 1e-6  # a difference of large distances
    torch.testing.assert_close(single.double(), value, rtol=2e-5, atol=rounding)
    for found, wanted in zip(single_grads, grads, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "case", where(lambda c: c.kind in ("binary", "indices") and c.smooth and c in FORMULAS), ids=str
)
def test_a_saturated_wrong_answer_still_learns(case):
    for logit in (10.0, 30.0) if case.softmax else (10.0, 30.0, 60.0):
        if case.kind == "binary":
            input, target = torch.tensor([[[-logit, logit, -logit]]]), torch.tensor([[[1.0, 0.0, 0.0]]])
        else:
            input = torch.tensor([[[-logit, logit], [logit, 0.0], [0.0, 0.0]]])
            target = torch.tensor([[0, 1]])
        single, double = input.clone().requires_grad_(), input.double().requires_grad_()
        case()(single, target).backward()
        case()(double, target).backward()
        largest = double.grad.abs().amax(1, keepdim=True)  # of the classes of a position
        apart = (single.grad.double() - double.grad).abs()
        assert (apart <= 2e-3 * double.grad.abs() + 1e-6 * largest + 1e-36).all()
        assert (single.grad != 0).any()


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("name", ["focal_loss", "mean_focal_loss", "dice_focal_loss", "focal_tversky_loss"])
def test_powers_at_a_certain_answer(name, gamma):
    for case in where(lambda c: c.entry.name == name and c.kind in ("binary", "indices")):
        if case.kind == "binary":
            input, target = torch.tensor([[[1e4, -1e4, 1e4]]]), torch.tensor([[[1.0, 0.0, 1.0]]])
        else:
            input, target = torch.tensor([[[1e4, 0.0], [0.0, 1e4], [0.0, 0.0]]]), torch.tensor([[0, 1]])
        input.requires_grad_()
        value = case(gamma=gamma)(input, target)
        value.backward()
        assert value.item() == pytest.approx(0, abs=1e-12 ** min(gamma, 1))
        assert input.grad.isfinite().all()


# Precision


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_precision_follows_the_input(case, dtype):
    given = case.given(Shape(2, 3, (4,)), 1).to(dtype)
    value, grads = with_gradient(case, given)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert all(grad.dtype == dtype for grad in grads)
    if case.kind != "soft" or dtype not in HALVES:  # rows rounded to half are no distribution in float64
        exact, _ = with_gradient(case, given.to(torch.float64))
        torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", where(lambda c: c.labels or c.kind == "pair"), ids=str)
@pytest.mark.parametrize("dtype", HALVES)
def test_precision_never_follows_the_target(case, dtype):
    input, target, *others = case.given(Shape(2, 3, (4,)), 1).tensors
    if not target.is_floating_point() or case.kind == "soft":
        return
    target = target.to(dtype)
    exact = case()(input, target.double(), *others)
    found = case()(input, target, *others)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, exact)


@pytest.mark.parametrize("case", where(lambda c: c.kind in ("binary", "indices", "pair", "masks")), ids=str)
@pytest.mark.parametrize("dtype", HALVES)
def test_a_large_image_does_not_overflow_in_half_precision(case, dtype):
    given = case.given(Shape(1, 2, (512, 512)), 2).to(dtype)
    if case.entry.name == "lovasz_loss" and case.kind == "indices":
        given = case.given(Shape(1, 2, (128, 512)), 2).to(dtype)
    value, grads = with_gradient(case, given)
    exact, exact_grads = with_gradient(case, given.to(torch.float64))
    torch.testing.assert_close(value.double(), exact, rtol=1e-4, atol=1e-6)
    smallest = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps  # of subnormal numbers
    kinks = 0.01 if case.entry.name == "lovasz_loss" else 0  # equal errors may be ranked either way
    if case.entry.name in UNBOUNDED:  # a slope near 0 is a difference of terms that were rounded
        kinks = torch.finfo(torch.float32).eps * max(float(wanted.abs().max()) for wanted in exact_grads)
    if case.spatial:  # a slope is a sum over neighbours, and which is the largest of them may change by rounding
        kinks = 1e-5 * max(float(wanted.abs().max()) for wanted in exact_grads)
    if case.entry.name in DIFFERENCES:
        kinks = torch.finfo(torch.float32).eps * max(float(wanted.abs().max()) for wanted in exact_grads)
    for found, wanted in zip(grads, exact_grads, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=0.02, atol=max(smallest, kinks))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_no_number(case, dtype):
    given = case.given(Shape(2, 3, (4,)), 1).to(torch.float32)
    value, grads = with_gradient(case, given)
    with torch.autocast("cpu", dtype):
        found, found_grads = with_gradient(case, given)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, value)
    for a, b in zip(found_grads, grads, strict=True):
        torch.testing.assert_close(a, b)


# Derivatives


@pytest.mark.parametrize("case", where(lambda c: not c.stops), ids=str)
@few(2)
@examples(seed=st.integers(0, 30), data=st.data())
def test_gradcheck(case, seed, data):
    options = data.draw(options_of(case, 1 if case.kind == "binary" else 3))
    given = case.given(Shape(2, 3, (3,)), seed)
    assume(options.get("overlap") != "l1" or case.kind == "soft")
    weight = torch.rand(given.positions, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.1
    arguments = {"weight": weight} if case.weight else {}
    loss = case(**options)
    assert torch.autograd.gradcheck(lambda *t: loss(*t, **arguments), leaves(case, given), atol=1e-6)
    if case.twice:
        assert torch.autograd.gradgradcheck(lambda *t: loss(*t, **arguments), leaves(case, given), atol=1e-5)


@pytest.mark.parametrize("case", where(lambda c: c.twice), ids=str)
def test_derivatives_in_float32_are_those_of_float64(case):
    given = case.given(Shape(2, 3, (4,)), 3).to(torch.float32)

    def both(dtype):
        tensors = leaves(case, given.to(dtype))
        wanted = [tensors[i] for i in case.differentiable]
        first = torch.autograd.grad(case()(*tensors), wanted, create_graph=True)
        squares = sum((g * g).sum() for g in first)
        second = torch.autograd.grad(squares, wanted, allow_unused=True) if squares.requires_grad else ()
        return [*first, *(s for s in second if s is not None)]

    for single, double in zip(both(torch.float32), both(torch.float64), strict=True):
        torch.testing.assert_close(single.double(), double, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("case", where(lambda c: c.weight), ids=str)
def test_a_weight_takes_a_gradient(case):
    given = case.given(Shape(2, 3, (3,)), 4)
    weight = torch.rand(given.positions, dtype=torch.float64, generator=torch.Generator().manual_seed(4)) + 0.1
    weight.requires_grad_()
    loss = case()
    assert torch.autograd.gradcheck(lambda w: loss(*given.tensors, weight=w), [weight])
    loss(*given.tensors, weight=weight).backward()
    assert (weight.grad != 0).any()


@pytest.mark.parametrize(
    "case",
    where(
        lambda c: (
            c.labels
            and c.kind not in ("indices", "grades")
            and c.entry.name not in EVEN | {"lovasz_loss"}
            and not c.hard
        )
    ),
    ids=str,
)
def test_a_soft_target_takes_a_gradient(case):
    input, target = case.given(Shape(2, 3, (3,)), 4).tensors
    target = target.clone() if case.kind == "soft" else target * 0.5 + 0.3
    loss = case()
    assert torch.autograd.gradcheck(lambda t: loss(input, t), [target.requires_grad_()], atol=1e-6)
    loss(input, target).backward()
    assert (target.grad != 0).any()


@pytest.mark.parametrize(
    "case",
    where(
        lambda c: c.kind in ("pair", "fields") and c.entry.name not in ("hinge_embedding_loss", "margin_ranking_loss")
    ),
    ids=str,
)
def test_a_target_of_numbers_takes_a_gradient(case):
    tensors = [t.clone() for t in case.given(Shape(2, 3, (3,)), 4).tensors]
    if case.entry.name == "soft_margin_loss":
        return  # its target is a sign
    tensors[1].requires_grad_()
    case()(*tensors).backward()
    assert (tensors[1].grad != 0).any()


@pytest.mark.parametrize("case", where(lambda c: c.has("class_weight")), ids=str)
def test_a_learnable_class_weight_takes_a_gradient(case):
    given = case.given(Shape(2, 3, (6,)), 4)
    classes = given.tensors[0].shape[1]
    weight = torch.nn.Parameter(
        torch.rand(classes, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.5
    )
    reduction = "sum" if "sum" in case.reductions else "mean"
    loss = case(class_weight=weight, reduction=reduction)
    assert any(p is weight for p in loss.parameters())
    loss(*given.tensors).backward()
    for c in range(classes):  # the sum is linear in a weight, or in a quotient of weights: differences tell the slope
        around = []
        for step in (1e-6, -1e-6):
            moved = weight.detach().clone()
            moved[c] += step
            around.append(case(class_weight=moved, reduction=reduction)(*given.tensors).item())
        assert weight.grad[c].item() == pytest.approx((around[0] - around[1]) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward_twice_gives_the_same_twice(case):
    tensors = leaves(case, case.given(Shape(2, 3, (4,)), 4))
    value = case()(*tensors)
    value.backward(retain_graph=True)
    once = [tensors[i].grad.clone() for i in case.differentiable]
    value.backward()
    for i, grad in zip(case.differentiable, once, strict=True):
        assert torch.equal(tensors[i].grad, 2 * grad)


# Layouts


def layouts(tensor):
    """The same numbers in other memory."""
    if tensor.dim() > 1:
        yield "transposed", tensor.transpose(0, -1).contiguous().transpose(0, -1)
    if tensor.dim() == 4:
        yield "channels last", tensor.to(memory_format=torch.channels_last)
    padded = torch.cat([tensor, tensor], -1) if tensor.dim() else tensor
    yield "sliced", padded.narrow(-1, 0, tensor.shape[-1]) if tensor.dim() else tensor
    strided = torch.stack([tensor, tensor], -1)
    yield "strided", strided[..., 0]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_layout_changes_no_number(case):
    given = case.given(Shape(2, 3, (3, 2)) if case.kind not in ("samples", "sequences") else Shape(2, 3, ()), 6)
    value, grads = with_gradient(case, given)
    for kinds in zip(*(list(layouts(t)) for t in given.tensors if t.dim() == given.tensors[0].dim()), strict=False):
        moved = iter(kinds)
        tensors = tuple(next(moved)[1] if t.dim() == given.tensors[0].dim() else t for t in given.tensors)
        found, found_grads = with_gradient(case, given._replace(tensors=tensors))
        torch.testing.assert_close(found, value)
        for a, b in zip(found_grads, grads, strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("case", where(lambda c: c.kind not in ("sequences", "views")), ids=str)
def test_expanded_inputs(case):
    given = case.given(Shape(1, 3, (4,)), 6)
    expanded = tuple(t.expand(3, *t.shape[1:]) for t in given.tensors)
    repeated = tuple(t.repeat(3, *[1] * (t.dim() - 1)) for t in given.tensors)
    torch.testing.assert_close(case()(*expanded), case()(*repeated))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_nan_that_counts_is_not_hidden(case):
    given = case.given(Shape(2, 3, (4,)), 6)
    for i in case.differentiable:
        tensors = [t.clone() for t in given.tensors]
        tensors[i].view(-1)[0] = math.nan
        for reduction in {"mean", "sum"} & {*case.reductions}:
            assert case(reduction=reduction)(*tensors).isnan(), f"tensor {i}, {reduction}"
