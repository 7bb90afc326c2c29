"""Losses of DTensors: sums of each process's samples, added over the mesh before they are finished."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from losskit.core.totals import Sums
from losskit.ops import choice

Group = Any  # a torch.distributed.ProcessGroup, which some builds of torch lack


def added(sums: Sums, group: Group = None) -> Sums:
    """The sums of every process of the group, added in one collective, without gradient."""
    sums = sums.detach()
    if not (dist.is_available() and dist.is_initialized()):
        return sums
    tensors = list(sums.tensors())
    dtype = reduce(torch.promote_types, (t.dtype for t in tensors))
    flat = torch.cat([t.reshape(-1).to(dtype) for t in tensors])
    dist.all_reduce(flat, group=group)
    whole = iter(torch.split(flat, [t.numel() for t in tensors]))
    return sums.map(lambda t: next(whole).reshape(t.shape).to(t.dtype))


def is_sharded(tensors: tuple[Any, ...]) -> bool:
    """Whether any is a DTensor, by name, which avoids its import."""
    return any(type(tensor).__name__ == "DTensor" for tensor in tensors)


def of_shards(
    loss: Any, tensors: tuple[Any, ...], arguments: dict[str, Any], finish: Callable[..., Tensor] | None = None
) -> Any:
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
    return DTensor.from_local(value, mesh, [Replicate()] * mesh.ndim, run_check=False)


def _shown(placements: Any) -> str:
    return "(" + ", ".join(str(p) for p in placements) + ")"
