"""CONTRACT.md 1 to 7: the inputs of a call, and the errors for invalid ones."""

import inspect
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume
from hypothesis import given as examples
from hypothesis import strategies as st

import losskit
from cases import CASES, ENTRIES, LABELLED, where
from domains import options_of
from inputs import LABELS, MAKE, Shape
from losskit import functional

KINDED = where(lambda case: case.kind in LABELS)
PROBABILITIES = where(lambda case: case.has("from_logits") and case.entry.name != "nll_loss")
FLOATING = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


# 1. Two forms, one computation


@pytest.mark.parametrize("case", CASES, ids=str)
@examples(seed=st.integers(0, 20), data=st.data())
def test_the_function_is_the_class(case, seed, data):
    options = {**case.options, **data.draw(options_of(case, 1 if case.kind == "binary" else 3))}
    given = case.given(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    weight = torch.rand(given.positions, generator=generator, dtype=torch.float64) if case.weight else None
    mask = torch.rand(given.positions, generator=generator) < 0.7 if case.mask else None
    by_class = case.loss(**options)(*given.tensors, weight=weight, mask=mask)
    assert torch.equal(case.function(*given.tensors, weight=weight, mask=mask, **options), by_class)
    assert torch.equal(case.function(*given.tensors, weight, mask, **options), by_class)
    assert torch.equal(case.loss(**options)(*given.tensors, weight, mask), by_class)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_signatures(entry):
    function = inspect.signature(getattr(functional, entry.name))
    assert set(entry.loss.options) <= {p.name for p in function.parameters.values() if p.kind is p.KEYWORD_ONLY}
    positional = [p.name for p in function.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional[-2:] == ["weight", "mask"]
    with pytest.raises(TypeError):
        entry.loss(1.0)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if hasattr(F, e.name)], ids=lambda entry: entry.name)
def test_tensors_come_in_the_order_of_torch(entry):
    ours = [p for p in inspect.signature(getattr(functional, entry.name)).parameters if p not in ("weight", "mask")]
    theirs = list(inspect.signature(inspect.unwrap(getattr(F, entry.name))).parameters)
    leading = ours[: len(entry.loss.tensors)]
    assert leading == theirs[: len(leading)]
    shared = {"reduction", "ignore_index", "label_smoothing", "pos_weight", "margin", "beta", "delta", "full", "eps"}
    for name in shared & set(theirs):
        assert name in ours, name


# 2. Logits and probabilities


@pytest.mark.parametrize("case", PROBABILITIES, ids=str)
@examples(seed=st.integers(0, 20))
def test_probabilities_give_what_their_logits_give(case, seed):
    if case.entry.name == "lovasz_loss" and not case.softmax:
        return  # a hinge of logits has no counterpart among probabilities
    input, target = case.given(seed=seed).tensors
    options = {"from_logits": False, **({"num_points": None} if case.kind == "masks" else {})}
    p = input.softmax(1) if case.softmax else input.sigmoid()
    torch.testing.assert_close(case(**options)(p, target), case()(input, target))


@pytest.mark.parametrize("case", PROBABILITIES, ids=str)
@pytest.mark.parametrize("wrong", [1.5, -0.2])
def test_what_is_no_probability_is_an_error(case, wrong):
    input, target = case.given().tensors
    p = (input.softmax(1) if case.softmax else input.sigmoid()).clone()
    p.view(-1)[1] = wrong
    with pytest.raises(ValueError, match=f"holds {wrong:g}.*from_logits"):
        case(from_logits=False)(p, target)
    p.view(-1)[1] = 1 + 1e-16 if wrong > 0 else -1e-17
    assert case(from_logits=False)(p, target).isfinite()


def test_the_logarithm_of_zero_is_floored():
    zero, one = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    assert losskit.BCEWithLogitsLoss(from_logits=False)(zero, one).item() == 100
    assert losskit.BCEWithLogitsLoss(from_logits=False)(one, zero).item() == 100
    certain = torch.tensor([[1.0, 0.0]])
    assert losskit.CrossEntropyLoss(from_logits=False)(certain, torch.tensor([1])).item() == 100


# 3. Shapes


