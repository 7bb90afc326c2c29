"""Calls of the plain losses: tensors for each, by which a mutant is compared with its original."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Make = Callable[[torch.Generator, int], tuple[Tensor, ...]]


def _normal(g: torch.Generator, *size: int) -> Tensor:
    return torch.randn(size, generator=g, dtype=torch.float64)


def _flags(g: torch.Generator, *size: int) -> Tensor:
    return (torch.rand(size, generator=g) < 0.4).double()


def _index(g: torch.Generator, low: int, high: int, *size: int) -> Tensor:
    return torch.randint(low, high, size, generator=g)


def _signs(g: torch.Generator, *size: int) -> Tensor:
    return 2 * _flags(g, *size) - 1


def _positive(g: torch.Generator, *size: int) -> Tensor:
    return _normal(g, *size).abs() + 0.1


def _corners(g: torch.Generator, n: int) -> Tensor:
    low = 2 * _normal(g, n, 2)
    return torch.cat([low, low + _positive(g, n, 2) + 0.5], 1)


def _ignoring(g: torch.Generator, n: int) -> tuple[Tensor, ...]:
    target = _index(g, 0, 3, n, 4, 5)
    target[0, 0] = -100
    return _normal(g, n, 3, 4, 5), target


def _rows_ignoring(g: torch.Generator, n: int) -> tuple[Tensor, ...]:
    target = _index(g, 0, 3, n)
    target[0] = -100
    return _normal(g, n, 3).log_softmax(1), target


CALLS: dict[str, Make] = {
    "mask": lambda g, n: (3 * _normal(g, n, 1, 4, 5), _flags(g, n, 1, 4, 5)),
    "labels": lambda g, n: (3 * _normal(g, n, 4), _flags(g, n, 4)),
    "shares": lambda g, n: (3 * _normal(g, n, 4), torch.rand((n, 4), generator=g, dtype=torch.float64)),
    "pixels": lambda g, n: (_normal(g, n, 3, 4, 5), _index(g, 0, 3, n, 4, 5)),
    "ignoring": _ignoring,
    "log rows": _rows_ignoring,
    "rows": lambda g, n: (2 * _normal(g, n, 3), _index(g, 0, 3, n)),
    "signs": lambda g, n: (_normal(g, n, 3), _signs(g, n, 3)),
    "levels": lambda g, n: (_normal(g, n, 3), (_index(g, 0, 4, n, 1) > torch.arange(3)).double()),
    "tokens": lambda g, n: (_normal(g, n, 6, 5), _index(g, 0, 5, n, 6)),
    "numbers": lambda g, n: (2 * _normal(g, n, 3), 2 * _normal(g, n, 3)),
    "depths": lambda g, n: (_positive(g, n, 3), _positive(g, n, 3)),
    "counts": lambda g, n: (_normal(g, n, 3), _index(g, 0, 5, n, 3).double()),
    "with log_var": lambda g, n: (_normal(g, n, 3), _normal(g, n, 3), _normal(g, n, 3)),
    "with var": lambda g, n: (_normal(g, n, 3), _normal(g, n, 3), _positive(g, n, 3)),
    "scale between": lambda g, n: (_normal(g, n, 3), _positive(g, n, 3), _normal(g, n, 3)),
    "quantiles": lambda g, n: (_normal(g, n, 3), _normal(g, n)),
    "masked": lambda g, n: (_normal(g, n, 3), _normal(g, n, 3), _flags(g, n, 3)),
    "distributions": lambda g, n: (_normal(g, n, 3).log_softmax(1), _normal(g, n, 3).softmax(1)),
    "triplets": lambda g, n: (_normal(g, n, 3), _normal(g, n, 3), _normal(g, n, 3)),
    "pairs": lambda g, n: (_normal(g, n, 3), _normal(g, n, 3), _signs(g, n)),
    "order": lambda g, n: (_normal(g, n, 3), _normal(g, n, 3), _signs(g, n, 3)),
    "distances": lambda g, n: (_positive(g, n, 3), _signs(g, n, 3)),
    "boxes": lambda g, n: (_corners(g, n), _corners(g, n)),
}
_OF = {
    "mask": "binary_cross_entropy_with_logits focal_loss dice_loss jaccard_loss tversky_loss focal_tversky_loss "
    "log_cosh_dice_loss dice_bce_loss combo_loss",
    "labels": "asymmetric_loss multilabel_soft_margin_loss",
    "shares": "quality_focal_loss",
    "pixels": "poly_loss generalized_cross_entropy_loss symmetric_cross_entropy_loss multiclass_dice_loss "
    "generalized_dice_loss dice_ce_loss",
    "ignoring": "cross_entropy multiclass_focal_loss",
    "log rows": "nll_loss",
    "rows": "multi_margin_loss logit_adjusted_loss ldam_loss confidence_penalty_loss ordinal_emd_loss",
    "signs": "soft_margin_loss",
    "levels": "coral_loss",
    "tokens": "cross_entropy_of_tokens",
    "depths": "msle_loss silog_loss",
    "counts": "poisson_nll_loss",
    "with log_var": "gaussian_nll_of_log_var",
    "with var": "gaussian_nll_loss",
    "scale between": "beta_nll_loss laplace_nll_loss student_t_nll_loss crps_loss",
    "quantiles": "quantiles_loss",
    "masked": "masked_l1_loss",
    "distributions": "kl_div",
    "triplets": "triplet_margin_loss",
    "pairs": "cosine_embedding_loss",
    "order": "margin_ranking_loss",
    "distances": "hinge_embedding_loss",
    "boxes": "box_iou_loss giou_loss diou_loss",
}
_BY_NAME = {name: kind for kind, names in _OF.items() for name in names.split()}


def calls_of(name: str) -> list[tuple[Tensor, ...]]:
    """Calls of a loss: of two numbers of samples, a prediction that equals its target, and a target of 0."""
    make = CALLS[_BY_NAME.get(name, "numbers")]
    made = [make(torch.Generator().manual_seed(seed), samples) for seed, samples in enumerate((4, 4, 4, 7, 7))]
    pair = made[0]
    if all(each.is_floating_point() and each.shape == pair[0].shape for each in pair[:2]):
        made += [(pair[1], *pair[1:]), (pair[0], 0 * pair[1], *pair[2:])]
    return made
