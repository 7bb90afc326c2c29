"""Losses of elements against torch, torchvision, MONAI, segmentation_models_pytorch, kornia, timm, toolbelt, fvcore.

Value and gradient, wherever they mean the same; where they don't is in deviations.py.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from losskit import BCEWithLogitsLoss, CrossEntropyLoss, FocalLoss, NLLLoss
from losskit.core.domains import Reduction
from peers import SINGLE, agree, binary, multiclass, peer

CLASS_WEIGHT = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
SHAPES = {"rows": (7, 4), "line": (3, 4, 9), "image": (3, 4, 6, 5), "volume": (2, 4, 2, 4, 5)}

shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
gammas = pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.5])


def distributions(shape: tuple[int, ...]) -> Tensor:
    """A distribution over classes at each position."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64).softmax(1)


def fractions(shape: tuple[int, ...], seed: int = 6) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# PyTorch


@shapes
@reductions
def test_cross_entropy_of_indices_is_torch(shape: tuple[int, ...], reduction: Reduction) -> None:
    logits, target = multiclass(shape)
    for weight, smoothing, ignored in product((None, CLASS_WEIGHT), (0.0, 0.1, 1.0), (-100, 2)):
        shared: dict[str, Any] = {"label_smoothing": smoothing, "ignore_index": ignored, "reduction": reduction}
        theirs = partial(F.cross_entropy, weight=weight, **shared)
        agree(CrossEntropyLoss(class_weight=weight, **shared), theirs, logits, target)


@shapes
@reductions
def test_cross_entropy_of_distributions_is_torch(shape: tuple[int, ...], reduction: Reduction) -> None:
    """Weighted, PyTorch's mean still divides by the number of positions; `normalizer` asks for that here."""
    logits, target = multiclass(shape)[0], distributions(shape)
    for weight, smoothing in product((None, CLASS_WEIGHT), (0.0, 0.1)):
        shared: dict[str, Any] = {"label_smoothing": smoothing, "reduction": reduction}
        whole = {"normalizer": logits[:, 0].numel()} if weight is not None and reduction == "mean" else {}
        ours = partial(CrossEntropyLoss(class_weight=weight, **shared), **whole)
        agree(ours, partial(F.cross_entropy, weight=weight, **shared), logits, target)


@shapes
@reductions
def test_nll_is_torch(shape: tuple[int, ...], reduction: Reduction) -> None:
    logits, target = multiclass(shape)
    for weight, ignored in product((None, CLASS_WEIGHT), (-100, 2)):
        shared: dict[str, Any] = {"ignore_index": ignored, "reduction": reduction}
        theirs = partial(F.nll_loss, weight=weight, **shared)
        agree(NLLLoss(class_weight=weight, **shared), theirs, logits.log_softmax(1), target)


@shapes
@reductions
def test_bce_is_torch(shape: tuple[int, ...], reduction: Reduction) -> None:
    """Weighted, PyTorch's mean still divides by the number of elements; `normalizer` asks for that here."""
    logits, target = binary(shape)[0], fractions(shape)
    for pos_weight, weighted in product((None, CLASS_WEIGHT), (False, True)):
        weight = fractions(shape, seed=7) + 0.5 if weighted else None
        whole = {"normalizer": logits.numel()} if weighted and reduction == "mean" else {}
        per_channel = None if pos_weight is None else pos_weight.view(-1, *[1] * (len(shape) - 2))
        agree(
            partial(BCEWithLogitsLoss(pos_weight=pos_weight, reduction=reduction), weight=weight, **whole),
            partial(F.binary_cross_entropy_with_logits, weight=weight, pos_weight=per_channel, reduction=reduction),
            logits,
            target,
        )


