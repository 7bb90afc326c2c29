"""Values, gradients and `explain` of losses of DTensors in four processes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

import losskit
from losskit import BCEWithLogitsLoss, CrossEntropyLoss, DiceCELoss, DiceLoss, LovaszLoss, MSELoss, TopKLoss

PROCESSES = 4
X = torch.randn(6, 4, 4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(0, 4, (6, 4, 8), generator=torch.Generator().manual_seed(1))
LABELS[0, 0] = -100
YES = (LABELS.unsqueeze(1).expand(X.shape) == 1).double()
WEIGHT = torch.rand(6, 4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

LOSSES: dict[str, tuple[Callable[[], Any], Tensor, dict[str, Any]]] = {
    "ce": (lambda: CrossEntropyLoss(class_weight=[1, 2, 3, 4]), LABELS, {"weight": WEIGHT}),
    "ce none": (lambda: CrossEntropyLoss(reduction="none"), LABELS, {}),
    "bce": (BCEWithLogitsLoss, YES, {}),
    "mse": (MSELoss, YES, {"mask": YES > 0}),
    "dice batch": (lambda: DiceLoss(pool="batch"), LABELS, {}),
    "dice + ce": (lambda: DiceCELoss(pool="batch") + 0.5 * losskit.FocalLoss(), LABELS, {"weight": WEIGHT}),
    "normalizer": (lambda: CrossEntropyLoss() + CrossEntropyLoss(), LABELS, {"normalizer": 17.0}),
    "lovasz batch": (lambda: LovaszLoss(pool="batch"), LABELS, {}),
    "top k": (lambda: TopKLoss(CrossEntropyLoss(), k=0.3), LABELS, {}),
}
# Placements of the input and of the target, by the dimensions of the mesh.
PLACED: dict[str, tuple[tuple[int, ...], list[Any], list[Any]]] = {
    "samples": ((4,), [Shard(0)], [Shard(0)]),
    "samples, target replicated": ((4,), [Shard(0)], [Replicate()]),
    "classes": ((4,), [Shard(1)], [Replicate()]),
    "rows": ((4,), [Shard(2)], [Shard(1)]),
    "replicated": ((4,), [Replicate()], [Shard(0)]),
    "partial": ((4,), [Partial()], [Shard(0)]),
    "samples x classes": ((2, 2), [Shard(0), Shard(1)], [Shard(0), Replicate()]),
    "samples x samples": ((2, 2), [Shard(0), Shard(0)], [Shard(0), Replicate()]),
    "replicated x samples": ((2, 2), [Replicate(), Shard(0)], [Replicate(), Shard(0)]),
}


SOME = ("ce", "ce none", "dice + ce", "top k")


def names_at(where: str) -> list[str]:
    """Every loss where samples are sharded, some elsewhere."""
    return list(LOSSES) if where == "samples" else list(SOME)


def placed(tensor: Tensor, mesh: Any, placements: list[Any]) -> DTensor:
    if Partial() not in placements:
        return distribute_tensor(tensor, mesh, placements)
    share = tensor.detach() * (dist.get_rank() + 1) / (PROCESSES * (PROCESSES + 1) / 2)
    return DTensor.from_local(share, mesh, placements, run_check=False)


def process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=PROCESSES)
    found: dict[Any, Any] = {}
    for where, (sizes, of_input, of_target) in PLACED.items():
        mesh = init_device_mesh("cpu", sizes)
        for name in names_at(where):
            make, target, arguments = LOSSES[name]
            x = placed(X, mesh, of_input).requires_grad_()
            given = {n: placed(v, mesh, of_target) if isinstance(v, Tensor) else v for n, v in arguments.items()}
            criterion, labels = make(), placed(target, mesh, of_target)
            value = criterion(x, labels, **given)
            assert isinstance(value, DTensor)
            assert all(p == Replicate() for p in value.placements)
            value.sum().backward()
            assert x.grad is not None
            found[where, name] = value.full_tensor().detach(), x.grad.full_tensor()
        found[where] = str(
            losskit.explain(CrossEntropyLoss(), placed(X, mesh, of_input), placed(LABELS, mesh, of_target))
        )
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def run() -> list[dict[Any, Any]]:
    from torch.multiprocessing.spawn import spawn

    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        spawn(process, args=(folder,), nprocs=PROCESSES)  # type: ignore[no-untyped-call]
        return [torch.load(Path(folder) / f"{rank}.pt", weights_only=False) for rank in range(PROCESSES)]
