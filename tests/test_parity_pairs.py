"""Losses of margins, similarity and distributions against PyTorch: every option, reduction, and where they part."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from losskit import functional as L
from peers import agree

N, C = 6, 5
LISTS = torch.tensor(
    [[0, 2, -1, 3, 4], [1, 1, -1, 0, 0], [-1, 0, 0, 0, 0], [0, 1, 2, 3, 4], [4, -1, -1, -1, -1], [3, 0, 1, 2, -1]]
)
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def fractions(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=generator(seed), dtype=torch.float64)


def signs(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 2, shape, generator=generator(seed)) * 2 - 1


X, Y, Z = numbers(N, C), numbers(N, C, seed=1), numbers(N, C, seed=2)
SIGNS = signs(N, C)
CLASSES = torch.randint(0, C, (N,), generator=generator(3))
LOG_P, P = X.log_softmax(1), Y.softmax(1)


def far(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().amax(-1)


# name, the tensors of PyTorch's call, the positions that take a gradient, and the options with their values
PAIRS: list[tuple[str, tuple[Tensor, ...], tuple[int, ...], dict[str, list[Any]]]] = [
    ("margin_ranking_loss", (X, Y, SIGNS.double()), (0, 1), {"margin": [0.0, 0.7, -0.5]}),
    ("margin_ranking_loss", (X[0], Y[0], SIGNS[0].double()), (0, 1), {}),
    ("hinge_embedding_loss", (X, SIGNS), (0,), {"margin": [1.0, 0.4, 3.0]}),
    ("soft_margin_loss", (X, SIGNS.double()), (0,), {}),
    ("multi_margin_loss", (X, CLASSES), (0,), {"p": [1, 2], "margin": [1.0, 0.3, 2.5]}),
    ("multilabel_margin_loss", (X, LISTS), (0,), {}),
    ("multilabel_margin_loss", (X[0], LISTS[0]), (0,), {}),
    ("multilabel_soft_margin_loss", (X, fractions(N, C)), (0,), {}),
    ("cosine_embedding_loss", (X, Y, SIGNS[:, 0]), (0, 1), {"margin": [0.0, 0.3, -0.4]}),
    ("cosine_embedding_loss", (X[0], Y[0], SIGNS[0, 0]), (0, 1), {}),
    (
        "triplet_margin_loss",
        (X, Y, Z),
        (0, 1, 2),
        {"margin": [1.0, 3.0], "p": [2.0, 1.0, 3.0, math.inf], "eps": [1e-6, 0.1], "swap": [False, True]},
    ),
    ("triplet_margin_loss", (X[0], Y[0], Z[0]), (0, 1, 2), {"margin": [9.0]}),
    ("triplet_margin_loss", (numbers(2, 3, C), numbers(2, 3, C, seed=1), numbers(2, 3, C, seed=2)), (0, 1, 2), {}),
    ("kl_div", (LOG_P, P), (0, 1), {}),
    ("kl_div", (LOG_P, P.log()), (0, 1), {"log_target": [True]}),
    ("kl_div", (numbers(2, C, 3).log_softmax(1), numbers(2, C, 3, seed=1).softmax(1)), (0, 1), {}),
]
every_pair = pytest.mark.parametrize(
    ("name", "tensors", "differentiable", "options"), PAIRS, ids=[f"{p[0]}-{tuple(p[1][0].shape)}" for p in PAIRS]
)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # PyTorch announces another mean of kl_div
@reductions
@every_pair
def test_value_and_gradients_are_torchs(
    name: str,
    tensors: tuple[Tensor, ...],
    differentiable: tuple[int, ...],
    options: dict[str, list[Any]],
    reduction: str,
) -> None:
    for values in product(*options.values()):
        shared = {**dict(zip(options, values, strict=True)), "reduction": reduction}
        for at in differentiable:

            def placed(loss: Callable[..., Tensor], at: int = at) -> Callable[..., Tensor]:
                return lambda x, _: loss(*tensors[:at], x, *tensors[at + 1 :])

            ours, theirs = (placed(partial(getattr(module, name), **shared)) for module in (L, F))
            agree(ours, theirs, tensors[at], tensors[0])


def test_a_distance_of_ones_own_is_torchs() -> None:
    for swap in (False, True):
        ours = losskit.TripletMarginLoss(distance_function=far, swap=swap, margin=2.0)
        theirs = torch.nn.TripletMarginWithDistanceLoss(distance_function=far, swap=swap, margin=2.0)
        agree(lambda x, y, f=ours: f(x, y, Z), lambda x, y, f=theirs: f(x, y, Z), X, Y)
    with pytest.raises(TypeError, match="p and eps belong to the built-in distance"):
        losskit.TripletMarginLoss(distance_function=far, p=1.0)


def test_batchmean_is_torchs_and_counts_samples() -> None:
    batchmean = losskit.KLDivLoss(reduction="batchmean")
    agree(batchmean, partial(F.kl_div, reduction="batchmean"), LOG_P, P)
    images = numbers(2, C, 3).log_softmax(1), numbers(2, C, 3, seed=1).softmax(1)
    agree(batchmean, partial(F.kl_div, reduction="batchmean"), *images)
    keep = torch.tensor([True, False, True, True, False, True])
    torch.testing.assert_close(batchmean(LOG_P, P, mask=keep.unsqueeze(1)), batchmean(LOG_P[keep], P[keep]))
    columns = torch.tensor([True, True, False, True, True])
    torch.testing.assert_close(
        batchmean(LOG_P, P, mask=columns.unsqueeze(0)), batchmean(LOG_P[:, columns], P[:, columns])
    )
    twice = torch.tensor([1.0, 2.0, 1.0, 1.0, 1.0, 1.0]).double().unsqueeze(1)
    index = torch.tensor([0, 1, 1, 2, 3, 4, 5])
    torch.testing.assert_close(batchmean(LOG_P, P, weight=twice), batchmean(LOG_P[index], P[index]))
    assert batchmean(LOG_P[:0], P[:0]) == 0
    first, second = (batchmean.totals(LOG_P[s], P[s]) for s in (slice(0, 2), slice(2, None)))
    torch.testing.assert_close(batchmean.finish(first + second), batchmean(LOG_P, P))


@pytest.mark.parametrize("p", [1, 2])
def test_class_weights_of_multi_margin_divide_its_mean(p: Literal[1, 2]) -> None:
    """Values and sum are PyTorch's; its mean divides by the samples, ours by their class weights."""
    weight = fractions(C, seed=4) + 0.5
    for reduction in ("none", "sum"):
        ours = losskit.MultiMarginLoss(p=p, class_weight=weight, reduction=reduction)
        agree(ours, partial(F.multi_margin_loss, p=p, weight=weight, reduction=reduction), X, CLASSES)
    mean = F.multi_margin_loss(X, CLASSES, p=p, weight=weight, reduction="sum") / weight[CLASSES].sum()
    torch.testing.assert_close(L.multi_margin_loss(X, CLASSES, p=p, class_weight=weight), mean)


