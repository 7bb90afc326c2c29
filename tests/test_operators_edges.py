"""The C kernels where inputs are at their worst: labels of no class, NaN and infinity, saturated answers."""

import math
from itertools import product

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

import losskit
import operators
from losskit import functional
from losskit.ops import choice
from losskit.ops.columns import Formula, TermColumn
from operators import INDICES, LEVELS, LINKS, SOFT, Case, drawn_coefficients, given, run
from triton_cases import DTYPES

BAD_INDEX, BAD_LABEL, BAD_ROW = 1, 2, 3
levels = pytest.mark.parametrize("level", LEVELS, ids=["plain", "avx2", "avx512"])
links = pytest.mark.parametrize("link", LINKS)


def with_values(g, places, values, **changed):
    """The same inputs, with these labels in these places."""
    target = g.target.clone()
    for place, value in zip(places, values, strict=True):
        target[place] = value
    return g._replace(target=target, **changed)


def indices_of_no_class(dtype, classes):
    limits = torch.iinfo(DTYPES[dtype])
    return {classes, 255 if limits.max >= 255 else limits.max, limits.max} | ({-1, limits.min} if limits.min else set())


@levels
@pytest.mark.parametrize("dtype", INDICES)
@pytest.mark.parametrize("columns", ["index", "all"])
def test_the_first_index_of_no_class_is_named_and_nothing_else_is_written(level, dtype, columns):
    case = Case(n=3, c=5, space=(2101,), target_dtype=dtype, columns=columns, level=level)
    g = given(case)
    coefficients = drawn_coefficients(case)(torch.empty(3, 5, len(g.columns)))
    for value in indices_of_no_class(dtype, case.c):
        places = [(1, 2100), (2, 0)]
        _, gradient, problem = run(case, with_values(g, places, [value, case.c]), coefficients)
        assert problem == (BAD_INDEX, float(value))
        assert gradient.isfinite().all()  # every element was written, none by what that label says


@levels
@pytest.mark.parametrize("dtype", ["uint8", "int64", *SOFT])
def test_the_first_label_beyond_zero_and_one_is_named(level, dtype):
    case = Case("sigmoid", n=3, c=1, space=(2101,), target_dtype=dtype, level=level)
    g = given(case)
    values = [255, 2] if dtype == "uint8" else [-1, 2, 255]
    if dtype in SOFT:
        values += [1.25, -0.125, math.inf, -math.inf]
    for value in values:
        _, _, problem = run(case, with_values(g, [(1, 0, 2100), (2, 0, 0)], [value, 3]))
        assert problem == (BAD_LABEL, value)
    if dtype in SOFT:
        kind, value = run(case, with_values(g, [(0, 0, 7)], [math.nan]))[2]
        assert kind == BAD_LABEL
        assert math.isnan(value)


@levels
@pytest.mark.parametrize("dtype", SOFT)
def test_soft_classes_that_are_no_distribution_are_named(level, dtype):
    case = Case(n=2, c=4, space=(77,), target_dtype=dtype, soft=True, columns="log", level=level)
    g = given(case)
    kind, total = run(case, with_values(g, [(1, slice(None), 76)], [0.125]))[2]
    assert (kind, total) == (BAD_ROW, 0.5)
    for value in (1.5, -0.5):
        assert run(case, with_values(g, [(1, 2, 76)], [value]))[2] == (BAD_LABEL, value)


@levels
@pytest.mark.parametrize("place", [0, 15, 16, 2100])
@pytest.mark.parametrize("columns", ["index", "all"])
def test_a_label_that_does_not_count_may_be_anything(level, place, columns):
    for link, dtype, value in (
        ("softmax", "int64", 2**62),
        ("softmax", "int64", -(2**63)),
        ("softmax", "uint8", 255),
        ("softmax", "int8", -128),
        ("sigmoid", "uint8", 255),
        ("sigmoid", "float32", math.nan),
        ("sigmoid", "float16", math.inf),
    ):
        case = Case(link, 1, 3, (2101,), target_dtype=dtype, columns=columns, level=level)
        at = (0, place) if link == "softmax" else (0, slice(None), place)
        mask = torch.ones(1, 1, 2101, dtype=torch.bool)
        mask[..., place] = False
        g = given(case)
        masked, _, problem = run(case, with_values(g, [at], [value], mask=mask))
        assert problem is None
        assert torch.equal(masked, run(case, g._replace(mask=mask))[0])
        if math.isfinite(value):
            ignored, _, problem = run(case, with_values(g, [at], [value], ignore=value))
            assert problem is None
            torch.testing.assert_close(ignored, masked, rtol=1e-6, atol=1e-6)


