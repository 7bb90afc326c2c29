"""Losses of ranks: elements sorted by their error, and priced by what they would change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from losskit.core.contract import read
from losskit.core.labels import LABEL_SHAPES, LabelOptions, ModeOptions, check_length
from losskit.core.loss import Additive
from losskit.core.options import option
from losskit.core.sums import Sums
from losskit.ops.reading import Reading
from losskit.ops.reference import Elements
from losskit.ops.values import check, verdict


class LovaszLoss(ModeOptions, LabelOptions, Additive):
    r"""The convex extension of intersection over union: each error is priced by the Jaccard index it costs.

    .. math:: \sum_i e_{(i)}\,\left(J_i - J_{i-1}\right)

    with the errors in falling order and :math:`J_i` the Jaccard loss of mistaking the first i. For one channel and
    multi-label the errors are hinges, :math:`[1 - x\,(2t - 1)]_+`; for several classes :math:`|t_c - p_c|`, averaged
    over the classes present in the image.

    Source: Berman, Triki, Blaschko 2018, arXiv:1705.08790; the hinge also Yu and Blaschko 2015, arXiv:1512.07797.

    Elsewhere: segmentation_models_pytorch and pytorch_toolbelt pool the batch by default; kornia averages over all
    classes, absent ones too; toolbelt's multi-class form takes probabilities.
    """

    authority = "kornia.losses.LovaszHingeLoss and segmentation_models_pytorch.losses.LovaszLoss(per_image=True)"
    short_name = "lovasz"
    shapes = f"{LABEL_SHAPES}, but no weight; values (N,), or one number with pool='batch'."
    across_ranks: ClassVar[str] = (
        "exact with pool='sample'; with pool='batch' every process ranks the elements of its own batch."
    )

    pool: Literal["sample", "batch"] = option(
        default="sample", doc="whether elements are ranked in each sample, or all"
    )
    classes: Literal["present", "all"] | Sequence[int] = option(
        default="present", doc="the classes averaged in multi-class: those in the image, all, or these"
    )

    @property
    def additive(self) -> bool:
        return self.pool == "sample"

    @property
    def is_mean(self) -> bool:
        return self.pool == "sample"

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        value, share = self.weighed(*tensors, weight=weight, mask=mask)
        return Sums(numerator=value.sum(), denominator=share.sum())

    def weighed(self, *tensors: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        value, share = self._images(tensors[0], tensors[1], weight=weight, mask=mask)
        return (value.squeeze(0), share.squeeze(0)) if self.pool == "batch" else (value, share)

    def _images(
        self, input: Tensor, target: Tensor, *, weight: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The loss of each image (N,), and 1 where any of its elements counts."""
        if weight is not None:
            raise TypeError(
                f"{self.name}: elements are ranked, so they have no weight. Pass mask= to leave elements out, or "
                "class_weight= to weigh classes."
            )
        reading = read(
            self.name, input, target, None, mask,
            mode=self.mode, ignore_index=self.ignore_index, from_logits=self.from_logits,
        )  # fmt: skip
        check_length(self.name, "class_weight", self.class_weight, reading)
        bad = check(reading)
        if not reading.holds_indices and target.is_floating_point():
            bad += _hard(reading)
        error, truth, counts = self._errors(reading)
        if self.pool == "batch":
            error, truth, counts = (t.transpose(0, 1).flatten(1).unsqueeze(0) for t in (error, truth, counts))
        value = ranked(error, truth, counts)  # (N, C)
        scored = self._scored(truth, counts, reading)
        scored = scored if self.class_weight is None else scored * self.class_weight.to(scored)  # type: ignore[union-attr]
        total = scored.sum(1)
        value = torch.where(scored > 0, value * scored, 0.0).sum(1) / torch.where(total > 0, total, 1.0)
        for nan_or_zero in bad:
            value = value + nan_or_zero
        return value, (total > 0).to(value.dtype)

    def _errors(self, reading: Reading) -> tuple[Tensor, Tensor, Tensor]:
        """Errors, truth and what counts, (N, C, S) each."""
        elements = Elements(reading)
        target = elements.target > 0.5
        if reading.link == "sigmoid" and reading.from_logits:
            error = torch.relu(1 - elements.input * (2 * target.to(elements.dtype) - 1))
        else:
            error = (target.to(elements.dtype) - elements.p).abs()
        counts = torch.ones_like(target) if elements.counts is None else elements.counts.expand_as(target)
        error, target, counts = (t.unsqueeze(-1).flatten(2) for t in (error, target, counts))
        return error, target, counts

    def _scored(self, truth: Tensor, counts: Tensor, reading: Reading) -> Tensor:
        """Which classes of each image are averaged, (N, C) float64."""
        scored = counts.any(-1)
        if reading.link == "softmax":
            if self.classes == "present":
                scored = scored & truth.any(-1)
            elif self.classes != "all":
                chosen = [c in self.classes for c in range(reading.num_classes)]
                scored = scored & torch.tensor(chosen, device=scored.device)
        return scored.to(torch.float64)


def ranked(error: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """The sum of errors in falling order, each times the Jaccard loss it adds: (..., S) to (...)."""
    order = torch.where(counts, error.detach(), -1.0).argsort(-1, descending=True)
    truth = (truth & counts).gather(-1, order).to(torch.float64)
    counts = counts.gather(-1, order)
    error = torch.where(counts, error.gather(-1, order), 0.0).to(torch.float64)
    positives = truth.sum(-1, keepdim=True)
    union = positives + (counts.to(torch.float64) - truth).cumsum(-1)
    jaccard = 1 - (positives - truth.cumsum(-1)) / torch.where(union > 0, union, 1.0)
    price = jaccard - torch.cat([torch.zeros_like(jaccard[..., :1]), jaccard[..., :-1]], -1)
    return (error * price).sum(-1)


def _hard(reading: Reading) -> list[Tensor]:
    target = reading.target
    counts = Elements(reading).counts
    bad = (target > 0) & (target < 1)
    found = verdict(
        bad if counts is None else bad & counts,
        target,
        f"{reading.owner}: target holds {{value}}, but ranks need hard labels, 0 or 1. Pass (target > 0.5).",
        first=False,
    )
    return [] if found is None else [found]
