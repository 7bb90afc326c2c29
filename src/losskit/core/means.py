"""Means of per-element or per-sample values: MeanLoss, ElementLoss and RegressionLoss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from losskit.core.contract import (
    check_equal,
    check_floating,
    check_input,
    check_real,
    check_returned,
    check_tensor,
    modulus,
    shape,
    weight_and_mask,
)
from losskit.core.summable import PlannedLoss, Summable
from losskit.core.sums import Sums, size_of, total, weighted
from losskit.ops import choice, differences
from losskit.ops.columns import Column, Difference, evaluated
from losskit.ops.finish import Finish, TermsFinish
from losskit.ops.formula import Program
from losskit.ops.inputs import Inputs, Link, computing_dtype, summing_dtype
from losskit.ops.planning import Watching
from losskit.ops.program_cache import programs_of


class MeanLoss(Summable):
    """A weighted mean of per-element or per-sample values: define `values(...)`.

    `values(self, *tensors)` returns one number per sample or element, with the batch in dimension 0 as in the first
    tensor. The loss takes `weight`, `mask` and `normalizer` at the call and has every reduction. The sums of its
    weighted values and of their weights add over ranks and micro-batches. The tensors are 0 where the mask is False,
    so that NaN there has no gradient.
    """

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        value, share = super().weighed(*tensors, weight=weight, mask=mask)
        first, name = tensors[0], self.tensors[0]
        if value.dim() == 0:
            raise ValueError(
                f"{self.name}: values(...) must return one number per sample, with the batch first; got one number. "
                "Leave out .mean() and .sum(), since reduction= does that, or declare a loss of the whole batch: "
                "@losskit.loss(batch=True), or a class that derives from losskit.Loss."
            )
        if first.dim() and value.shape[0] != first.shape[0]:
            raise ValueError(
                f"{self.name}: values(...) must return one number per sample, with the batch first, ({first.shape[0]}, "
                f"*) for {name} {shape(first)}; got {shape(value)}. Make dimension 0 the batch, or declare a loss of "
                "the whole batch: @losskit.loss(batch=True), or a class that derives from losskit.Loss."
            )
        return value, share

    @property
    def counts_from_targets(self) -> bool:
        cls = type(self)
        from_values = cls.weighed is MeanLoss.weighed and cls.values_shape is MeanLoss.values_shape
        return self.is_mean and not from_values

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        value, share = self.weighed(*tensors, weight=weight, mask=mask)
        return Sums(numerator=total(value), denominator=self.size(share))

    def size(self, share: Tensor) -> Tensor:
        """The denominator of the mean, from the weights of what counts."""
        return size_of(share)

    def denominator(self, target: Tensor, weight: Tensor | None, mask: Tensor | None, classes: int | None) -> Tensor:
        values = torch.zeros((), dtype=summing_dtype(target), device=target.device).expand(self.values_shape(target))
        weight, mask = weight_and_mask(self.name, weight, mask, values.shape)
        return self.size(weighted(values, weight, mask)[1])

    def values_shape(self, target: Tensor) -> torch.Size:
        """The shape of reduction="none", from the target."""
        return target.shape


class ElementLoss(MeanLoss):
    """A formula on each element of tensors of one shape: define `per_element(*tensors)`.

    The tensors have neutral values where elements do not count, and are float32 or better, so that a NaN target under
    a mask reaches neither the value nor the gradient.
    """

    shapes: ClassVar[str] = (
        "all tensors of one shape; weight and mask of that shape, with size 1 where they broadcast; values of that "
        "shape."
    )

    def per_element(self, *tensors: Any, **_: Any) -> Tensor:
        """The loss of each element, in the shape of the first tensor."""
        raise TypeError(f"{self.name} must define per_element({', '.join(self.tensors)}).")

    def neutral(self, position: int) -> float:
        """The value that replaces the argument at this position where an element does not count."""
        return 0.0

    def check(self, *tensors: Tensor) -> None:
        """Check that the first tensor is floating point and that the others have its shape."""
        names = self.tensors
        check_floating(self.name, names[0], tensors[0])
        for name, tensor in zip(names[1:], tensors[1:], strict=True):
            check_real(self.name, name, tensor)
            check_equal(self.name, {names[0]: tensors[0], name: tensor})

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        self.check(*tensors)
        shape = tensors[0].shape
        weight, mask = weight_and_mask(self.name, weight, mask, shape)
        dtype = computing_dtype(tensors[0])
        elements = [t.to(dtype) for t in tensors]
        if mask is not None:
            elements = [t.where(mask, self.neutral(i)) for i, t in enumerate(elements)]
        method = f"per_element({', '.join(self.tensors)})"
        value = check_returned(self.name, method, self.per_element(*elements), tuple(shape))
        return weighted(value, weight, mask)


class DifferenceSpec(NamedTuple):
    """How a loss of differences reads the tensors of a call."""

    difference: Difference

    def parse(
        self,
        owner: str,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        logit_bias: Tensor | None = None,
    ) -> Inputs:
        """The tensors as rows; raises an error that says what is wrong with them."""
        return differences.inputs_of(owner, self.checked(owner, input, target, weight, mask))

    @staticmethod
    def checked(
        owner: str, input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None
    ) -> dict[str, Tensor | None]:
        check_tensor(owner, "input", input)
        check_tensor(owner, "target", target)
        input, target = modulus(owner, input, target)
        check_input(owner, input, target)
        check_equal(owner, {"input": input, "target": target})
        weight, mask = weight_and_mask(owner, weight, mask, input.shape)
        return {"input": input, "target": target, "weight": weight, "mask": mask}


class RegressionLoss(PlannedLoss, ElementLoss):
    """A formula on each element's input and target: define `per_element(input, target)`.

    The tensors are 0 where elements do not count, and float32 or better, so that a NaN target under a mask reaches
    neither the value nor the gradient.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "per_element" in cls.__dict__ and "difference" not in cls.__dict__:
            cls.difference = RegressionLoss.difference  # type: ignore[method-assign] # a formula replaces that of its base

    def difference(self) -> Difference | None:
        """The formula as constants of the one built into the fused operators, if it has that form."""
        return None

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of each element, in the shape of the input."""
        difference = self.difference()
        if difference is None:
            raise TypeError(f"{self.name} must define per_element(input, target).")
        return evaluated(difference, input, target)

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        difference = self.difference()
        if difference is not None:
            input, target = tensors
            given = DifferenceSpec.checked(self.name, input, target, weight, mask)
            sums = differences.totals(self.name, given, difference)
            if sums is not None:
                return Sums(numerator=sums[0], denominator=sums[1])
        elif choice.is_recorded():
            reason = choice.refused_formula or choice.OWN_FORMULA
            choice.choose(self.name, 2, {"native": reason, "triton": choice.NO_DIFFERENCES})
        return super().totals(*tensors, weight=weight, mask=mask)

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if self.difference() is not None and all(isinstance(t, Tensor) for t in tensors):
            tensors = modulus(self.name, *tensors)
        return super().weighed(*tensors, weight=weight, mask=mask)

    @property
    def spec(self) -> DifferenceSpec:
        return DifferenceSpec(self.difference() or Difference())

    @property
    def pools(self) -> bool:
        return True

    def columns(self, link: Link) -> list[Column]:
        return differences.columns(self.spec.difference)

    def planned_columns(self, inputs: Inputs, watched: Watching) -> list[Column]:
        known = self.difference()
        return differences.columns(self._programs(inputs, watched)[0] if known is None else known)

    def derivative_columns(self, inputs: Inputs, watched: Watching) -> list[list[Column]]:
        """The columns of the derivative by each of `number_tensors()`."""
        return [differences.columns(program) for program in self._programs(inputs, watched)[1:]]

    def _programs(self, inputs: Inputs, watched: Watching) -> list[Program]:
        tensors = self.number_tensors()
        return programs_of(self, "per_element", 2, "elements", inputs.input.shape, watched, tensors)

    def number_tensors(self) -> dict[str, Tensor]:
        if self.difference() is not None:
            return {}
        options = {name: getattr(self, name) for name in self.options}
        return {name: value for name, value in options.items() if isinstance(value, Tensor) and value.dim() == 0}

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        """From the totals of the values and of the weights."""
        return Sums(numerator=totals[0].sum(), denominator=totals[1].sum())

    def neutral_numbers(self) -> Sequence[float]:
        return self.neutral(0), self.neutral(1)

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        return TermsFinish(1, reduction=self.reduction, empty=self.empty) if self.finishes_in_c else None