COMPOSITES = {
    "softmax": lambda x, t: functional.dice_ce_loss(x, t),
    "sigmoid": lambda x, t: functional.dice_bce_loss(x, t),
}


@links
def test_bad_labels_are_told_at_once_or_by_the_next_call_and_the_loss_is_no_number(link):
    x = torch.randn(2, 1 if link == "sigmoid" else 4, 40)
    target = torch.zeros(2, 40, dtype=torch.int64) if link == "softmax" else torch.zeros(2, 1, 40, dtype=torch.uint8)
    target[1, ..., 39] = 77
    loss = COMPOSITES[link]
    with choice.forced("native"):
        with pytest.raises(ValueError, match=r"target holds .*77"):
            loss(x, target)
        later = {
            "vmap": lambda: torch.func.vmap(lambda x: loss(x, target))(torch.stack([x, x])),
            "vmap of targets": lambda: torch.func.vmap(lambda t: loss(x, t))(torch.stack([target * 0, target])),
            "compiled": lambda: torch.compile(loss, fullgraph=True, backend="aot_eager")(x, target),
        }
        for name, call in later.items():
            assert call().flatten()[-1].isnan(), name
            with pytest.raises(ValueError, match=r"target holds .*77"):
                losskit.flush_errors()
            losskit.flush_errors()  # told once
    torch._dynamo.reset()


# NaN and infinity


def left_out(g, case, value, coefficients):
    """Totals and gradient where all that does not count holds the value, and where the gradient must be 0."""
    out = ~g.mask if g.mask is not None else (g.target == g.ignore)
    out = out.unsqueeze(1) if out.dim() < g.input.dim() else out
    laid_out = torch.empty_like(g.input).copy_(torch.where(out, value, g.input))
    assert laid_out.stride() == g.input.stride()
    g = g._replace(input=laid_out)
    if g.weight is not None:
        g = g._replace(weight=torch.where(out, value, g.weight))
    if case.soft and g.mask is not None:
        g = g._replace(target=torch.where(out, value, g.target))
    return *run(case, g, coefficients), out.expand(g.input.shape)


@levels
@links
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_what_does_not_count_is_selected_away(level, link, value, layout):
    for (columns, soft, mask, weight, dtype), c in product(
        (
            ("index", False, True, "", "float32"),
            ("index", False, False, "", "float32"),
            ("all", False, True, "float32", "float32"),
            ("all", True, True, "", "bfloat16"),
            ("region", False, False, "float32", "float16"),
        ),
        (3, 19),
    ):
        case = Case(
            link, 2, c, (137,), dtype, "float32" if soft else "int32", soft, layout,
            weight=weight, mask=mask, ignore=None if mask else -100, columns=columns, level=level,
        )  # fmt: skip
        g = given(case)
        coefficients = drawn_coefficients(case)(torch.empty(2, c, len(g.columns)))
        totals, gradient, problem, out = left_out(g, case, 0.5, coefficients)
        found, made, odd_problem, _ = left_out(g, case, value, coefficients)
        assert out.any()
        assert (problem, odd_problem) == (None, None)
        assert torch.equal(found, totals)
        assert torch.equal(made, gradient)
        assert (made[out] == 0).all()


@levels
@links
@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_what_does_not_count_has_no_gradient_even_if_the_loss_is_no_number(level, link, factor):
    kinds = (("index", True), ("all", False), ("region", True))
    for (columns, mask), c, layout in product(kinds, (3, 19), ("contiguous", "channels last")):
        ignore = None if mask else -100
        case = Case(link, 2, c, (137,), layout=layout, mask=mask, ignore=ignore, columns=columns, level=level)
        g = given(case)
        coefficients = torch.full((2, c, len(g.columns)), factor, dtype=torch.float64)
        _, gradient, _, out = left_out(g, case, 0.5, coefficients)
        assert (gradient[out] == 0).all()
        assert not gradient[~out].isfinite().all()


