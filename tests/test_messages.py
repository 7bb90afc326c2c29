"""CONTRACT.md 25: every error says what was expected, what was given and what to do, with names and shapes."""

import pytest
import torch

import losskit
from cases import CASES, where
from inputs import Shape

ADVICE = ("pass ", "use ", "make ", "give ", "leave ", "write ", "multiply ", "divide ", "correct ", "check ")


def error_of(function, *arguments, **options):
    with pytest.raises((ValueError, TypeError)) as caught:
        function(*arguments, **options)
    return str(caught.value)


def wrong_calls(case):
    """Calls that each break one thing, with the shapes that the message names."""
    given = case.given(Shape(4, 3, (3, 2)))
    input, *others = given.tensors
    loss = case()
    rows = len(input) // 3 if case.kind == "views" else len(input)  # a message names the shape of one view
    if case.kind not in ("sequences",):
        yield loss, (input.unsqueeze(-1), *others), {}, [input[:rows].unsqueeze(-1).shape]
    if case.kind not in ("sequences", "samples"):
        yield loss, (input[:2], *others), {}, [input[:2].shape]
    yield loss, (input.long(), *others), {}, []
    yield loss, (input.tolist(), *others), {}, []
    if case.mask:
        wrong = torch.ones((*given.positions, 2), dtype=torch.bool)
        yield loss, given.tensors, {"mask": wrong}, [wrong.shape]
        yield loss, given.tensors, {"mask": torch.ones(given.positions)}, []
    if case.weight:
        wrong = torch.ones((*given.positions, 2), dtype=torch.float64)
        yield loss, given.tensors, {"weight": wrong}, [wrong.shape]
    if case.has("class_weight"):
        yield case(class_weight=[1.0] * 7), given.tensors, {}, [input[:rows].shape]
    if case.composite:
        return
    if "pool" in case.loss.options and case.entry.name != "lovasz_loss":
        flat = case.given(Shape(4, 3, ()))
        yield loss, flat.tensors, {}, [flat.tensors[0].shape]


CALLS = [pytest.param(*call, id=f"{case}-{i}") for case in CASES for i, call in enumerate(wrong_calls(case))]


@pytest.mark.parametrize(("loss", "tensors", "arguments", "shapes"), CALLS)
def test_every_error_is_helpful(loss, tensors, arguments, shapes):
    message = error_of(loss, *tensors, **arguments)
    if message.split(":")[0].split(" ")[0] not in {loss.name, *(type(p).__name__ for p in getattr(loss, "losses", ()))}:
        raise AssertionError(message)
    for shape in shapes:
        assert str(tuple(shape)) in message, message
    assert any(word in message.lower() for word in ADVICE), message


def test_the_repair_is_exact():
    dice, cross_entropy, mse = losskit.DiceLoss(), losskit.CrossEntropyLoss(), losskit.MSELoss()
    said = {
        "input.movedim(-1, 1)": error_of(cross_entropy, torch.randn(2, 5, 7), torch.zeros(2, 5, dtype=torch.long)),
        "transpose(-1, -2)": error_of(dice, torch.randn(2, 1, 4, 6), torch.zeros(2, 1, 6, 4)),
        "target.expand(4, ": error_of(dice, torch.randn(4, 1, 4, 6), torch.zeros(1, 1, 4, 6)),
        "target.unsqueeze(1)": error_of(mse, torch.randn(8, 1), torch.zeros(8)),
        "input.unsqueeze(1)": error_of(dice, torch.randn(8, 5, 6), torch.zeros(8, 5, 6)),
        "class_weight=": error_of(cross_entropy, torch.randn(4, 3), torch.zeros(4, dtype=torch.long), torch.ones(3)),
        "mask.bool()": error_of(mse, torch.randn(4), torch.randn(4), mask=torch.ones(4)),
        "pool='batch'": error_of(dice, torch.randn(4, 1), torch.zeros(4, 1)),
        "target.round()": error_of(cross_entropy, torch.randn(4, 3), torch.full((4,), 0.5)),
        "ignore_index=255": error_of(cross_entropy, torch.randn(4, 3), torch.full((4,), 255)),
        "BCEWithLogitsLoss": error_of(cross_entropy, torch.randn(4, 1), torch.zeros(4, dtype=torch.long)),
        "(target > 127)": error_of(dice, torch.randn(2, 1, 3), torch.full((2, 1, 3), 255)),
    }
    for repair, message in said.items():
        assert repair in message, message


@pytest.mark.parametrize("name", ["to_onehot_y", "softmax", "class_weights", "log_loss", "smooth_nr", "batch"])
def test_names_of_other_libraries_are_answered(name):
    message = error_of(losskit.DiceLoss, **{name: True})
    assert name in message
    assert len(message) > 50


def test_a_misspelt_option_is_answered_with_the_nearest():
    assert '"smooth"' in error_of(losskit.DiceLoss, smoth=1.0)
    assert '"mean"' in error_of(losskit.DiceLoss, reduction="men")


@pytest.mark.parametrize("case", where(lambda c: c.kind in ("pair", "binary")), ids=str)
def test_arguments_that_are_no_tensors(case):
    input, *others = case.given().tensors
    message = error_of(case(), input, 1.0, *others[1:])
    assert "must be a tensor" in message
    assert "float" in message


def test_labels_of_a_type_without_arithmetic():
    labels = torch.zeros(2, 3, dtype=torch.int32).to(torch.uint16)
    for loss in (losskit.CrossEntropyLoss(), losskit.DiceLoss()):
        with pytest.raises(TypeError, match=r"got torch\.uint16. Pass target\.long\(\)"):
            loss(torch.randn(2, 4, 3), labels)
