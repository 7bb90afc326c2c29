"""A loss of each connected component separately."""

from __future__ import annotations

import pytest
import torch
from scipy.ndimage import label
from torch import Tensor

import losskit
from losskit.ops.morphology import components


def two_blobs() -> tuple[Tensor, Tensor]:
    t = torch.zeros(2, 1, 4, 5)
    t[0, 0, 0, 0], t[0, 0, 1, 1] = 1, 1  # one blob, by the diagonal
    t[0, 0, 3, 3:] = 1
    return torch.randn(t.shape, generator=torch.Generator().manual_seed(0)), t


def test_blobs_by_hand():
    x, t = two_blobs()
    p = x[0, 0].sigmoid()
    first = torch.zeros(4, 5, dtype=torch.bool)
    first[0, 0] = first[1, 1] = True
    second = t[0, 0].bool() & ~first
    wanted = []
    for own, other in ((first, second), (second, first)):
        p_kept = torch.where(other, 0.0, p)
        wanted.append(1 - 2 * p_kept[own].sum() / (p_kept.sum() + own.sum()))
    found = losskit.BlobLoss(losskit.DiceLoss())(x, t)  # the second image has no blob, so it does not count
    torch.testing.assert_close(found, torch.stack(wanted).mean())
    none = losskit.BlobLoss(losskit.DiceLoss(), reduction="none")(x, t)
    assert none.shape == (2,)
    assert none[1] == 0


def test_blobs_given():
    x, t = two_blobs()
    blobs = torch.zeros(t.shape, dtype=torch.long)
    blobs[0, 0, 0, 0], blobs[0, 0, 1, 1], blobs[0, 0, 3, 3:] = 4, 4, 9
    loss = losskit.BlobLoss(losskit.BCEWithLogitsLoss())
    torch.testing.assert_close(loss(x, t, blobs=blobs), loss(x, t))
    with pytest.raises(ValueError, match="blobs has shape"):
        loss(x, t, blobs=blobs[0])


def test_blobs_of_nothing_cost_nothing():
    x = torch.randn(2, 1, 3, 3, requires_grad=True)
    value = losskit.BlobLoss(losskit.DiceLoss())(x, torch.zeros_like(x))
    value.backward()
    assert value == 0
    assert (x.grad == 0).all()
    assert losskit.BlobLoss(losskit.DiceLoss())(x[:0], x[:0]) == 0


def test_blobs_under_a_mask_and_in_parts_of_a_batch():
    x, t = two_blobs()
    x, t = torch.cat([x, x.flip(0)]), torch.cat([t, t.flip(0)])
    loss = losskit.BlobLoss(losskit.DiceLoss())
    mask = torch.ones(t.shape, dtype=torch.bool)
    mask[..., 3, 3:] = False
    hurt = torch.where(mask, x, torch.nan).requires_grad_()
    value = loss(hurt, t, mask=mask)
    value.backward()
    assert value.isfinite()
    assert (hurt.grad[~mask] == 0).all()
    parts = loss.totals(x[:1], t[:1]) + loss.totals(x[1:], t[1:])
    torch.testing.assert_close(loss.finish(parts).to(x.dtype), loss(x, t))
    whole = losskit.DiceLoss() + 0.5 * loss
    torch.testing.assert_close(whole(x, t), losskit.DiceLoss()(x, t) + 0.5 * loss(x, t))


def test_what_blobs_are_no_loss_of():
    with pytest.raises(TypeError, match="takes no mask"):
        losskit.BlobLoss(torch.nn.BCEWithLogitsLoss())


def test_components_are_those_of_scipy():
    make = torch.Generator().manual_seed(0)
    for space in ((30,), (13, 17), (6, 7, 8)):
        mask = torch.rand(2, 1, *space, generator=make) < 0.35
        found = components(mask, len(space))
        for n in range(2):
            wanted, count = label(mask[n, 0].numpy(), structure=torch.ones([3] * len(space)).numpy())
            pairs = {*zip(found[n, 0].flatten().tolist(), wanted.flatten().tolist(), strict=True)}
            assert len(pairs) == count + 1
