"""What a function uses besides its arguments: plain values, which are watched, or a reason why it is not recorded.

A recorded formula is evaluated without running Python again. So whatever its code reads from elsewhere has to be a
plain value, compared in each call, and it may write nowhere.
"""

from __future__ import annotations

import builtins
import dis
import functools
import math
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit.ops.tape import Untraceable


class Watched(NamedTuple):
    """A value that a function uses, and where it is read again."""

    read: Callable[[], Any]
    value: Any

    @property
    def changed(self) -> bool:
        now = self.read()
        return now is not self.value and (type(now) is not type(self.value) or bool(now != self.value))


class Uses:
    """The values that functions use, and the names of the attributes that they read."""

    def __init__(self) -> None:
        self.watched: list[Watched] = []
        self.attributes: set[str] = set()
        self.seen: set[Any] = set()

    def add_function(self, function: Any) -> None:
        """All that a Python function uses; raises Untraceable."""
        function = getattr(function, "__func__", function)
        if function in self.seen:
            return
        self.seen.add(function)
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            if not _is_plain(default):
                raise Untraceable(f"{function.__name__} has a default that is a {type(default).__name__}")
        code = function.__code__
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        names = Mapping_of_globals(function.__globals__)
        for inner in _codes(code):
            for step in dis.get_instructions(inner):
                self._add_step(step, names, cells)

    def _add_step(self, step: dis.Instruction, names: Mapping[str, Any], cells: dict[str, Any]) -> None:
        kind, name = step.opname, step.argval
        if kind in ("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR", "DELETE_ATTR"):
            raise Untraceable(f"it sets {name}")
        if kind in ("STORE_DEREF", "DELETE_DEREF") and name in cells:
            raise Untraceable(f"it sets {name} of the function around it")
        if kind in ("LOAD_GLOBAL", "LOAD_NAME") and name in names:
            self.add_value(name, functools.partial(names.__getitem__, name))
        elif kind in _FROM_CELLS and name in cells and name != "__class__":
            self.add_value(name, functools.partial(getattr, cells[name], "cell_contents"))
        elif kind in _ATTRIBUTES:
            self.attributes.add(name)
        elif kind == "IMPORT_NAME" and name.split(".")[0] not in _MODULES:
            raise Untraceable(f"it imports {name}")

    def add_value(self, name: str, read: Callable[[], Any]) -> None:
        """A value from outside; raises Untraceable where it is not plain."""
        try:
            value = read()
        except ValueError:  # an empty cell
            raise Untraceable(f"{name} has no value yet") from None
        if isinstance(value, types.ModuleType):
            if value.__name__.split(".")[0] not in _MODULES:
                raise Untraceable(f"it uses the module {value.__name__}")
        elif _is_plain(value):
            self.watched.append(Watched(read, value))
        elif isinstance(value, types.FunctionType) and not _is_known(value):
            self.watched.append(Watched(read, value))
            self.add_function(value)
        elif isinstance(value, type) and issubclass(value, torch.autograd.Function):
            self.add_class(value)
        elif not (_is_known(value) or _is_exception(value) or value in _BUILTINS):
            raise Untraceable(f"it uses {name}, {_described(value)}")

    def add_class(self, cls: type) -> None:
        """All that the functions of a class use."""
        for value in vars(cls).values():
            for function in _functions(value):
                self.add_function(function)

    def add_attributes(self, names: set[str], holder: Mapping[str, Any]) -> None:
        """The attributes of these names in the dictionary of an object or a class."""
        for name in sorted(names & set(holder)):
            if not any(True for _ in _functions(holder[name])):
                self.add_value(f"self.{name}", functools.partial(holder.__getitem__, name))


class Mapping_of_globals(dict[str, Any]):  # noqa: N801
    """The global names of a function, then the built-in ones, read when they are asked for."""

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__()
        self.names = names

    def __contains__(self, name: object) -> bool:
        return name in self.names or hasattr(builtins, str(name))

    def __getitem__(self, name: str) -> Any:
        return self.names[name] if name in self.names else getattr(builtins, name)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _functions(value: Any) -> Iterator[Any]:
    if isinstance(value, property):
        yield from (f for f in (value.fget, value.fset) if isinstance(f, types.FunctionType))
    elif isinstance(value, (classmethod, staticmethod)):
        yield from _functions(value.__func__)
    elif isinstance(value, types.FunctionType):
        yield value


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return all(_is_plain(each) for each in value)
    return value is None or isinstance(value, _PLAIN)


def _is_known(value: Any) -> bool:
    """Whether it is a function or class of PyTorch, of the standard mathematics or of losskit."""
    module = getattr(value, "__module__", None) or ""
    name = getattr(value, "__name__", "")
    return module.split(".")[0] in _MODULES or any(value is getattr(place, name, None) for place in (torch, F, math))


def _is_exception(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return "a tensor: make it an option, or a number"
    if isinstance(value, nn.Module):
        return "a module"
    return f"a {type(value).__name__}"


_PLAIN = (bool, int, float, complex, str, bytes, torch.dtype, torch.device)
_MODULES = {"torch", "math", "losskit", "typing", "operator", "__future__", "collections"}
_BUILTINS = {
    abs, all, any, bool, dict, enumerate, float, getattr, hasattr, int, isinstance, issubclass, len, list, max, min,
    pow, range, reversed, round, set, sorted, str, sum, super, tuple, type, zip,
}  # fmt: skip
_FROM_CELLS = {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"}
