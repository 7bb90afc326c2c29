"""SpatialLoss: a loss of the spatial map of each class of each sample."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from losskit.core.labels import LABEL_SHAPES, LabelOptions
from losskit.core.means import MeanLoss
from losskit.core.region import RegionOptions
from losskit.core.summable import Summable
from losskit.core.sums import check_size
from losskit.ops import values
from losskit.ops.inputs import Inputs, summing_dtype
from losskit.ops.reference import Elements, once, sized


class Regions:
    """The argument of a formula: tensors (N, C, *) in float32 or better, 0 where an element does not count."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.elements = Elements(inputs)
        self.space = tuple(range(2, inputs.input.dim()))  # the spatial dimensions

    def select(self, tensor: Tensor) -> Tensor:
        """The tensor with 0 where elements do not count."""
        return self.elements.select(tensor, 0.0)

    @once
    def p(self) -> Tensor:
        """The predicted probability."""
        return self.select(self.elements.p)

    @once
    def t(self) -> Tensor:
        """The target."""
        return self.elements.target

    @once
    def error(self) -> Tensor:
        """The absolute error |p - t|, without cancellation where p is nearly 1."""
        e = self.elements
        return self.select(torch.where(e.target == 1, e.q, (e.p - e.target).abs()))

    @once
    def counts(self) -> Tensor:
        """Whether an element counts."""
        found = self.elements.counts
        return torch.ones_like(self.p, dtype=torch.bool) if found is None else found.expand(self.p.shape)

    @once
    def weight(self) -> Tensor:
        """The weight of each element."""
        return self.elements.selected_weight.expand(self.p.shape)

    @once
    def size(self) -> Tensor:
        """The weight of each region, (N, C); 0 where no element of the region counts."""
        return sized(self.total(torch.ones_like(self.p)), self.inputs.weight, self.elements.selected_weight)

    def total(self, tensor: Tensor) -> Tensor:
        """The weighted sum over each region, (N, C)."""
        return (tensor * self.weight).sum(self.space, dtype=summing_dtype(tensor))

    def mean(self, tensor: Tensor) -> Tensor:
        """The weighted mean over each region, (N, C), and 0 where nothing counts."""
        return self.total(tensor) / torch.where(self.size == 0, 1.0, self.size)


class SpatialLoss(RegionOptions, LabelOptions, MeanLoss):
    """A formula on the map of each class of each sample: define `per_region(regions)`, which returns (N, C).

    Elements that do not count belong to no region: they are neither predicted nor true, whatever their values.
    """

    abstract: ClassVar[bool] = True
    hard: ClassVar[bool] = False  # whether labels must be 0 or 1
    weighs: ClassVar[bool] = True  # whether elements may have weights
    counts_elements: ClassVar[bool] = False  # the denominator counts regions
    without: ClassVar[tuple[str, ...]] = ("pool", "overlap")
    tensors: ClassVar[tuple[str, ...]] = ("input", "target")
    shapes: ClassVar[str] = f"{LABEL_SHAPES}, with at least one spatial dimension; values (N, C)."

    denominator = Summable.denominator

    def per_region(self, regions: Regions, *beside: Any) -> Tensor:
        """The loss of each class of each sample, (N, C)."""
        raise TypeError(f"{self.name} must define per_region(regions).")

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target, *beside = tensors
        regions = Regions(self.read(self.name, input, target, weight, mask))
        bad = values.check(regions.inputs)
        if self.hard:
            bad += values.check_hard(regions.inputs)
        check_size(regions.size, self.name)
        absent = regions.total(regions.t) == 0
        counts = self.scored(regions.size)
        if self.absent == "skip":
            counts = counts & ~absent
        if regions.p.numel() == 0:
            return regions.total(regions.p), torch.zeros_like(regions.size)
        value = self.per_region(regions, *(self._fitting(regions, map) for map in beside))
        if self.absent == "penalize":
            value = torch.where(absent, regions.mean(regions.p), value)
        value = torch.where(counts, value, 0.0)
        for found in bad:
            value = value + found
        share = counts.to(value.dtype) + 0 * regions.size  # NaN if no mean can have these weights
        return self.by_class(value), self.by_class(share)

    def read(self, owner: str, input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None) -> Inputs:
        if weight is not None and not self.weighs:
            raise TypeError(
                f"{owner}: its formula takes no element weights. Pass mask= to exclude elements, or class_weight= "
                "to weight classes."
            )
        inputs = super().read(owner, input, target, weight, mask)
        self.check_chosen(owner, inputs.num_classes)
        check_space(owner, inputs)
        return inputs

    def _fitting(self, regions: Regions, map: Tensor) -> Tensor:
        """A further map of the call, checked to have the shape of the input, and 0 where elements do not count."""
        wanted = regions.p.shape
        if map.shape != wanted:
            raise ValueError(
                f"{self.name}: {self.beside[0]} has shape {tuple(map.shape)}, but input {tuple(wanted)} takes one map "
                "for each class, of that shape."
            )
        return regions.select(map.detach().to(regions.p))


def check_space(owner: str, inputs: Inputs) -> None:
    """Raise an error if the input has no spatial dimension."""
    if inputs.input.dim() < 3 and inputs.input.shape[0] > 0:
        raise ValueError(
            f"{owner}: input {tuple(inputs.input.shape)} has no spatial dimensions, and this is a loss of shapes. Pass "
            "input of shape (N, C, *), such as (N, C, H, W)."
        )
