"""CONTRACT.md 8 to 10: what the number means under weights, masks, ignored elements and every reduction."""

import math

import pytest
import torch
from hypothesis import given as examples
from hypothesis import strategies as st

from cases import ADDITIVE, CASES, ELEMENTWISE, ELSEWHERE, ENTRIES, LABELLED, where
from domains import options_of
from inputs import Case, Given, Shape
from losskit.core.logits import LogitsLoss
from losskit.core.region import RegionLoss
from losskit.losses.spatial import SpatialLoss

UNITS = 6
MASKED = where(lambda case: case.mask)
WEIGHTED = where(lambda case: case.weight)
LABELS_IGNORED = where(lambda case: case.has("ignore_index"))


def generator(seed):
    return torch.Generator().manual_seed(seed)


def keeping(seed, units=UNITS):
    """Which units count: some, never all, never none."""
    keep = torch.rand(units, generator=generator(seed)) < 0.6
    keep[seed % units], keep[(seed + 1) % units] = True, False
    return keep


def along(case, values, positions, tensor=-1):
    """One value a unit, as a weight or mask of these positions, or in the shape of the tensor at that position."""
    view = [1] * len(positions)
    view[case.dim(tensor)] = -1
    return values.view(view).expand(positions)


def places(keep):
    return keep.nonzero().squeeze(1)


def gradients(loss, tensors, case, **arguments):
    """The value and its gradient by each tensor that takes one."""
    tensors = [t.clone().requires_grad_(i in case.differentiable) for i, t in enumerate(tensors)]
    value = loss(*tensors, **arguments)
    return value, torch.autograd.grad(value, [tensors[i] for i in case.differentiable])


def spoilt(case, given, keep, *, targets=False):
    """The same tensors with NaN and infinity where nothing counts."""
    poison = torch.tensor([math.nan, math.inf, -math.inf], dtype=torch.float64).repeat(len(keep))[: len(keep)]
    tensors = []
    for i, tensor in enumerate(given.tensors):
        if tensor.is_floating_point() and (i in case.differentiable or targets):
            spoil = along(case, poison.to(tensor.dtype), tensor.shape, i)
            tensor = torch.where(along(case, keep, tensor.shape, i), tensor, spoil)
        tensors.append(tensor)
    return tensors


def same_as_without(case, given, keep, tensors, arguments, rest=(), **options):
    """The call with `arguments` equals the call without the units that do not count; their gradient is exactly 0."""
    loss = case(**options)
    kept = case.pick(given, places(keep))
    extra = {n: along(case, v[keep], kept.positions) for n, v in dict(rest).items()}
    value, grads = gradients(loss, tensors, case, **arguments)
    expected, wanted = gradients(loss, kept.tensors, case, **extra)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    for i, grad, want in zip(case.differentiable, grads, wanted, strict=True):
        torch.testing.assert_close(grad.index_select(case.dim(i), places(keep)), want, rtol=1e-9, atol=1e-12)
        assert (grad.index_select(case.dim(i), places(~keep)) == 0).all()


@pytest.mark.parametrize("case", MASKED, ids=str)
@examples(seed=st.integers(0, 50), data=st.data())
def test_masking_equals_removing(case, seed, data):
    options = data.draw(options_of(case, classes_of(case)))
    given, keep = case.line(UNITS, seed), keeping(seed)
    for targets in (False, True):
        tensors = spoilt(case, given, keep, targets=targets)
        same_as_without(case, given, keep, tensors, {"mask": along(case, keep, given.positions)}, **options)


@pytest.mark.parametrize("case", where(lambda case: case.mask and case.weight), ids=str)
@examples(seed=st.integers(0, 50), reduction=st.sampled_from(["mean", "sum"]))
def test_masking_equals_removing_under_a_weight_too(case, seed, reduction):
    reduction = reduction if reduction in case.reductions else "mean"
    given, keep = case.line(UNITS, seed), keeping(seed)
    weight = torch.rand(UNITS, generator=generator(seed), dtype=torch.float64) + 0.1
    hurt = torch.where(keep, weight, math.nan)
    reduction = reduction if reduction in case.reductions else "mean"
    arguments = {"mask": along(case, keep, given.positions), "weight": along(case, hurt, given.positions)}
    tensors = spoilt(case, given, keep)
    same_as_without(case, given, keep, tensors, arguments, {"weight": weight}, reduction=reduction)


