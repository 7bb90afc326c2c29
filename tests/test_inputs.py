"""Inputs from practice: one sample, class indices as floats, several ignored labels, dicts of class weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import losskit
from cases import CASES, where
from inputs import Shape
from losskit import functional

L = functional
close = torch.testing.assert_close
INDICES = where(lambda c: c.kind == "indices" and c.labels)
IGNORING = where(lambda c: c.has("ignore_index") and c.labels)


@pytest.mark.parametrize("case", where(lambda c: c.kind == "indices" and c.labels and c.mean and not c.region), ids=str)
def test_one_sample_without_a_batch_is_a_batch_of_one(case) -> None:
    input, target = case.given(Shape(1, 3, ())).tensors
    weight, mask = torch.tensor(2.0), torch.tensor(True)
    for reduction in ("mean", "sum", "none"):
        found = case(reduction=reduction)(input[0], target[0], weight=weight, mask=mask)
        alone = case(reduction=reduction)(input, target, weight=weight.view(1, 1), mask=mask.view(1))
        assert found.shape == ()
        close(found, alone.reshape(()))


@pytest.mark.parametrize("case", INDICES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_class_indices_may_be_floats(case, dtype: torch.dtype) -> None:
    input, target = case.given().tensors
    target[0, 0] = -100
    input.requires_grad_()
    for _ in range(2):  # the plan of a layout does not convert
        expected, found = case()(input, target), case()(input, target.to(dtype))
        close(found, expected)
        close(torch.autograd.grad(found, input), torch.autograd.grad(expected, input))
    target = target.to(dtype)
    target[0, 1] = 0.5
    with pytest.raises(ValueError, match=r"holds 0\.5, but class indices .* are whole numbers.*target\.round\(\)"):
        case()(input, target)
    target[0, 1] = 3.0
    with pytest.raises(ValueError, match="holds the class index 3, but input has 3 classes"):
        case()(input, target)


def test_float_indices_that_are_not_whole_are_raised_at_the_next_call_of_compiled_code() -> None:
    compiled = torch.compile(losskit.CrossEntropyLoss(), fullgraph=True, backend="aot_eager")
    assert compiled(torch.randn(2, 3), torch.tensor([0.5, 1.0])).isnan()
    with pytest.raises(ValueError, match=r"class index.*This error is from an earlier call, whose loss was NaN"):
        losskit.flush_errors()
    losskit.flush_errors()


@pytest.mark.parametrize("case", IGNORING, ids=str)
def test_several_labels_are_left_out_as_one_is(case) -> None:
    input, target, *others = case.given().tensors
    first, second = (target.clone(memory_format=torch.contiguous_format) for _ in range(2))
    first.view(-1)[0] = second.view(-1)[0] = 7
    first.view(-1)[3], second.view(-1)[3] = 9, 7
    expected = case(ignore_index=7)(input, second, *others)
    for labels in ([7, 9], (9, 7), [300, 9, 7]):
        criterion = case(ignore_index=labels)
        for _ in range(2):
            close(criterion(input, first, *others), expected)
    with pytest.raises(ValueError, match=r"(target holds|class index) .*9"):
        case(ignore_index=[7])(input, first, *others)


@pytest.mark.parametrize("case", IGNORING, ids=str)
def test_no_label_is_left_out(case) -> None:
    input, target, *others = case.given().tensors
    close(case(ignore_index=None)(input, target, *others), case()(input, target, *others))
    target = target.clone(memory_format=torch.contiguous_format)
    target.view(-1)[0] = -100
    with pytest.raises(ValueError, match="-100"):
        case(ignore_index=None)(input, target, *others)
    with pytest.raises(ValueError, match="must leave out the same label; ignore_index is dice None, ce -100"):
        losskit.DiceLoss(ignore_index=None) + losskit.CrossEntropyLoss()


def test_labels_that_a_type_cannot_hold_are_not_there() -> None:
    input, target = torch.randn(3, 4, 2), torch.tensor([[0, 1], [255, 2], [3, 0]], dtype=torch.uint8)
    close(L.cross_entropy(input, target, ignore_index=(-100, 255)), L.cross_entropy(input, target, ignore_index=255))


@pytest.mark.parametrize("case", where(lambda c: c.has("class_weight") and c.kind != "binary"), ids=str)
def test_class_weights_by_class(case) -> None:
    given = case.given().tensors
    criterion = case(class_weight={2: 3.0, 0: 0.5})
    for _ in range(2):
        close(criterion(*given), case(class_weight=[0.5, 1.0, 3.0])(*given))
    assert "class_weight={2: 3.0, 0: 0.5}" in repr(criterion)
    with pytest.raises(ValueError, match=r"class_weight names class 5, but input .* has 3 classes"):
        case(class_weight={5: 2.0})(*given)
    for wrong in ({-1: 2.0}, {"cat": 2.0}, {0: -1.0}):
        with pytest.raises(ValueError, match="class_weight"):
            case(class_weight=wrong)


def test_weights_of_positives_of_any_shape_that_is_per_class() -> None:
    x, t = torch.randn(4, 3, 2, 2), torch.rand(4, 3, 2, 2)
    per_class = torch.tensor([0.5, 1.0, 3.0])
    expected = F.binary_cross_entropy_with_logits(x, t, pos_weight=per_class.view(3, 1, 1))
    close(L.binary_cross_entropy_with_logits(x, t, pos_weight=per_class.view(3, 1, 1)), expected)
    close(L.binary_cross_entropy_with_logits(x, t, pos_weight=per_class), expected)
    expected = F.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(2.5))
    for number in (2.5, torch.tensor(2.5), torch.tensor(5, dtype=torch.int64) / 2):
        close(L.binary_cross_entropy_with_logits(x, t, pos_weight=number), expected)
    learned = torch.tensor(2.5, requires_grad=True)
    close(torch.autograd.grad(losskit.BCEWithLogitsLoss(pos_weight=learned)(x, t), learned)[0],
          (-F.logsigmoid(x) * t).mean())  # fmt: skip
    for wrong in (torch.ones(2, 3, 1), torch.tensor(-1.0), -1.0, {0: 1.0}):
        with pytest.raises((TypeError, ValueError), match="pos_weight"):
            losskit.BCEWithLogitsLoss(pos_weight=wrong)


def test_variances_of_samples_and_of_all() -> None:
    x, y, var = torch.randn(5, 3), torch.randn(5, 3), torch.rand(5) + 0.5
    close(L.gaussian_nll_loss(x, y, var), F.gaussian_nll_loss(x, y, var))
    close(L.gaussian_nll_loss(x, y, var.unsqueeze(1)), F.gaussian_nll_loss(x, y, var))
    for number in (0.7, torch.tensor(0.7)):
        close(L.gaussian_nll_loss(x, y, number), F.gaussian_nll_loss(x, y, torch.full((5, 3), 0.7)))


@pytest.mark.parametrize("case", where(lambda c: c.entry.name in ("nll_loss", "kl_div")), ids=str)
def test_log_probabilities_are_not_above_zero(case) -> None:
    input, target = case.given().tensors
    wrong = input.clone()
    wrong[0, 1, 1] = 0.25
    with pytest.raises(ValueError, match=r"input holds 0\.25, but log-probabilities are not above 0.*log_softmax\(1\)"):
        case()(wrong, target)
    case()(input + 1e-4 * (input == 0), target)
    mask = torch.ones(wrong.shape[0], *wrong.shape[2:], dtype=torch.bool)
    mask[0, 1] = False
    mask = mask if case.entry.name == "nll_loss" else mask.unsqueeze(1).expand(wrong.shape)
    case()(wrong, target, mask=mask)  # where it counts
    wrong[0, 1, 1] = torch.nan
    assert case()(wrong, target).isnan()


def test_log_probabilities_of_steps_that_are_read() -> None:
    scores = torch.randn(6, 2, 4)
    targets, lengths = torch.tensor([[1, 2], [3, 1]]), torch.tensor([2, 2])
    with pytest.raises(ValueError, match=r"log_probs holds .* log-probabilities .*log_probs\.log_softmax\(2\)"):
        L.ctc_loss(scores, targets, torch.tensor([6, 6]), lengths)
    padded = scores.log_softmax(2)
    padded[4:, 1] = 7.0  # beyond the length
    L.ctc_loss(padded, targets, torch.tensor([6, 4]), lengths)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_missing_tensors_and_options_at_the_call_are_told(case) -> None:
    tensors = case.given().tensors
    for call in (case(), case.function):
        if call is case.function and case.options:
            continue  # the function form takes required options too
        with pytest.raises(TypeError, match=r"takes \(\w+, .*\); \w+.* (is|are) missing") as caught:
            call(tensors[0])
        assert "forward" not in str(caught.value)
    if case.entry.name in ("sobolev_loss", "mask_dice_loss", "mask_bce_loss"):
        return
    with pytest.raises(TypeError, match="reduction is an option of the loss, not of a call"):
        case()(*tensors, reduction="sum")
    with pytest.raises(TypeError, match=r"(takes|got) .*weigth="):
        case()(*tensors, weigth=tensors[0])


def test_containers_are_answered_with_what_they_hold() -> None:
    ce = losskit.CrossEntropyLoss()
    x, t = torch.randn(3, 4), torch.tensor([0, 1, 2])
    packed: Any = nn.utils.rnn.pack_sequence([torch.randn(3, 4), torch.randn(2, 4)])
    labels: Any = nn.utils.rnn.pack_sequence([torch.tensor([0, 1, 2]), torch.tensor([3, 0])])
    nested = torch.nested.nested_tensor([torch.randn(3, 4), torch.randn(2, 4)], layout=torch.jagged)
    said: list[tuple[Any, Any, str]] = [
        ({"out": x}, t, r"pass one of its tensors, input\['out'\], or use MultiTaskLoss"),
        ([x, x], t, r"pass one of its tensors, input\[0\], or use DeepSupervisionLoss"),
        (packed, labels, r"pass input\.data"),
        (x, labels, r"pass target\.data"),
        (nested, t, r"pass input\.values\(\)"),
        (x.numpy(), t, r"pass torch\.as_tensor\(input\)"),
        (x, t.tolist(), r"pass torch\.as_tensor\(target\)"),
        (x, None, r"pass a tensor as target"),
    ]
    for input, target, message in said:
        with pytest.raises(TypeError, match=f"(?i){message}"):
            ce(input, target)
    ce(packed.data, labels.data)
    ce(nested.values(), labels.data)
