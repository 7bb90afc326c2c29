"""Cost: what a loss saves for the backward pass, and its peak memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from losskit.checker.checks.tools import code
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.spec import Spec
from losskit.checker.subject import LossRaised, Subject


def _measured(spec: Spec) -> bool:
    return spec.labels or spec.kind in ("regression", "distribution")


def _large(subject: Subject) -> tuple[Tensor, ...]:
    """An example in which a number per sample or class is negligible beside one per position."""
    spec = subject.spec
    spatial = next((size for size in ((64, 64), (4096,), (16, 16, 16)) if spec.takes_spatial(len(size))), ())
    return subject.example(batch=2 if spatial else 4096, size=spatial)


_SAVED = (
    "{input}.requires_grad_()",
    "hooks = torch.autograd.graph.saved_tensors_hooks(lambda t: print(t.shape) or t, lambda t: t)",
    "with hooks:",
    "    {call}",
)
_PEAK = (
    "with torch.profiler.profile(profile_memory=True) as seen:",
    "    {call}.mean().backward()",
    "print(seen.key_averages().table(sort_by='self_cpu_memory_usage', row_limit=5))",
)


def _shown(subject: Subject, tensors: tuple[Tensor, ...], lines: tuple[str, ...]) -> str:
    """A repro that makes its tensors of this size from random numbers."""
    spec = subject.spec
    made = []
    for tensor in tensors:
        size = tuple(tensor.shape)
        if tensor.is_floating_point():
            made.append(f"torch.rand({size})")
        else:
            made.append(f"torch.randint({spec.classes if spec.indices else 2}, {size})")
    return code(subject, *made, lines=lines)


@check(
    "saves-more",
    Severity.COST,
    why="Large images and vocabularies run out of memory in the loss, not in the model.",
    fix="Recompute in the backward pass from the scores (torch.autograd.Function, or checkpoint), or fuse.",
    applies=_measured,
    assumes=True,
)
def saves_more(subject: Subject) -> Iterator[Found]:
    """Does the backward pass need no more than the scores, the target and one number per position?"""
    tensors = _large(subject)
    x = tensors[0].clone().requires_grad_()
    own = {t.untyped_storage().data_ptr() for t in (x, *tensors[1:])}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = subject.call(subject.build(), x, *tensors[1:])
    del loss
    share = sum(kept.values()) / (x.numel() * x.element_size())
    if share > 1.1:
        yield Found(
            f"saves {share:.1f} times the scores' memory for the backward pass, besides the scores themselves",
            {"bytes saved": sum(kept.values()), "bytes of the scores": x.numel() * x.element_size()},
            _shown(subject, tensors, _SAVED),
        )


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Peak memory of the results of operators."""

    def __init__(self, own: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.own, self.live, self.most = own, 0, 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, Tensor):
                self.count(each.untyped_storage())
        return made

    def count(self, storage: torch.UntypedStorage) -> None:
        at, size = storage.data_ptr(), storage.nbytes()
        if at == 0 or at in self.known or at in self.own:
            return
        self.known.add(at)
        self.live += size
        self.most = max(self.most, self.live)
        weakref.finalize(storage, self.gone, at, size)

    def gone(self, at: int, size: int) -> None:
        self.known.discard(at)
        self.live -= size


@check(
    "peak-memory",
    Severity.COST,
    why="The step needs this at once, on top of the model: only a smaller batch fits.",
    fix="Compute class by class or block by block, and do not expand class indices to one-hot.",
    consequence_of=("saves-more",),
    applies=_measured,
    assumes=True,
)
def peak_memory(subject: Subject) -> Iterator[Found]:
    """Is the peak memory no more than the gradient and a few numbers per position?"""
    tensors = _large(subject)
    x = tensors[0].clone().requires_grad_()
    mode = _Live({t.untyped_storage().data_ptr() for t in (x, *tensors[1:])})
    criterion = subject.build()
    with mode:
        loss = subject.call(criterion, x, *tensors[1:]).mean()
        if loss.requires_grad:
            try:
                loss.backward()  # type: ignore[no-untyped-call]
            except RuntimeError as error:
                raise LossRaised(error) from error
    share = mode.most / (x.numel() * x.element_size())
    if share > 4.5:
        yield Found(
            f"peak memory is {share:.1f} times that of the scores, forward and backward",
            {"peak bytes": mode.most, "bytes of the scores": x.numel() * x.element_size()},
            _shown(subject, tensors, _PEAK),
        )
