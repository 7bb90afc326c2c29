"""LabelLoss: what the losses of labels share, whether they score elements or regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from losskit import ops
from losskit.core.contract import Always, Mode, read
from losskit.core.domains import ClassNumbers
from losskit.core.loss import Summable
from losskit.core.options import Configured, option
from losskit.core.sums import Sums
from losskit.ops.columns import Column
from losskit.ops.inputs import Inputs, Link

LABEL_SHAPES = (
    "input (N, C, *); target (N, *) or (N, 1, *) of class indices, or (N, C, *), and with one channel (N, *) or "
    "(N, 1, *) of yes and no; weight and mask (N, *) or (N, 1, *), under sigmoid (N, C, *), with size 1 where they "
    "repeat"
)


class LabelOptions(Configured):
    """The options of every loss of labels."""

    ignore_index: int = option(default=-100, doc="the label of elements to leave out, as if they were not there")
    class_weight: ClassNumbers | None = option(default=None, doc="one weight per class, always as many as classes")
    from_logits: bool = option(default=True, doc="False when the input holds probabilities in [0, 1]")


class ModeOptions(Configured):
    """The option of losses whose link follows the target."""

    mode: Mode | None = option(
        default=None,
        doc="asked for when input and target have the same shape and several classes: 'multilabel' reads each class as "
        "yes or no (sigmoid), 'multiclass' reads a distribution over classes (softmax)",
    )


_LINKS: dict[Mode | None, Link] = {"multilabel": "sigmoid", "multiclass": "softmax"}


class LabelLoss(LabelOptions, Summable):
    """A loss whose sums come from one pass over logits and labels."""

    always: ClassVar[Always | None] = None  # a link that does not depend on the target

    def read(self, input: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Inputs:
        inputs = read(
            self.name,
            input,
            target,
            weight,
            mask,
            mode=getattr(self, "mode", None),
            always=self.always,
            ignore_index=self.ignore_index,
            from_logits=self.from_logits,
            logit_bias=self.logit_bias(),
        )
        self.check_classes(inputs)
        return inputs

    def reads_as(self, known: Inputs) -> bool:
        """Whether it would read the tensors of these inputs, without weight, alike; False where that is not sure."""
        link = self.always or _LINKS.get(getattr(self, "mode", None))
        return (
            type(self).read is LabelLoss.read  # a parse of its own may refuse more
            and link == known.link
            and not (link == "sigmoid" and known.holds_indices)
            and self.ignore_index == known.ignore_index
            and self.from_logits == known.from_logits
            and known.weight is None
            and known.logit_bias is None
            and self.logit_bias() is None
        )

    def logit_bias(self) -> Tensor | None:
        """What is added to the logits of each class, (C,)."""
        return None

    def check_classes(self, inputs: Inputs) -> None:
        check_length(self.name, "class_weight", self.class_weight, inputs)

    def columns(self, inputs: Inputs) -> list[Column]:
        """The columns that this loss sums."""
        raise NotImplementedError

    @property
    def pools(self) -> bool:
        """Whether it needs no totals of each sample, only of the batch."""
        return False

    def expected(self, inputs: Inputs) -> Tensor | None:
        """The gradient of the batch's totals but for a factor, (1, C, K), where it is known before they are."""
        return None

    def collect(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        """From the totals of each column, (N, C), or (C,) where no loss of the pass wants more, to sums that add."""
        raise NotImplementedError

    def by_class(self, numbers: Tensor) -> Tensor:
        """Numbers per class, (..., C), times the class weights."""
        weights = self.class_weights(numbers)
        return numbers if weights is None else numbers * weights

    def class_weights(self, like: Tensor) -> Tensor | None:
        return None if self.class_weight is None else self.class_weight.to(like)  # type: ignore[union-attr]

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        input, target = tensors
        return gather([self], self.read(input, target, weight, mask))[0]


def check_length(owner: str, name: str, numbers: Any, inputs: Inputs) -> None:
    if isinstance(numbers, Tensor) and numbers.dim() == 1 and numbers.shape[0] != inputs.num_classes:
        raise ValueError(
            f"{owner}: {name} has {numbers.shape[0]} numbers, but input {tuple(inputs.input.shape)} has "
            f"{inputs.num_classes} classes. Give it one number per class, excluded classes too."
        )


def gather(parts: Sequence[LabelLoss], inputs: Inputs) -> list[Sums]:
    """The sums of losses that read alike, from one pass; region columns that several ask for are summed once."""
    if len(parts) == 1:
        (part,) = parts
        own = part.columns(inputs)
        expected = part.expected(inputs) if part.pools and ops.makes_gradients(inputs) else None
        return [part.collect(ops.totals(inputs, own, pooled=part.pools, expected=expected), inputs)]
    columns: list[Column] = []
    positions: list[list[int]] = []
    for part in parts:
        at = []
        for column in part.columns(inputs):
            if not (isinstance(column, str) and column in columns):
                columns.append(column)
                at.append(len(columns) - 1)
            else:
                at.append(columns.index(column))
        positions.append(at)
    totals = ops.totals(inputs, columns, pooled=all(part.pools for part in parts))
    return [part.collect([totals[i] for i in at], inputs) for part, at in zip(parts, positions, strict=True)]


def over_samples(total: Tensor) -> Tensor:
    """(N, C) to (C,); pooled totals are that already."""
    return total if total.dim() == 1 else total.sum(0)
