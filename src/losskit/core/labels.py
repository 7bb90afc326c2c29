"""LabelLoss: an input spec, columns, and a finish from their totals to a numerator and a denominator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from losskit.core.contract import Always, InputSpec, Mode
from losskit.core.domains import ClassWeights
from losskit.core.loss import Summable
from losskit.core.options import Configured, option
from losskit.core.passes import Pass, Watching
from losskit.core.totals import Sums
from losskit.ops.columns import Column
from losskit.ops.finish import Finish
from losskit.ops.inputs import Inputs, Link

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


class LabelLoss(LabelOptions, Summable):
    """A loss whose sums come from one pass over logits and labels."""

    planned: ClassVar[bool] = True
    shares_pass: ClassVar[bool] = True  # with other losses of a sum
    always: ClassVar[Always | None] = None  # a link that does not depend on the target
    same_shape: ClassVar[bool] = False  # whether the target always has the input's shape

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.keys().isdisjoint(("forward", "totals", "reduced")):
            cls.shares_pass = False

    @property
    def spec(self) -> InputSpec:
        mode = getattr(self, "mode", None)
        return InputSpec(self.always, mode, labels_of(self.ignore_index), self.from_logits, self.same_shape)

    def logit_bias(self) -> Tensor | None:
        """An offset added to the logits of each class, (C,)."""
        return None

    def check_classes(self, inputs: Inputs) -> None:
        check_length(self.name, "class_weight", self.class_weight, inputs)

    def columns(self, link: Link) -> list[Column]:
        """The columns that this loss sums."""
        raise NotImplementedError

    @property
    def pools(self) -> bool:
        """Whether totals of the batch suffice, without those of each sample."""
        return False

    def planned_columns(self, inputs: Inputs, watched: Watching) -> list[Column]:
        """The columns as C computes them; raises Untraceable if a formula cannot become a program."""
        return self.columns(inputs.link)

    def neutral_numbers(self) -> Sequence[float]:
        return 0.0, 0.0

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        """The sums, which add, from the totals of each column: (N, C), or (C,) if every loss of the pass pools."""
        raise NotImplementedError

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        """The finish as C evaluates it, or None if C cannot."""
        return None

    def option_tensors(self) -> tuple[Tensor | None, Tensor | None]:
        """Class weights and weights of the true label, if they are tensors, whose values each call reads."""
        weight = self.class_weight
        return (weight if isinstance(weight, Tensor) else None), None

    def parse(self, input: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Inputs:
        """The tensors of a call in canonical form."""
        return Pass([self]).inputs([self], input, target, weight, mask)[0][0]

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        input, target = tensors
        return Pass([self]).sums([self], input, target, weight, mask)[0]


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