def test_class_weights_of_multi_label_soft_margin_divide_its_mean() -> None:
    """Values and sum are PyTorch's; its mean divides by samples times classes, ours by their class weights."""
    weight, target = fractions(C, seed=4) + 0.5, fractions(N, C)
    for reduction in ("none", "sum"):
        ours = losskit.MultiLabelSoftMarginLoss(class_weight=weight, reduction=reduction)
        agree(ours, partial(F.multilabel_soft_margin_loss, weight=weight, reduction=reduction), X, target)
    total = F.multilabel_soft_margin_loss(X, target, weight=weight, reduction="sum")
    mean = L.multilabel_soft_margin_loss(X, target, class_weight=weight)
    torch.testing.assert_close(mean, total / (N * weight.mean()))


def test_multi_margin_takes_images_and_leaves_labels_out() -> None:
    scores, labels = numbers(2, C, 3, 4), torch.randint(0, C, (2, 3, 4), generator=generator(5))
    rows, flat = scores.movedim(1, -1).reshape(-1, C), labels.reshape(-1)
    torch.testing.assert_close(L.multi_margin_loss(scores, labels), F.multi_margin_loss(rows, flat))
    ignored = L.multi_margin_loss(scores, labels, ignore_index=2)
    torch.testing.assert_close(ignored, F.multi_margin_loss(rows[flat != 2], flat[flat != 2]))
    weight = fractions(2, 1, 3, 4, seed=6)
    each = F.multi_margin_loss(rows, flat, reduction="none")
    expected = (weight.reshape(-1) * each).sum() / weight.sum()
    torch.testing.assert_close(L.multi_margin_loss(scores, labels, weight), expected)


