"""Distances to the border of a mask: exact, in every number of dimensions, by every implementation."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from torch import Tensor

import losskit
from losskit import signed_distance
from losskit.ops import distances, native


def random_mask(shape: list[int], share: float, seed: int) -> Tensor:
    return torch.rand(2, 2, *shape, generator=torch.Generator().manual_seed(seed)) < share


@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99, 1.0]),
    seed=st.integers(0, 99),
    data=st.data(),
)
@settings(max_examples=60)
def test_distances_are_those_of_scipy(shape, share, seed, data):
    mask = random_mask(shape, share, seed)
    spacing = data.draw(st.lists(st.sampled_from([0.3, 1.0, 2.5]), min_size=len(shape), max_size=len(shape)))
    by_kernel, in_torch = distances.distances(mask, spacing), distances.reference(mask, spacing)
    assert by_kernel.dtype == in_torch.dtype == torch.float64
    for n in range(2):
        for c in range(2):
            one = mask[n, c].numpy()
            wanted = np.zeros(shape) if one.all() else distance_transform_edt(one, sampling=spacing)
            np.testing.assert_allclose(by_kernel[n, c], wanted, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(in_torch[n, c], wanted, rtol=1e-12, atol=1e-12)


def test_the_number_of_threads_changes_no_bit():
    mask = random_mask([257, 129], 0.999, 3)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(distances.distances(mask, [1.0, 1.0]))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], each) for each in found)


def test_it_is_an_operator_of_pytorch():
    mask = random_mask([4, 5], 0.7, 1)
    torch.library.opcheck(distances.distances, (mask, [1.0, 2.0]))
    mapped = torch.func.vmap(lambda m: distances.distances(m, [1.0, 2.0]))(mask)
    assert torch.equal(mapped, distances.distances(mask, [1.0, 2.0]))


def test_signed_distances_by_hand():
    mask = torch.tensor([[[0, 1, 1, 1, 0, 0, 0]]])
    assert signed_distance(mask).tolist() == [[[1, 0, -1, 0, 1, 2, 3]]]
    assert signed_distance(mask, 0.5).tolist() == [[[0.5, 0, -0.5, 0, 0.5, 1, 1.5]]]
    both = mask.unsqueeze(2)  # a plane of one row
    assert signed_distance(both, [9.0, 2.0]).tolist() == [[[[2, 0, -2, 0, 2, 4, 6]]]]


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_without_a_border_has_distances_of_0(value):
    assert (signed_distance(torch.full((2, 1, 3, 4), value)) == 0).all()


def test_what_a_mask_may_be():
    mask = random_mask([5, 6], 0.5, 2)
    wanted = signed_distance(mask)
    assert wanted.dtype == torch.float32
    for dtype in (torch.uint8, torch.int64, torch.float16, torch.float32):
        assert torch.equal(signed_distance(mask.to(dtype)), wanted)
    assert signed_distance(mask.double()).dtype == torch.float64
    assert torch.equal(signed_distance(mask.transpose(2, 3)).transpose(2, 3), wanted)
    assert signed_distance(torch.zeros(0, 1, 3)).shape == (0, 1, 3)
    assert signed_distance(torch.zeros(2, 1, 0, 3)).shape == (2, 1, 0, 3)


def test_what_it_refuses():
    with pytest.raises(ValueError, match=r"must have shape \(N, C, \*\).*mask\[None, None\]"):
        signed_distance(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="spacing has 1 numbers for 2 spatial dimensions"):
        signed_distance(torch.zeros(1, 1, 3, 3), [1.0])
    with pytest.raises(ValueError, match="spacing takes numbers > 0"):
        signed_distance(torch.zeros(1, 1, 3, 3), [1.0, -1.0])
    with pytest.raises(TypeError, match="mask must be a tensor"):
        signed_distance([[0, 1]])


def _in_worker(mask: Tensor) -> Tensor:
    return signed_distance(mask, 0.5)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_that_load_data_can_call_it(method):
    mask = random_mask([40, 50], 0.5, 5)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert torch.equal(pool.apply(_in_worker, (mask,)), signed_distance(mask, 0.5))


@pytest.mark.parametrize("name", ["boundary_loss", "hausdorff_loss"])
@pytest.mark.parametrize("value", [None, 0, 1])
def test_distances_made_beforehand_are_those_of_the_loss(name, value):
    loss = getattr(losskit.functional, name)
    make = torch.Generator().manual_seed(0)
    x = torch.randn(2, 1, 5, 6, generator=make)
    t = torch.rand(x.shape, generator=make) < 0.5 if value is None else torch.full(x.shape, bool(value))
    for spacing in (1.0, [0.5, 3.0]):
        made = signed_distance(t, spacing)
        for mask in (None, torch.rand(x.shape, generator=make) < 1.1):
            wanted = loss(x, t, mask=mask, spacing=spacing, absent="formula")
            torch.testing.assert_close(loss(x, t, mask=mask, spacing=spacing, absent="formula", distances=made), wanted)
    with pytest.raises(ValueError, match=r"distances has shape \(2, 1, 5\).*one map for each class"):
        loss(x, t, distances=made[..., 0])


def test_a_composite_hands_distances_to_the_part_that_takes_them():
    make = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 5, 6, generator=make)
    t = torch.randint(0, 3, (2, 5, 6), generator=make)
    made = 2 * signed_distance(F.one_hot(t, 3).movedim(-1, 1))
    both = losskit.DiceLoss() + 0.5 * losskit.BoundaryLoss()
    wanted = losskit.DiceLoss()(x, t) + 0.5 * losskit.BoundaryLoss()(x, t, distances=made)
    torch.testing.assert_close(both(x, t, distances=made), wanted)
    assert both(x, t, distances=made) != both(x, t)


def test_without_the_kernels_the_numbers_are_the_same(monkeypatch):
    mask = random_mask([7, 8], 0.6, 4)
    wanted = signed_distance(mask.double(), [1.0, 0.7])
    monkeypatch.setattr(native, "AVAILABLE", False)
    torch.testing.assert_close(signed_distance(mask.double(), [1.0, 0.7]), wanted, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", ["native", "torch"])
def test_a_wrong_spacing_is_seen(name, monkeypatch):
    """The comparison with SciPy can fail."""
    mask = random_mask([6, 6], 0.8, 0)
    compute = distances.distances if name == "native" else distances.reference
    wanted = distance_transform_edt(mask[0, 0].numpy(), sampling=[1.0, 2.0])
    assert not np.allclose(compute(mask, [1.0, 1.0])[0, 0], wanted)
