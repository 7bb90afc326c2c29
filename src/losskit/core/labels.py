"""LabelLoss: a loss of logits and labels. ClassificationLoss: one whose terms are functions of `log p`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from losskit import ops
from losskit.core.contract import Always, InputSpec, Mode
from losskit.core.domains import ClassWeights, Fraction
from losskit.core.options import Configured, option
from losskit.core.summable import PlannedLoss
from losskit.core.sums import Sums
from losskit.ops.columns import Column, Formula, Term, TermColumn, evaluated
from losskit.ops.finish import Finish, TermsFinish, TruthWeight
from losskit.ops.inputs import Inputs, Link
from losskit.ops.planning import Pass, Watching
from losskit.ops.program_cache import program_of

LABEL_SHAPES = (
    "input (N, C, *); target (N, *) or (N, 1, *) of class indices, or (N, C, *), and with one channel (N, *) or "
    "(N, 1, *) in [0, 1]; weight and mask (N, *) or (N, 1, *), under sigmoid (N, C, *), with size 1 where they "
    "broadcast"
)


class LabelOptions(Configured):
    """The options of every loss of labels."""

    ignore_index: int | Sequence[int] | None = option(
        default=-100, doc="the label, or labels, of elements to exclude as if they were absent; None excludes none"
    )
    class_weight: ClassWeights | None = option(
        default=None, doc="one weight per class, for every class; classes missing from a dict have weight 1"
    )
    from_logits: bool = option(default=True, doc="False if the input is probabilities in [0, 1]")

    always: ClassVar[Always | None] = None  # a link that does not depend on the target
    same_shape: ClassVar[bool] = False  # whether the target always has the input's shape

    @property
    def spec(self) -> InputSpec:
        mode: Mode | None = getattr(self, "mode", None)  # an option of most of them, as is from_logits
        from_logits: bool = getattr(self, "from_logits", True)
        return InputSpec(self.always, mode, labels_of(self.ignore_index), from_logits, self.same_shape)

    def read(self, owner: str, input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None) -> Inputs:
        """The tensors of a call in canonical form, with the classes of the class weights."""
        inputs = self.spec.parse(owner, input, target, weight, mask)
        check_length(owner, "class_weight", self.class_weight, inputs)
        return inputs

    def by_class(self, numbers: Tensor) -> Tensor:
        """Numbers per class, (..., C), times the class weights."""
        weights = self.class_weights(numbers)
        return numbers if weights is None else numbers * weights

    def class_weights(self, like: Tensor) -> Tensor | None:
        """The weight of each class, (C,), for numbers per class, (..., C)."""
        return class_weights(self.class_weight, like)


def class_weights(option: Any, like: Tensor) -> Tensor | None:
    """The weight of each class, (C,), for numbers per class, (..., C)."""
    if isinstance(option, Mapping):
        return like.new_tensor([option.get(index, 1.0) for index in range(like.shape[-1])])
    weights: Tensor | None = None if option is None else option.to(like)
    return weights


def labels_of(ignore_index: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    """The option in hashable form, also if it was set to a list."""
    return tuple(ignore_index) if isinstance(ignore_index, Sequence) else ignore_index


class ModeOptions(Configured):
    """The option of losses whose link depends on the target."""

    mode: Mode | None = option(
        default=None,
        doc="required when input and target have the same shape and several classes: 'multilabel' reads each class as "
        "binary (sigmoid), 'multiclass' reads the target as a distribution over classes (softmax)",
    )


class LabelLoss(LabelOptions, PlannedLoss):
    """A loss whose sums come from one pass over logits and labels."""

    shares_pass: ClassVar[bool] = True  # with other losses of a sum

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.keys().isdisjoint(("forward", "totals", "reduced")):
            cls.shares_pass = False

    def check_classes(self, inputs: Inputs) -> None:
        check_length(self.name, "class_weight", self.class_weight, inputs)

    def option_tensors(self) -> tuple[Tensor | None, Tensor | None]:
        weight = self.class_weight
        return (weight if isinstance(weight, Tensor) else None), None

    def parse(self, input: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Inputs:
        """The tensors of a call in canonical form."""
        return Pass([self]).inputs([self], input, target, weight, mask)[0][0]

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        input, target = tensors
        sums: Sums = Pass([self]).sums([self], input, target, weight, mask)[0]
        return sums


def check_length(owner: str, name: str, numbers: Any, inputs: Inputs) -> None:
    if isinstance(numbers, Mapping) and max(numbers, default=0) >= inputs.num_classes:
        raise ValueError(
            f"{owner}: {name} names class {max(numbers)}, but input {tuple(inputs.input.shape)} has "
            f"{inputs.num_classes} classes, 0 to {inputs.num_classes - 1}. Leave it out."
        )
    if isinstance(numbers, Tensor) and numbers.dim() == 1 and numbers.shape[0] != inputs.num_classes:
        raise ValueError(
            f"{owner}: {name} has {numbers.shape[0]} numbers, but input {tuple(inputs.input.shape)} has "
            f"{inputs.num_classes} classes. Give it one number per class, excluded classes too."
        )


def over_samples(total: Tensor) -> Tensor:
    """Sum (N, C) to (C,); pooled totals are (C,) already."""
    return total if total.dim() == 1 else total.sum(0)


class ClassificationLoss(LabelLoss):
    """A function of the log-probability of the true label: define `term(log_p)`.

    Class weights, label smoothing and weights of positives and negatives act on per-class sums, so they add no work
    per element.
    """

    shapes: ClassVar[str] = f"{LABEL_SHAPES}; values (N, *) under softmax, (N, C, *) under sigmoid."

    label_smoothing: Fraction = option(
        default=0.0, doc="the share of the target spread evenly over the classes (softmax) or over 0 and 1 (sigmoid)"
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "term" in cls.__dict__ and "formula" not in cls.__dict__:
            cls.formula = ClassificationLoss.formula  # type: ignore[method-assign] # a term replaces the formula of its base

    def formula(self) -> Formula | None:
        """The term as constants of the formula built into the fused operators, if it has that form."""
        return None

    def term(self, log_p: Tensor) -> Tensor:
        """The loss of an element whose true label has the log-probability `log_p`."""
        formula = self.formula()
        if formula is None:
            raise TypeError(f"{self.name} must define term(log_p).")
        return evaluated(formula, log_p)

    def term_of_no(self, log_q: Tensor) -> Tensor:
        """The loss of a negative of log-probability `log_q` under sigmoid; the same as `term` unless overridden."""
        return self.term(log_q)

    def truth_weight(self, link: Link) -> TruthWeight | None:
        """Weights of positives, or of positives and negatives, that scale the terms but not the denominator."""
        return None

    @property
    def sides_differ(self) -> bool:
        """Whether positives and negatives have different terms."""
        return type(self).term_of_no is not ClassificationLoss.term_of_no

    def columns(self, link: Link) -> list[Column]:
        term = self.formula() or self.term
        return self._columns(link, term, self.term_of_no if self.sides_differ else term)

    def planned_columns(self, inputs: Inputs, watched: Watching) -> list[Column]:
        known = self.formula()
        if known is not None:
            return self._columns(inputs.link, known, known)
        term = program_of(self, "term", 1, "log_p", inputs.input.shape, watched)
        other = term
        if self.sides_differ and inputs.link == "sigmoid":
            other = program_of(self, "term_of_no", 1, "log_p", inputs.input.shape, watched)
        return self._columns(inputs.link, term, other)

    def _columns(self, link: Link, term: Term, term_of_no: Term) -> list[Column]:
        sides: list[tuple[int, Term]] = [(0, term), (1, term_of_no)] if link == "sigmoid" else [(0, term)]
        columns: list[Column] = [TermColumn(term, "truth", side) for side, term in sides]
        if self.label_smoothing:
            columns += [TermColumn(term, "every", side) for side, term in sides]
        columns.append("count" if link == "sigmoid" else "target")
        return columns

    @property
    def pools(self) -> bool:
        return True

    def option_tensors(self) -> tuple[Tensor | None, Tensor | None]:
        weight = self.truth_weight("sigmoid")
        number = None if weight is None else weight.number
        return super().option_tensors()[0], (number if isinstance(number, Tensor) else None)

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        if not self.finishes_in_c or isinstance(self.class_weight, Mapping):
            return None
        sides, spread = _sides(inputs)
        class_weight, _ = self.option_tensors()
        return TermsFinish(
            sides, self.label_smoothing, spread, class_weight,
            self.truth_weight(inputs.link), reduction=self.reduction, empty=self.empty,
        )  # fmt: skip

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        sides, spread = _sides(inputs)
        weights = self.truth_weights(inputs)
        numerator: Tensor | None = None
        for side in range(sides):
            value = totals[side]  # (N, C), or (C,)
            if self.label_smoothing:
                every = totals[sides + side]
                value = (1 - self.label_smoothing) * value + self.label_smoothing / spread * every
            if weights is not None:
                value = value * weights[:, side].to(value)
            numerator = value if numerator is None else numerator + value
        assert numerator is not None
        return Sums(numerator=over_samples(numerator), denominator=over_samples(totals[-1]))

    def truth_weights(self, inputs: Inputs) -> Tensor | None:
        """The weights of the true label: (C, 1) under softmax, (C, 2) for positives and negatives, or None."""
        weight = self.truth_weight(inputs.link)
        if weight is None:
            return None
        number = torch.as_tensor(weight.number, dtype=torch.float64, device=inputs.input.device)
        number = number.expand(inputs.num_classes)
        if inputs.link != "sigmoid":
            return number.unsqueeze(-1)
        return torch.stack([number, 1 - number if weight.weighs == "both" else torch.ones_like(number)], -1)

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        return self.by_class(sums["numerator"]).sum(), self.by_class(sums["denominator"]).sum()

    def weighed(self, *tensors: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        input, target = tensors
        inputs = self.parse(input, target, weight, mask)
        sides, spread = _sides(inputs)
        count = inputs.input.new_ones((sides, inputs.num_classes), dtype=torch.float64)
        count = self.by_class(count).T  # (C, sides)
        weights = self.truth_weights(inputs)
        truth = count if weights is None else count * weights.to(count)
        every = None
        if self.label_smoothing:
            every = truth * (self.label_smoothing / spread)
            truth = truth * (1 - self.label_smoothing)
        value = self._terms(inputs, truth, every)
        share = ops.terms(inputs, torch.ones_like, count)
        return value.reshape(inputs.output_shape), share.reshape(inputs.output_shape)

    def _terms(self, inputs: Inputs, truth: Tensor, every: Tensor | None) -> Tensor:
        """The weighted terms of each element, given the weights of each class and side."""
        if inputs.link != "sigmoid" or not self.sides_differ:
            return ops.terms(inputs, self.term, truth, every)
        yes = torch.tensor([1.0, 0.0], dtype=truth.dtype, device=truth.device)
        each = ((self.term, yes), (self.term_of_no, 1 - yes))
        return sum(
            (ops.terms(inputs, t, truth * s, None if every is None else every * s) for t, s in each), truth[0, 0] * 0
        )


def _sides(inputs: Inputs) -> tuple[int, int]:
    """The number of terms of an element, and of the labels over which label smoothing is spread."""
    return (2, 2) if inputs.link == "sigmoid" else (1, inputs.num_classes)