def test_values_worked_by_hand() -> None:
    """Options away from their defaults, and what no other library has.

    Ranking, margin 1: -(2 - 0.5) + 1 < 0, so 0; for y = -1, 1.5 + 1 = 2.5.
    Hinge embedding, margin 2: 0.5 as it is; for y = -1, 2 - 0.5 = 1.5.
    Multi-margin, scores 1, 2, 4, truth 2 of 0, 1, 2 with margin 3, p 2: (3 - 4 + 1)² = 0 and (3 - 4 + 2)² = 1, by 3;
    with truth 0: (3 - 1 + 2)² + (3 - 1 + 4)² = 16 + 36, by 3.
    Multi-label margin, scores 1, 2, 4, label 0: (1 - (1 - 2)) + (1 - (1 - 4)) = 2 + 4, by 3.
    Cosine of (3, 4) and (4, 3) is 24 / 25; for y = -1 and margin 0.5 it costs 0.46.
    Triplet in the plane, p 1, margin 2: d(a, p) = 3, d(a, n) = 4, d(p, n) = 1: 3 - 4 + 2 = 1, swapped 3 - 1 + 2 = 4.
    KL of (1/2, 1/2) from (1/4, 3/4): log(2) / 2 + log(2/3) / 2.
    """

    def holds(value: Tensor, *expected: float) -> None:
        torch.testing.assert_close(value.reshape(-1), torch.tensor(expected).double(), rtol=1e-6, atol=1e-9)

    x1, x2 = torch.tensor([2.0, 2.0]).double(), torch.tensor([0.5, 0.5]).double()
    holds(L.margin_ranking_loss(x1, x2, torch.tensor([1, -1]), margin=1.0, reduction="none"), 0.0, 2.5)
    holds(L.hinge_embedding_loss(x2, torch.tensor([1, -1]), margin=2.0, reduction="none"), 0.5, 1.5)
    scores = torch.tensor([[1.0, 2.0, 4.0]]).double().repeat(2, 1)
    squares = L.multi_margin_loss(scores, torch.tensor([2, 0]), margin=3.0, p=2, reduction="none")
    holds(squares, 1 / 3, 52 / 3)
    holds(L.multilabel_margin_loss(scores[:1], torch.tensor([[0, -1, 7 - 7]])), 2.0)
    u, v = torch.tensor([[3.0, 4.0]]).double(), torch.tensor([[4.0, 3.0]]).double()
    holds(L.cosine_embedding_loss(u, v, torch.tensor([-1]), margin=0.5), 0.46)
    a, p, n = (torch.tensor([row]).double() for row in ([0.0, 0.0], [1.0, 2.0], [2.0, 2.0]))
    holds(L.triplet_margin_loss(a, p, n, p=1.0, margin=2.0, eps=0.0), 1.0)
    holds(L.triplet_margin_loss(a, p, n, p=1.0, margin=2.0, eps=0.0, swap=True), 4.0)
    q, t = torch.tensor([[0.25, 0.75]]).double(), torch.tensor([[0.5, 0.5]]).double()
    holds(L.kl_div(q.log(), t, reduction="batchmean"), math.log(2) / 2 + math.log(2 / 3) / 2)


def test_where_probabilities_are_zero_nothing_is_lost() -> None:
    """0 log 0 is 0, also where the prediction is 0 too; PyTorch gives NaN there."""
    input = torch.tensor([-math.inf, 0.0]).double().requires_grad_()
    target = torch.tensor([0.0, 1.0]).double().requires_grad_()
    for logs in (False, True):
        value = L.kl_div(input, target.log() if logs else target, log_target=logs, reduction="sum")
        assert value == 0
        by_input, by_target = torch.autograd.grad(value, (input, target))
        assert by_input.tolist() == [0, -1]
        assert not logs or by_target.isfinite()[1]
    assert F.kl_div(input, target, reduction="sum").isnan()


def test_far_from_the_margin_nothing_overflows() -> None:
    input = torch.tensor([-1e4, 1e4])
    value = L.soft_margin_loss(input, torch.tensor([1, -1]), reduction="none")
    assert value.tolist() == [1e4, 1e4]
    both = L.multilabel_soft_margin_loss(input.unsqueeze(0), torch.tensor([[1, 0]]))
    assert both == 1e4


@every_pair
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(
    name: str,
    tensors: tuple[Tensor, ...],
    differentiable: tuple[int, ...],
    options: dict[str, list[Any]],
    dtype: torch.dtype,
) -> None:
    half = [t.to(dtype) if t.is_floating_point() else t for t in tensors]
    single = [t.float() if t.is_floating_point() else t for t in half]
    log_target = {"log_target": True} if "log_target" in options else {}
    value = getattr(L, name)(*half, reduction="sum", **log_target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, getattr(F, name)(*single, reduction="sum", **log_target))


@every_pair
def test_second_derivatives_exist(
    name: str, tensors: tuple[Tensor, ...], differentiable: tuple[int, ...], options: dict[str, list[Any]]
) -> None:
    log_target = {"log_target": True} if "log_target" in options else {}
    inputs = [t.clone().requires_grad_(i in differentiable) for i, t in enumerate(tensors)]
    assert torch.autograd.gradcheck(partial(getattr(L, name), **log_target), inputs)
    assert torch.autograd.gradgradcheck(partial(getattr(L, name), **log_target), inputs)


def refused(message: str, error: type[Exception], name: str, *tensors: Tensor, **arguments: Any) -> None:
    with pytest.raises(error, match=message):
        getattr(L, name)(*tensors, **arguments)


