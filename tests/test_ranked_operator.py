"""The ranked sums in C against their definition in float64: links, dtypes, memory layouts, ties, saturation, labels."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from losskit import LovaszLoss, explain
from losskit.ops import choice, native, reference
from operators import INDICES, INPUTS, LABELS, LAYOUTS, LEVELS, LINKS, Case, instructions, reading_of
from operators import given as given_of
from triton_cases import guarded, guarded_outputs, outside_of


def jaccard_extension(errors: np.ndarray, truth: np.ndarray) -> float:
    """The Lovász extension of the Jaccard loss by its definition: the loss of the set of errors above each level."""
    levels = np.sort(np.unique(np.append(errors, 0.0)))[::-1]
    total = 0.0
    for above, below in pairwise(levels):
        wrong = errors >= above
        union = (truth | wrong).sum()
        total += (above - below) * (1 - (truth & ~wrong).sum() / union)
    return total


@st.composite
def cases(draw):
    def pick(*options):
        return draw(st.sampled_from(options))

    link = pick(*LINKS)
    return Case(
        link=link,
        n=pick(1, 2, 3),
        c=pick(1, 2, 5) if link == "sigmoid" else pick(2, 3, 7),
        space=pick((), (1,), (17,), (5, 9), (300,), (2, 3, 4), (64, 40)),
        dtype=pick(*INPUTS),
        target_dtype=pick(*(INDICES if link == "softmax" else LABELS)),
        layout=pick(*LAYOUTS),
        target_layout=pick(*LAYOUTS),
        mask=draw(st.booleans()),
        ignore=pick(None, None, -100, 255, 0, 1),
        pooled=draw(st.booleans()),
        columns="targets",
        scale=pick(0.5, 3.0, 30.0),
        level=pick(*LEVELS),
        seed=draw(st.integers(0, 10**6)),
    )


def definition(case, g, weights):
    x = g.input.detach().double().contiguous().requires_grad_()
    totals = reference.ranks(reading_of(case, g, x), pooled=case.pooled)
    return totals.detach(), torch.autograd.grad((totals[..., 0] * weights(totals)).sum() + 0 * x.sum(), x)[0]


def drawn_weights(case):
    return lambda totals: torch.rand(
        totals.shape[:2], dtype=torch.float64, generator=torch.Generator().manual_seed(case.seed)
    )


def run(case, g, weights):
    """Sums and gradient, tensors amid memory that is not theirs and buffers full of NaN."""
    x, target, mask = (guarded(t) for t in (g.input, g.target, g.mask))
    ignore = g.ignore if reference.can_hold(g.target, g.ignore) else None
    with instructions(case.level), guarded_outputs() as made:
        alone, _, _ = native.rank(x, target, mask, case.link, ignore, keep_increments=False, pooled=case.pooled)
        totals, increments, problem = native.rank(
            x, target, mask, case.link, ignore, keep_increments=True, pooled=case.pooled
        )
        coefficients = torch.stack([weights(totals), *[torch.full_like(totals[..., 0], 1e9)] * 2], -1)
        gradient = native.rank_gradient(
            coefficients, increments, x, target, mask, case.link, ignore, pooled=case.pooled
        )
    assert all(outside_of(each).isnan().all() for each in made), "memory beside the gradient was written"
    assert problem is None
    assert torch.equal(alone, totals), "the sum depends on whether increments are kept"
    return totals, gradient


@settings(max_examples=150, deadline=None)
@given(cases())
@example(Case(link="sigmoid", c=1, n=2, space=(), pooled=True, target_dtype="uint8", columns="targets"))
@example(Case(n=1, c=3, space=(70, 1000), columns="targets", scale=1.0))
@example(Case(link="sigmoid", n=1, c=1, space=(70, 1000), target_dtype="float32", columns="targets"))
def test_sums_and_gradient_are_the_definitions(case):
    g, weights = given_of(case), drawn_weights(case)
    totals, gradient = run(case, g, weights)
    exact, exact_gradient = definition(case, g, weights)
    torch.testing.assert_close(totals, exact, rtol=1e-6, atol=1e-7)
    # float32 may rank two nearly equal errors the other way: each swap moves a price from one to the other
    largest = max(exact_gradient.abs().max().item(), 1e-3)
    rtol, atol = {"float32": (1e-5, 0.0), "float16": (2e-3, 6e-8), "bfloat16": (1e-2, 0.0)}[case.dtype]
    off = (gradient.double() - exact_gradient).abs() > rtol * exact_gradient.abs() + 1e-6 * largest + atol
    assert off.double().mean() <= 0.02, f"{int(off.sum())} of {off.numel()} are off"
    torch.testing.assert_close(gradient.double().sum(), exact_gradient.sum(), rtol=0.02, atol=0.02 * largest)
    left_out = ~reference.Elements(reading_of(case, g, g.input)).counts if case.mask else None
    if left_out is not None:
        assert not gradient[left_out.expand_as(gradient)].any()


@pytest.mark.parametrize("pool", ["sample", "batch"])
@pytest.mark.parametrize("link", LINKS)
def test_the_gradient_is_the_slope_of_a_loop_in_numpy(link, pool):
    """Central differences of the sum over levels of error, which knows no sort and no price."""
    torch.manual_seed(4)
    x = torch.randn(2, 3, 7)
    target = torch.randint(0, 2, (2, 3, 7)) if link == "sigmoid" else torch.randint(0, 3, (2, 7))
    truth = target.numpy() > 0 if link == "sigmoid" else np.eye(3)[target.numpy()].swapaxes(1, 2) > 0
    criterion = LovaszLoss(pool=pool, classes="all", mode="multilabel" if link == "sigmoid" else "multiclass")

    def loop(x):
        p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        error = np.maximum(0, 1 - x * (2 * truth - 1)) if link == "sigmoid" else np.abs(truth - p)
        images = [slice(None)] if pool == "batch" else range(2)
        return np.mean([jaccard_extension(error[i, c].ravel(), truth[i, c].ravel()) for i in images for c in range(3)])

    given_ = x.clone().requires_grad_()
    value = criterion(given_, target)
    assert value.item() == pytest.approx(loop(x.double().numpy()), rel=1e-6)
    value.backward()
    slope, step = np.zeros(x.shape), 1e-6
    for at in np.ndindex(*x.shape):
        above, below = x.double().numpy().copy(), x.double().numpy().copy()
        above[at] += step
        below[at] -= step
        slope[at] = (loop(above) - loop(below)) / (2 * step)
    np.testing.assert_allclose(given_.grad.numpy(), slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pool", ["sample", "batch"])
def test_equal_errors_rank_by_position(pool):
    torch.manual_seed(2)
    x = (torch.randn(3, 1, 40, 50) * 2).round() / 2
    target = torch.randint(0, 2, x.shape)
    criterion = LovaszLoss(pool=pool)
    exact = x.double().requires_grad_()
    x.requires_grad_()
    value, wanted = criterion(x, target), criterion(exact, target)
    torch.testing.assert_close(value.double(), wanted, rtol=1e-6, atol=0)
    (found,), (right,) = torch.autograd.grad(value, x), torch.autograd.grad(wanted, exact)
    torch.testing.assert_close(found.double(), right, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("spread", [0.0, 1e-6, 1e-3, 1.0, 1e4, 1e20])
def test_errors_of_any_range_are_sorted(spread):
    """From one error for all to keys of 31 bits: one digit or three."""
    torch.manual_seed(1)
    magnitude = torch.exp(torch.randn(1, 1, 3000) * math.log1p(spread)) if spread > 1 else 1 + spread * torch.rand(3000)
    target = torch.randint(0, 2, (1, 1, 3000))
    error = magnitude.view(1, 1, -1)
    x = ((1 - error) * (2 * target - 1)).float().requires_grad_()
    exact = x.detach().double().requires_grad_()
    value, wanted = LovaszLoss()(x, target), LovaszLoss()(exact, target)
    torch.testing.assert_close(value.double(), wanted, rtol=1e-6, atol=0)
    (found,), (right,) = torch.autograd.grad(value, x), torch.autograd.grad(wanted, exact)
    off = (found.double() - right).abs() > 1e-5 * right.abs() + 1e-9
    assert off.double().mean() <= (1 if spread == 1e-6 else 0.02)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("pool", ["sample", "batch"])
def test_no_number_of_threads_changes_a_bit(link, pool):
    torch.manual_seed(0)
    x = torch.randn(3, 4, 90, 70)
    target = torch.randint(0, 2, x.shape) if link == "sigmoid" else torch.randint(0, 4, (3, 90, 70))
    mode = "multilabel" if link == "sigmoid" else "multiclass"
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3, 2):
            torch.set_num_threads(count)
            given_ = x.clone().requires_grad_()
            value = LovaszLoss(pool=pool, mode=mode, reduction="sum")(given_, target)
            found.append((value.detach(), *torch.autograd.grad(value, given_)))
    finally:
        torch.set_num_threads(threads)
    for value, gradient in found[1:]:
        assert torch.equal(value, found[0][0])
        assert torch.equal(gradient, found[0][1])


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_does_not_count_may_hold_anything(link, odd):
    torch.manual_seed(0)
    c = 1 if link == "sigmoid" else 3
    x = torch.randn(2, c, 50)
    target = torch.randint(0, max(c, 2), (2, 50))
    mask = torch.rand(2, 50) < 0.8
    target[:, 40:] = 255
    x = torch.where((mask & (target != 255)).unsqueeze(1), x, odd).requires_grad_()
    value = LovaszLoss(ignore_index=255, reduction="none")(x, target, mask=mask)
    value.sum().backward()
    for n in range(2):
        kept = mask[n] & (target[n] != 255)
        alone = x.detach()[n : n + 1, :, kept].requires_grad_()
        wanted = LovaszLoss()(alone, target[n : n + 1, kept])
        wanted.backward()
        torch.testing.assert_close(value[n], wanted)
        torch.testing.assert_close(x.grad[n][:, kept], alone.grad[0])
        assert not x.grad[n][:, ~kept].any()


@pytest.mark.parametrize("link", LINKS)
def test_a_nan_logit_that_counts_gives_nan(link):
    x, c = torch.randn(1, 1 if link == "sigmoid" else 3, 40), 2 if link == "sigmoid" else 3
    for target in (torch.randint(0, c, (1, 40)), torch.zeros(1, 40, dtype=torch.long)):
        for at in (0, 17, 39):
            given_ = x.clone()
            given_[0, 0, at] = math.nan
            assert LovaszLoss()(given_, target).isnan()


@pytest.mark.parametrize("dtype", INPUTS)
@pytest.mark.parametrize("link", LINKS)
def test_a_saturated_answer_has_its_true_gradient(link, dtype):
    torch.manual_seed(3)
    c = 1 if link == "sigmoid" else 3
    scale = torch.tensor([1e-3, 1.0, 20.0, 1e4]).repeat(25)
    x = (torch.randn(1, c, 100) * scale).to(getattr(torch, dtype)).requires_grad_()
    target = torch.randint(0, max(c, 2), (1, 100))
    exact = x.detach().double().requires_grad_()
    value, wanted = LovaszLoss()(x, target), LovaszLoss()(exact, target)
    torch.testing.assert_close(value.double(), wanted, rtol=1e-5, atol=1e-7)
    (found,), (right,) = torch.autograd.grad(value, x), torch.autograd.grad(wanted, exact)
    assert found.isfinite().all()
    rtol = {"float32": 1e-4, "float16": 2e-3, "bfloat16": 1e-2}[dtype]
    off = (found.double() - right).abs() > rtol * right.abs() + 1e-7
    assert off.double().mean() <= 0.03


def test_a_certain_wrong_answer_is_not_lost():
    """p of the wrong class rounds to 1, and its slope, p (1 - p), is what the others still hold."""
    x = torch.tensor([[[20.0], [0.0], [1.0]]], requires_grad=True)
    exact = x.detach().double().requires_grad_()
    target = torch.tensor([[1]])
    (found,) = torch.autograd.grad(LovaszLoss()(x, target), x)
    (right,) = torch.autograd.grad(LovaszLoss()(exact, target), exact)
    torch.testing.assert_close(found.double(), right, rtol=1e-5, atol=0)


def test_errors_too_small_for_p_keep_their_rank():
    """p of the truth rounds to 1, so that 1 - p would be 0 everywhere."""
    torch.manual_seed(0)
    x = torch.stack([torch.linspace(18.0, 30.0, 80)[torch.randperm(80)], torch.zeros(80)]).unsqueeze(0)
    x, target = x * torch.tensor([1.0, -1.0]).repeat_interleave(40), torch.tensor([[0, 1]]).repeat_interleave(40, 1)
    x = x.detach().requires_grad_()
    exact = x.detach().double().requires_grad_()
    value, wanted = LovaszLoss()(x, target), LovaszLoss()(exact, target)
    torch.testing.assert_close(value.double(), wanted, rtol=1e-5, atol=0)
    (found,), (right,) = torch.autograd.grad(value, x), torch.autograd.grad(wanted, exact)
    torch.testing.assert_close(found.double(), right, rtol=1e-4, atol=1e-18)


def test_without_positives_the_largest_error_alone_has_a_price():
    x = torch.tensor([[[-2.0, 0.5, 3.0, 3.0, 1.0]]], requires_grad=True)
    value = LovaszLoss()(x, torch.zeros(1, 1, 5))
    value.backward()
    assert value.item() == 4.0
    assert x.grad.tolist() == [[[0.0, 0.0, 1.0, 0.0, 0.0]]]


def test_right_by_a_margin_costs_nothing():
    x = torch.tensor([[[-2.0, 3.0, -1.0]]], requires_grad=True)
    value = LovaszLoss()(x, torch.tensor([[[0, 1, 0]]]))
    value.backward()
    assert value.item() == 0.0
    assert not x.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_can_be_asked_for_again(dtype):
    """The first takes the memory of the prices; the next ranks anew."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 40).to(dtype).requires_grad_()
    value = LovaszLoss()(x, torch.randint(0, 3, (2, 40)))
    (first,) = torch.autograd.grad(value, x, retain_graph=True)
    kept = first.clone()
    (second,) = torch.autograd.grad(value * 2, x, retain_graph=True)
    (third,) = torch.autograd.grad(value, x)
    assert torch.equal(first, kept)
    torch.testing.assert_close(
        second.float(), 2 * first.float(), rtol=1e-2 if dtype == torch.bfloat16 else 1e-6, atol=0
    )
    assert torch.equal(third, first)


