"""Class weights from class frequencies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import Tensor

from losskit.core.domains import nearest
from losskit.ops.inputs import can_hold

Scheme = Literal["inverse_frequency", "effective_number", "median_frequency"]


def class_weight_from(
    targets: Tensor | Iterable[Tensor],
    scheme: Scheme = "inverse_frequency",
    *,
    num_classes: int | None = None,
    ignore_index: int = -100,
    beta: float = 0.9999,
) -> Tensor:
    r"""Class weights from the class indices of a data set, for `class_weight=`.

    With :math:`n_c` elements of class c, n elements in total and C classes that occur:

    - ``inverse_frequency``: :math:`n / (C\,n_c)`, so that all classes have the same total weight;
    - ``effective_number``: :math:`(1 - \beta) / (1 - \beta^{n_c})`, scaled to average 1 over the classes that occur;
    - ``median_frequency``: :math:`\mathrm{median}(f) / f_c`, where :math:`f_c` is the share of class c in the samples
      that contain it.

    A class that does not occur has the weight 0. `targets` is a tensor of class indices with samples in its first
    dimension, or an iterable of such tensors (a pass over a data loader's labels).

    Source: effective number, Cui et al. 2019, arXiv:1901.05555; median frequency, Eigen and Fergus 2014,
    arXiv:1411.4734.
    """
    if scheme not in get_args(Scheme):
        known = ", ".join(get_args(Scheme))
        raise ValueError(
            f"class_weight_from: scheme must be one of {known}; got {scheme!r}{nearest(scheme, get_args(Scheme))}"
        )
    if not 0 <= beta < 1:
        raise ValueError(f"class_weight_from: beta must be in [0, 1); got {beta!r}")
    samples = _counts([targets] if isinstance(targets, Tensor) else targets, num_classes, ignore_index)  # (samples, C)
    count = samples.sum(0)
    if not bool((count > 0).any()):
        raise ValueError("class_weight_from: the targets hold no label that counts, so no class has a frequency.")
    occurs = count > 0
    safe = torch.where(occurs, count, 1.0)
    if scheme == "inverse_frequency":
        weight = count.sum() / (occurs.sum() * safe)
    elif scheme == "effective_number":
        weight = (1 - beta) / -torch.expm1(safe * torch.log(torch.tensor(beta, dtype=torch.float64)))
        weight = weight / weight[occurs].mean()
    else:
        frequency = safe / (samples.sum(1, keepdim=True) * (samples > 0)).sum(0).clamp_min(1)
        weight = frequency[occurs].quantile(0.5) / frequency
    return torch.where(occurs, weight, 0.0).to(torch.get_default_dtype())


def _counts(targets: Iterable[Tensor], num_classes: int | None, ignore_index: int) -> Tensor:
    """The number of elements of each class in each sample, (samples, C) float64."""
    rows = []
    for target in targets:
        if target.is_floating_point():
            raise TypeError(f"class_weight_from: targets are class indices; got {target.dtype}. Pass .long().")
        for sample in target.reshape(1) if target.dim() == 0 else target:
            labels = sample.reshape(-1)
            labels = labels[labels != ignore_index] if can_hold(labels, ignore_index) else labels
            rows.append(labels.long())
    largest = max((int(r.max()) for r in rows if len(r)), default=-1)
    smallest = min((int(r.min()) for r in rows if len(r)), default=0)
    classes = largest + 1 if num_classes is None else num_classes
    if smallest < 0 or largest >= classes:
        wrong = smallest if smallest < 0 else largest
        raise ValueError(
            f"class_weight_from: the targets hold the class index {wrong}, outside 0 to {classes - 1}. If it marks "
            f"elements to leave out, pass ignore_index={wrong}."
        )
    return (
        torch.stack([torch.bincount(r, minlength=classes) for r in rows]).to(torch.float64)
        if rows
        else torch.zeros(1, 1)
    )
