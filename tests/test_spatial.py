"""Losses of shapes: what does not count, images without a border, more dimensions, and other libraries."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

import losskit
from cases import where
from losskit.losses.spatial import SpatialLoss
from peers import peer

SPATIAL = where(lambda c: c.spatial and c.kind in ("binary", "indices"))
SINGLE = where(lambda c: c.spatial and c.kind == "binary")


def image(case, shape=(2, 3, 7, 6), seed=0) -> tuple[Tensor, Tensor]:
    make = torch.Generator().manual_seed(seed)
    n, c, *space = shape
    if case.kind == "binary":
        return (
            3 * torch.randn(n, 1, *space, generator=make, dtype=torch.float64),
            (torch.rand(n, 1, *space, generator=make) < 0.4).double(),
        )
    return (
        3 * torch.randn(n, c, *space, generator=make, dtype=torch.float64),
        torch.randint(0, c, (n, *space), generator=make),
    )


@pytest.mark.parametrize("case", SPATIAL, ids=str)
@pytest.mark.parametrize("how", ["masked", "ignored"])
def test_what_does_not_count_has_no_number(case, how):
    """Whatever stands there changes neither the value nor the gradient, and its own gradient is exactly 0."""
    input, target = image(case)
    keep = torch.rand(target.shape, generator=torch.Generator().manual_seed(1)) < 0.7
    at = keep if case.kind == "binary" else keep.unsqueeze(1)
    found = []
    for bad in (0.0, float("nan"), float("inf"), 5.0):
        x = torch.where(at, input, bad).requires_grad_()
        t = target if how == "masked" else torch.where(keep, target, -100)
        value = case()(x, t, mask=keep if how == "masked" else None)
        (gradient,) = torch.autograd.grad(value, x)
        assert value.isfinite()
        assert (gradient[~at.expand_as(gradient)] == 0).all()
        found.append((value, gradient))
    for value, gradient in found[1:]:
        assert torch.equal(value, found[0][0])
        assert torch.equal(gradient, found[0][1])


OWN_RULE = {
    "active_boundary_loss",
    "active_contour_loss",
    "erosion_hausdorff_loss",
    "rmi_loss",
}  # for what is beside it


@pytest.mark.parametrize("case", [c for c in SINGLE if c.entry.name not in OWN_RULE], ids=str)
def test_what_does_not_count_is_neither_predicted_nor_true(case):
    """To the positions around it: by itself it weighs nothing."""
    input, target = image(case)
    keep = torch.rand(target.shape, generator=torch.Generator().manual_seed(1)) < 0.7
    nowhere = torch.where(keep, input, -1e4), torch.where(keep, target, 0.0)
    torch.testing.assert_close(case()(input, target, mask=keep), case()(*nowhere, weight=keep.double()))


@pytest.mark.parametrize("case", SPATIAL, ids=str)
@pytest.mark.parametrize("absent", ["penalize", "formula", "skip"])
@pytest.mark.parametrize("truth", ["empty", "full", "one position", "half"])
@pytest.mark.parametrize("prediction", ["empty", "full", "even", "flat", "right"])
def test_every_image_has_a_number_and_derivatives(case, absent, truth, prediction):
    space = (6, 7)
    t = torch.zeros(1, 1, *space)
    if truth == "full":
        t += 1
    elif truth == "one position":
        t[..., 2, 3] = 1
    elif truth == "half":
        t[..., :3] = 1
    scores = {"empty": -1e4, "full": 1e4, "even": 0.0, "flat": 1.0, "right": None}[prediction]
    logit = (20 * (2 * t - 1) if scores is None else torch.full_like(t, scores)).double()
    if case.kind == "binary":
        x = logit
    else:
        x, t = torch.cat([-logit, logit, torch.full_like(logit, -3.0)], 1), t.squeeze(1).long()
    x.requires_grad_()
    options = {"absent": absent} if case.has("absent") else {}
    if not options and absent != "penalize":
        return
    value = case(**options)(x, t)
    (gradient,) = torch.autograd.grad(value, x, create_graph=True)
    assert value.isfinite()
    assert gradient.isfinite().all()
    if gradient.requires_grad:
        second = torch.autograd.grad((gradient**2).sum(), x, allow_unused=True)[0]
        assert second is None or second.isfinite().all()


@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_any_number_of_dimensions_in_any_order(case):
    input, target = image(case, (2, 1, 7, 6))
    value = case()(input, target)
    if case.entry.name != "active_boundary_loss":  # of neighbours that are equally near it takes the first
        torch.testing.assert_close(case()(input.transpose(2, 3), target.transpose(2, 3)), value)
    volume = image(case, (1, 1, 4, 3, 3, 2))
    assert case()(*volume).isfinite()
    assert case()(*image(case, (2, 1, 12))).isfinite()


@pytest.mark.parametrize("case", where(lambda c: c.spatial and not c.composite and c.kind == "binary"), ids=str)
def test_without_space_it_says_so(case):
    with pytest.raises(ValueError, match=r"no spatial dimensions.*\(N, C, H, W\)"):
        case()(torch.zeros(4, 1), torch.zeros(4, 1))


@pytest.mark.parametrize(("dims", "name"), [(2, "HausdorffERLoss"), (3, "HausdorffERLoss3D")])
def test_erosions_are_those_of_kornia(dims, name):
    make = torch.Generator().manual_seed(0)
    x = (8 * torch.randn(2, 3, *(9, 8, 7)[:dims], generator=make, dtype=torch.float64)).requires_grad_()
    t = torch.randint(0, 3, (2, *x.shape[2:]), generator=make)
    for alpha, k in itertools.product((1.0, 2.0), (1, 4, 10)):
        theirs = getattr(peer("kornia"), name)(alpha=alpha, k=k)(x.softmax(1), t.unsqueeze(1))
        ours = losskit.ErosionHausdorffLoss(alpha=alpha, iterations=k, absent="formula")(x, t)
        torch.testing.assert_close(ours, theirs.double(), rtol=1e-6, atol=1e-6)  # its kernel of 0.2 is in float32
        slopes = (torch.autograd.grad(value, x)[0] for value in (ours, theirs))
        torch.testing.assert_close(*slopes, rtol=1e-5, atol=1e-6)


def test_a_skeleton_made_beforehand():
    skeletonize = pytest.importorskip("skimage.morphology").skeletonize
    t = torch.zeros(1, 1, 12, 12)
    t[..., 2:10, 4:8] = 1
    made = torch.from_numpy(skeletonize(t[0, 0].numpy() > 0)).view(t.shape)
    x = torch.randn(t.shape, generator=torch.Generator().manual_seed(0))
    found = losskit.SkeletonRecallLoss(smooth=0.0)(x, t, skeleton=made)
    torch.testing.assert_close(found, 1 - x.sigmoid()[made].mean())
    with pytest.raises(ValueError, match=r"skeleton has shape \(12, 12\)"):
        losskit.SkeletonRecallLoss()(x, t, skeleton=made[0, 0])


def test_weights_of_elements_where_there_is_no_place_for_them():
    x, t = torch.randn(1, 1, 9, 9), torch.zeros(1, 1, 9, 9)
    with pytest.raises(TypeError, match="takes no element weights"):
        losskit.RMILoss()(x, t, weight=torch.ones_like(x))


@pytest.mark.parametrize("case", [c for c in SINGLE if c.entry.name != "rmi_loss"], ids=str)
def test_a_weight_acts_where_it_is(case):
    """A position of weight 0 has no slope of its own; weights all alike change nothing."""
    input, target = image(case)
    loss = case(smooth=0.0) if case.has("smooth") else case()
    same = loss(input, target, weight=torch.full_like(input, 2.5))
    if case.entry.name != "structure_loss":  # which adds 1 to sums
        torch.testing.assert_close(same, loss(input, target))
    other = loss(input, target, weight=torch.rand(input.shape, generator=torch.Generator().manual_seed(2)))
    assert other.isfinite()
    assert other != same


def test_every_loss_of_shapes_is_tested_here():
    assert {c.loss for c in SINGLE} >= {c.loss for c in where(lambda c: issubclass(c.loss, SpatialLoss))}
