"""Gradients that a forward pass makes, or prepares, against the definition: inputs large enough that it is worth it."""

import pytest
import torch

import losskit
from losskit.ops import choice

REGIONS = (losskit.DiceLoss(), losskit.JaccardLoss(pool="batch"))
BINARY = (
    *REGIONS,
    losskit.BCEWithLogitsLoss(),
    losskit.BCEWithLogitsLoss(label_smoothing=0.1),
    losskit.BCEWithLogitsLoss(reduction="sum"),
    losskit.FocalLoss(),
    losskit.FocalLoss(gamma=1.5),
    losskit.DiceLoss(squared=True),
    losskit.DiceBCELoss(),
    losskit.DiceFocalLoss(),
)
CLASSES = (
    *REGIONS,
    losskit.CrossEntropyLoss(),
    losskit.CrossEntropyLoss(label_smoothing=0.1),
    losskit.CrossEntropyLoss(reduction="sum"),
    losskit.FocalLoss(),
    losskit.FocalLoss(gamma=1.5),
    losskit.DiceCELoss(),
    losskit.DiceFocalLoss(),
    losskit.GeneralizedCrossEntropyLoss(),
)
KINDS = ("plain", "mask", "weight", "soft", "ignore", "class_weight")


def variant(loss, **options):
    return type(loss)(**{**{name: getattr(loss, name) for name in loss.options}, **options})


def compare(loss, x, *arguments, **named):
    """The value and gradient of the fused operator are the definition's, twice in a row, and once more scaled."""
    with choice.forced("reference"):
        value = loss(x, *arguments, **named)
    (expected,) = torch.autograd.grad(value, x)
    with choice.recorded() as passes:
        found = loss(x, *arguments, **named)
    assert [each.operator for each in passes] == ["native"]
    torch.testing.assert_close(found, value, rtol=2e-6, atol=0)
    room = 5e-6 * expected.abs().max().item()
    for scale in (1.0, 1.0, -3.0):
        (gradient,) = torch.autograd.grad(scale * found, x, retain_graph=True)
        torch.testing.assert_close(gradient, scale * expected, rtol=0, atol=3 * room)
    (gradient,) = torch.autograd.grad(found, x, create_graph=True)
    assert gradient.requires_grad
    torch.testing.assert_close(gradient.detach(), expected, rtol=0, atol=room)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", BINARY, ids=repr)
def test_yes_and_no(loss, kind):
    torch.manual_seed(0)
    for shape, spread in (((3, 1, 64, 64), 2.0), ((2, 1, 67, 33), 40.0), ((2, 5, 20, 23), 8.0)):
        x = (torch.randn(shape) * spread).requires_grad_()
        target, named, options = (torch.rand(shape) > 0.6).float(), {}, {}
        if shape[1] > 1 and "mode" in loss.options:
            options["mode"] = "multilabel"
        if kind in ("mask", "weight"):
            named[kind] = torch.rand(shape) if kind == "weight" else torch.rand(shape) > 0.3
        elif kind == "soft":
            target = torch.rand(shape)
        elif kind == "ignore":
            options["ignore_index"] = 255
            target[torch.rand(shape) > 0.8] = 255
        elif kind == "class_weight":
            options["class_weight"] = torch.rand(shape[1])
        compare(variant(loss, **options), x, target, **named)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "soft"])
@pytest.mark.parametrize("loss", CLASSES, ids=repr)
def test_classes(loss, kind):
    torch.manual_seed(0)
    for classes, size, spread, form in (
        (2, (67, 33), 2.0, torch.contiguous_format),
        (3, (64, 48), 40.0, torch.contiguous_format),
        (5, (33, 32), 2.0, torch.channels_last),
        (8, (32, 17), 8.0, torch.contiguous_format),
        (9, (30, 31), 8.0, torch.contiguous_format),
        (19, (15, 16), 2.0, torch.channels_last),
        (33, (16, 16), 40.0, torch.contiguous_format),
    ):
        shape = (2, classes, *size)
        x = (torch.randn(shape) * spread).contiguous(memory_format=form).requires_grad_()
        target, named, options = torch.randint(0, classes, (2, *size)), {}, {}
        if kind in ("mask", "weight"):
            named[kind] = torch.rand(target.shape) if kind == "weight" else torch.rand(target.shape) > 0.3
        elif kind == "ignore":
            options["ignore_index"] = 1
        elif kind == "class_weight":
            options["class_weight"] = torch.rand(classes)
        compare(variant(loss, **options), x, target, **named)


def test_a_prior_shifts_logits():
    torch.manual_seed(0)
    x = torch.randn(2, 4, 32, 33, requires_grad=True)
    loss = losskit.CrossEntropyLoss(prior=torch.tensor([0.1, 0.2, 0.3, 0.4]))
    compare(loss, x, torch.randint(0, 4, (2, 32, 33)))


def test_what_was_prepared_belongs_to_its_input():
    x = torch.randn(1, 1, 64, 64, requires_grad=True)
    y = x * 1.0
    value = losskit.DiceLoss()(y, (torch.rand(1, 1, 64, 64) > 0.5).float())
    with torch.no_grad():
        y.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


@pytest.mark.parametrize("classes", [2, 9])
def test_a_probability_above_what_floats_resolve_of_its_exponential(classes):
    """exp(-98.4) has few digits as a float32, though the probability, exp(-60.3), has them all."""
    x = torch.full((1, classes, 16), -120.0)
    x[:, 0], x[:, 1] = -38.0986, -98.3902
    value = losskit.CrossEntropyLoss()(x, torch.ones(1, 16, dtype=torch.long))
    assert float(value) == pytest.approx(98.3902 - 38.0986, rel=1e-6)


def test_a_negative_zero_is_a_label():
    x = torch.randn(1, 1, 64, 64, requires_grad=True)
    labels = (torch.rand(1, 1, 64, 64) > 0.5).float()
    for loss in (losskit.BCEWithLogitsLoss(), losskit.DiceLoss(), losskit.LovaszLoss()):
        compare(loss, x, torch.where(labels == 0, -0.0, labels))