@pytest.mark.parametrize("case", KINDED, ids=str)
@examples(
    n=st.integers(1, 3),
    c=st.integers(2, 4),
    spatial=st.lists(st.integers(1, 3), min_size=0, max_size=3),
    seed=st.integers(0, 9),
)
def test_any_number_of_spatial_dimensions(case, n, c, spatial, seed):
    options = {"pool": "batch"} if "pool" in case.loss.options and not spatial else {}
    assume(spatial or not case.spatial)
    given = case.given(Shape(n, c, tuple(spatial)), seed)
    value = case(**options)(*given.tensors)
    assert value.isfinite()
    if spatial and not case.spatial:  # the order of positions has no meaning
        flat = [t.flatten(2) if t.dim() == len(spatial) + 2 else t.flatten(1) for t in given.tensors]
        torch.testing.assert_close(case()(*flat), value)
    if case.kind in ("binary", "indices"):  # a channel of size 1 and none are the same
        input, target = given.tensors
        other = target.squeeze(1) if case.kind == "binary" else target.unsqueeze(1)
        torch.testing.assert_close(case(**options)(input, other), value)


@pytest.mark.parametrize("case", where(lambda c: c.kind == "binary" and not c.spatial), ids=str)
def test_a_batch_of_single_scores(case):
    input, target = case.given(Shape(6, 1, ())).tensors
    options = {"pool": "batch"} if "pool" in case.loss.options else {}
    torch.testing.assert_close(case(**options)(input[:, 0], target[:, 0]), case(**options)(input, target))


@pytest.mark.parametrize("entry", [e for e in ENTRIES if "mode" in e.loss.options], ids=lambda e: e.name)
def test_what_could_mean_two_things_is_asked_for(entry):
    default = entry.loss.options["mode"].default
    loss, given = entry.loss(), MAKE["soft"](Shape(), torch.Generator().manual_seed(0)).tensors
    if default is None:
        with pytest.raises(ValueError, match=r"mode='multilabel'.*mode='multiclass'"):
            loss(*given)


@pytest.mark.parametrize(
    "case", where(lambda c: (c.softmax and "ce" in c.entry.name.split("_")) or c.entry.name == "cross_entropy"), ids=str
)
def test_softmax_over_one_channel_is_an_error(case):
    with pytest.raises(ValueError, match=r"one channel|channel per class"):
        case()(
            torch.randn(2, 1, 4), torch.zeros(2, 4, dtype=torch.long) if case.kind == "indices" else torch.ones(2, 1, 4)
        )


@pytest.mark.parametrize("case", where(lambda c: c.kind == "soft"), ids=str)
def test_a_row_that_is_no_distribution_is_an_error(case):
    input, target = case.given().tensors
    target = target.clone()
    target[1, :, 2] = 0.0
    with pytest.raises(ValueError, match=r"sums? to 0"):
        case()(input, target)


@pytest.mark.parametrize("case", where(lambda c: c.kind in ("pair", "rates", "logs", "fields")), ids=str)
@pytest.mark.parametrize(
    "shapes", [((8, 1, 3), (8, 3)), ((1, 2, 3), (4, 2, 3)), ((4, 2, 3), (4, 3, 2)), ((4, 2, 3), (2, 3))]
)
def test_nothing_broadcasts_in_regression(case, shapes):
    first = [torch.rand(shapes[0]) for _ in range(len(case.given().tensors) - 1)]
    for at in range(1, len(first) + 1):
        tensors = [*first[:at], torch.rand(shapes[1]), *first[at:]]
        with pytest.raises(ValueError, match="shape"):
            case()(*tensors)


# 4. Weights and masks


@pytest.mark.parametrize("case", where(lambda c: c.weight and c.mask), ids=str)
@examples(seed=st.integers(0, 9), data=st.data())
def test_size_one_broadcasts(case, seed, data):
    given = case.given(Shape(2, 3, (3, 2)), seed)
    ones = [data.draw(st.booleans()) for _ in given.positions]
    shape = tuple(1 if one else size for one, size in zip(ones, given.positions, strict=True))
    if case.softmax and len(shape) == 1:
        return
    weight = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed + 1)) < 0.8
    for arguments in ({"weight": weight}, {"mask": mask}):
        expanded = {name: value.expand(given.positions) for name, value in arguments.items()}
        torch.testing.assert_close(case()(*given.tensors, **arguments), case()(*given.tensors, **expanded))


@pytest.mark.parametrize(
    "case", where(lambda c: c.weight and c.mask and c.given(Shape(4, 3, (3, 2))).tensors[0].dim() > 2), ids=str
)
def test_nothing_else_broadcasts(case):
    given = case.given(Shape(4, 3, (3, 2)))
    positions = given.positions
    for wrong in [(), (2,), (4,), (1,), (*positions, 1), (positions[0] + 1, *positions[1:]), (*positions[:-1], 5)]:
        if wrong == positions or (len(positions) == 1 and wrong == (1,)):
            continue
        with pytest.raises(ValueError, match="weight has"):
            case()(*given.tensors, weight=torch.ones(wrong, dtype=torch.float64))
        with pytest.raises(ValueError, match="mask has"):
            case()(*given.tensors, mask=torch.ones(wrong, dtype=torch.bool))


