"""LogitsLoss: a function of the logits of each position, and of the log-probability of its true label."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from losskit.core.contract import Always, check_returned
from losskit.core.labels import LABEL_SHAPES, LabelOptions, ModeOptions
from losskit.core.means import MeanLoss
from losskit.core.summable import Summable
from losskit.core.sums import weighted
from losskit.ops import values
from losskit.ops.inputs import Inputs
from losskit.ops.reference import Elements

_LARGE = 1e30  # replaces an infinite logit, whose product with 0 is NaN


def finite(logits: Tensor) -> Tensor:
    """Replace infinite logits by large finite ones of the same sign."""
    return torch.where(logits.isinf(), logits.sign() * _LARGE, logits)


class LogitsLoss(ModeOptions, LabelOptions, MeanLoss):
    """A value for each position from its logits: define `per_position(logits)`.

    Its parameters may also be `(log_p, logits)`, `(logits, target)` or `(logits, target, weight)`. `logits` is
    (N, C, *), 0 where a position does not count. `log_p` is the log-probability of the true label: (N, *) under softmax
    and (N, C, *) under sigmoid; the result has that shape. The loss of a soft target is the sum over classes of the
    class's probability times the loss of its log-probability. `target` is (N, C, *), the probability of each class, or
    of a positive; with it, infinite logits are replaced by finite ones of size 1e30. `weight` broadcasts to `target`
    and is 0 where a position does not count.
    """

    shapes: ClassVar[str] = f"{LABEL_SHAPES}; values (N, *) under softmax, (N, C, *) under sigmoid."
    without: ClassVar[tuple[str, ...]] = ("from_logits",)
    tensors: ClassVar[tuple[str, ...]] = ("input", "target")
    takes: ClassVar[tuple[str, ...]] = ("logits",)  # the parameters of per_position

    denominator = Summable.denominator

    def per_position(self, *tensors: Any) -> Tensor:
        """The loss of each position."""
        raise TypeError(f"{self.name} must define per_position({', '.join(self.takes)}).")

    def prepare(self, elements: Elements, *others: Tensor) -> None:
        """Change the logits and targets that count, (N, C, *), by the further tensors of a call."""

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        inputs = self.read(self.name, tensors[0], tensors[1], weight, mask)
        bad = values.check(inputs)
        elements = Elements(inputs)
        self.prepare(elements, *tensors[2:])
        by_class = inputs.link == "softmax"
        value = self._softmax(inputs, elements) if by_class else self._sigmoid(inputs, elements)
        positions = inputs.input[:, :1].shape if by_class else inputs.input.shape
        share = self._share(inputs, elements).expand(positions).reshape(value.shape)
        counts = None if elements.counts is None else elements.counts.expand(positions).reshape(value.shape)
        value, share = weighted(value, share, counts)
        for found in bad:
            value = value + found
        return value.reshape(inputs.output_shape), share.reshape(inputs.output_shape)

    def _share(self, inputs: Inputs, elements: Elements) -> Tensor:
        """The weight of each position, broadcasting to (N, 1, *), or to (N, C, *) under sigmoid."""
        if self.class_weight is None:
            return elements.selected_weight
        classes = self.by_class(elements.input.new_ones(inputs.num_classes))
        of_class = classes.view(-1, *(1,) * (inputs.input.dim() - 2))
        if inputs.link != "sigmoid":
            of_class = (elements.target * of_class).sum(1, keepdim=True)
        return elements.selected_weight * of_class

    def _sigmoid(self, inputs: Inputs, elements: Elements) -> Tensor:
        if "log_p" not in self.takes:
            return self._value(inputs, elements, None)
        yes, no = self._value(inputs, elements, elements.log_p), self._value(inputs, elements, elements.log_q)
        target = elements.target
        return torch.where(target == 0, 0.0, target * yes) + torch.where(target == 1, 0.0, (1 - target) * no)

    def _softmax(self, inputs: Inputs, elements: Elements) -> Tensor:
        if "log_p" not in self.takes:
            return self._value(inputs, elements, None)
        if inputs.holds_indices:
            index = inputs.target.long().clamp(0, inputs.num_classes - 1).unsqueeze(1)  # out of range is an error
            return self._value(inputs, elements, elements.log_p.gather(1, index).squeeze(1))
        total = torch.zeros((), dtype=elements.dtype, device=inputs.input.device)
        for target, log_p in zip(elements.target.unbind(1), elements.log_p.unbind(1), strict=True):
            absent = target == 0
            value = self._value(inputs, elements, torch.where(absent, 0.0, log_p))
            total = total + torch.where(absent, 0.0, target * value)
        return total

    def _value(self, inputs: Inputs, elements: Elements, log_p: Tensor | None) -> Tensor:
        given = {
            "logits": elements.input,
            "log_p": log_p,
            "target": elements.target,
            "weight": elements.selected_weight,
        }
        if "target" in self.takes:
            given["logits"] = finite(elements.input)
        value = self.per_position(*(given[name] for name in self.takes))
        shape = tuple(inputs.input.shape)
        expected = shape if inputs.link == "sigmoid" else (shape[0], *shape[2:])
        return check_returned(self.name, f"per_position({', '.join(self.takes)})", value, expected)


class ClassesLoss(LogitsLoss):
    """A loss of all class logits of a position under softmax: define `per_position(logits, target)`."""

    always: ClassVar[Always | None] = "softmax"
    without: ClassVar[tuple[str, ...]] = ("from_logits", "mode")
    takes: ClassVar[tuple[str, ...]] = ("logits", "target")
    shapes: ClassVar[str] = (
        "input (N, C, *) with C > 1; target (N, *) or (N, 1, *) of class indices, or (N, C, *) of probabilities; "
        "weight and mask (N, *) or (N, 1, *), with size 1 where they broadcast; values (N, *)."
    )


class ScoreLoss(LogitsLoss):
    """A loss of each score separately under sigmoid: define `per_position(logits, target)`."""

    always: ClassVar[Always | None] = "sigmoid"
    without: ClassVar[tuple[str, ...]] = ("from_logits", "mode")
    takes: ClassVar[tuple[str, ...]] = ("logits", "target")
    shapes: ClassVar[str] = (
        "input (N, C, *) or (N,), target of the same shape in [0, 1], with one channel also (N, *); weight and mask of "
        "that shape, with size 1 where they broadcast; values of the input's shape."
    )