@reductions
def test_probabilities_are_torch(reduction: Reduction) -> None:
    logits, target = binary()
    ours = BCEWithLogitsLoss(from_logits=False, reduction=reduction)
    theirs = partial(F.binary_cross_entropy, reduction=reduction)
    agree(ours, theirs, logits.sigmoid(), target)
    ends = torch.tensor([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    agree(ours, theirs, *ends, tolerance=1e-8)  # PyTorch keeps the bound of the slope, 1e-12, in float32


# Smoothing, as others count it


@pytest.mark.parametrize("smoothing", [0.1, 0.4])
def test_smoothing_of_classes_is_that_of_others(smoothing: float) -> None:
    ours = CrossEntropyLoss(label_smoothing=smoothing)
    rows, labels = multiclass((7, 4))
    agree(ours, peer("timm").LabelSmoothingCrossEntropy(smoothing), rows, labels)
    logits, target = multiclass()
    for library in ("smp", "toolbelt"):
        agree(ours, peer(library).SoftCrossEntropyLoss(smooth_factor=smoothing), logits, target)
    agree(CrossEntropyLoss(), peer("timm").SoftTargetCrossEntropy(), rows, distributions((7, 4)))


@pytest.mark.parametrize("smoothing", [0.1, 0.4])
def test_smoothing_of_yes_and_no_is_that_of_others(smoothing: float) -> None:
    """Twice the `smooth_factor` of smp and toolbelt; timm's `smoothing` where it smooths dense targets at all."""
    ours = BCEWithLogitsLoss(label_smoothing=smoothing)
    logits, target = binary((7, 4))
    for library in ("smp", "toolbelt"):
        agree(ours, peer(library).SoftBCEWithLogitsLoss(smooth_factor=smoothing / 2), logits, target)
    agree(ours, peer("timm").BinaryCrossEntropy(smoothing=smoothing, smooth_dense=True), logits, target)


# Focal


@gammas
@pytest.mark.parametrize("alpha", [None, 0.25, 0.9])
@reductions
def test_binary_focal_is_that_of_everyone(gamma: float, alpha: float | None, reduction: Reduction) -> None:
    ours = FocalLoss(gamma=gamma, alpha=alpha, mode="multilabel", reduction=reduction)
    theirs: dict[str, Any] = {"alpha": -1 if alpha is None else alpha, "gamma": gamma, "reduction": reduction}
    for shape in ((3, 1, 6, 5), (4, 3, 7), (9, 4)):
        logits, target = binary(shape)
        agree(ours, partial(peer("torchvision").sigmoid_focal_loss, **theirs), logits, target)
        agree(ours, partial(peer("fvcore").sigmoid_focal_loss, **theirs), logits, target, tolerance=SINGLE)
        if reduction != "sum":  # MONAI's adds up spatial means
            monai = peer("monai").FocalLoss(gamma=gamma, alpha=alpha, use_softmax=False, reduction=reduction)
            agree(ours, monai, logits, target, tolerance=SINGLE)


@gammas
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_binary_focal_is_that_of_smp_kornia_toolbelt(gamma: float, alpha: float | None) -> None:
    ours = FocalLoss(gamma=gamma, alpha=alpha)
    logits, target = binary()
    agree(ours, peer("smp").FocalLoss("binary", gamma=gamma, alpha=alpha), logits, target)
    agree(ours, peer("toolbelt").BinaryFocalLoss(gamma=gamma, alpha=alpha), logits, target, tolerance=SINGLE)
    agree(ours, peer("kornia").BinaryFocalLossWithLogits(alpha, gamma, reduction="mean"), logits, target)


@gammas
@pytest.mark.parametrize("alpha", [None, 0.3])
def test_binary_focal_of_fractions_is_kornia(gamma: float, alpha: float | None) -> None:
    """kornia too weighs the focal term of yes by t and that of no by 1 - t."""
    logits, target = binary((4, 3, 7))[0], fractions((4, 3, 7))
    kornia = peer("kornia").BinaryFocalLossWithLogits(alpha, gamma, reduction="none")
    agree(FocalLoss(gamma=gamma, alpha=alpha, mode="multilabel", reduction="none"), kornia, logits, target)


@gammas
@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("shape", [(7, 4), (3, 4, 6, 5)])
def test_softmax_focal_is_that_of_monai_and_kornia(gamma: float, alpha: float | None, shape: tuple[int, ...]) -> None:
    """Both spread each position over its classes, so their mean is smaller by the number of classes.

    Their one number for alpha means 1 - alpha for class 0 and alpha for every other.
    """
    logits, target = multiclass(shape)
    ours = FocalLoss(gamma=gamma, alpha=None if alpha is None else [1 - alpha, alpha, alpha, alpha])
    monai = peer("monai").FocalLoss(gamma=gamma, alpha=alpha, use_softmax=True, to_onehot_y=True)
    agree(ours, lambda x, t: 4 * monai(x, t.unsqueeze(1)), logits, target, tolerance=SINGLE)
    kornia = peer("kornia").FocalLoss(alpha, gamma, reduction="mean")
    agree(ours, lambda x, t: 4 * kornia(x, t), logits, target)


def test_softmax_focal_with_a_weight_a_class_is_monai() -> None:
    logits, target = multiclass()
    alpha = [0.1, 0.2, 0.3, 0.4]
    monai = peer("monai").FocalLoss(alpha=alpha, use_softmax=True, to_onehot_y=True)
    agree(FocalLoss(alpha=alpha), lambda x, t: 4 * monai(x, t.unsqueeze(1)), logits, target, tolerance=SINGLE)


def test_softmax_focal_that_ignores_is_monai() -> None:
    """With `ignore_index` MONAI divides by the positions that count, no longer by their classes."""
    logits, target = multiclass()
    monai = peer("monai").FocalLoss(use_softmax=True, to_onehot_y=True, ignore_index=2)
    agree(FocalLoss(ignore_index=2), lambda x, t: monai(x, t.unsqueeze(1)), logits, target, tolerance=SINGLE)


@gammas
def test_focal_of_one_class_against_the_rest_is_smp(gamma: float) -> None:
    logits, target = multiclass()
    agree(FocalLoss(gamma=gamma, mode="multilabel"), peer("smp").FocalLoss("multiclass", gamma=gamma), logits, target)