def with_logit(case, value, truth):
    """The inputs with this logit of class 1 at position 5, where the truth is this class, or this label."""
    g = given(case)
    g = g._replace(input=g.input.clone())
    g.input[0, 1, 5] = value
    return with_values(g, [(0, 5) if case.link == "softmax" else (0, 1, 5)], [truth])


def answers(case, g):
    like = drawn_coefficients(case)
    totals, gradient = operators.definition(case, g, like)
    return totals, gradient, run(case, g, like(totals))


@levels
@links
@pytest.mark.parametrize("columns", ["index", "log", "formulas", "all", "region"])
@pytest.mark.parametrize("size", [6, 39, 48])
def test_a_logit_that_is_no_number_shows_and_stays_where_it_is(level, link, columns, size):
    case = Case(link, 2, 3, (size,), columns=columns, level=level)
    g = with_logit(case, math.nan, 1)
    totals, _, (ours, gradient, _) = answers(case, g)
    assert ours.isnan().any()
    assert (ours.isnan() <= totals.isnan()).all()
    for k, column in enumerate(g.columns):
        if column in ("pred", "pred_sq", "fp_l1", "fn_l1"):
            assert torch.equal(ours[..., k].isnan(), totals[..., k].isnan())
    at = gradient[0, :, 5] if link == "softmax" else gradient[0, 1, 5]
    assert at.isnan().all()
    assert gradient.isnan().sum() == at.numel()


@levels
@pytest.mark.parametrize("columns", ["index", "log", "formulas", "all"])
@pytest.mark.parametrize(
    ("link", "value", "truth"),
    [
        *((link, value, truth) for link in LINKS for value in (1e4, -1e4) for truth in (0, 1)),
        ("softmax", -math.inf, 0),  # how a class is ruled out
        ("sigmoid", -math.inf, 0),
        ("sigmoid", math.inf, 1),
    ],
)
def test_huge_and_infinite_logits_have_the_values_and_slopes_of_the_limit(level, columns, link, value, truth):
    if math.isinf(value) and columns == "all":
        columns = "region"  # a term over every position would be infinite
    case = Case(link, 2, 3, (39,), columns=columns, level=level)
    near = max(min(value, 1e4), -1e4)  # p is 0 or 1 there too, and the definition knows slopes that stay finite
    totals, expected, _ = answers(case, with_logit(case, near, truth))
    _, _, (ours, gradient, _) = answers(case, with_logit(case, value, truth))
    torch.testing.assert_close(ours, totals, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-4, atol=1e-5)


@levels
@links
def test_an_infinite_wrong_answer_costs_infinitely_much(level, link):
    """Also where the definition's own slope is NaN."""
    case = Case(link, 2, 3, (39,), columns="log", level=level)
    totals, _, (ours, gradient, _) = answers(case, with_logit(case, -math.inf, 1))
    torch.testing.assert_close(ours, totals, rtol=1e-5, atol=1e-5)
    assert ours.isinf().sum() == 1
    assert gradient.isfinite().all()


SATURATED = [
    TermColumn(Formula(log, gamma, rest, q), "truth", side)
    for log, gamma, rest, q in ((1, 0, 0, 1), (1, 0.5, 0, 1), (1, 2, 0, 1), (1, 0, 1, 1), (0, 0, 1, 0.7))
    for side in (0, 1)
]


@levels
@links
@pytest.mark.parametrize("scale", [20.0, 80.0, 1e4])
def test_a_saturated_answer_keeps_its_value_and_gradient(level, link, scale):
    """Each element's gradient to float32's relative precision, as far as float32 holds it: nothing here cancels."""
    case = Case(link, 2, 3, (50,), level=level)
    columns = [each for each in SATURATED if link == "sigmoid" or not each.side]
    signs = torch.randint(-1, 2, (2, 3, 50), generator=torch.Generator().manual_seed(2))
    g = given(case)
    g = g._replace(input=signs * scale + g.input / 3, columns=columns)
    for k in range(len(columns)):
        coefficients = torch.zeros(2, 3, len(columns), dtype=torch.float64)
        coefficients[..., k] = 1
        totals, expected = operators.definition(case, g, lambda _, given=coefficients: given)
        ours, gradient, _ = run(case, g, coefficients)
        torch.testing.assert_close(ours, totals, rtol=1e-5, atol=1e-30)
        held = expected.abs() > 1e-30
        torch.testing.assert_close(gradient.double()[held], expected[held], rtol=1e-4, atol=0)
        assert (gradient[~held].abs() < 1e-29).all()