REFUSING = ["cross_entropy", "nll_loss", "multi_margin_loss", "multilabel_soft_margin_loss"]


@pytest.mark.parametrize("name", REFUSING)
@pytest.mark.parametrize("spatial", [(), (3,)])
def test_a_list_of_weights_is_refused_where_torch_means_classes(name, spatial):
    for case in where(lambda c: c.entry.name == name):
        given = case.given(Shape(3, 3, spatial))
        with pytest.raises(ValueError, match=r"class_weight=.*\(N, 1"):
            case()(*given.tensors, weight=torch.ones(3))


@pytest.mark.parametrize("case", where(lambda c: c.kind in LABELS and c.weight), ids=str)
def test_a_list_of_weights_is_refused_against_spatial_input(case):
    given = case.given(Shape(3, 3, (3,)))
    with pytest.raises(ValueError, match="class_weight="):
        case()(*given.tensors, weight=torch.ones(3))


@pytest.mark.parametrize("case", where(lambda c: c.mask), ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int64])
def test_a_mask_is_bool(case, dtype):
    given = case.given()
    with pytest.raises(TypeError, match="weight="):
        case()(*given.tensors, mask=torch.ones(given.positions, dtype=dtype))


# 5. Targets of any dtype


@pytest.mark.parametrize("case", KINDED, ids=str)
@pytest.mark.parametrize("dtype", [torch.bool, *INTEGERS, *FLOATING], ids=str)
def test_targets_of_any_dtype(case, dtype):
    input, target = case.given().tensors
    if case.kind == "indices":
        if dtype in FLOATING or (dtype == torch.bool):
            return
    elif case.kind == "soft":
        if dtype not in FLOATING:
            target = F.one_hot(target.argmax(1), 3).movedim(-1, 1).double()
        else:
            target = torch.tensor([0.5, 0.25, 0.25]).view(1, 3, 1).expand(input.shape).double()
            if case.hard or case.entry.name == "lovasz_loss":
                target = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1).expand(input.shape).double()
    value, expected = case()(input, target.to(dtype)), case()(input, target)
    assert value.dtype == torch.float64
    torch.testing.assert_close(value, expected)


# 6. Invalid labels


@pytest.mark.parametrize("case", where(lambda c: c.kind == "indices"), ids=str)
@pytest.mark.parametrize(
    ("dtype", "bad"),
    [
        (torch.int64, 3),
        (torch.int64, -1),
        (torch.uint8, 255),
        (torch.uint8, 156),
        (torch.int8, -2),
        (torch.int64, 2**40),
    ],
)
def test_a_class_index_out_of_range(case, dtype, bad):
    input, target = case.given().tensors
    target = target.to(dtype)
    target[1, 2] = bad
    with pytest.raises(ValueError, match=f"class index {bad:g}".replace("+", "\\+")):
        case()(input, target)
    masked = torch.ones(2, 4, dtype=torch.bool)
    masked[1, 2] = False
    assert case()(input, target, mask=masked).isfinite()
    if -128 <= bad < 2**31:
        assert case(ignore_index=bad)(input, target).isfinite()


@pytest.mark.parametrize("case", where(lambda c: c.kind in ("binary", "multilabel", "masks")), ids=str)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_a_mask_of_0_and_255(case, dtype):
    input, target = case.given().tensors
    target = target.clone()
    target.view(-1)[3] = 1
    wrong = (target * 255).to(dtype)
    with pytest.raises(ValueError, match="255"):
        case()(input, wrong)
    wrong = torch.where(target == 1, 1, 0).to(dtype)
    wrong.view(-1)[3] = 255
    assert case(ignore_index=255)(input, wrong).isfinite()


@pytest.mark.parametrize("case", where(lambda c: c.labels and c.kind != "soft"), ids=str)
def test_156_is_not_minus_100(case):
    """A uint8 target cannot hold -100; compared as numbers of eight bits, 156 would be ignored."""
    input, target = case.given().tensors
    target = target.to(torch.uint8)
    target.view(-1)[1] = 156
    with pytest.raises(ValueError, match="156"):
        case()(input, target)


