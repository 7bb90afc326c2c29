"""The operators in plain PyTorch. This file is the definition; every fused operator must equal it.

Positions that do not count (masked out, ignored) are selected away before anything is computed, never multiplied by
zero, so that NaN or infinity there reaches neither the value nor a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from losskit.ops.columns import Column, Difference, RegionTerm, Term, TermColumn
from losskit.ops.constants import MOST_WEIGHT
from losskit.ops.inputs import Inputs, can_branch, can_hold, computing_dtype, summing_dtype
from losskit.ops.maths import log_of_probability, log_sigmoid, log_softmax, one_hot, one_minus_exp

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - used as a decorator
    """A property computed when first asked for. `functools.cached_property` holds a lock, which does not compile."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute = compute
        self.name = compute.__name__

    def __get__(self, instance: Any, owner: type) -> T:
        value = self.compute(instance)
        setattr(instance, self.name, value)
        return value


def totals(inputs: Inputs, columns: Sequence[Column]) -> Tensor:
    """Sums over the positions of each sample and class: (N, C, K), one column each, in float64."""
    elements = Elements(inputs)
    shape = inputs.input.shape
    sums = []
    for column in columns:
        term = elements.column(column).expand(shape).reshape(shape[0], shape[1], shape[2:].numel())
        total = term.sum(-1, dtype=summing_dtype(inputs.input))
        sums.append(total if isinstance(column, TermColumn) else sized(total, inputs.weight, elements.selected_weight))
    return torch.stack(sums, -1)


def sized(size: Tensor, given: Tensor | None, weight: Tensor) -> Tensor:
    """A sum over weights, NaN where one of them is such that the sum is no size: below 0, huge or NaN."""
    if given is None:
        return size
    fits = (weight >= 0) & (weight <= MOST_WEIGHT)
    return torch.where(fits.all(), size, torch.nan)


def terms(inputs: Inputs, term: Term, truth: Tensor, every: Tensor | None) -> Tensor:
    """Each element's `sum_c (truth_c t_c + every_c) term(log p_c)`, times its weight; 0 where it does not count.

    `truth` and `every` are (C, 1) under softmax, giving (N, *), and (C, 2) for yes and no under sigmoid,
    giving (N, C, *).
    """
    elements = Elements(inputs)
    space = (1,) * (inputs.input.dim() - 2)
    value = torch.zeros((), dtype=elements.log_p.dtype, device=inputs.input.device)
    for side in range(truth.shape[1]):
        share = truth[:, side].to(elements.log_p.dtype).view(-1, *space)
        value = value + share * elements.of_truth(term, side)
        if every is not None:
            share = every[:, side].to(elements.log_p.dtype).view(-1, *space)
            value = value + share * elements.selected_weight * elements.term(term, side)
    return value if inputs.link == "sigmoid" else value.sum(1)


def differences(inputs: Inputs, difference: Difference) -> Tensor:
    """Sums of an element-wise formula, and of the weights of the elements that count: (1, C, 2)."""
    dtype = computing_dtype(inputs.input)
    input, target, weight, mask = inputs.input.to(dtype), inputs.target.to(dtype), inputs.weight, inputs.mask
    if mask is not None:
        input, target = input.where(mask, 0.0), target.where(mask, 0.0)
    value, share = difference(input, target), input.new_ones(()) if weight is None else weight.to(dtype)
    share = share if mask is None else share.where(mask, 0.0)
    total, size = (
        t.expand(input.shape).transpose(0, 1).flatten(1).sum(1, dtype=torch.float64) for t in (value * share, share)
    )
    return torch.stack([total, sized(size, weight, share)], -1).unsqueeze(0)


def ranks(inputs: Inputs, *, pooled: bool) -> Tensor:
    """Lovász extensions of the Jaccard loss, positives and elements that count: (N, C, 3), or (1, C, 3) if pooled.

    Errors are hinges `[1 - x (2t - 1)]+` under sigmoid, `|t - p|` under softmax and for probabilities.
    """
    elements = Elements(inputs)
    target = elements.target > 0.5
    if inputs.link == "sigmoid" and inputs.from_logits:
        error = torch.relu(1 - elements.input * (2 * target.to(elements.dtype) - 1))
    else:
        error = (target.to(elements.dtype) - elements.p).abs()
    counts = torch.ones_like(target) if elements.counts is None else elements.counts.expand_as(target)
    error, truth, counts = (t.unsqueeze(-1).flatten(2) for t in (error, target & counts, counts))  # (N, C, S)
    if pooled:
        error, truth, counts = (t.transpose(0, 1).flatten(1).unsqueeze(0) for t in (error, truth, counts))
    positives, count = (t.sum(-1, dtype=torch.float64) for t in (truth, counts))
    return torch.stack([lovasz_extension(error, truth, counts), positives, count], -1)


