"""Listening: which PyTorch functions a loss calls, with what, and where its graph ends."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from losskit.checker import draws
from losskit.checker.subject import LossRaised, Subject

# Operations whose derivative is 0 or that leave the graph, the most likely first.
_FLAT = ("round", "floor", "ceil", "trunc", "sign", "heaviside", "frac")
_ENDS = (
    *("argmax", "argmin", "item", "tolist", "numpy", "detach", "detach_", "data", "long", "int", "bool", "__array__"),
    *(
        "gt",
        "ge",
        "lt",
        "le",
        "eq",
        "ne",
        "__gt__",
        "__ge__",
        "__lt__",
        "__le__",
        "__eq__",
        "__ne__",
        "topk",
        "argsort",
    ),
)
_COMPARISONS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}


@dataclass(frozen=True)
class Called:
    """One call of a function."""

    name: str
    arguments: Sequence[Any]
    named: Mapping[str, Any]
    made: Any

    @property
    def tensors(self) -> list[Tensor]:
        return [each for each in (*self.arguments, *self.named.values()) if isinstance(each, Tensor)]

    def given(self, at: int, name: str, default: Any = None) -> Any:
        """An argument by position or by name."""
        return self.arguments[at] if len(self.arguments) > at else self.named.get(name, default)


class CallRecorder(TorchFunctionMode):
    """Records every call of a PyTorch function."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Called] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        owner = getattr(func, "__self__", None)  # a property, such as Tensor.data
        name = getattr(func, "__name__", str(func))
        self.calls.append(
            Called(getattr(owner, "__name__", name) if name == "__get__" else name, args, kwargs or {}, made)
        )
        return made


def heard(subject: Subject, *tensors: Tensor) -> list[Called]:
    """The calls that a loss makes on these tensors, which require a gradient; empty if it refuses them."""
    x = tensors[0].detach().clone().requires_grad_()
    recorder = CallRecorder()
    draws.seed()
    criterion = subject.build()
    with contextlib.suppress(LossRaised), recorder:  # the calls before the error count
        subject.call(criterion, x.clone(), *(t.clone() for t in tensors[1:]))
    return recorder.calls


def has_own_backward(subject: Subject, *tensors: Tensor) -> bool:
    """Whether the graph of the loss contains a torch.autograd.Function."""
    x = tensors[0].detach().clone().requires_grad_()
    draws.seed()
    nodes, seen = [subject.call(subject.build(), x.clone(), *(t.clone() for t in tensors[1:])).grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            return True
        seen.add(node)
        nodes += [each for each, _ in node.next_functions]
    return False


def graph_ends(calls: Sequence[Called]) -> list[str]:
    """What cuts the graph, as written in code, the most likely cause first."""
    found = []
    for call in calls:
        attached = any(t.requires_grad for t in call.tensors)
        kept = any(isinstance(m, Tensor) and m.requires_grad for m in _flat(call.made))
        if attached and ((call.name in _ENDS and not kept) or call.name in _FLAT):
            found.append(call.name)
    order = sorted(dict.fromkeys(found), key=lambda n: [*_FLAT, *_ENDS].index(n))
    return [_spoken(name) for name in order]


def written_ends(subject: Subject, calls: Sequence[Called], reached: bool) -> list[str]:
    """Those that the code mentions, or the constructor that copies numbers; any, if the input is not reached."""
    ends = graph_ends(calls)
    written = [each for each in ends if not each.startswith(".") or each[:-1] in subject.words.code]
    return written or _copied_numbers(subject) or ([] if reached else ends)


def _copied_numbers(subject: Subject) -> list[str]:
    """A constructor of tensors that the loss passes what it computed to: the new tensor has the numbers alone."""
    found = re.search(r"torch\.(float)?tensor\((?!\d|\[?-?\d|\[\])[^\n]*\)", subject.words.code)
    return [] if found is None else [found[0].split("(")[0] + "(...)"]


def _flat(made: Any) -> list[Any]:
    return list(made) if isinstance(made, (tuple, list)) else [made]


def _spoken(name: str) -> str:
    bare = name.strip("_")
    if bare in _COMPARISONS:
        return f"a comparison ({_COMPARISONS[bare]})"
    return ".data" if name == "data" else f".{bare}()"