@pytest.mark.parametrize("case", where(lambda c: c.kind in ("indices", "binary")), ids=str)
def test_compiled_code_turns_nan_and_says_why_later(case):
    input, target = case.given(Shape(2, 3, (4,))).tensors
    target = target.clone()
    target.view(-1)[1] = 77
    each = input.expand(2, *input.shape), torch.stack([target, case.given().tensors[1]])
    values = torch.func.vmap(case())(*each)
    assert values[0].isnan()
    assert values[1].isfinite()
    with pytest.raises(ValueError, match="77"):
        losskit.flush_errors()
    losskit.flush_errors()
    torch.func.vmap(case())(*each)
    with pytest.raises(ValueError, match="77"):
        case()(*case.given().tensors)


def test_a_compiled_loss_turns_nan_and_says_why_later():
    torch._dynamo.reset()
    loss = torch.compile(losskit.CrossEntropyLoss(), fullgraph=True, backend="aot_eager")
    assert loss(torch.randn(2, 3), torch.tensor([0, 9])).isnan()
    with pytest.raises(ValueError, match="class index 9"):
        losskit.flush_errors()


@pytest.mark.parametrize("sizes", [(4,), (4, 2)], ids=["a sum", "deep supervision"])
def test_a_compiled_loss_whose_parts_check_apart_says_why(sizes):
    """At the check of a later part; the message says that it may be about the same call."""
    torch._dynamo.reset()
    loss = losskit.DiceLoss() + losskit.LovaszLoss()
    criterion = loss if len(sizes) == 1 else losskit.DeepSupervisionLoss(losskit.CrossEntropyLoss())
    outputs = [torch.randn(2, 3, size, size) for size in sizes]
    target = torch.full((2, 4, 4), 9)
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    with pytest.raises(ValueError, match=r"class index 9.*or an earlier part of this one"):
        compiled(outputs[0] if len(sizes) == 1 else outputs, target)
    losskit.flush_errors()  # no error is pending
    assert compiled(outputs[0] if len(sizes) == 1 else outputs, torch.zeros_like(target)).isfinite()


# 7. Options out of their domain


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_options_are_checked_when_the_loss_is_made(entry):
    with pytest.raises(ValueError, match="reduction"):
        entry.loss(reduction="average")
    with pytest.raises(TypeError, match="no option"):
        entry.loss(smoooth=1.0)
    with pytest.raises(ValueError, match="empty"):
        entry.loss(empty="ignore")
    for name, option in entry.loss.options.items():
        if ">= 0" in option.domain.text and "one number" not in option.domain.text:
            with pytest.raises(ValueError, match=name):
                entry.loss(**{name: -1})
        if "number" in option.domain.text or "integer" in option.domain.text:
            for wrong in (math.nan, "1", object()):
                with pytest.raises((TypeError, ValueError), match=name):
                    entry.loss(**{name: wrong})


@pytest.mark.parametrize("case", where(lambda c: c.has("class_weight")), ids=str)
def test_class_weights_of_the_wrong_length(case):
    given = case.given()
    with pytest.raises(ValueError, match="class_weight has 5 numbers"):
        case(class_weight=[1.0] * 5)(*given.tensors)
    with pytest.raises(ValueError, match="class_weight"):
        case(class_weight=[1.0, -1.0, 1.0])
    with pytest.raises(ValueError, match="class_weight"):
        case(class_weight=torch.ones(3, 1))


def test_every_loss_of_labels_is_among_the_cases():
    assert {e.name for e in ENTRIES if issubclass(e.loss, losskit.core.labels.LabelOptions)} <= {
        case.entry.name for case in LABELLED
    } | {"multi_margin_loss", "jsd_consistency_loss", "partial_label_loss"}  # several views, or a third tensor


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: losskit.DiceLoss("multiclass"), r"DiceLoss\(mode='multiclass'\)"),
        (lambda: losskit.FocalLoss(2.0), r"FocalLoss\(gamma=2\.0\)"),
        (lambda: losskit.CrossEntropyLoss(torch.ones(3)), r"CrossEntropyLoss\(class_weight=\.\.\.\)"),
        (lambda: losskit.TripletMarginLoss(1.0), r"TripletMarginLoss\(margin=1\.0\)"),
        (lambda: losskit.MSELoss("average"), r"by name; 'average' is none of reduction"),
    ],
)
def test_a_positional_option_is_answered_with_its_name(call, meant):
    with pytest.raises(TypeError, match=meant):
        call()