def test_the_second_derivative_is_the_definitions():
    torch.manual_seed(0)
    x, target = torch.randn(2, 3, 20, requires_grad=True), torch.randint(0, 3, (2, 20))
    direction = torch.randn_like(x)
    found = []
    for each in (x, x.detach().double().requires_grad_()):
        (gradient,) = torch.autograd.grad(LovaszLoss()(each, target) ** 2, each, create_graph=True)
        found.append(torch.autograd.grad((gradient * direction).sum(), each)[0])
    torch.testing.assert_close(found[0].double(), found[1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("pool", ["sample", "batch"])
def test_transforms_are_loops_over_calls(pool):
    torch.manual_seed(0)
    x, target = torch.randn(3, 2, 4, 15), torch.randint(0, 4, (3, 2, 15))
    criterion = LovaszLoss(pool=pool)
    gradient = torch.func.grad(criterion)
    together = torch.func.vmap(gradient)(x, target)
    torch.testing.assert_close(together, torch.stack([gradient(*each) for each in zip(x, target, strict=True)]))
    values = torch.func.vmap(criterion, in_dims=(None, 0))(x[0], target)
    torch.testing.assert_close(values, torch.stack([criterion(x[0], each) for each in target]))
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    given_ = x[0].clone().requires_grad_()
    (found,) = torch.autograd.grad(compiled(given_, target[0]), given_)
    torch.testing.assert_close(found, gradient(x[0], target[0]))


def test_bad_labels_are_named_as_the_definition_names_them():
    x = torch.randn(2, 3, 8)
    index = torch.randint(0, 3, (2, 8))
    rows = torch.nn.functional.one_hot(index, 3).movedim(-1, 1).float()
    soft, whole = rows.clone(), rows.clone()
    soft[1, :, 2] = torch.tensor([0.25, 0.75, 0.0])
    whole[1, :, 2] = 1.0
    binary = torch.randint(0, 2, (2, 1, 8)).float()
    with_half, with_255 = binary.clone(), binary.clone()
    with_half[1, 0, 3], with_255[1, 0, 3] = 0.5, 255
    wrong = [
        (x, index.masked_fill(index == 1, 7), {}),
        (x, index.masked_fill(index == 1, -1), {}),
        (x, soft, {"mode": "multiclass"}),
        (x, whole, {"mode": "multiclass"}),
        (x[:, :1], with_half, {}),
        (x[:, :1], with_255, {}),
    ]
    for input, target, options in wrong:
        with pytest.raises(ValueError, match="target") as found:
            LovaszLoss(**options)(input, target)
        with pytest.raises(ValueError, match="target") as wanted:
            LovaszLoss(**options)(input.double(), target)
        assert str(found.value) == str(wanted.value)
        found = torch.func.vmap(LovaszLoss(**options))(input.unsqueeze(0), target.unsqueeze(0))
        assert found.isnan().all()
        with pytest.raises(ValueError, match="target"):
            LovaszLoss(**options)(input.double(), target)
    LovaszLoss()(x, index)


def test_explain_says_which_operator_ranks():
    x, target = torch.randn(1, 3, 8), torch.randint(0, 3, (1, 8))
    assert "native for LovaszLoss" in str(explain(LovaszLoss(), x, target))
    assert "not triton: the input is on cpu" in str(explain(LovaszLoss(), x, target))
    assert "not native: the input is float64" in str(explain(LovaszLoss(), x.double(), target))
    with choice.forced("native"), pytest.raises(RuntimeError, match="the input is float64"):
        LovaszLoss()(x.double(), target)
    with choice.forced("reference"):
        torch.testing.assert_close(LovaszLoss()(x, target), LovaszLoss()(x.double(), target).float())
