"""Sums of a batch, which add over micro-batches, ranks and tiles, and the mean that they finish into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce as folded
from typing import Any, Literal, Union

import torch
import torch.distributed as dist
from torch import Tensor

from losskit.core.domains import Reduction
from losskit.ops import choice, reference, values
from losskit.ops.inputs import can_branch, computing_dtype, summing_dtype

Empty = Literal["zero", "nan", "raise"]
Group = Any  # a torch.distributed.ProcessGroup, which some builds of torch lack


class _ReplacedValue(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(_own: Tensor, value: Tensor, _factor: float) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], _output: Tensor) -> None:
        ctx.factor = inputs[2]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] * ctx.factor, None, None


def replaced_value(own: Tensor, value: Tensor, factor: float = 1.0) -> Tensor:
    """`value`, with `factor` times the gradient of `own`."""
    result: Tensor = _ReplacedValue.apply(own, value.detach(), factor)  # type: ignore[no-untyped-call]
    return result


Nested = Union[Tensor, "Sums"]


class Sums:
    """Tensors that add: `a + b` are the sums of both batches. Composites nest one `Sums` per part."""

    def __init__(self, **parts: Nested) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> Tensor:
        part = self._parts[name]
        assert isinstance(part, Tensor)
        return part

    def part(self, name: str) -> Sums:
        part = self._parts[name]
        assert isinstance(part, Sums)
        return part

    def names(self) -> list[str]:
        return list(self._parts)

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def __add__(self, other: Sums) -> Sums:
        if not isinstance(other, Sums):
            return NotImplemented
        if self._parts.keys() != other._parts.keys():
            raise ValueError("Sums: only sums of the same loss add; these hold different parts.")
        return type(self)(**{name: part + other._parts[name] for name, part in self._parts.items()})  # type: ignore[operator]

    def __radd__(self, other: object) -> Sums:
        return self if other == 0 else NotImplemented  # sum(...) starts from 0

    def map(self, function: Callable[..., Tensor], *others: Sums) -> Sums:
        """The same sums with every tensor replaced; the function also takes those of the other sums."""
        found: dict[str, Nested] = {}
        for name, part in self._parts.items():
            of_others = [other._parts[name] for other in others]
            found[name] = part.map(function, *of_others) if isinstance(part, Sums) else function(part, *of_others)  # type: ignore[arg-type]
        return type(self)(**found)

    def replaced(self, **parts: Nested) -> Sums:
        """The same sums with some parts replaced."""
        return type(self)(**{**self._parts, **parts})

    def within(self, whole: Sums, factor: float = 1.0) -> Sums:
        """The values of `whole`, with `factor` times the gradient of these sums, which are part of it."""
        return self.map(lambda own, value: replaced_value(own, value, factor), whole)

    def tensors(self) -> Iterator[Tensor]:
        for part in self._parts.values():
            if isinstance(part, Sums):
                yield from part.tensors()
            else:
                yield part

    def detach(self) -> Sums:
        return self.map(Tensor.detach)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={part!r}' for name, part in self._parts.items())})"


def anything_counts(sums: Sums) -> Tensor:
    """Whether any element or region counts in these sums."""
    for name in ("denominator", "count"):
        if name in sums:
            return (sums[name].detach() != 0).any()
    return torch.stack([anything_counts(sums.part(name)) for name in sums.names()]).any()


class Counts(Sums):
    """The denominators of a batch's means, known from its targets before the model's output is computed."""


# The rule of every mean: the weighted sum over what counts, divided by the weight of what counts.


def divide(numerator: Tensor, denominator: Tensor, empty: Empty, owner: str) -> Tensor:
    """`numerator / denominator`; where nothing counts, what `empty` selects: 0 with a zero gradient, NaN, an error."""
    if never_zero(denominator):
        return numerator / denominator
    nothing = denominator == 0
    if empty == "raise" and not torch.compiler.is_compiling() and bool(nothing.any()):
        raise ValueError(
            f"{owner}: nothing counts: every element is masked out, ignored or absent. Leave the batch out, or pass "
            "empty='zero'."
        )
    quotient = numerator / torch.where(nothing, 1.0, denominator)
    return torch.where(nothing, torch.nan if empty == "nan" else numerator * 0.0, quotient)


def check_size(size: Tensor, owner: str) -> None:
    """Raise an error if no mean can have these weights, where Python may read them; elsewhere the mean is NaN."""
    if can_branch(size) and bool(size.detach().isnan().any()):
        raise ValueError(values.weight_message(owner))


def never_zero(tensor: Tensor) -> bool:
    """Whether Python may read the values and none is zero, so that the division needs no guard."""
    if not can_branch(tensor):
        return False
    return tensor.item() != 0 if tensor.numel() == 1 else bool(tensor.detach().all())


def reduce(
    value: Tensor,
    share: Tensor,
    reduction: Reduction,
    empty: Empty,
    owner: str,
    normalizer: float | Tensor | None = None,
) -> Tensor:
    """Reduce weighted values and their weights, as `weighted` returns them."""
    if normalizer is not None and reduction != "mean":
        raise TypeError(
            f"{owner}: normalizer= replaces the denominator of a mean, and reduction={reduction!r} has none. Leave one "
            "of them out."
        )
    if reduction == "none":
        return value
    if reduction == "sum":
        return total(value).to(value.dtype)
    numerator = total(value)
    if normalizer is None:
        denominator = size_of(share)
        check_size(denominator, owner)
    else:
        denominator = torch.as_tensor(normalizer).to(numerator)
    return divide(numerator, denominator, empty, owner).to(value.dtype)


def result_dtype(input: Tensor) -> torch.dtype:
    """The precision of the result follows the input: half and single in, single out; double in, double out."""
    return computing_dtype(input)


def weighted(values: Tensor, weight: Tensor | None, counts: Tensor | None) -> tuple[Tensor, Tensor]:
    """Each element's weighted value, and its weight; both 0 where it does not count."""
    share = values.new_ones(()) if weight is None else weight.to(values.dtype)
    if counts is not None:
        share = torch.where(counts, share, 0.0)
        values = torch.where(counts, values, 0.0)
    return values * share, share.expand(values.shape)


