"""Boxes where formulas have no value: without size, apart, equal; and invalid boxes."""

import pytest
import torch

import losskit
from cases import CASES, made
from losskit.losses.geometry import BoxLoss

LOSSES = [made(entry) for entry in {c.entry.name: c.entry for c in CASES if c.entry.family == "boxes"}.values()]
NAMED = {"argvalues": LOSSES, "ids": lambda loss: loss.label}
OF_CORNERS = [loss for loss in LOSSES if isinstance(loss, BoxLoss)]
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
UNIT = [0.0, 0.0, 1.0, 1.0]
PAIRS = {  # as corners, and the loss without overlap where only the overlap counts
    "equal": (UNIT, UNIT),
    "apart": (UNIT, [3.0, 3.0, 4.0, 4.0]),
    "touching": (UNIT, [1.0, 0.0, 2.0, 1.0]),
    "a point in a box": ([0.5, 0.5, 0.5, 0.5], UNIT),
    "a box around a point": (UNIT, [0.5, 0.5, 0.5, 0.5]),
    "two points": ([0.5, 0.5, 0.5, 0.5], [2.0, 0.5, 2.0, 0.5]),
    "one point twice": ([0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]),
    "no height": ([0.0, 0.5, 1.0, 0.5], UNIT),
    "no width": ([0.5, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 0.5]),
    "one middle": ([0.25, 0.25, 0.75, 0.75], UNIT),
    "far apart": (UNIT, [1e4, 1e4, 1.1e4, 1.1e4]),
}


def as_taken(loss, corners):
    """Corners in the format of the loss: centre, size and angle for rotated boxes."""
    if isinstance(loss, BoxLoss):
        return corners
    low, high = corners.chunk(2, -1)
    return torch.cat([(low + high) / 2, high - low, torch.zeros_like(low[..., :1])], -1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("loss", **NAMED)
def test_value_and_both_derivatives_are_finite(loss, name, dtype):
    input, target = (as_taken(loss, torch.tensor([box], dtype=torch.float64)).to(dtype) for box in PAIRS[name])
    input.requires_grad_()
    value = loss(input, target)
    (first,) = torch.autograd.grad(value, input, create_graph=True)
    assert value.isfinite()
    assert first.isfinite().all()
    if first.requires_grad:
        (second,) = torch.autograd.grad((first.double() ** 2).sum(), input, allow_unused=True)
        assert second is None or second.isfinite().all()
    if name == "equal":
        assert value.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss", **NAMED)
def test_equal_boxes_cost_least(loss):
    generator = torch.Generator().manual_seed(0)
    low = torch.rand(50, 2, generator=generator, dtype=torch.float64)
    boxes = torch.cat([low, low + 0.1 + torch.rand(50, 2, generator=generator, dtype=torch.float64)], 1)
    input, target = as_taken(loss, boxes), as_taken(loss, boxes.roll(1, 0))
    assert loss(input, input).item() == pytest.approx(0, abs=1e-7)
    assert type(loss)(**{**loss.given_options(), "reduction": "none"})(input, target).min() > 0


def test_what_the_documentation_says_of_no_overlap():
    apart = torch.tensor([UNIT]), torch.tensor([[3.0, 3.0, 4.0, 4.0]])
    assert losskit.BoxIoULoss(log=True)(*apart).item() == 100
    assert losskit.BoxIoULoss()(*apart).item() == 1
    assert losskit.AlphaIoULoss(alpha=0.5)(*apart).item() == 1
    assert losskit.GIoULoss()(*apart).item() == pytest.approx(1 + 14 / 16)
    assert losskit.DIoULoss()(*apart).item() == pytest.approx(1 + 18 / 32)
    flat = torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.3]])
    assert losskit.ProbIoULoss()(flat, flat).item() == 1


@pytest.mark.parametrize("at", ["input", "target"])
@pytest.mark.parametrize("loss", OF_CORNERS, ids=lambda loss: loss.label)
def test_a_box_that_ends_before_it_begins_is_named(loss, at):
    boxes = {"input": torch.tensor([UNIT] * 4), "target": torch.tensor([UNIT] * 4)}
    boxes[at][2] = torch.tensor([1.0, 0.0, 0.0, 1.0])
    with pytest.raises(ValueError, match=f"{at} box 2 has x2 < x1"):
        loss(**boxes)
    counted = torch.tensor([True, True, False, True])
    assert loss(**boxes, mask=counted).item() == pytest.approx(0, abs=1e-6)
    sizes = type(loss)(**{**loss.given_options(), "format": "cxcywh"})
    boxes[at][2] = torch.tensor([1.0, 1.0, 1.0, -1.0])
    with pytest.raises(ValueError, match=f"{at} box 2 has a size below 0"):
        sizes(**boxes)


@pytest.mark.parametrize("loss", **NAMED)
def test_other_shapes_are_refused(loss):
    for shape in [(4,), (2, 3), (2, 4, 4)]:
        with pytest.raises(ValueError, match=r"must have shape \(N, "):
            loss(torch.rand(shape), torch.rand(shape))


@pytest.mark.parametrize("loss", OF_CORNERS, ids=lambda loss: loss.label)
def test_formats_say_the_same(loss):
    input, target = torch.tensor([[0.0, 1.0, 2.0, 4.0]]), torch.tensor([[1.0, 1.0, 3.0, 2.0]])
    for name, of in (
        ("xywh", lambda low, high: (low, high - low)),
        ("cxcywh", lambda low, high: ((low + high) / 2, high - low)),
    ):
        other = type(loss)(**{**loss.given_options(), "format": name})
        moved = (torch.cat(of(*boxes.chunk(2, 1)), 1) for boxes in (input, target))
        torch.testing.assert_close(other(*moved), loss(input, target))


@pytest.mark.parametrize("name", ["IoULoss", "DiceLoss"])
def test_losses_of_regions_name_those_of_boxes(name):
    boxes = torch.rand(5, 4)
    loss = getattr(losskit, name)
    for options in ({}, {"mode": "multilabel"}):
        with pytest.raises(ValueError, match="BoxIoULoss"):
            loss(**options)(boxes, boxes)
    with pytest.raises(ValueError, match="BoxIoULoss"):
        loss(mode="multilabel", pool="batch")(boxes * 100, boxes * 100)


def test_an_image_has_two_sizes_and_must_be_told():
    with pytest.raises(TypeError, match="image_size has no default"):
        losskit.MPDIoULoss()
    with pytest.raises(ValueError, match="width and height"):
        losskit.MPDIoULoss(image_size=[1.0, 2.0, 3.0])


def test_keypoints_that_nobody_sees():
    points, area = torch.rand(2, 3, 2, requires_grad=True), torch.ones(2)
    loss = losskit.OKSLoss(sigmas=[0.1, 0.2, 0.3], reduction="none")
    value = loss(points, torch.rand(2, 3, 2), torch.tensor([[0, 0, 0], [2, 1, 0]]), area)
    assert value[0] == 0
    assert value[1] > 0
    value.sum().backward()
    assert (points.grad[0] == 0).all()
    assert (points.grad[1, :2] != 0).any()
    with pytest.raises(ValueError, match="area holds 0"):
        loss(points, points, torch.ones(2, 3), torch.zeros(2))
