"""The shortcut of element-wise losses: value, gradient and argument checks in one C call.

Such a loss defines `of_element(input, target)`, which is infinite for invalid arguments; the definition then raises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from losskit.core.means import RegressionLoss
from losskit.core.shortcuts import is_defined_here
from losskit.ops import differences
from losskit.ops.columns import Column
from losskit.ops.finish import Finish, TermsFinish
from losskit.ops.inputs import Inputs
from losskit.ops.layouts import serves_plain_code
from losskit.ops.planning import Watching, planned
from losskit.ops.program_cache import program_of


class _Elements(RegressionLoss):
    """The element formula of another loss, as a loss that a plan can compute."""

    abstract: ClassVar[bool] = True
    of: Any
    state: Any

    def __init__(self, loss: Any) -> None:
        super().__init__(reduction="mean" if loss.reduction == "mean" else "sum")
        self.__dict__["of"] = loss  # not a submodule
        self.__dict__["state"] = loss.generation

    @property
    def name(self) -> str:
        name: str = self.of.name
        return name

    def plan_state(self) -> Any:
        return self.of.generation

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        value: Tensor = self.of.of_element(input, target)
        return value

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        finish = super().finish_plan(inputs, watched)
        if self.of.reduction != "batchmean" or not isinstance(finish, TermsFinish):
            return finish
        return replace(finish, divisor=inputs.output_shape[0])

    def reduced(self, *tensors: Tensor, **arguments: Any) -> Tensor:
        value = super().reduced(*tensors, **arguments)
        return value / tensors[0].shape[0] if self.of.reduction == "batchmean" else value

    def planned_columns(self, inputs: Inputs, watched: Watching) -> list[Column]:
        return differences.columns(program_of(self.of, "of_element", 2, "elements", inputs.input.shape, watched))


def by_element(loss: Any, input: Any, target: Any) -> Tensor | None:
    """The mean of the formula over all elements, or None if the definition must compute it."""
    if not serves_plain_code():  # first, since torch.compile cannot trace the other checks
        return None
    if not isinstance(input, Tensor) or not isinstance(target, Tensor) or input.shape != target.shape:
        return None
    if not is_defined_here(loss) or _can_ignore(loss) or loss.reduction not in ("mean", "batchmean"):
        return None
    if not input.is_cpu or not input.numel() or target.is_complex():
        return None
    formula = loss.plans.elements
    if formula is None or formula.of is not loss or formula.state != loss.generation:
        formula = loss.plans.elements = _Elements(loss)
    value = planned(formula, input, target)
    return value if value is not None and math.isfinite(value.item()) else None


def by_difference(loss: Any, input1: Any, input2: Any, target: Any) -> Tensor | None:
    """`by_element` of the difference of two tensors."""
    if not serves_plain_code() or not all(type(each) in (Tensor, nn.Parameter) for each in (input1, input2, target)):
        return None
    same = input1.shape == input2.shape and input1.dtype == input2.dtype
    if not same or input1.dtype not in (torch.float32, torch.float64):
        return None
    return by_element(loss, input1 - input2, target)


def _can_ignore(loss: Any) -> bool:
    """Whether `ignore_index` contains a valid label."""
    ignored = loss.ignore_index if "ignore_index" in loss.options else None
    labels = ignored if isinstance(ignored, Sequence) else [ignored]
    return any(isinstance(label, int) and 0 <= label <= 1 for label in labels)