def total(tensor: Tensor) -> Tensor:
    return tensor.sum(dtype=summing_dtype(tensor))


def size_of(share: Tensor) -> Tensor:
    """The denominator of a mean: the sum of the weights, or NaN if no mean can have these weights."""
    equal = not any(share.stride())  # no weight was given
    return reference.sized(total(share), None if equal else share, share)


# Losses of DTensors: sums of each process's samples, added over the mesh before they are finished.


def added(sums: Sums, group: Group = None) -> Sums:
    """The sums of every process of the group, added in one collective, without gradient."""
    sums = sums.detach()
    if not (dist.is_available() and dist.is_initialized()):
        return sums
    tensors = list(sums.tensors())
    dtype = folded(torch.promote_types, (t.dtype for t in tensors))
    flat = torch.cat([t.reshape(-1).to(dtype) for t in tensors])
    dist.all_reduce(flat, group=group)
    whole = iter(torch.split(flat, [t.numel() for t in tensors]))
    return sums.map(lambda t: next(whole).reshape(t.shape).to(t.dtype))


def is_sharded(tensors: tuple[Any, ...]) -> bool:
    """Whether any is a DTensor, by name, which avoids its import."""
    return any(type(tensor).__name__ == "DTensor" for tensor in tensors)


def of_shards(
    loss: Any, tensors: tuple[Any, ...], arguments: dict[str, Any], finish: Callable[..., Tensor] | None = None
) -> Tensor:
    """The loss of the global batch as a replicated DTensor, from the samples of each process.

    `finish` is called with the global sums. Without it every tensor is gathered, and the loss is called. Shards of
    dimensions other than the batch, and partial sums, are gathered.
    """
    from torch.distributed.tensor import DTensor, Replicate, Shard  # slow to import

    first = next(t for t in (*tensors, *arguments.values()) if isinstance(t, DTensor))
    mesh, samples = first.device_mesh, tensors[0].shape[0] if tensors[0].dim() else 1
    by_sample = [p == Shard(0) and finish is not None and isinstance(tensors[0], DTensor) for p in first.placements]
    moved: list[str] = []

    def local(name: str, tensor: Any) -> Any:
        if not isinstance(tensor, Tensor):
            return tensor
        if not isinstance(tensor, DTensor):
            tensor = DTensor.from_local(tensor, mesh, [Replicate()] * mesh.ndim, run_check=False)
        split = tensor.dim() > 0 and tensor.shape[0] == samples
        wanted = [Shard(0) if each and split else Replicate() for each in by_sample]
        if list(tensor.placements) != wanted:
            moved.append(f"{name} from {_shown(tensor.placements)} to {_shown(wanted)}")
            tensor = tensor.redistribute(mesh, wanted)
        return tensor.to_local()

    names = [*loss.tensors, *(f"tensor {k}" for k in range(len(loss.tensors), len(tensors)))]
    given = tuple(local(name, tensor) for name, tensor in zip(names, tensors, strict=False))
    own = {name: local(name, value) for name, value in arguments.items()}
    with choice.noting(f"redistributed: {', '.join(moved)}" if moved else ""):
        if finish is None:
            value = loss(*given, **own)
        else:
            sums = loss.totals(*given, **{n: own[n] for n in ("weight", "mask")})
            whole = sums
            for dim, split in enumerate(by_sample):
                whole = added(whole, mesh.get_group(dim)) if split else whole
            value = finish(sums.within(whole) if any(by_sample) else sums, given[0])
    result: Tensor = DTensor.from_local(value, mesh, [Replicate()] * mesh.ndim, run_check=False)
    return result


def _shown(placements: Any) -> str:
    return "(" + ", ".join(str(p) for p in placements) + ")"
