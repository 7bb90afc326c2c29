"""Wraps: a tensor of an example as the list, the dict, the distribution or the mask that a loss takes in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.distributions import Normal

from losskit.checker.trees import Tree
from losskit.checker.uses import BOOLEAN, DICT, LIST, NORMAL, SCALARS


@dataclass(frozen=True)
class Wrap:
    """How one argument is made of its tensor, or of several."""

    at: int  # its place among the arguments that are made of tensors
    sort: str
    keys: tuple[str, ...] = ()
    count: int = 1  # of tensors; 1: all parts are made of one
    star: bool = False  # its parts are arguments of their own
    terms: int = 2  # losses of tasks, or tensors in a list
    tree: Tree | None = None  # the argument of an example, whose parts its tensors are

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each of its tensors."""
        if self.tree is not None:
            return tuple(self.tree.paths())
        return self.keys or tuple(map(str, range(self.count)))

    def gathered(self, tensors: Sequence[Tensor]) -> Any:
        """The argument that these tensors are the parts of."""
        if self.tree is not None:
            return self.tree.grown(iter(tensors))
        if self.count == 1:
            return self.made(tensors[0])
        return dict(zip(self.keys, tensors, strict=True)) if self.sort == DICT else tuple(tensors)

    def gathered_code(self, names: Sequence[str]) -> str:
        if self.tree is not None:
            return self.tree.code(iter(names))
        if self.count == 1:
            return self.code(names[0])
        if self.sort == DICT:
            return f"{{{', '.join(f'{k!r}: {n}' for k, n in zip(self.keys, names, strict=True))}}}"
        return f"({', '.join(names)})"

    def made(self, tensor: Tensor) -> Any:
        if self.sort == BOOLEAN:
            return tensor > 0.5
        if self.sort == LIST:
            return [tensor, *(0.5**n * tensor for n in range(1, self.terms))]
        if self.sort == SCALARS and self.keys:
            return {key: tensor.abs().pow(n).mean() for n, key in enumerate(self.keys, 1)}
        if self.sort == SCALARS:
            return [tensor.abs().mean(), *(tensor.abs().pow(n).mean() for n in range(2, self.terms + 1))]
        if self.sort == DICT:
            return {key: (1 - 0.25 * at) * tensor for at, key in enumerate(self.keys)}
        return Normal(tensor, 1 + 0.25 * tensor.square(), validate_args=False) if self.sort == NORMAL else tensor

    def code(self, name: str) -> str:
        if self.sort == SCALARS and self.keys:
            return f"{{{', '.join(f'{key!r}: {name}.abs().pow({n}).mean()' for n, key in enumerate(self.keys, 1))}}}"
        return {
            BOOLEAN: f"{name} > 0.5",
            LIST: f"[{', '.join([name, *(f'{0.5**n:g} * {name}' for n in range(1, self.terms))])}]",
            SCALARS: f"[{', '.join(f'{name}.abs().pow({n}).mean()' for n in range(1, self.terms + 1))}]",
            DICT: f"{{{', '.join(f'{key!r}: {1 - 0.25 * at:g} * {name}' for at, key in enumerate(self.keys))}}}",
            NORMAL: f"torch.distributions.Normal({name}, 1 + 0.25 * {name}.square())",
        }[self.sort]


def wrapped(tensors: Sequence[Any], wraps: Sequence[Wrap]) -> list[Any]:
    """The arguments that these tensors become."""
    found: list[Any] = []
    for wrap, group in groups(tensors, wraps):
        if wrap is None:
            found.append(group[0])
        elif wrap.star:
            found += wrap.gathered(group)
        else:
            found.append(wrap.gathered(group))
    return found


def groups(each: Sequence[Any], wraps: Sequence[Wrap]) -> list[tuple[Wrap | None, Sequence[Any]]]:
    """The tensors, or their names, that make each argument."""
    by_place = {wrap.at: wrap for wrap in wraps}
    found: list[tuple[Wrap | None, Sequence[Any]]] = []
    start = 0
    while start < len(each):
        wrap = by_place.get(len(found))
        count = 1 if wrap is None else wrap.count
        found.append((wrap, each[start : start + count]))
        start += count
    return found
