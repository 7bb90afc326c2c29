"""What each process of test_ranks.py runs, and the same on one machine."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from losskit import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    DeepSupervisionLoss,
    DiceCELoss,
    DiceLoss,
    FocalLoss,
    LearnedWeights,
    LovaszLoss,
    MeanFocalLoss,
    MSELoss,
    RegionLoss,
    TverskyLoss,
)
from losskit.distributed import Gradients, micro_batches, sync

CLASSES, SAMPLES = 3, 8
GRADIENTS: tuple[Gradients, ...] = ("mean", "sum")
AVERAGED = ("ce", "dice batch", "dice + ce")  # also without sync, and in single precision


@dataclass
class Case:
    criterion: Callable[[], Any]
    target: str = "indices"
    weight: bool = False
    mask: bool = False
    call: dict[str, Any] = field(default_factory=dict)


def learnable(*numbers: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(numbers, dtype=torch.float64))


CASES: dict[str, Case] = {
    "ce": Case(lambda: CrossEntropyLoss(ignore_index=255, class_weight=[1, 2, 3], label_smoothing=0.1)),
    "ce sum": Case(lambda: CrossEntropyLoss(ignore_index=255, reduction="sum"), weight=True),
    "focal weighted": Case(lambda: FocalLoss(ignore_index=255, alpha=[1, 2, 3]), weight=True, mask=True),
    "bce": Case(lambda: BCEWithLogitsLoss(ignore_index=255, pos_weight=2.0), target="multilabel", mask=True),
    "mse": Case(MSELoss, target="real", weight=True, mask=True),
    "dice": Case(lambda: DiceLoss(ignore_index=255, class_weight=[1, 2, 3])),
    "dice skip": Case(lambda: DiceLoss(ignore_index=255, absent="skip"), mask=True),
    "dice batch": Case(lambda: DiceLoss(ignore_index=255, pool="batch"), weight=True),
    "tversky batch sum": Case(lambda: TverskyLoss(ignore_index=255, alpha=0.7, pool="batch", reduction="sum")),
    "dice batch multilabel": Case(
        lambda: DiceLoss(ignore_index=255, pool="batch", mode="multilabel"), target="multilabel"
    ),
    "mean focal": Case(lambda: MeanFocalLoss(ignore_index=255)),
    "lovasz": Case(lambda: LovaszLoss(ignore_index=255)),
    "dice + ce": Case(lambda: DiceCELoss(ignore_index=255, pool="batch") + 0.5 * FocalLoss(ignore_index=255)),
    "ce + module": Case(lambda: CrossEntropyLoss(ignore_index=255) - 0.1 * DiceLoss(ignore_index=255), mask=True),
    "normalizer": Case(lambda: CrossEntropyLoss(ignore_index=255), call={"normalizer": 17.0}),
    "deep supervision": Case(lambda: DeepSupervisionLoss(DiceCELoss(ignore_index=255)), weight=True),
    "learned class weights": Case(
        lambda: (
            CrossEntropyLoss(ignore_index=255, class_weight=learnable(1.0, 2.0, 3.0))
            + DiceLoss(ignore_index=255, class_weight=learnable(3.0, 1.0, 2.0))
            + DiceLoss(ignore_index=255, pool="batch", class_weight=learnable(1.0, 0.5, 2.0))
        )
    ),
    "learned weight": Case(
        lambda: learnable(0.5) * DiceLoss(ignore_index=255) + learnable(2.0) * FocalLoss(ignore_index=255)
    ),
    "learned uncertainty": Case(
        lambda: LearnedWeights(CrossEntropyLoss(ignore_index=255), DiceLoss(ignore_index=255)).double()
    ),
}

# How 8 samples are split: unevenly, and with an empty shard.
SPLITS = [(7, 1), (0, 8), (6, 0, 2)]


class Net(nn.Module):
    """A small network, with a second output of half the resolution for deep supervision."""

    def __init__(self, dtype: torch.dtype, *, several: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Conv2d(2, 4, 3, padding=1, dtype=dtype)
        self.head = nn.Conv2d(4, CLASSES, 1, dtype=dtype)
        self.several = several

    def forward(self, x: Tensor) -> Any:
        output = self.head(torch.tanh(self.body(x)))
        return [output, output[..., ::2, ::2] * 0.5] if self.several else output


def batch(case: Case, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    torch.manual_seed(1)
    x = torch.randn(SAMPLES, 2, 6, 8, dtype=dtype)
    if case.target == "real":
        target = torch.randn(SAMPLES, CLASSES, 6, 8, dtype=dtype)
        positions: tuple[int, ...] = (SAMPLES, CLASSES, 6, 8)
    elif case.target == "multilabel":
        target = torch.randint(0, 2, (SAMPLES, CLASSES, 6, 8))
        target[0, :, :4] = 255
        positions = (SAMPLES, CLASSES, 6, 8)
    else:
        target = torch.randint(0, CLASSES, (SAMPLES, 6, 8))
        target[0], target[1, :5], target[5:, 2:] = 255, 255, 0
        positions = (SAMPLES, 6, 8)
    weight = torch.rand(positions, dtype=dtype) if case.weight else None
    mask = torch.rand(positions) > 0.4 if case.mask else None
    return x, target, weight, mask


def cut(tensors: tuple[Tensor | None, ...], start: int, stop: int) -> tuple[Any, ...]:
    return tuple(None if t is None else t[start:stop] for t in tensors)


Outcome = tuple[float, list[Tensor], list[Tensor]]  # the loss, the gradients of the model, those of the criterion


def outcome(model: nn.Module, criterion: nn.Module, loss: float) -> Outcome:
    grads: list[list[Tensor]] = [
        [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in module.parameters()]
        for module in (model, criterion)
    ]
    model.zero_grad()
    criterion.zero_grad()
    return loss, grads[0], grads[1]


def whole(name: str, dtype: torch.dtype) -> Outcome:
    """On one machine."""
    case = CASES[name]
    criterion, model = case.criterion(), Net(dtype, several=name == "deep supervision")
    x, *others = batch(case, dtype)
    loss = criterion(model(x), *others, **case.call)
    loss.backward()
    return outcome(model, criterion, loss.item())


def whole_score(name: str, dtype: torch.dtype) -> float | None:
    """The score on one machine."""
    case = CASES[name]
    criterion: Any = case.criterion()
    if not has_score(criterion):
        return None
    x, *others = batch(case, dtype)
    score: float = criterion.score(Net(dtype, several=False)(x), *others).item()
    return score


def process(rank: int, size: int, folder: str) -> None:
    """One of several: every case and split, with everything it finds saved."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size)
    pair = dist.new_group([0, 1])
    found: dict[tuple[Any, ...], Any] = {}
    for name, case in CASES.items():
        for dtype in (torch.float64, torch.float32) if name in AVERAGED else (torch.float64,):
            for split in SPLITS:
                group = pair if len(split) == 2 else None
                if rank < len(split):
                    found[name, dtype, split] = results(name, case, dtype, split, rank, group)
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def results(name: str, case: Case, dtype: torch.dtype, split: tuple[int, ...], rank: int, group: Any) -> dict[str, Any]:
    start = sum(split[:rank])
    x, *others = cut(batch(case, dtype), start, start + split[rank])
    net = Net(dtype, several=name == "deep supervision")
    model = DistributedDataParallel(net, process_group=group)
    criterion = case.criterion()
    found: dict[str, Any] = {}
    for gradients in GRADIENTS:
        exact = sync(criterion, group, gradients)
        loss: Any = exact(model(x), *others, **case.call)
        loss.backward()
        assert loss.dtype == dtype
        found[gradients] = outcome(net, criterion, loss.item())
    with torch.no_grad():
        exact = sync(criterion, group)
        found["evaluation"] = exact(net(x), *others, **case.call).item()
        found["parts"] = {n: p.raw.item() for n, p in exact.parts(net(x), *others, **case.call)[1].items()}
    if not case.call:
        for gradients in GRADIENTS:
            value = 0.0
            pieces = [cut((x, *others), a, b) for a, b in ((0, 1), (1, 1), (1, split[rank]))]
            for loss in micro_batches(sync(criterion, group, gradients), model, pieces):
                loss.backward()
                value += loss.item()
            found[f"micro {gradients}"] = outcome(net, criterion, value)
    if name in AVERAGED:
        criterion(model(x), *others).backward()
        found["averaged"] = outcome(net, criterion, 0.0)
    if has_score(criterion):
        with torch.no_grad():
            found["score"] = exact.score(net(x), *others).item()
        again: Any = pickle.loads(pickle.dumps(exact))
        for twin in (again, copy.deepcopy(exact), copy.copy(exact)):
            assert twin.group is group
            assert twin.score(net(x), *others).item() == found["score"]
    return found


def has_score(criterion: Any) -> bool:
    return isinstance(criterion, RegionLoss)