@pytest.mark.parametrize("case", LABELS_IGNORED, ids=str)
@examples(seed=st.integers(0, 50), index=st.sampled_from([-100, 255, -1]), data=st.data())
def test_ignoring_equals_removing(case, seed, index, data):
    options = data.draw(options_of(case, classes_of(case)))
    given, keep = case.line(UNITS, seed), keeping(seed)
    input, target, *others = spoilt(case, given, keep)
    target = torch.where(along(case, keep, target.shape), target, index)
    same_as_without(case, given, keep, [input, target, *others], {}, ignore_index=index, **options)


OF_ROWS = {"distribution_balanced_loss"}  # whose weights follow all labels of a sample


def classes_of(case):
    return 1 if case.kind == "binary" else 3


@pytest.mark.parametrize(
    "case",
    where(lambda c: c.kind == "multilabel" and c in ELEMENTWISE and c.size is None and c.entry.name not in OF_ROWS),
    ids=str,
)
def test_one_label_of_an_element_can_be_ignored(case):
    input, target = case.given().tensors
    keep = torch.rand(target.shape, generator=generator(1)) < 0.6
    masked = case()(input, target, mask=keep)
    ignored = case()(input, torch.where(keep, target, -100.0))
    each = case(reduction="none")(input, target)
    wanted = sum(each[place] for place in map(tuple, keep.nonzero())) / int(keep.sum())
    torch.testing.assert_close(masked, wanted)
    torch.testing.assert_close(ignored, wanted)