def lovasz_extension(error: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """The sum of errors in falling order, each times the increment of the Jaccard loss: (..., S) to (...).

    Equal errors have the same sum in any order, but not the same gradient: of them the first position ranks first.
    """
    order = torch.where(counts, error.detach(), -1.0).argsort(dim=-1, descending=True, stable=True)
    truth = (truth & counts).gather(-1, order).to(torch.float64)
    counts = counts.gather(-1, order)
    error = torch.where(counts, error.gather(-1, order), 0.0).to(torch.float64)
    positives = truth.sum(-1, keepdim=True)
    union = positives + (counts.to(torch.float64) - truth).cumsum(-1)
    jaccard = 1 - (positives - truth.cumsum(-1)) / torch.where(union > 0, union, 1.0)
    increment = jaccard - torch.cat([torch.zeros_like(jaccard[..., :1]), jaccard[..., :-1]], -1)
    return (error * increment).sum(-1)


class Elements:
    """What each element contributes, computed when first asked for, so that columns share their work."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.dtype = computing_dtype(inputs.input)

    @once
    def counts(self) -> Tensor | None:
        """Where an element counts, broadcasting to (N, C, *), or None where all do."""
        inputs = self.inputs
        counts = inputs.mask
        if can_hold(inputs.target, inputs.ignore_index):
            kept = inputs.target != inputs.ignore_index
            if can_branch(kept) and bool(kept.all()):
                return counts
            if inputs.holds_indices:
                kept = kept.unsqueeze(1)
            elif inputs.link != "sigmoid":  # one ignored class ignores the position
                kept = kept.all(1, keepdim=True)
            counts = kept if counts is None else counts & kept
        return counts

    def select(self, tensor: Tensor, otherwise: float) -> Tensor:
        return tensor if self.counts is None else torch.where(self.counts, tensor, otherwise)

    @once
    def input(self) -> Tensor:
        input = self.inputs.input.to(self.dtype)
        if self.inputs.logit_bias is not None:
            input = input + self.inputs.logit_bias.to(self.dtype).view(-1, *(1,) * (input.dim() - 2))
        return self.select(input, 0.0 if self.inputs.from_logits else 0.5)

    @once
    def one_hot(self) -> Tensor | None:
        """(N, C, *) bool, for class indices."""
        if not self.inputs.holds_indices:
            return None
        found = one_hot(self.inputs.target, self.inputs.num_classes)
        return found if self.counts is None else found & self.counts

    @once
    def target(self) -> Tensor:
        if self.one_hot is not None:
            return self.one_hot.to(self.dtype)
        return self.select(self.inputs.target.to(self.dtype), 0.0)

    @once
    def selected_weight(self) -> Tensor:
        weight = self.inputs.weight
        weight = self.input.new_ones(()) if weight is None else weight.to(self.dtype)
        return self.select(weight, 0.0)

    @once
    def log_p(self) -> Tensor:
        if not self.inputs.from_logits:
            return log_of_probability(self.input)
        if self.inputs.link == "softmax":
            return log_softmax(self.input)
        return log_sigmoid(self.input) if self.inputs.link == "sigmoid" else self.input

    @once
    def log_q(self) -> Tensor:
        if not self.inputs.from_logits:
            return log_of_probability(1 - self.input)
        return log_sigmoid(-self.input)

    @once
    def p(self) -> Tensor:
        return self.log_p.exp() if self.inputs.from_logits else self.input

    @once
    def q(self) -> Tensor:
        return one_minus_exp(self.log_p) if self.inputs.from_logits else 1 - self.input

    def truth(self, side: int) -> Tensor:
        return self.target if side == 0 else 1 - self.target

    def term(self, term: Term, side: int) -> Tensor:
        of_log_p: Any = term  # a difference has no log-probability
        result: Tensor = of_log_p(self.log_p if side == 0 else self.log_q)
        return result

    def of_truth(self, term: Term, side: int) -> Tensor:
        """`weight * share * term`, and 0 where the share is 0, also of an infinite term (a masked class).

        An infinite logarithm is selected away before the term is computed, so that it reaches no derivative either.
        """
        share, log = self.truth(side), self.log_p if side == 0 else self.log_q
        if _known_finite(log):
            return self.selected_weight * share * self.term(term, side)
        of_log_p: Any = term
        value = of_log_p(torch.where((share == 0) & log.isinf(), 0.0, log))
        value = torch.where((share == 0) & value.isinf(), 0.0, value)
        result: Tensor = self.selected_weight * share * value
        return result

    def column(self, column: Column) -> Tensor:
        if isinstance(column, TermColumn):
            if column.of == "every":
                return self.selected_weight * self.term(column.term, column.side)
            return self.of_truth(column.term, column.side)
        if isinstance(column, RegionTerm):
            return self.selected_weight * column.of(self)
        return self.selected_weight * _REGION[column](self)


def _positive_part(tensor: Tensor) -> Tensor:
    """With the slope 1/2 at 0."""
    return torch.maximum(tensor, torch.zeros_like(tensor))


_REGION: dict[str, Callable[[Elements], Tensor]] = {
    # selected, since of a class that vanished the slope of a ratio may overflow, and infinity times 0 is NaN
    "tp": lambda e: torch.where(e.target == 0, 0.0, e.p * e.target),
    "pred": lambda e: e.p,
    "target": lambda e: e.target,
    "count": lambda e: torch.ones_like(e.selected_weight),
    "pred_sq": lambda e: e.p * e.p,
    "target_sq": lambda e: e.target * e.target,
    # of a certain label from p and q, so that nothing is lost to rounding, nor does min(p, 1) halve the slope at p = 1
    "tp_l1": lambda e: torch.where(e.target == 1, e.p, torch.minimum(e.p, e.target)),
    "fp_l1": lambda e: torch.where(e.target == 1, 0.0 * e.p, _positive_part(e.p - e.target)),
    "fn_l1": lambda e: torch.where(e.target == 1, e.q, _positive_part(e.target - e.p)),
}


def _known_finite(tensor: Tensor) -> bool:
    if tensor.numel() == 0 or not can_branch(tensor):
        return False
    lowest, highest = tensor.detach().aminmax()
    return math.isfinite(lowest) and math.isfinite(highest)
