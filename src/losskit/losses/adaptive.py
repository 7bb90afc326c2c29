"""Losses whose weights adapt to class counts, accumulated gradients or gradient density.

A module accumulates statistics in training mode; in evaluation mode, and as a function, it starts from its options.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor

from losskit.core.contract import Always
from losskit.core.domains import BinNumbers, ClassNumbers, NonNegative
from losskit.core.labels import ClassificationLoss, LabelOptions, check_length, over_samples
from losskit.core.logits import ClassesLoss, ScoreLoss
from losskit.core.options import Configured, option
from losskit.core.summable import Summable
from losskit.core.sums import Sums, check_size, divide
from losskit.losses.detection import cross_entropy
from losskit.losses.long_tail import check_classes
from losskit.ops import reference, values
from losskit.ops.columns import Column, Formula, TermColumn
from losskit.ops.finish import Finish
from losskit.ops.inputs import Inputs, Link, summing_dtype
from losskit.ops.maths import distance, log_softmax
from losskit.ops.planning import Watching


class Remembering(Configured):
    """Buffers that take the number of classes at the first call, and are saved and loaded at that size."""

    remembered: ClassVar[tuple[str, ...]] = ()

    def remember(self, name: str, value: Tensor | None) -> None:
        """Initialize a buffer with these numbers, or empty."""
        start = torch.zeros(0, dtype=torch.float64) if value is None else value.detach().double().clone()
        self.register_buffer(name, start)

    def recalled(self, name: str, like: Tensor) -> Tensor:
        """The stored number of each class of `like`, initially 0."""
        known: Tensor = getattr(self, name)
        return known.to(like) if known.shape[0] else torch.zeros_like(like)

    def keep(self, name: str, value: Tensor) -> None:
        """Store these numbers, detached from their graph."""
        value = value.detach()
        while not torch.compiler.is_compiling() and torch._C._functorch.is_functorch_wrapped_tensor(value):
            if torch._C._functorch.is_batchedtensor(value):
                raise RuntimeError(
                    f"{type(self).__name__} remembers what it has seen in training mode, and under vmap each sample "
                    "would be another memory. Call eval() before, or use the function form."
                )
            value = torch._C._functorch.get_unwrapped(value)
        setattr(self, name, value)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *arguments: Any) -> None:
        for name in self.remembered:
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *arguments)


class SeesawLoss(Remembering, ClassesLoss):
    r"""Seesaw loss: cross-entropy that mitigates penalties on rare classes and compensates for misclassification.

    .. math:: -\log\frac{e^{x_y}}{e^{x_y} + \sum_{c \ne y} M_{yc}\,C_{yc}\,e^{x_c}}, \qquad
        M_{yc} = \min\Bigl(1, \frac{N_c}{N_y}\Bigr)^{p}, \quad C_{yc} = \max\Bigl(1, \frac{p_c}{p_y}\Bigr)^{q}

    with :math:`N_c` the number of occurrences of class c so far, including this batch and at least 1, and :math:`p_y`
    at least the floor. C is computed from detached probabilities. For soft targets, the logarithms of both factors
    are averaged. In training mode the module adds the counts of each batch to N.

    Source: Wang et al. 2021, arXiv:2008.10032.

    Elsewhere: mmdetection has two additional logits for objectness, and calls the floor eps.

    Example:
        >>> loss = losskit.SeesawLoss(class_counts=[900, 100])
        >>> input = torch.tensor([[2.0, 1.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.0614)
    """

    authority = "its formula in mpmath"
    short_name = "seesaw"
    across_ranks = "its class counts are those of each rank's own batch."
    remembered = ("seen",)
    takes = ("logits", "target", "weight")

    p: NonNegative = option(default=0.8, doc="exponent of the mitigation factor M; 0 disables it")
    q: NonNegative = option(default=2.0, doc="exponent of the compensation factor C; 0 disables it")
    floor: Annotated[float, Interval(gt=0, le=1)] = option(
        default=0.01, doc="lower bound of the true class's probability in the denominator of C"
    )
    class_counts: ClassNumbers | None = option(default=None, doc="number of previous occurrences of each class")

    seen: Tensor

    def __post_init__(self) -> None:
        super().__post_init__()
        self.remember("seen", self.class_counts if isinstance(self.class_counts, Tensor) else None)

    @property
    def summable(self) -> bool:
        return False

    @property
    def is_mean(self) -> bool:
        return False  # values depend on the whole batch

    def per_position(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        occurs = (weight * target).transpose(0, 1).flatten(1).sum(1, dtype=summing_dtype(logits))
        if self.seen.shape[0]:
            check_classes(self.name, "class_counts", self.seen, logits)
        counts = self.recalled("seen", occurs) + occurs
        if self.training:
            self.keep("seen", counts)
        log_count = counts.clamp_min(1).log()
        mitigation = self.p * (log_count.unsqueeze(0) - log_count.unsqueeze(1)).clamp_max(0)  # (truth, class)
        with torch.autocast(logits.device.type, enabled=False):
            factor = torch.einsum("nc...,ck->nk...", target, mitigation.to(target))
        log_p = log_softmax(logits.detach())
        own = torch.where(target == 0, 0.0, target * log_p.clamp_min(math.log(self.floor))).sum(1, keepdim=True)
        factor = factor + self.q * (log_p - own).clamp_min(0)
        adjusted = logits + (1 - target) * factor
        return -torch.where(target == 0, 0.0, target * log_softmax(adjusted)).sum(1)


class EqualizationLoss(Remembering, ClassificationLoss):
    r"""Equalization loss v2: binary cross-entropy that balances positive and negative gradients per class.

    .. math:: -w^+_c\,t \log p - w^-_c\,(1 - t) \log(1 - p), \qquad
        w^-_c = \sigma\bigl(\gamma\,(g^+_c / g^-_c - \mu)\bigr), \quad w^+_c = 1 + \alpha\,(1 - w^-_c)

    with :math:`g^+` and :math:`g^-` the sums of the weighted gradients, :math:`w^+ t (1 - p)` and :math:`w^- (1 - t)\,
    p`, over all previous batches. A class without negative gradients has the weight 1. In training mode the module
    adds the gradients of each batch after weighting it.

    Source: Tan et al. 2021, arXiv:2012.08548 (version 2).

    Elsewhere: the authors' code divides by the number of samples alone, and gives one objectness logit the weight 1;
    version 1, Tan et al. 2020, ignores negatives of rare classes instead.

    Example:
        >>> loss = losskit.EqualizationLoss(positive=[30.0, 1.0], negative=[10.0, 90.0])  # earlier gradients
        >>> input = torch.tensor([[0.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([[1, 1]])  # labels (N, C)
        >>> loss(input, target)
        tensor(2.0793)
    """

    always = "sigmoid"
    authority = "its formula in mpmath"
    short_name = "eql"
    also_called = ("equalization", "eqlv2", "eql_v2")
    shapes = ScoreLoss.shapes
    remembered = ("pulled", "pushed")

    gamma: NonNegative = option(default=12.0, doc="steepness of the weight function at mu")
    mu: NonNegative = option(default=0.8, doc="gradient ratio at which negatives have the weight 1/2")
    alpha: NonNegative = option(default=4.0, doc="maximum additional weight of positives")
    positive: ClassNumbers | None = option(default=None, doc="accumulated positive gradients of each class")
    negative: ClassNumbers | None = option(default=None, doc="accumulated negative gradients of each class")

    pulled: Tensor
    pushed: Tensor

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [numbers if isinstance(numbers, Tensor) else None for numbers in (self.positive, self.negative)]
        if (given[0] is None) != (given[1] is None):
            raise ValueError(f"{self.name}: positive and negative go together. Give both, or neither.")
        for name, numbers in zip(self.remembered, given, strict=True):
            self.remember(name, numbers)

    def formula(self) -> Formula:
        return Formula()

    def columns(self, link: Link) -> list[Column]:
        wrong = Formula(log=0.0, rest=1.0)
        return [*super().columns(link), TermColumn(wrong, "truth", 0), TermColumn(wrong, "truth", 1)]

    def planned_columns(self, inputs: Inputs, watched: Watching) -> list[Column]:
        return self.columns(inputs.link)

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        return None  # the accumulated gradients change

    def check_classes(self, inputs: Inputs) -> None:
        super().check_classes(inputs)
        if self.pulled.shape[0]:
            check_length(self.name, "positive", self.pulled, inputs)
            check_length(self.name, "negative", self.pushed, inputs)

    def truth_weights(self, inputs: Inputs) -> Tensor | None:
        return self._weights(torch.zeros(inputs.num_classes, dtype=torch.float64, device=inputs.input.device))

    def _weights(self, like: Tensor) -> Tensor:
        """The weights of positives and negatives of each class, (C, 2)."""
        pulled, pushed = (self.recalled(name, like) for name in self.remembered)
        known = pushed > 0
        ratio = pulled / torch.where(known, pushed, 1.0)
        negative = torch.where(known, torch.sigmoid(self.gamma * (ratio - self.mu)), 1.0)
        return torch.stack([1 + self.alpha * (1 - negative), negative], -1)

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        *own, pulled, pushed = totals
        sums = super().sums_from_totals(own, inputs)
        return Sums(
            numerator=sums["numerator"],
            denominator=sums["denominator"],
            pulled=over_samples(pulled.detach()),
            pushed=over_samples(pushed.detach()),
        )

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        result = super().conclude(sums)
        if self.training:
            yes, no = self._weights(sums["pulled"]).unbind(-1)
            self.keep("pulled", self.recalled("pulled", yes) + yes * sums["pulled"])
            self.keep("pushed", self.recalled("pushed", no) + no * sums["pushed"])
        return result

    def elements(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        value = super().elements(*tensors, weight=weight, mask=mask)
        if self.training:
            with torch.no_grad():
                self.conclude(self.totals(*tensors, weight=weight, mask=mask))
        return value


class GHMLoss(Remembering, LabelOptions, Summable):
    r"""Gradient harmonizing mechanism (GHM-C): binary cross-entropy weighted by inverse gradient density.

    .. math:: \frac{1}{M} \sum_{b} \frac{1}{n_b} \sum_{i \in b} -t_i \log p_i - (1 - t_i) \log(1 - p_i)

    the mean over the M non-empty bins of :math:`|p - t|` of the mean in each bin; :math:`n_b` is the number of elements
    in a bin. With momentum m it is the running count :math:`m\,n_b + (1 - m)\,n_b'`, which starts at 0 and is stored in
    training mode. The assignment to bins carries no gradient.

    Source: Li, Liu, Wang 2019, arXiv:1811.05181 (GHM-C).

    Elsewhere: mmdetection's GHMC has the same value; its GHMR is a regression loss of boxes.

    Example:
        >>> loss = losskit.GHMLoss(bins=10)
        >>> input = torch.tensor([-4.0, -4.0, -4.0, -4.0, -1.0])  # logits (N,)
        >>> target = torch.tensor([0, 0, 0, 0, 1])
        >>> loss(input, target)
        tensor(0.6657)
    """

    always: ClassVar[Always | None] = "sigmoid"
    authority = "its formula in mpmath"
    short_name = "ghm"
    also_called = ("ghmc", "ghm_c", "gradient_harmonizing")
    without = ("from_logits",)
    shapes = (
        "input (N, C, *) or (N,), target of the same shape in [0, 1], with one channel also (N, *); weight and mask of "
        "that shape, with size 1 where they repeat; the value is one number."
    )

    bins: Annotated[int, Ge(1)] = option(default=10, doc="number of bins of abs(p - t) between 0 and 1")
    momentum: Annotated[float, Interval(ge=0, lt=1)] = option(default=0.0, doc="momentum of the bin counts; 0: none")
    bin_counts: BinNumbers | None = option(default=None, doc="initial running count of each bin; None starts at 0")
    reduction: Literal["mean"] = option(default="mean", doc="one value for the batch; no other reduction")

    seen: Tensor

    def __post_init__(self) -> None:
        super().__post_init__()
        start = self.bin_counts
        if isinstance(start, Tensor) and len(start) != self.bins:
            raise ValueError(
                f"{self.name}: bin_counts has {len(start)} numbers, but there are {self.bins} bins. Give it one number "
                "per bin, such as the buffer `seen` of a module with as many bins."
            )
        self.remember("seen", start if isinstance(start, Tensor) else torch.zeros(self.bins))

    @property
    def is_mean(self) -> bool:
        return False

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        inputs = self.read(self.name, tensors[0], tensors[1], weight, mask)
        bad = values.check(inputs)
        elements = reference.Elements(inputs)
        shape, dtype = inputs.input.shape, summing_dtype(inputs.input)
        of_class = self.by_class(elements.input.new_ones(shape[1])).view(-1, *(1,) * (len(shape) - 2))
        share = (elements.selected_weight * of_class).expand(shape).to(dtype)
        value = cross_entropy(elements.input, elements.target).to(dtype) * share
        apart = distance(elements.p, elements.q, elements.target).detach()
        at = (apart * self.bins).nan_to_num().long().clamp(0, self.bins - 1).reshape(-1)
        empty = torch.zeros(self.bins, dtype=dtype, device=value.device)
        loss, count = (empty.scatter_add(0, at, each.reshape(-1)) for each in (value, share))
        return Sums(loss=sum(bad, loss), count=reference.sized(count, inputs.weight, elements.selected_weight))

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        count = sums["count"]
        check_size(count, self.name)
        some = count != 0
        size = self.momentum * self.seen.to(count) + (1 - self.momentum) * count if self.momentum else count
        if self.momentum and self.training:
            self.keep("seen", torch.where(some, size, self.seen.to(count)))
        each = torch.where(some, sums["loss"] / torch.where(some, size, 1.0), 0.0)
        return divide(each.sum(), some.to(each).sum(), self.empty, self.name), None
