"""Losses of mask sets against the formulas of MaskFormer, Mask2Former and the tutorials; points against grid_sample."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from losskit import functional as L
from losskit import sample_points, uncertain_points
from peers import agree

M, H, W = 4, 7, 6
LOSSES: tuple[Any, ...] = (L.mask_dice_loss, L.mask_bce_loss)
both = pytest.mark.parametrize("loss", LOSSES, ids=["dice", "bce"])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def logits(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(shape or (M, H, W), generator=generator(seed), dtype=torch.float64)


def labels(*shape: int, seed: int = 1) -> Tensor:
    return (torch.rand(shape or (M, H, W), generator=generator(seed)) < 0.4).double()


# The references: NumPy, mask by mask, in the words of the papers' code and of the copies that tutorials made of it.


def reference_dice(x: Tensor, t: Tensor, *, plus: float = 1.0, divisor: float = 1.0, tiny: float = 0.0) -> np.ndarray:
    values = []
    for scores, truth in zip(x.detach().numpy(), t.numpy(), strict=True):
        p = 1 / (1 + np.exp(-scores))
        overlap, size = (p * truth).sum() / divisor, p.sum() / divisor + truth.sum() / divisor
        values.append(1 - (2 * overlap + plus + tiny) / (size + plus + tiny))
    return np.array(values)


def reference_bce(x: Tensor, t: Tensor) -> np.ndarray:
    values = []
    for scores, truth in zip(x.detach().numpy(), t.numpy(), strict=True):
        p = 1 / (1 + np.exp(-scores))
        values.append(np.mean(-truth * np.log(p) - (1 - truth) * np.log(1 - p)))
    return np.array(values)


@pytest.mark.parametrize("shape", [(M, H, W), (M, 11), (M, 3, 4, 5), (1, H, W)], ids=str)
def test_values_are_those_of_the_papers(shape: tuple[int, ...]) -> None:
    """One loss a mask, summed, over the number of masks; dimension 1 is no channel."""
    x, t = logits(*shape), labels(*shape)
    for loss, reference in ((partial(L.mask_dice_loss, smooth=1.0), reference_dice), (L.mask_bce_loss, reference_bce)):
        each = reference(x, t)
        assert loss(x, t, reduction="none").numpy() == pytest.approx(each, rel=1e-12)
        assert float(loss(x, t)) == pytest.approx(each.sum() / shape[0], rel=1e-12)
        assert float(loss(x, t, num_masks=2.5)) == pytest.approx(each.sum() / 2.5, rel=1e-12)
        assert float(loss(x, t, num_masks=torch.tensor(8))) == pytest.approx(each.sum() / 8, rel=1e-12)
        assert float(loss(x, t, reduction="sum")) == pytest.approx(each.sum(), rel=1e-12)


def test_the_copy_of_the_tutorials() -> None:
    x, t = logits(), labels()
    each = reference_dice(x, t, plus=0.0, divisor=1000.0, tiny=1e-6)
    value = L.mask_dice_loss(x, t, scale=1000.0, eps=1e-6, num_masks=3)
    assert float(value) == pytest.approx(each.sum() / 3, rel=1e-12)


@both
def test_gradients_are_those_of_the_formula(loss: Any) -> None:
    def formula(x: Tensor, t: Tensor) -> Tensor:
        p = torch.sigmoid(x)
        if loss is L.mask_dice_loss:
            return (1 - (2 * (p * t).flatten(1).sum(1) + 1) / (p.flatten(1).sum(1) + t.flatten(1).sum(1) + 1)).sum() / 3
        return F.binary_cross_entropy_with_logits(x, t, reduction="none").flatten(1).mean(1).sum() / 3

    smooth = {"smooth": 1.0} if loss is L.mask_dice_loss else {}
    agree(partial(loss, num_masks=3, **smooth), formula, logits(), labels())
    x = logits(2, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, labels(2, 3, 2)), (x,))
    assert torch.autograd.gradgradcheck(lambda x: loss(x, labels(2, 3, 2)), (x,))


def test_values_worked_by_hand() -> None:
    """Logits 0 and log 3, so p = 1/2 and 3/4, on pixels 1 and 0.

    Dice, smooth 1, scale 2, eps 0.5: top 2 (0.5) / 2 + 1.5 = 2, bottom (1.25 + 1) / 2 + 1.5 = 2.625: 1 - 2 / 2.625.
    Cross-entropy: (log 2 + log 4) / 2. A second mask, of pixel 1 alone, costs log 2, and both over 4 masks.
    """
    x = torch.tensor([[0.0, math.log(3)]]).double()
    t = torch.tensor([[1, 0]])
    assert float(L.mask_dice_loss(x, t, smooth=1, scale=2, eps=0.5)) == pytest.approx(1 - 2 / 2.625)
    assert float(L.mask_bce_loss(x, t)) == pytest.approx(1.5 * math.log(2))
    two, mask = torch.cat([x, x]), torch.tensor([[True, True], [True, False]])
    value = L.mask_bce_loss(two, torch.cat([t, t]), mask=mask, num_masks=4)
    assert float(value) == pytest.approx((1.5 + 1) * math.log(2) / 4)


@both
def test_masks_of_which_nothing_counts_are_not_there(loss: Any) -> None:
    x, t = logits(), labels()
    mask = torch.ones(M, H, W, dtype=torch.bool)
    mask[1] = False
    mask[2, :3] = False
    spoilt = torch.where(mask, x, math.nan).requires_grad_()
    value = loss(spoilt, t, mask=mask)
    kept = [loss(x[i][mask[i]].unsqueeze(0), t[i][mask[i]].unsqueeze(0)) for i in (0, 2, 3)]
    torch.testing.assert_close(value, torch.stack(kept).mean())
    (gradient,) = torch.autograd.grad(value, spoilt)
    assert (gradient[~mask] == 0).all()
    assert gradient.isfinite().all()
    ignored = torch.where(mask, t, 255.0)
    torch.testing.assert_close(loss(spoilt, ignored, ignore_index=255), value)
    weight = mask.double()
    torch.testing.assert_close(loss(x, t, weight), value)


@both
def test_an_empty_set_costs_nothing(loss: Any) -> None:
    x = logits(0, H, W).requires_grad_()
    for arguments in ({}, {"num_masks": 1.0}, {"num_points": 5}):
        value = loss(x, labels(0, H, W), **arguments)
        assert value == 0
        value.backward()
    assert loss(logits(), labels(), mask=torch.zeros(M, H, W, dtype=torch.bool)) == 0


def test_nothing_there_and_nothing_predicted_costs_nothing() -> None:
    x = torch.zeros(1, 4, requires_grad=True)
    value = L.mask_dice_loss(x, torch.zeros(1, 4), from_logits=False)
    assert value == 0
    assert torch.autograd.grad(value, x)[0].isfinite().all()


@both
def test_shards_of_the_set_add(loss: Any) -> None:
    criterion, x, t = loss.Module(), logits(), labels()
    whole = criterion(x, t)
    first, second = (criterion.totals(x[s], t[s]) for s in (slice(0, 1), slice(1, None)))
    torch.testing.assert_close(criterion.finish(first + second), whole)
    counts = criterion.counts(t[:1]) + criterion.counts(t[1:])
    shares = [criterion(x[s], t[s], whole=counts) for s in (slice(0, 1), slice(1, None))]
    torch.testing.assert_close(shares[0] + shares[1], whole)


# Points


@pytest.mark.parametrize("spatial", [(5, 8), (1, 3), (3, 4, 6)], ids=str)
def test_points_hold_what_grid_sample_finds(spatial: tuple[int, ...]) -> None:
    """Inside and, fading to 0, at the border; with the same gradient, and a second one, which grid_sample lacks."""
    tensor = logits(3, *spatial)
    points = torch.rand(3, 20, len(spatial), generator=generator(2), dtype=torch.float64)
    points[:, :4] = points[:, :4].round()

    def theirs(tensor: Tensor, points: Tensor) -> Tensor:
        grid = (2 * points - 1).reshape(3, 20, *(1,) * (len(spatial) - 1), len(spatial))
        return F.grid_sample(tensor.unsqueeze(1), grid, align_corners=False).reshape(3, 20)

    agree(sample_points, theirs, tensor, points)
    agree(lambda p, _: sample_points(tensor, p), lambda p, _: theirs(tensor, p), points, points)
    few = tensor.clone().requires_grad_(), points[:, 4:7].clone().requires_grad_()
    assert torch.autograd.gradgradcheck(sample_points, few)


def test_uncertain_points_are_where_logits_are_near_zero() -> None:
    """Of 3 P candidates the 3/4 P nearest to 0, and the rest anywhere."""
    ramp = torch.linspace(-10, 10, 200).expand(2, 200, 200).contiguous()  # 0 at x = 1/2
    points = uncertain_points(ramp, 400, generator=generator())
    assert points.shape == (2, 400, 2)
    off = (points[..., 0] - 0.5).abs()
    near = off[:, :300] < 0.16  # a quarter of 1200 candidates lies within 1/8 of the middle
    assert near.double().mean() > 0.99  # but for those at the border, where values fade to 0
    assert off[:, 300:].max() > 0.4
    everywhere = uncertain_points(ramp, 400, importance_sample_ratio=0.0, generator=generator())
    assert everywhere[..., 0].sub(0.5).abs().mean() == pytest.approx(0.25, abs=0.02)
    again = uncertain_points(ramp, 400, generator=generator())
    assert torch.equal(points, again)
    with pytest.raises(ValueError, match="oversample_ratio at least 1"):
        uncertain_points(ramp, 400, oversample_ratio=0.5)
    with pytest.raises(ValueError, match=r"points must have shape \(M, P, 2\)"):
        sample_points(ramp, points[0])


@both
def test_losses_share_points_of_masks_of_any_resolution(loss: Any) -> None:
    """As in Mask2Former: points chosen on the predictions, and both read there."""
    x, t = logits(M, 8, 8), labels(M, 32, 24)
    points = uncertain_points(x, 40, generator=generator())
    at = [F.grid_sample(m.unsqueeze(1), 2 * points.unsqueeze(2) - 1, align_corners=False)[:, 0, :, 0] for m in (x, t)]
    each = reference_dice(*at, plus=0.0) if loss is L.mask_dice_loss else reference_bce(*at)
    value = loss(x, t, points=points, num_masks=7)
    assert float(value) == pytest.approx(each.sum() / 7, rel=1e-6)
    drawn = loss(x, t, num_points=40, generator=generator(), num_masks=7)
    torch.testing.assert_close(drawn, value)
    ratios: dict[str, float]
    for ratios in ({"oversample_ratio": 2.0}, {"importance_sample_ratio": 0.25}):
        other = uncertain_points(x, 40, generator=generator(), **ratios)
        found = loss(x, t, num_points=40, generator=generator(), num_masks=7, **ratios)
        torch.testing.assert_close(found, loss(x, t, points=other, num_masks=7))
        assert abs(float(found - value)) > 1e-4
    p = x.sigmoid()
    found = loss(p, t, from_logits=False, num_points=40, generator=generator(), num_masks=7)
    other = uncertain_points(p - 0.5, 40, generator=generator())
    torch.testing.assert_close(found, loss(p, t, from_logits=False, points=other, num_masks=7))
    composite = losskit.MaskDiceLoss() + losskit.MaskBCELoss()
    total = composite(x, t, points=points, num_masks=7)
    dice, bce = (f(x, t, points=points, num_masks=7) for f in LOSSES)
    torch.testing.assert_close(total, dice + bce)


@both
def test_points_near_what_does_not_count_do_not_count(loss: Any) -> None:
    mask = torch.ones(M, H, W, dtype=torch.bool)
    mask[:, :, 3:] = False
    x = torch.where(mask, logits(), math.nan).requires_grad_()
    points = torch.rand(M, 50, 2, generator=generator(), dtype=torch.float64)
    inside = points[..., 0] * W - 0.5 <= 2  # both neighbours in the first three columns
    value = loss(x, labels(), mask=mask, points=points, reduction="none")
    clean, truth = torch.where(mask, logits(), 0.0), labels() * mask
    for i in range(M):
        kept = points[i : i + 1, inside[i]]
        expected = loss(clean[i : i + 1], truth[i : i + 1], points=kept, reduction="none")
        torch.testing.assert_close(value[i : i + 1], expected)
    (gradient,) = torch.autograd.grad(value.sum(), x)
    assert (gradient[~mask] == 0).all()
    assert gradient.isfinite().all()
    ignored = torch.where(mask, labels(), 255.0)
    torch.testing.assert_close(loss(x, ignored, ignore_index=255, points=points, reduction="none"), value)


@both
def test_compiled_and_in_half_precision(loss: Any) -> None:
    torch._dynamo.reset()
    criterion = loss.Module(num_points=None)
    compiled: Any = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    x, t = logits().float(), labels()
    points = uncertain_points(x, 9)
    torch.testing.assert_close(compiled(x, t, points=points), criterion(x, t, points=points))
    drawn: Any = torch.compile(loss.Module(num_points=9), fullgraph=True, backend="aot_eager")
    assert drawn(x, t).isfinite()
    for dtype in (torch.float16, torch.bfloat16):
        value = criterion(x.to(dtype), t)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, criterion(x.to(dtype).float(), t))
        assert criterion(x.to(dtype), t, points=points).dtype == torch.float32


@pytest.mark.parametrize(
    ("message", "tensors", "arguments"),
    [
        (
            r"input has shape \(4, 7, 6\) and target \(4, 1, 7, 6\).*Pass target.squeeze\(1\)",
            (logits(), labels(4, 1, 7, 6)),
            {},
        ),
        (r"input must have shape \(M, \*\)", (logits(4), labels(4)), {}),
        (r"target holds 255.*0/255 mask", (logits(), 255 * labels()), {}),
        (r"may differ, but not the number of masks", (logits(), labels(3, 7, 6)), {"points": torch.rand(4, 5, 2)}),
        (r"points must have shape \(M, P, 2\)", (logits(), labels()), {"points": torch.rand(4, 5, 3)}),
        (r"mask has shape \(4, 6\), but it takes \(4, 7, 6\)", (logits(), labels()), {"mask": labels(4, 6) > 0}),
        (r"num_points must be .*>= 1", (logits(), labels()), {"num_points": 0}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_wrong_is_said(message: str, tensors: tuple[Tensor, ...], arguments: dict[str, Any]) -> None:
    for loss in LOSSES:
        with pytest.raises(ValueError, match=message):
            loss(*tensors, **arguments)


def test_two_denominators_are_one_too_many() -> None:
    with pytest.raises(TypeError, match="num_masks and normalizer both are the denominator"):
        L.mask_dice_loss(logits(), labels(), num_masks=2, normalizer=3)
