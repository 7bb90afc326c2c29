"""ClassificationLoss: a function of `log p`; the loss of an element is `sum_c t_c f(log p_c)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from losskit import ops
from losskit.core.domains import Fraction
from losskit.core.labels import LABEL_SHAPES, LabelLoss, over_samples
from losskit.core.options import option
from losskit.core.sums import Sums
from losskit.ops.columns import Column, Formula, TermColumn
from losskit.ops.inputs import Inputs


class ClassificationLoss(LabelLoss):
    """A function of the log-probability of the truth: define `term(log_p)`.

    Class weights, label smoothing and the weights of yes and no act on sums per class of the truth, so they cost
    nothing per element.
    """

    shapes: ClassVar[str] = f"{LABEL_SHAPES}; values (N, *) under softmax, (N, C, *) under sigmoid."

    label_smoothing: Fraction = option(
        default=0.0, doc="the share of the target spread evenly over the classes (softmax) or over yes and no (sigmoid)"
    )

    def formula(self) -> Formula | None:
        """The term as numbers, where it is one that the fused operators know."""
        return None

    def term(self, log_p: Tensor) -> Tensor:
        """The loss of an element whose truth has the log-probability `log_p`."""
        formula = self.formula()
        if formula is None:
            raise TypeError(f"{self.name} must define term(log_p).")
        return formula(log_p)

    def factors(self, inputs: Inputs) -> Tensor | None:
        """Weights that scale the loss but not its denominator: (C, 1) under softmax, (C, 2) for yes and no, or None."""
        return None

    def columns(self, inputs: Inputs) -> list[Column]:
        sides = (0, 1) if inputs.link == "sigmoid" else (0,)
        overridden = type(self).term is not ClassificationLoss.term
        term = self.term if overridden else self.formula() or self.term
        columns: list[Column] = [TermColumn(term, "truth", side) for side in sides]
        if self.label_smoothing:
            columns += [TermColumn(term, "every", side) for side in sides]
        columns.append("count" if inputs.link == "sigmoid" else "target")
        return columns

    @property
    def pools(self) -> bool:
        return True

    def expected(self, inputs: Inputs) -> Tensor | None:
        sides = 2 if inputs.link == "sigmoid" else 1
        spread = sides if sides == 2 else inputs.num_classes
        size = 1 if self.reduction == "sum" else inputs.input.numel() // (1 if sides == 2 else inputs.num_classes)
        shares = [1 - self.label_smoothing] * sides
        if self.label_smoothing:
            shares += [self.label_smoothing / spread] * sides
        each = [*(share / max(size, 1) for share in shares), 0.0]  # the last is of targets alone
        expected = ops.alike(inputs.num_classes, tuple(each))
        factors = self.factors(inputs)
        if factors is None and self.class_weight is None:
            return expected
        own = self.by_class(torch.ones_like(expected[0, :, :sides]).T).detach().T
        own = own if factors is None else own * factors.detach()
        return torch.cat([expected[..., :-1] * own.repeat(1, len(shares) // sides), expected[..., -1:]], -1)

    def collect(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        sides = 2 if inputs.link == "sigmoid" else 1
        spread = 2 if inputs.link == "sigmoid" else inputs.num_classes
        factors = self.factors(inputs)
        numerator: Tensor | None = None
        for side in range(sides):
            value = totals[side]  # (N, C), or (C,)
            if self.label_smoothing:
                every = totals[sides + side]
                value = (1 - self.label_smoothing) * value + self.label_smoothing / spread * every
            if factors is not None:
                value = value * factors[:, side].to(value)
            numerator = value if numerator is None else numerator + value
        assert numerator is not None
        return Sums(numerator=over_samples(numerator), denominator=over_samples(totals[-1]))

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        return self.by_class(sums["numerator"]).sum(), self.by_class(sums["denominator"]).sum()

    def weighed(self, *tensors: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        input, target = tensors
        inputs = self.read(input, target, weight, mask)
        sides = 2 if inputs.link == "sigmoid" else 1
        count = inputs.input.new_ones((sides, inputs.num_classes), dtype=torch.float64)
        count = self.by_class(count).T  # (C, sides)
        factors = self.factors(inputs)
        truth = count if factors is None else count * factors.to(count)
        every = None
        if self.label_smoothing:
            every = truth * (self.label_smoothing / (2 if sides == 2 else inputs.num_classes))
            truth = truth * (1 - self.label_smoothing)
        value = ops.terms(inputs, self.term, truth, every)
        share = ops.terms(inputs, torch.ones_like, count)
        return value.reshape(inputs.output_shape), share.reshape(inputs.output_shape)
