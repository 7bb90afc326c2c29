"""The operators in plain PyTorch. This file is the definition; every fused operator must match it.

Masked and ignored positions (those that "do not count") are replaced with `torch.where` before any computation, never
multiplied by zero. NaN or infinity there therefore reaches neither the value nor a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from losskit.ops.columns import Column, Difference, RegionTerm, Term, TermColumn, evaluated
from losskit.ops.constants import MOST_WEIGHT
from losskit.ops.inputs import Inputs, can_branch, can_hold, computing_dtype, summing_dtype
from losskit.ops.maths import log_of_probability, log_sigmoid, log_softmax, one_hot, one_minus_exp

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - used as a decorator
    """A cached property that compiles; `functools.cached_property` uses a lock, which does not."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute = compute
        self.name = compute.__name__

    def __get__(self, instance: Any, owner: type) -> T:
        value = self.compute(instance)
        setattr(instance, self.name, value)
        return value


def totals(inputs: Inputs, columns: Sequence[Column]) -> Tensor:
    """Sums over the positions of each sample and class: (N, C, K) for K columns, in float64."""
    elements = Elements(inputs)
    shape = inputs.input.shape
    sums = []
    for column in columns:
        term = elements.column(column).expand(shape)
        term = term.flatten(2) if term.dim() > 2 else term.unsqueeze(-1)  # Size.numel() fixes sizes that vary
        total = term.sum(-1, dtype=summing_dtype(inputs.input))
        sums.append(total if isinstance(column, TermColumn) else sized(total, inputs.weight, elements.selected_weight))
    return torch.stack(sums, -1)


def sized(size: Tensor, given: Tensor | None, weight: Tensor) -> Tensor:
    """A sum of weights, NaN if any weight cannot be part of a denominator: negative, above MOST_WEIGHT or NaN."""
    if given is None:
        return size
    fits = (weight >= 0) & (weight <= MOST_WEIGHT)
    return torch.where(fits.all(), size, torch.nan)


def terms(inputs: Inputs, term: Term, truth: Tensor, every: Tensor | None) -> Tensor:
    """Per-element `sum_c (truth_c t_c + every_c) term(log p_c)` times the weight; 0 where masked or ignored.

    `truth` and `every` are (C, 1) under softmax, which returns (N, *), and (C, 2) under sigmoid (positive and negative
    label), which returns (N, C, *).
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
    """Sums of an element-wise formula and of the weights of unmasked elements: (1, C, 2)."""
    dtype = computing_dtype(inputs.input)
    input, target, weight, mask = inputs.input.to(dtype), inputs.target.to(dtype), inputs.weight, inputs.mask
    if mask is not None:
        input, target = input.where(mask, 0.0), target.where(mask, 0.0)
    value, share = evaluated(difference, input, target), input.new_ones(()) if weight is None else weight.to(dtype)
    share = share if mask is None else share.where(mask, 0.0)
    total, size = (
        t.expand(input.shape).transpose(0, 1).flatten(1).sum(1, dtype=torch.float64) for t in (value * share, share)
    )
    return torch.stack([total, sized(size, weight, share)], -1).unsqueeze(0)


def ranks(inputs: Inputs, *, pooled: bool) -> Tensor:
    """Lovász extensions of the Jaccard loss, counts of positives and of elements: (N, C, 3), or (1, C, 3) if pooled."""
    error, truth, counts = errors_to_rank(inputs, pooled=pooled)
    positives, count = (t.sum(-1, dtype=torch.float64) for t in (truth, counts))
    return torch.stack([lovasz_extension(error, truth, counts), positives, count], -1)


def errors_to_rank(inputs: Inputs, *, pooled: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Errors, positive labels and what counts, (N, C, S), or (1, C, N S) if pooled.

    Errors are hinge losses `[1 - x (2t - 1)]+` under sigmoid, `|t - p|` under softmax and for probabilities.
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
    return error, truth, counts


def lovasz_extension(error: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """The sum of errors, sorted in descending order, each times the increment of the Jaccard loss: (..., S) to (...).

    The order of equal errors affects the gradient, not the sum. The sort is stable: the first position ranks first.
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
    """Per-element quantities, computed lazily and shared between columns."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.dtype = computing_dtype(inputs.input)

    @once
    def counts(self) -> Tensor | None:
        """False where an element is masked or ignored, broadcastable to (N, C, *); None if none is."""
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
        return evaluated(term, self.log_p if side == 0 else self.log_q)

    def of_truth(self, term: Term, side: int) -> Tensor:
        """`weight * share * term`; 0 where the share is 0, even if the term is infinite (a masked class).

        An infinite logarithm is replaced before the term is computed, so that it does not reach a derivative either.
        """
        share, log = self.truth(side), self.log_p if side == 0 else self.log_q
        if _known_finite(log):
            return self.selected_weight * share * self.term(term, side)
        value = evaluated(term, torch.where((share == 0) & log.isinf(), 0.0, log))
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
    """ReLU with the derivative 1/2 at 0."""
    return torch.maximum(tensor, torch.zeros_like(tensor))


_REGION: dict[str, Callable[[Elements], Tensor]] = {
    # torch.where, since the slope of a ratio may overflow for a class without positives, and infinity times 0 is NaN
    "tp": lambda e: torch.where(e.target == 0, 0.0, e.p * e.target),
    "pred": lambda e: e.p,
    "target": lambda e: e.target,
    "count": lambda e: torch.ones_like(e.selected_weight),
    "pred_sq": lambda e: e.p * e.p,
    "target_sq": lambda e: e.target * e.target,
    # computed from p or q where the label is 1: this avoids cancellation, and min(p, 1) would halve the slope at p = 1
    "tp_l1": lambda e: torch.where(e.target == 1, e.p, torch.minimum(e.p, e.target)),
    "fp_l1": lambda e: torch.where(e.target == 1, 0.0 * e.p, _positive_part(e.p - e.target)),
    "fn_l1": lambda e: torch.where(e.target == 1, e.q, _positive_part(e.target - e.p)),
}


def _known_finite(tensor: Tensor) -> bool:
    if tensor.numel() == 0 or not can_branch(tensor):
        return False
    lowest, highest = tensor.detach().aminmax()
    return math.isfinite(lowest) and math.isfinite(highest)
