"""Data in memory: tensors, arrays, or any sequence of (input, target)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from losskit.experiment.metrics import ACCURACY, CLEAN, DICE, MAE, RANKING, Metric, Range
from losskit.experiment.tasks.splits import split_groups
from losskit.experiment.tasks.task import Data, InputError, Kind, Split, Task

STEPS = 300  # of training, if the number of epochs is not given
KNOWN = {metric.key: metric for metric in RANKING}
DEFAULTS = {"segmentation": DICE, "classification": ACCURACY, "regression": MAE}


@dataclass(frozen=True)
class Given(Task):
    """Parts as given, or one pool that every block splits anew."""

    parts: dict[str, Split] = field(default_factory=dict)
    classes: int = 1
    kind: Kind = "segmentation"
    of_group: tuple[Any, ...] = ()  # the group of each item in the pool

    def data(self, seed: int) -> Data:
        if len(self.parts) == 3:
            return Data.of(self.parts, self.classes, self.kind)
        pool = self.parts["train"]
        tested = "test" not in self.parts
        indices = split_groups(self.of_group, seed, test=tested)
        drawn = {
            name: Split([pool.inputs[i] for i in chosen], [pool.targets[i] for i in chosen])
            for name, chosen in indices.items()
        }
        return Data.of({**drawn, **self.parts, "train": drawn["train"]}, self.classes, self.kind)


def given_task(
    train: Any,
    validation: Any = None,
    test: Any = None,
    metric: Any = None,
    groups: Sequence[Any] | None = None,
) -> Given:
    """A task from the caller's data; without validation every block draws it, and the test if it is missing."""
    if validation is not None and test is None:
        raise InputError("compare got validation and no test; give both, or train alone, to be split in each block.")
    parts = {
        name: Split(*read(value, name))
        for name, value in (("train", train), ("validation", validation), ("test", test))
        if value is not None
    }
    kind, classes = kind_of([target for split in parts.values() for target in split.targets], parts["train"])
    parts = {
        name: Split(split.inputs, [shaped(t, kind, classes) for t in split.targets]) for name, split in parts.items()
    }
    count = len(parts["train"])
    if groups is not None and len(groups) != count:
        raise InputError(f"groups has {len(groups)} entries for {count} training items; give one for each item.")
    batch = 8 if kind == "segmentation" else 32
    pooled = len(parts) < 3
    of_group = tuple(range(count) if groups is None else groups)
    how = "split anew in every block" if pooled else "in the given parts; blocks differ only in their seed"
    what = {"segmentation": "Segmentation", "classification": "Classification", "regression": "Regression"}[kind]
    return Given(
        name="given",
        about=f"{what} of {sum(map(len, parts.values()))} items, {how}.",
        metrics=(chosen_metric(metric, kind),),
        losses=("mse", "l1", "huber")
        if kind == "regression"
        else ("bce", "focal")
        if classes == 1
        else ("ce", "focal"),
        epochs=max(10, -(-STEPS * batch // count)),
        batch_size=batch,
        learning_rate=3e-3,
        is_users=True,
        apart=CLEAN if kind == "segmentation" and metric is None and some_empty(parts) else None,
        baseline="mse" if kind == "regression" else "bce" if classes == 1 else "ce",
        groups=len(set(of_group)) if pooled else None,
        parts=parts,
        classes=classes,
        kind=kind,
        of_group=of_group,
    )


def some_empty(parts: dict[str, Split]) -> bool:
    return any(not (target > 0).any() for part in parts.values() for target in part.targets)


def read(value: Any, name: str) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and targets, one tensor per item."""
    pairs: list[tuple[Any, Any]]
    try:
        if isinstance(value, (tuple, list)) and len(value) == 2 and hasattr(value[0], "shape"):
            pairs = list(zip(*value, strict=True))
        else:
            pairs = list(items(value))
        inputs = [torch.as_tensor(item).float() for item, _ in pairs]
        targets = [torch.as_tensor(target) for _, target in pairs]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} must be a pair of arrays (inputs, targets) or a sequence of (input, target), such as a Dataset; "
            f"reading it failed: {error}"
        ) from error
    if not inputs:
        raise InputError(f"{name} has no items.")
    if inputs[0].ndim == 0:
        raise InputError(f"{name} has inputs that are single numbers; each input is (features,) or (channels, *space).")
    return inputs, targets


def items(value: Any) -> Iterator[tuple[Any, Any]]:
    """Items of anything with a length and an index, such as a Dataset, or of an iterable."""
    if hasattr(value, "__getitem__") and hasattr(value, "__len__"):
        for index in range(len(value)):
            one, other = value[index]
            yield one, other
    else:
        for one, other in value:
            yield one, other


def kind_of(targets: Sequence[Tensor], train: Split) -> tuple[Kind, int]:
    """The kind of the targets, and the output channels that they need."""
    space, target = train.inputs[0].shape[1:], train.targets[0]
    values = torch.cat([t.flatten().double() for t in targets])
    known = values[values >= 0]
    if len(space) > 0 and target.shape[-len(space) :] == space:
        if target.ndim == len(space) + 1:
            return "segmentation", 1
        return "segmentation", int(known.max()) + 1
    if not target.is_floating_point():
        return "classification", 1 if target.ndim == 1 else int(known.max()) + 1
    if target.numel() != 1:
        raise InputError(
            f"A target has shape {tuple(target.shape)} with inputs of {tuple(train.inputs[0].shape)}; give class "
            "numbers (), a mask of the input's size, or one number."
        )
    binary = set(torch.unique(values).tolist()) <= {0.0, 1.0}
    return ("classification" if binary else "regression"), 1


def shaped(target: Tensor, kind: Kind, classes: int) -> Tensor:
    if kind == "regression" or (kind == "classification" and classes == 1):
        return target.float().reshape(1)
    return target.float() if classes == 1 else target.long()


def chosen_metric(metric: Any, kind: Kind) -> Metric:
    if metric is None:
        return DEFAULTS[kind]
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        name = str(getattr(metric, "__name__", "metric"))
        return Metric(name, name.replace("_", " "), getattr(metric, "higher_is_better", True), range=Range.ANY)
    if metric not in KNOWN:
        raise InputError(
            f"There is no metric {metric!r}; choose {', '.join(KNOWN)}, or give a function of (outputs, targets) that "
            "returns a number (more is better, unless its attribute higher_is_better is False)."
        )
    return KNOWN[metric]