@links
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_mask_of_512_by_512_in_half_precision_does_not_overflow(link, dtype):
    x = torch.randn(1, 1 if link == "sigmoid" else 3, 512, 512, generator=torch.Generator().manual_seed(0)).to(dtype)
    target = torch.ones(1, 512, 512, dtype=torch.uint8)
    loss = COMPOSITES[link]
    found = []
    for input, autocast in ((x, False), (x, True), (x.double(), False)):
        input = input.detach().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast), choice.recorded() as passes:
            value = loss(input, target)
        value.backward()
        found.append((value, input.grad, passes[0].operator))
    (half, gradient, served), (cast, same, _), (exact, expected, _) = found
    assert served == "native"
    assert half.dtype == torch.float32
    assert gradient.dtype == dtype
    assert torch.equal(half, cast)
    assert torch.equal(gradient, same)
    torch.testing.assert_close(half, exact.float(), rtol=1e-6, atol=0)
    smallest = 2.0**-24 if dtype == torch.float16 else 0.0
    torch.testing.assert_close(gradient.double(), expected, rtol=2 * torch.finfo(dtype).eps, atol=smallest)


# Devices and modes around the call


LOSSES_OF_EACH_OPERATOR = {
    "sums": lambda x, t: functional.dice_ce_loss(x, t),
    "made in forward": lambda x, t: functional.cross_entropy(x, t),
    "ranks": lambda x, t: functional.lovasz_loss(x, t),
    "differences": lambda x, t: functional.mse_loss(x, x.detach() * t.unsqueeze(1)),
}


@pytest.mark.parametrize("name", LOSSES_OF_EACH_OPERATOR)
def test_the_default_device_is_not_the_inputs(name):
    x, target = torch.randn(2, 4, 40, 41, requires_grad=True), torch.randint(0, 4, (2, 40, 41))
    loss = LOSSES_OF_EACH_OPERATOR[name]
    expected = loss(x, target)
    (gradient,) = torch.autograd.grad(expected, x)
    with torch.device("meta"), choice.forced("native"):
        found = loss(x, target)
        assert torch.equal(found, expected)
        assert torch.equal(torch.autograd.grad(found, x)[0], gradient)


@pytest.mark.parametrize("name", LOSSES_OF_EACH_OPERATOR)
def test_tensors_without_memory_have_a_loss_without_a_value(name):
    loss = LOSSES_OF_EACH_OPERATOR[name]
    with FakeTensorMode():
        x, target = torch.randn(2, 4, 40, 41, requires_grad=True), torch.randint(0, 4, (2, 40, 41))
        found = loss(x, target)
        found.backward()
        assert isinstance(found, FakeTensor)
        assert (found.shape, x.grad.shape) == ((), x.shape)
    x, target = torch.randn(2, 4, 44, 45, requires_grad=True), torch.randint(0, 4, (2, 44, 45))
    assert loss(x, target).isfinite()  # nothing fake was kept


def test_a_batch_of_priors_is_a_loop_over_priors():
    """Copies of a loss with different buffers, as torch.func.stack_module_state stacks them."""
    torch.manual_seed(0)
    losses = [losskit.CrossEntropyLoss(prior=torch.rand(3) + 0.1) for _ in range(4)]
    _, buffers = torch.func.stack_module_state(losses)
    x, target = torch.randn(2, 3, 5), torch.randint(0, 3, (2, 5))

    def gradient(buffers):
        return torch.func.grad(lambda x: torch.func.functional_call(losses[0], buffers, (x, target)))(x)

    found = torch.func.vmap(gradient)(buffers)
    torch.testing.assert_close(found, torch.stack([torch.func.grad(each)(x, target) for each in losses]))
