"""Exact losses across processes and micro-batches: partial sums are added before the loss is computed from them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from typing import Any, ClassVar, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from losskit.core.algebra import WeightedSum
from losskit.core.loss import Loss, Part, Parts
from losskit.core.operands import as_loss
from losskit.core.options import Configured, option
from losskit.core.region import RegionLoss
from losskit.core.summable import bind
from losskit.core.sums import Counts, Group, Sums, added, replaced_value, result_dtype

__all__ = ["Synchronized", "micro_batches", "sync"]

Gradients = Literal["mean", "sum"]


def __dir__() -> list[str]:
    return __all__


def sync(criterion: Any, group: Group = None, gradients: Gradients = "mean") -> Synchronized:
    """Make a loss exact over the processes of a group (default: all processes).

    Every process returns the loss of the whole batch. `gradients` states how the processes' gradients are reduced:
    "mean" if they are averaged, as in DistributedDataParallel and FSDP, "sum" if they are added. In both cases the
    model's gradient equals that of the whole batch on one machine, for any split, including empty shards.

    Class weights, the weights of a sum and learned weights apply to the global sums. With "mean", every process has
    their full gradient, averaged or not. A parameter inside a formula, and with "sum" every parameter of the
    criterion, has a share of its gradient on each process: reduce it like the model's, by wrapping it with the model.
    """
    return Synchronized(criterion, group, gradients=gradients)


class Synchronized(Loss):
    """A loss that adds its sums over processes, in one collective, before it computes its value: see `sync`."""

    without: ClassVar[tuple[str, ...]] = ("reduction", "empty")
    across_ranks: ClassVar[str] = "it adds its sums over ranks itself and cannot be nested; compose first, then sync."

    gradients: Gradients = option(default="mean", doc="how the processes' gradients are reduced: averaged or added")

    def __init__(self, criterion: Any, group: Group = None, *, gradients: Gradients = "mean") -> None:
        Configured.__init__(self, gradients=gradients)
        self.criterion = _summable(criterion)
        self.group = group
        self.__dict__["tensors"] = self.criterion.tensors

    @property
    def group(self) -> Group:
        """The process group; None for all processes. Copies share it, and a pickle stores its name and ranks."""
        return self._group.found()

    @group.setter
    def group(self, group: Group) -> None:
        self._group = _SharedGroup(group)

    def forward(self, *tensors: Any, **arguments: Any) -> Tensor:
        return self.parts(*tensors, **arguments)[0]

    def parts(self, *tensors: Any, **arguments: Any) -> tuple[Tensor, Parts]:
        """The loss of the whole batch, and the named components of a sum."""
        weight, mask, normalizer = (arguments.pop(name, None) for name in ("weight", "mask", "normalizer"))
        if arguments:
            raise TypeError(f"{self.name} takes weight, mask and normalizer by name; got {', '.join(arguments)}.")
        given = {"weight": weight, "mask": mask}
        tensors = bind(self.name, self.tensors, tensors, given)
        own = self.criterion.totals(*tensors, **given)
        sums = own.within(added(own, self.group), self.processes)
        dtype = result_dtype(_first(tensors))
        if isinstance(self.criterion, WeightedSum):
            values = self.criterion.finish_parts(sums, normalizer=normalizer)
            loss, named = self.criterion.combined([value.to(dtype) for value in values])
        else:
            loss, named = self.criterion.finish(sums, normalizer=normalizer).to(dtype), Parts()
        if self.gradients == "sum":
            loss = replaced_value(loss, loss, 1 / self.processes)
        return loss, named or Parts({self.criterion.label: Part(loss.detach(), loss.detach())})

    @torch.no_grad()
    def score(self, input: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """The score of the whole batch, for region losses: see `RegionLoss.score`."""
        if not isinstance(self.criterion, RegionLoss):
            raise TypeError(f"{self.criterion.name} has no score; losses of regions have one, such as DiceLoss.")
        sums = added(self.criterion.score_totals(input, target, weight, mask), self.group)
        return self.criterion.finish_score(sums).to(result_dtype(input))

    @property
    def takes_normalizer(self) -> bool:
        takes: bool = self.criterion.takes_normalizer
        return takes

    @property
    def processes(self) -> int:
        return dist.get_world_size(self.group) if _initialized() else 1

    @property
    def label(self) -> str:
        label: str = self.criterion.label
        return label


class _SharedGroup:
    """A process group, neither copied nor pickled itself: copies share it, a pickle stores its name and ranks."""

    def __init__(self, group: Group, name: str = "", ranks: Sequence[int] = ()) -> None:
        self.group = group
        self.name = name  # of an unpickled group that is not looked up yet
        self.ranks = list(ranks)

    def found(self) -> Group:
        """The group; after unpickling, the group of the same name and ranks in this process."""
        if self.name:
            self.group, self.name = _group_named(self.name, self.ranks), ""
        return self.group

    def __deepcopy__(self, memo: dict[int, Any]) -> _SharedGroup:
        return _SharedGroup(self.group, self.name, self.ranks)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.group is None or self.group is dist.group.WORLD:
            return _SharedGroup, (None, self.name, self.ranks)
        return _SharedGroup, (None, self.group.group_name, dist.get_process_group_ranks(self.group))


def _group_named(name: str, ranks: list[int]) -> Group:
    groups = dist.distributed_c10d._world.pg_names if _initialized() else {}
    for group, known in groups.items():
        if known == name and dist.get_process_group_ranks(group) == ranks:
            return group
    raise RuntimeError(
        f"sync: this loss was pickled with the process group {name!r} of ranks {ranks}, which this process does not "
        "have. Set its `group` to a group of this process, or to None for all processes."
    )


def micro_batches(criterion: Any, model: Callable[[Any], Any], batches: Iterable[Sequence[Any]]) -> Iterator[Tensor]:
    """Yield one loss per micro-batch to call `backward()` on; the gradients add up to those of the whole batch.

    `batches` are tuples `(x, target)`, followed by `weight` and `mask` if they are used; the criterion is called with
    `model(x)`. The losses add up to the loss of the whole batch::

        for loss in micro_batches(criterion, model, batches):
            loss.backward()
        optimizer.step()

    If the targets alone determine the denominator, one forward pass is enough. Other losses (`pool="batch"`, learned
    weights) need a first pass without gradient: dropout draws the same values in both passes, and BatchNorm updates
    its running statistics twice per micro-batch. With a criterion from `sync`, the whole batch spans all processes, and
    values and gradients are averaged, or added, over them; a model under DistributedDataParallel communicates in the
    last backward pass only.
    """
    local, processes, group, averaged = _summable(criterion), 1, None, True
    if isinstance(criterion, Synchronized):
        local, processes, group = criterion.criterion, criterion.processes, criterion.group
        averaged = criterion.gradients == "mean"
    given = [tuple(batch) for batch in batches]
    if not given:
        raise ValueError("micro_batches: there is no micro-batch; an empty share of a batch has tensors of 0 samples.")
    return _losses(local, model, given, processes, group, averaged=averaged)


def _losses(
    local: Any,
    model: Callable[[Any], Any],
    batches: list[tuple[Any, ...]],
    processes: int,
    group: Group,
    *,
    averaged: bool,
) -> Iterator[Tensor]:
    # The criterion's parameters have their full gradient on every process only if the global sums are finished there.
    one_pass = local.counts_from_targets and not (processes > 1 and any(p.requires_grad for p in local.parameters()))
    whole = None if one_pass else added(_first_pass(local, model, batches), group)
    for number, (x, *others) in enumerate(batches, start=1):
        with _accumulating(model, last=number == len(batches)):
            output = model(x)
            if whole is None:
                whole = added(_counts(local, output, batches), group)
            arguments: dict[str, Any] = {}
            sums = local.totals(*bind(local.name, local.tensors, (output, *others), arguments), **arguments)
            if isinstance(whole, Counts):
                loss = local.finish(sums, whole=whole) * (processes if averaged else 1)
            else:
                shares = len(batches) * processes
                loss = local.finish(sums.within(whole, shares)) / (len(batches) if averaged else shares)
            yield loss.to(result_dtype(_first(output)))


def _first_pass(criterion: Any, model: Callable[[Any], Any], batches: list[tuple[Any, ...]]) -> Sums:
    """The sums of the whole batch, without gradient. Restores the random state."""
    parameters = model.parameters() if isinstance(model, nn.Module) else ()
    devices = {p.device for p in parameters if p.device.type != "cpu"}
    kind = next(iter(devices)).type if devices else "cuda"
    found: list[Sums] = []
    with torch.no_grad(), torch.random.fork_rng(devices=list(devices), device_type=kind):
        for x, *others in batches:
            arguments: dict[str, Any] = {}
            tensors = bind(criterion.name, criterion.tensors, (model(x), *others), arguments)
            found.append(criterion.totals(*tensors, **arguments))
    return reduce(operator.add, found)


def _counts(criterion: Any, output: Tensor, batches: list[tuple[Any, ...]]) -> Counts:
    """The counts of the whole batch, from the targets and the number of channels of the output."""
    found: list[Counts] = []
    for _, *others in batches:
        arguments: dict[str, Any] = {}
        tensors = bind(criterion.name, criterion.tensors, (output, *others), arguments)
        weight, mask = arguments.get("weight"), arguments.get("mask")
        target, channels = tensors[1], output.shape[1] if output.dim() > 1 else 1
        if target.dim() == output.dim() and target.dim() > 1 and target.shape[1] != channels:
            target = target.squeeze(1)  # class indices with a channel dimension of size 1
        same = target.dim() == output.dim()
        found.append(criterion.counts(target, weight, mask, num_classes=None if same else channels))
    return reduce(operator.add, found)


def _accumulating(model: Any, *, last: bool) -> AbstractContextManager[Any]:
    """Keep a data-parallel model's gradients local to each process until the last micro-batch."""
    return nullcontext() if last or not hasattr(model, "no_sync") else model.no_sync()


def _summable(criterion: Any) -> Any:
    """The loss that provides sums, or an error that states its behaviour across ranks."""
    loss = criterion.criterion if isinstance(criterion, Synchronized) else as_loss(criterion)
    loss.require_summable()
    if loss.is_unreduced:
        raise ValueError(f"{loss.name}: reduction='none' leaves nothing to add; use the loss as it is.")
    return loss


def _initialized() -> bool:
    return dist.is_available() and dist.is_initialized()


def _first(tensors: Any) -> Tensor:
    while not isinstance(tensors, Tensor):
        tensors = next(iter(tensors.values() if isinstance(tensors, Mapping) else tensors))
    return tensors