@pytest.mark.parametrize("case", where(lambda c: c.weight and not c.spatial), ids=str)
@examples(seed=st.integers(0, 50), reduction=st.sampled_from(["mean", "sum"]), data=st.data())
def test_a_weight_of_two_equals_the_element_twice(case, seed, reduction, data):
    reduction = reduction if reduction in case.reductions and not case.composite else "mean"
    options = data.draw(options_of(case, classes_of(case)))
    given = case.line(UNITS, seed)
    times = torch.randint(1, 4, (UNITS,), generator=generator(seed))
    repeated = case.pick(given, torch.repeat_interleave(torch.arange(UNITS), times))
    loss = case(reduction=reduction, **options)
    weight = along(case, times.double(), given.positions)
    value, grads = gradients(loss, given.tensors, case, weight=weight)
    torch.testing.assert_close(value, loss(*repeated.tensors), rtol=1e-10, atol=1e-12)
    _, wanted = gradients(loss, repeated.tensors, case)
    first = (torch.cumsum(times, 0) - times).tolist()
    for i, grad, want in zip(case.differentiable, grads, wanted, strict=True):
        for unit, (start, count) in enumerate(zip(first, times.tolist(), strict=True)):
            added = want.narrow(case.dim(i), start, count).sum(case.dim(i))
            torch.testing.assert_close(grad.select(case.dim(i), unit), added, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", where(lambda c: c.weight and c in ELEMENTWISE), ids=str)
@examples(seed=st.integers(0, 50), data=st.data())
def test_the_mean_is_the_weighted_mean_of_what_counts(case, seed, data):
    options = data.draw(
        options_of(case, classes_of(case)).map(lambda o: {k: v for k, v in o.items() if k != "class_weight"})
    )
    given, keep = case.line(UNITS, seed), keeping(seed)
    weight = torch.rand(UNITS, generator=generator(seed), dtype=torch.float64) + 0.1
    numerator = denominator = 0.0
    for unit in range(UNITS):
        alone = case.pick(given, torch.tensor([unit]))
        size = case.size or (3 if case.kind == "multilabel" else math.prod(alone.positions))
        if keep[unit]:
            numerator += weight[unit].item() * case(reduction="sum", **options)(*alone.tensors).item()
            denominator += weight[unit].item() * size
    arguments = {
        "weight": along(case, weight, given.positions),
        "mask": along(case, keep, given.positions),
    }
    assert case(**options)(*given.tensors, **arguments).item() == pytest.approx(numerator / denominator)
    assert case(reduction="sum", **options)(*given.tensors, **arguments).item() == pytest.approx(numerator)


# A loss of the logits of all classes together has no loss of each class that could be true.
CLASS_WEIGHTED = [
    c
    for c in LABELLED
    if c.has("class_weight") and c in ELEMENTWISE and (c.kind != "soft" or not issubclass(c.loss, LogitsLoss))
    if c.entry.name not in OF_ROWS
]


@pytest.mark.parametrize("case", CLASS_WEIGHTED, ids=str)
def test_class_weights_are_those_of_the_truth(case):
    given = case.line(UNITS, 3)
    classes = classes_of(case)
    per_class = [0.5, 2.0, 3.0][:classes]
    input, target = given.tensors
    numerator = denominator = 0.0
    for unit in range(UNITS):
        one = case.pick(given, torch.tensor([unit]))
        if case.kind in ("binary", "multilabel", "scores"):  # the weight of a channel, whether it is yes or no
            for c in range(classes):
                numerator += (
                    per_class[c] * type(case())()(one.tensors[0][:, c : c + 1], one.tensors[1][:, c : c + 1]).item()
                )
                denominator += per_class[c]
        elif case.kind == "indices":
            c = int(target[0, unit])
            numerator += per_class[c] * case()(*one.tensors).item()
            denominator += per_class[c]
        else:
            for c in range(classes):
                share = target[0, c, unit].item() * per_class[c]
                certain = torch.eye(classes, dtype=torch.float64)[c].view(1, classes, 1)
                numerator += share * case()(one.tensors[0], certain).item()
                denominator += share
    assert case(class_weight=per_class)(input, target).item() == pytest.approx(numerator / denominator)


@pytest.mark.parametrize("case", where(lambda c: c.mean), ids=str)
@examples(seed=st.integers(0, 50), data=st.data())
def test_every_reduction_tells_the_same(case, seed, data):
    options = data.draw(options_of(case, classes_of(case)))
    given = case.given(Shape(2, classes_of(case), (4,)), seed)
    arguments = {}
    if case.mask:
        arguments["mask"] = torch.rand(given.positions, generator=generator(seed)) < 0.7
    if case.weight:
        arguments["weight"] = torch.rand(given.positions, generator=generator(seed + 1), dtype=torch.float64)
    none = case(reduction="none", **options)(*given.tensors, **arguments)
    total = case(reduction="sum", **options)(*given.tensors, **arguments)
    torch.testing.assert_close(none.sum(), total)
    mean, sums = case(**options)(*given.tensors, **arguments), case(**options)
    if getattr(sums, "is_mean", False):
        numerator, denominator = sums.conclude(sums.totals(*given.tensors, **arguments))
        torch.testing.assert_close(mean * denominator, total)
        torch.testing.assert_close(numerator, total)


@pytest.mark.parametrize("case", LABELLED, ids=str)
@pytest.mark.parametrize("spatial", [(4,), (2, 3), (2, 1, 3)])
def test_none_keeps_the_shape_that_the_contract_names(case, spatial):
    if case.composite:
        with pytest.raises(ValueError, match="parts\\("):
            case(reduction="none")(*case.given(Shape(2, 3, spatial)).tensors)
        return
    if not case.mean:
        return
    given = case.given(Shape(2, 3, spatial))
    classes = given.tensors[0].shape[1]
    none = case(reduction="none")(*given.tensors)
    if isinstance(case(), RegionLoss):
        each = () if case().coupled else (classes,)
        assert none.shape == (2, *each)
        assert case(reduction="none", pool="batch")(*given.tensors).shape == each
    elif isinstance(case(), SpatialLoss):
        assert none.shape == (2, classes)
    elif case.region:
        assert none.shape == (2,)
    else:
        assert none.shape == ((2, *spatial) if case.softmax or case.size == 1 else (2, classes, *spatial))


@pytest.mark.parametrize("case", where(lambda c: c in ELEMENTWISE and c.mask), ids=str)
def test_places_that_do_not_count_hold_zero(case):
    given, keep = case.line(UNITS, 2), keeping(2)
    none = case(reduction="none")(*spoilt(case, given, keep), mask=along(case, keep, given.positions))
    assert (none.index_select(case.along, places(~keep)) == 0).all()
    assert none.isfinite().all()


@pytest.mark.parametrize("case", ADDITIVE, ids=str)
def test_a_normalizer_replaces_the_denominator_of_a_mean(case):
    given = case.given()
    loss = case()
    if case.composite:
        with pytest.raises(TypeError, match=r"(dice|tversky) is no mean of elements"):
            loss(*given.tensors, normalizer=7.0)
    elif loss.is_mean and case.mean:
        total = case(reduction="sum")(*given.tensors)
        torch.testing.assert_close(loss(*given.tensors, normalizer=7.0), total / 7)
        torch.testing.assert_close(loss(*given.tensors, normalizer=torch.tensor(7)), total / 7)
    elif not loss.is_mean:
        with pytest.raises(TypeError, match="normalizer"):
            loss(*given.tensors, normalizer=7.0)


@pytest.mark.parametrize("case", where(lambda c: not c.composite), ids=str)
def test_a_normalizer_of_a_sum_reaches_the_part_or_is_refused(case):
    given, loss = case.given(), case()
    both = 2.0 * loss + 0.5 * case()
    if (case.mean and loss.is_mean and not case.region) or case.kind == "masks":
        wanted = 2.5 * loss(*given.tensors, normalizer=7.0)
        torch.testing.assert_close(both(*given.tensors, normalizer=7.0), wanted)
        total, parts = both.parts(*given.tensors, normalizer=7.0)
        torch.testing.assert_close(total, wanted)
        torch.testing.assert_close(sum(p.weighted for p in parts.values()), wanted)
    elif case.entry.name != "ctc_loss":
        with pytest.raises(TypeError, match=f"{loss.label} and {loss.label}_2 are no means of elements"):
            both(*given.tensors, normalizer=7.0)


@pytest.mark.parametrize("case", where(lambda c: c.composite), ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_composite_is_the_weighted_sum_of_its_parts(case, reduction):
    given = case.given()
    loss = case(reduction=reduction)
    mask = torch.rand(given.positions, generator=generator(1)) < 0.7
    weight = torch.rand(given.positions, generator=generator(2), dtype=torch.float64)
    parts = [part(*given.tensors, weight=weight, mask=mask) for part in loss.losses]
    assert all(part.reduction == reduction for part in loss.losses)
    wanted = sum(w * value for w, value in zip(loss.weights(), parts, strict=True)) + loss.offset
    torch.testing.assert_close(loss(*given.tensors, weight=weight, mask=mask), wanted)


def nothing(case, *, how):
    """A call in which nothing counts."""
    given = case.given(Shape(0 if how == "no samples" else 2, 3, (0,) if how == "no positions" else (4,)))
    input, target, *others = given.tensors
    if how == "masked":
        return given, {"mask": torch.zeros(given.positions, dtype=torch.bool)}
    if how == "ignored":
        return given._replace(tensors=(input, torch.full_like(target, -100), *others)), {}
    return given, {}


EMPTY = [
    pytest.param(case, how, id=f"{case}-{how}")
    for case in CASES
    for how in ("no samples", "no positions", "masked", "ignored")
    if (how != "masked" or case.mask) and (how != "ignored" or case.has("ignore_index"))
    and (how != "no positions" or case.given(Shape(2, 3, (0,))).tensors[0].numel() == 0)
]  # fmt: skip


@pytest.mark.parametrize(("case", "how"), EMPTY)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_nothing_counts_and_costs_nothing(case, how, reduction):
    reduction = reduction if reduction in case.reductions else "mean"
    given, arguments = nothing(case, how=how)
    tensors = [t.clone().requires_grad_(i in case.differentiable) for i, t in enumerate(given.tensors)]
    value = case(reduction=reduction)(*tensors, **arguments)
    assert value.shape == ()
    assert value.item() == 0
    value.backward()
    for i in case.differentiable:
        assert (tensors[i].grad == 0).all()


@pytest.mark.parametrize(("case", "how"), EMPTY)
def test_nothing_counts_and_the_caller_wants_to_know(case, how):
    given, arguments = nothing(case, how=how)
    assert case(empty="nan")(*given.tensors, **arguments).isnan()
    with pytest.raises(ValueError, match="nothing counts"):
        case(empty="raise")(*given.tensors, **arguments)


def test_parts_that_ignore_different_labels_do_not_compose():
    import losskit

    with pytest.raises(ValueError, match="ignore_index"):
        losskit.DiceLoss(ignore_index=255) + losskit.FocalLoss()


def test_a_case_is_made_for_every_loss():
    assert {case.entry.name for case in CASES} | ELSEWHERE == {entry.name for entry in ENTRIES}
    assert all(isinstance(case, Case) and isinstance(case.given(), Given) for case in CASES)
