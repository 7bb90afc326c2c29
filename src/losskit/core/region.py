"""RegionLoss: a formula on the totals of each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from losskit import ops
from losskit.core.contract import boxes_advice, check_returned
from losskit.core.labels import LABEL_SHAPES, LabelLoss, ModeOptions, check_length, over_samples
from losskit.core.options import option
from losskit.core.sums import Sums, check_size, divide, result_dtype
from losskit.core.totals import Recorder, Totals, neutral, tapes_of
from losskit.ops.columns import REGION_COLUMNS, Column, Probabilities, RegionTerm
from losskit.ops.finish import Finish, RegionsFinish
from losskit.ops.inputs import Inputs, Link, can_branch
from losskit.ops.maths import one_hot
from losskit.ops.planning import Watching

Pool = Literal["sample", "batch"]
Overlap = Literal["product", "l1"]
Absent = Literal["penalize", "formula", "skip"]


class RegionOptions(ModeOptions):
    """The options of every region loss."""

    pool: Pool = option(
        default="sample", doc="regions per sample, or over the whole batch (then losses do not average over batches)"
    )
    classes: Sequence[int] | None = option(
        default=None, doc="the classes to average over; pixels of the other classes still count"
    )
    include_background: bool = option(default=True, doc="False excludes class 0 from the average")
    overlap: Overlap = option(
        default="product",
        doc="the soft intersection: p t, or (p + t - |p - t|) / 2, which is exact for soft targets too",
    )
    absent: Absent = option(
        default="penalize",
        doc="the loss of a class absent from the target: its mean predicted probability ('penalize'), the value of the "
        "formula, or none ('skip')",
    )

    def chosen(self, classes: int) -> list[int]:
        """The classes that are scored."""
        first = 0 if self.include_background or classes == 1 else 1
        return [c for c in range(first, classes) if self.classes is None or c in self.classes]

    def scored(self, size: Tensor) -> Tensor:
        """Which regions (..., C) count: those of scored classes with at least one element that counts."""
        counts, classes = size != 0, size.shape[-1]
        chosen = self.chosen(classes)
        if len(chosen) == classes:
            return counts
        return counts & torch.tensor([c in chosen for c in range(classes)], device=counts.device)

    def check_chosen(self, owner: str, classes: int) -> None:
        wrong = [c for c in self.classes or () if not 0 <= c < classes]
        if wrong:
            raise ValueError(f"{owner}: classes names {wrong[0]}, but input has {classes} classes, 0 to {classes - 1}.")


class RegionLoss(RegionOptions, LabelLoss):
    """A formula on totals: define `per_class(total) -> (..., C)`, or `per_sample(total) -> (...)` for coupled ones."""

    shapes: ClassVar[str] = f"{LABEL_SHAPES}; values (N, C), or (C,) with pool='batch'."
    counts_elements: ClassVar[bool] = False  # the denominator counts regions

    def per_class(self, total: Totals) -> Tensor:
        """The loss of each region, (..., C)."""
        raise TypeError(f"{self.name} must define per_class(total), or per_sample(total) where classes are coupled.")

    def per_sample(self, total: Totals) -> Tensor:
        """The loss of each sample, (...), where classes are coupled."""
        raise TypeError(f"{self.name} must define per_sample(total), or per_class(total).")

    def own_columns(self) -> dict[str, Callable[[Probabilities], Tensor]]:
        """Additional sums, read as `total.column(name)`: functions that return the term of each element, (N, C, *)."""
        return {}

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.formula_columns  # raises early if the formula is wrong

    @property
    def coupled(self) -> bool:
        """Whether the formula takes all classes of a sample together."""
        return type(self).per_sample is not RegionLoss.per_sample

    def columns_of_formula(self) -> list[Column]:
        """The columns that the formula reads, and those that absent classes need."""
        recorder = Recorder(self.overlap)
        method = "per_sample(total)" if self.coupled else "per_class(total)"
        value = self.per_sample(recorder) if self.coupled else self.per_class(recorder)
        check_returned(self.name, method, value, (1,) if self.coupled else (1, 2))
        if self.coupled and self.class_weight is not None:
            raise TypeError(f"{self.name}: classes are coupled in one formula, so class_weight has no meaning here.")
        needed = {*recorder.read, "pred", "target", "count"}
        if self.absent == "penalize":
            needed.add("fp_l1" if self.overlap == "l1" else "tp")
        return [c for c in REGION_COLUMNS if c in needed]

    @property
    def formula_columns(self) -> list[Column]:
        """The columns, cached until an option changes."""
        if self._formula_columns is None or self._formula_columns[0] != self.generation:
            self.__dict__["_formula_columns"] = self.generation, self.columns_of_formula()
        assert self._formula_columns is not None
        return self._formula_columns[1]

    _formula_columns: ClassVar[tuple[int, list[Column]] | None] = None

    def columns(self, link: Link) -> list[Column]:
        return [*self.formula_columns, *(RegionTerm(name, of) for name, of in self.own_columns().items())]

    @property
    def pools(self) -> bool:
        return self.pool == "batch"

    def check_classes(self, inputs: Inputs) -> None:
        check_length(self.name, "class_weight", self.class_weight, inputs)
        if self.pool == "sample" and inputs.input.dim() == 2 and inputs.input.shape[0] > 0:
            raise ValueError(
                f"{self.name}: input {tuple(inputs.input.shape)} has no spatial dimensions, so a sample's region is "
                f"one element. Pass pool='batch' to take regions over the batch.{boxes_advice(inputs.input)}"
            )
        self.check_chosen(self.name, inputs.num_classes)

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        if self.coupled or self.own_columns() or not self.finishes_in_c or isinstance(self.class_weight, Mapping):
            return None
        tapes = tapes_of(self, watched)
        chosen = self.chosen(inputs.num_classes)
        every = len(chosen) == inputs.num_classes
        return RegionsFinish(
            *tapes, self.absent, self.pools, None if every else tuple(c in chosen for c in range(inputs.num_classes)),
            self.option_tensors()[0], self.reduction, self.empty,
        )  # fmt: skip

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        columns = self.named(totals, inputs.link)
        if self.pool == "batch":
            return Sums(**{name: over_samples(total) for name, total in columns.items()})
        value, share = self.pairs(columns)
        return Sums(numerator=value.sum(0), denominator=share.sum(0))

    def named(self, totals: Sequence[Tensor], link: Link) -> dict[str, Tensor]:
        """The totals by name."""
        names = [column.name if isinstance(column, RegionTerm) else str(column) for column in self.columns(link)]
        return dict(zip(names, totals, strict=True))

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        if self.is_mean:
            value, share = sums["numerator"], sums["denominator"]
        else:
            value, share = self.pairs({name: sums[name] for name in sums.names()})
        numerator, denominator = self.by_class(value).sum(), self.by_class(share).sum()
        if self.is_mean:
            return numerator, denominator
        return numerator if self.reduction == "sum" else divide(numerator, denominator, self.empty, self.name), None

    @property
    def is_mean(self) -> bool:
        return self.pool == "sample"

    def weighed(self, *tensors: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        input, target = tensors
        value, share = self.pairs(self._columns_of(self.parse(input, target, weight, mask)))
        return self.by_class(value), self.by_class(share)

    def _columns_of(self, inputs: Inputs) -> dict[str, Tensor]:
        """The totals by name, (N, C), or (C,) over the batch."""
        return self.named(ops.totals(inputs, self.columns(inputs.link), pooled=self.pools), inputs.link)

    def pairs(self, columns: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The loss of each (sample, class) pair, and 1 where it counts; both 0 elsewhere."""
        check_size(columns["count"], self.name)
        if self.coupled:
            return self._samples(columns)
        if self._all_formula(columns):
            value = self.per_class(Totals(columns, self.overlap))
            return value, torch.ones_like(value)
        absent = columns["target"] == 0
        counts = self.scored(columns["count"])
        if self.absent == "skip":
            counts = counts & ~absent
        formula = counts & ~absent if self.absent == "penalize" else counts
        nothing = absent & (columns["pred"] == 0)  # neither present nor predicted: a loss of 0
        value = self.per_class(_neutral_outside(columns, formula & ~nothing, self.overlap))
        value = torch.where(formula & ~nothing, value, 0.0)
        if self.absent == "penalize":
            total = Totals(columns, self.overlap)
            count = torch.where(counts, total.count, 1.0)
            value = torch.where(counts & absent, total.fp / count, value)
        return torch.where(counts, value, 0.0), counts.to(value.dtype)

    def _all_formula(self, columns: dict[str, Tensor]) -> bool:
        """Whether every class is scored and occurs in the target: then the formula suffices, a fast path."""
        target = columns["target"]
        chosen = self.classes is None and (self.include_background or target.shape[-1] == 1)
        return chosen and can_branch(target) and target.numel() > 0 and target.min().item() > 0

    def _samples(self, columns: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        chosen = self.chosen(columns["count"].shape[-1])
        if not chosen:
            every = torch.stack(list(columns.values())).sum((0, -1))  # in the graph of the input
            nothing = torch.where(torch.zeros_like(every, dtype=torch.bool), every, 0.0)
            return nothing, torch.zeros_like(nothing)
        columns = {name: total[..., chosen] for name, total in columns.items()}
        counts = (columns["count"] != 0).any(-1)
        value = self.per_sample(_neutral_outside(columns, counts.unsqueeze(-1), self.overlap))
        return torch.where(counts, value, 0.0), counts.to(value.dtype)

    @torch.no_grad()
    def score(self, input: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """The corresponding hard metric: one minus the formula on thresholded predictions.

        A class that is neither present nor predicted scores 1. The average over pairs is that of the loss.
        """
        return self.finish_score(self.score_totals(input, target, weight, mask)).to(result_dtype(input))

    @torch.no_grad()
    def score_totals(
        self, input: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Sums:
        """The sums of this batch's score; add those of other batches and `finish_score` them."""
        columns = self._columns_of(harden(self.parse(input, target, weight, mask)))
        return Sums(**columns) if self.pools else self._scores(columns)

    def finish_score(self, sums: Sums) -> Tensor:
        """The score from its sums."""
        scores = self._scores({name: sums[name] for name in sums.names()}) if self.pools else sums
        return divide(scores["numerator"], scores["denominator"], self.empty, self.name)

    def _scores(self, columns: dict[str, Tensor]) -> Sums:
        """The sum of the scores of the regions that count, and their number."""
        counts = self.scored(columns["count"])
        nothing = (columns["target"] == 0) & (columns["pred"] == 0)
        if self.absent == "skip":
            counts = counts & (columns["target"] != 0)
        value = self.score_formula(_neutral_outside(columns, counts & ~nothing, self.overlap))
        value = torch.where(nothing, 1.0, value)
        weights = self.class_weights(value)
        share = counts.to(value.dtype) if weights is None else torch.where(counts, weights, 0.0)
        return Sums(numerator=(value * share).sum(), denominator=share.sum())

    def score_formula(self, total: Totals) -> Tensor:
        """The hard metric of each region, (..., C)."""
        if self.coupled:
            raise TypeError(f"{self.name}: classes are coupled, so there is no score per class.")
        return 1 - self.per_class(total)


def harden(inputs: Inputs) -> Inputs:
    """The same inputs with hard predictions: a probability above a half, or the largest class."""
    if inputs.link == "sigmoid":
        threshold = 0.0 if inputs.from_logits else 0.5
        certain = inputs.input > threshold
    else:
        certain = one_hot(inputs.input.argmax(1), inputs.num_classes)
    return replace(inputs, input=certain.to(inputs.input.dtype), from_logits=False)


def _neutral_outside(columns: dict[str, Tensor], where: Tensor, overlap: str) -> Totals:
    """The totals, with neutral values outside `where`, so that every formula is finite there."""
    return Totals({name: torch.where(where, total, neutral(name)) for name, total in columns.items()}, overlap)