def test_targets_that_mean_nothing_are_errors_that_name_them() -> None:
    zero_one = (SIGNS + 1) // 2
    for name, tensors in (
        ("margin_ranking_loss", (X, Y, zero_one)),
        ("hinge_embedding_loss", (X, zero_one)),
        ("soft_margin_loss", (X, zero_one.bool())),
        ("cosine_embedding_loss", (X, Y, zero_one[0].repeat(2)[:N])),
    ):
        refused(r"target holds 0, but each target is 1 or -1.*2 \* target - 1", ValueError, name, *tensors)
    refused("target holds 5, but it lists class indices 0 to 4", ValueError, "multilabel_margin_loss", X, LISTS + 1)
    refused("target lists class indices", TypeError, "multilabel_margin_loss", X, LISTS.double())
    refused("class index 7", ValueError, "multi_margin_loss", X, CLASSES * 0 + 7)
    refused("one class index per position", ValueError, "multi_margin_loss", X, P)
    refused(r"target holds -\d.*log_target=True", ValueError, "kl_div", LOG_P, P.log())
    refused("labels lie in", ValueError, "multilabel_soft_margin_loss", X, LISTS * 0 + 3)


def test_shapes_that_would_broadcast_are_errors() -> None:
    column = X[:, :1]
    refused(r"input1 has shape \(6, 5\) and input2 \(6, 1\)", ValueError, "margin_ranking_loss", X, column, SIGNS)
    refused(r"input1 has shape \(6, 5\) and target \(6, 1\)", ValueError, "margin_ranking_loss", X, Y, SIGNS[:, :1])
    refused(r"input has shape \(6, 5\) and target \(6, 1\)", ValueError, "hinge_embedding_loss", X, SIGNS[:, :1])
    refused(r"target \(6, 1\)", ValueError, "cosine_embedding_loss", X, Y, SIGNS[:, :1])
    refused(r"anchor has shape \(6, 5\) and negative \(6, 1\)", ValueError, "triplet_margin_loss", X, Y, column)
    refused(r"input has shape \(6, 5\) and target \(5,\)", ValueError, "kl_div", LOG_P, P[0])
    refused(r"input\.unsqueeze\(0\)", ValueError, "multilabel_soft_margin_loss", X[0], P[0])


@pytest.mark.parametrize(
    ("loss", "target"),
    [(losskit.MultiMarginLoss, CLASSES), (losskit.MultiLabelSoftMarginLoss, P)],
    ids=["classes", "labels"],
)
def test_a_weight_of_one_dimension_would_mean_classes_to_pytorch(loss: Any, target: Tensor) -> None:
    for size in (N, C):
        with pytest.raises(ValueError, match=r"class_weight=.*per-sample weights"):
            loss()(X, target, torch.ones(size))
    with pytest.raises(TypeError, match="per-class weights are class_weight"):
        loss(weight=torch.ones(C))


def test_samples_weigh_what_they_are_given() -> None:
    """A weight of 0, 1 or 2 a sample is the sample left out, once or twice, though NaN is in the one left out."""
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0, 0.0]).double()
    mask, index = weight > 0, torch.tensor([0, 1, 1, 3, 4])
    for name, tensors, differentiable, _ in PAIRS:
        if tensors[0].shape != (N, C):
            continue
        rows = (
            (-1, 1) if name in ("margin_ranking_loss", "hinge_embedding_loss", "soft_margin_loss", "kl_div") else (-1,)
        )
        rows = (-1, 1) if name in ("multi_margin_loss", "multilabel_soft_margin_loss") else rows
        spoilt = [t.clone() for t in tensors]
        for i, t in enumerate(spoilt):
            if t.is_floating_point():
                t[~mask] = math.nan
            t.requires_grad_(i in differentiable)
        options = {"log_target": True} if name == "kl_div" and bool((tensors[1] < 0).all()) else {}
        value = getattr(L, name)(*spoilt, weight=weight.view(rows), mask=mask.view(rows), **options)
        torch.testing.assert_close(value, getattr(L, name)(*(t[index] for t in tensors), **options))
        for at in differentiable:
            (gradient,) = torch.autograd.grad(value, spoilt[at], retain_graph=True)
            assert gradient.isfinite().all(), name
            assert (gradient[~mask] == 0).all(), name


def test_composites_of_three_tensors() -> None:
    keep = SIGNS[:, 0] > 0
    both = losskit.TripletMarginLoss() + 2.0 * losskit.TripletMarginLoss(p=1.0)
    expected = F.triplet_margin_loss(X, Y, Z) + 2 * F.triplet_margin_loss(X, Y, Z, p=1)
    torch.testing.assert_close(both(X, Y, Z), expected)
    torch.testing.assert_close(both(X, Y, Z, mask=keep), both(X[keep], Y[keep], Z[keep]))
    first, second = (both.totals(*(t[s] for t in (X, Y, Z))) for s in (slice(0, 2), slice(2, None)))
    torch.testing.assert_close(both.finish(first + second), expected)
