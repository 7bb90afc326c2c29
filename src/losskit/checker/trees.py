"""Trees: the lists, dicts and objects of tensors that an argument consists of."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Tree:
    """One node: a tensor, a container of nodes, or a value that is no tensor."""

    made: Any = None  # list, tuple, dict or object; None for a leaf
    name: str = ""  # of the class of an object
    keys: tuple[Any, ...] = ()  # of a dict; the fields of an object
    parts: tuple[Tree, ...] = ()
    tensor: bool = False
    value: Any = None

    @property
    def count(self) -> int:
        """How many tensors it has."""
        return int(self.tensor) + sum(each.count for each in self.parts)

    def grown(self, tensors: Iterator[Any]) -> Any:
        """The argument with these tensors."""
        if self.tensor:
            return next(tensors)
        if self.made is None:
            return self.value
        parts = [each.grown(tensors) for each in self.parts]
        if self.made in (list, tuple):
            return self.made(parts)
        named = dict(zip(self.keys, parts, strict=True))
        return named if self.made is dict else namedtuple(self.name, self.keys)(**named)  # noqa: PYI024 - known at run time alone

    def code(self, names: Iterator[str]) -> str:
        """The argument as code, with these names of its tensors."""
        if self.tensor:
            return next(names)
        if self.made is None:
            return repr(self.value)
        parts = [each.code(names) for each in self.parts]
        if self.made is list:
            return f"[{', '.join(parts)}]"
        if self.made is tuple:
            return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
        if self.made is dict:
            return f"{{{', '.join(f'{key!r}: {part}' for key, part in zip(self.keys, parts, strict=True))}}}"
        return f"{self.name}({', '.join(f'{n}={p}' for n, p in zip(self.keys, parts, strict=True))})"

    def paths(self) -> list[str]:
        """The place of each tensor as part of a name: `boxes`, `0_boxes`."""
        if self.tensor:
            return [""]
        keys = self.keys or tuple(range(len(self.parts)))
        held = zip(keys, self.parts, strict=True)
        return [f"{key}_{path}".strip("_") for key, part in held for path in part.paths()]


def tree_of(value: Any) -> tuple[Tree, list[Tensor]]:
    """The tree of a value, and its tensors in order."""
    if isinstance(value, Tensor):
        return Tree(tensor=True), [value]
    names = _names(value)
    if names is None:
        return Tree(value=value), []
    made, keys, values = names
    parts = [tree_of(each) for each in values]
    name = type(value).__name__ if made is object else ""
    return Tree(made, name, keys, tuple(tree for tree, _ in parts)), [tensor for _, found in parts for tensor in found]


def _names(value: Any) -> tuple[Any, tuple[Any, ...], list[Any]] | None:
    """The class, the keys and the values of a container."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return object, tuple(value._fields), list(value)
    if isinstance(value, (list, tuple)):
        return (list if isinstance(value, list) else tuple), (), list(value)
    if is_dataclass(value) and not isinstance(value, type):
        keys = tuple(each.name for each in fields(value))
        return object, keys, [getattr(value, name) for name in keys]
    if isinstance(value, Mapping):
        return dict, tuple(value), list(value.values())
    return None
