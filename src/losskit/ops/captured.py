"""Finds what a formula reads besides its arguments: values that each call compares, or a reason not to record it.

A recorded formula is evaluated without running its Python code again. Everything that the code reads from outside must
therefore be a plain value or known code, which each call compares, and the code must not write state.
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
    """A value that a formula reads, and a function that reads it again."""

    read: Callable[[], Any]
    value: Any


def exact(value: Any) -> Any:
    """A key that identifies a value exactly: 0.0 differs from -0.0, and 1 from True."""
    if isinstance(value, (tuple, frozenset)):
        return type(value), type(value)(exact(each) for each in value)
    if isinstance(value, (float, complex)):
        return type(value), repr(value)
    return type(value), value if _is_hashable(value) else id(value)


def values_read(loss: Any, method: str) -> tuple[Watched, ...]:
    """Everything that a method of a loss reads besides its arguments and options; raises Untraceable."""
    uses = _Uses(loss)
    uses.add_name(method)
    uses.watch(torch.get_default_dtype)
    return tuple(uses.watched)


class _Uses:
    def __init__(self, loss: Any) -> None:
        self.loss = loss
        self.classes = [base for base in type(loss).__mro__ if not _is_of(base, ("torch", "builtins", "typing", "abc"))]
        self.watched: list[Watched] = []
        self.names: set[str] = set()
        self.functions: set[Any] = set()

    def watch(self, read: Callable[[], Any]) -> Any:
        self.watched.append(Watched(read, read()))
        return self.watched[-1].value

    def add_name(self, name: str) -> None:
        """Follow a name as an attribute of the loss or of its classes."""
        if name in self.names or name in self.loss.options:
            return
        self.names.add(name)
        if name in _STATE:
            raise Untraceable(f"it uses {name}, which is not a formula of its arguments")
        for held in ("_buffers", "_parameters", "_modules"):
            if name in vars(self.loss)[held]:
                raise Untraceable(f"it uses self.{name}, a tensor or a module: make it an option")
        places = [vars(self.loss), *(vars(base) for base in self.classes)]
        if not any(name in place for place in places):
            return
        for place, owner in zip(places, (self.loss, *self.classes), strict=True):
            if isinstance(owner, type) and _is_of(owner, ("losskit",)):
                for function in _functions(place.get(name)):
                    self.add_function(function)
                continue
            value = self.watch(functools.partial(place.get, name, _MISSING))  # may shadow another later
            self.add_value(f"self.{name}", value)

    def add_function(self, function: types.FunctionType) -> None:
        """Follow everything that a function reads; for losskit functions, only the attributes of the loss."""
        if function in self.functions:
            return
        self.functions.add(function)
        is_own = _is_of_known(function.__globals__.get("__name__"))
        if not is_own:
            for part in ("__code__", "__defaults__", "__kwdefaults__"):  # some tools replace these
                self.watch(functools.partial(getattr, function, part))
            for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
                self.add_value(f"a default of {function.__name__}", default)
        for name in vars(function):
            if name == "__wrapped__" and isinstance(function.__wrapped__, types.FunctionType):  # type: ignore[attr-defined]
                self.add_function(function.__wrapped__)  # type: ignore[attr-defined]
            elif not is_own and not name.startswith("__"):
                self.add_value(name, self.watch(functools.partial(vars(function).get, name)))
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for kind, name in _steps(function.__code__):
            if kind == "attribute":
                self.add_name(name)
            elif not is_own:
                self._add_step(kind, name, function.__globals__, cells)

    def _add_step(self, kind: str, name: str, names: dict[str, Any], cells: Mapping[str, Any]) -> None:
        if kind == "set":
            raise Untraceable(f"it sets {name}")
        if kind == "set cell" and name in cells:
            raise Untraceable(f"it sets {name} of the enclosing function")
        if kind == "import" and name.split(".")[0] not in _MODULES:
            raise Untraceable(f"it imports {name}")
        if kind == "cell" and name in cells and name != "__class__":
            try:
                value = self.watch(functools.partial(getattr, cells[name], "cell_contents"))
            except ValueError:
                raise Untraceable(f"{name} has no value yet") from None
            self.add_value(name, value)
        elif kind == "global":
            value = self.watch(functools.partial(names.get, name, _MISSING))
            self.add_value(name, getattr(builtins, name, _MISSING) if value is _MISSING else value)

    def add_value(self, name: str, value: Any) -> None:
        """Follow a value from outside the formula; raises Untraceable if it is neither plain nor known."""
        if isinstance(value, types.ModuleType):
            known = value.__name__.split(".")[0] in _MODULES and value.__name__.split(".")[-1] not in _STATE
        elif isinstance(value, functools.partial):
            self.add_value(name, value.func)
            for each in (*value.args, *value.keywords.values()):
                self.add_value(f"an argument of {name}", each)
            known = True
        elif _is_known(value):
            known = value.__name__ not in _STATE
        elif isinstance(value, type) and issubclass(value, torch.autograd.Function):
            self._add_class(value)
            known = True
        else:
            functions = list(_functions(value))
            for function in functions:
                self.add_function(function)
            known = bool(functions) or value in self.classes or _is_plain(value) or value is _MISSING
        if not known:
            raise Untraceable(f"it uses {name}, {_described(value)}")

    def _add_class(self, cls: type) -> None:
        """Follow the attributes of an autograd function."""
        for base in cls.__mro__:
            if not _is_of(base, ("torch", "builtins")):
                for name in list(vars(base)):
                    if not name.startswith("_"):
                        self.add_value(f"{base.__name__}.{name}", self.watch(functools.partial(vars(base).get, name)))


@functools.lru_cache(maxsize=1024)
def _steps(code: types.CodeType) -> tuple[tuple[str, str], ...]:
    """The names that a code object and its nested code read and set."""
    found: dict[tuple[str, str], None] = {}
    before: Any = None
    for step in dis.get_instructions(code):
        kind = _KINDS.get(step.opname)
        of_context = step.opname == "STORE_ATTR" and code.co_varnames[:1] == ("ctx",) and _last(before) == "ctx"
        if kind is not None and not of_context:  # values saved for backward are not state of the formula
            found[kind, step.argval] = None
        before = step.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.update(dict.fromkeys(_steps(constant)))
    return tuple(found)


def _last(names: Any) -> Any:
    """The last local name that an instruction loads; some instructions load two."""
    return names[-1] if isinstance(names, tuple) and names else names


def _functions(value: Any) -> Iterator[types.FunctionType]:
    if isinstance(value, property):
        yield from (f for f in (value.fget, value.fset) if isinstance(f, types.FunctionType))
    elif isinstance(value, (classmethod, staticmethod)):
        yield from _functions(value.__func__)
    elif isinstance(value, types.FunctionType):
        yield value


def _is_plain(value: Any) -> bool:
    if type(value) in (tuple, frozenset):
        return all(_is_plain(each) for each in value)
    numpy_number = type(value).__module__ == "numpy" and isinstance(value, (float, complex))
    return value is None or type(value) in _PLAIN or numpy_number


def _is_known(value: Any) -> bool:
    """Whether it is a function or class of PyTorch, `math` or losskit, or a safe built-in."""
    if isinstance(value, type):
        return issubclass(value, BaseException) or value in _BUILTINS or _is_of(value, _MODULES)
    if isinstance(value, types.FunctionType):
        return _is_of_known(value.__module__) and "__wrapped__" not in vars(value)
    if not isinstance(value, (types.BuiltinFunctionType, types.MethodDescriptorType)):
        return False
    places = (torch, F, torch._C._nn, _of_special, math, Tensor)
    return value in _BUILTINS or any(value is getattr(place, value.__name__, None) for place in places)


def _is_of(cls: type, packages: tuple[str, ...] | frozenset[str]) -> bool:
    return (cls.__module__ or "").split(".")[0] in packages


def _is_of_known(module: Any) -> bool:
    return str(module).split(".")[0] in ("torch", "losskit")


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return "a tensor: make it an option, or a number"
    if isinstance(value, nn.Module):
        return "a module: call the function from torch.nn.functional instead"
    if isinstance(value, (list, dict, set)):
        return f"a {type(value).__name__}: make it a tuple, or options"
    if isinstance(value, types.BuiltinFunctionType):
        return "a built-in function"
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


_MISSING = object()
_of_special = vars(torch._C)["_special"]
_PLAIN = frozenset((bool, int, float, complex, str, bytes, torch.dtype, torch.device))
_MODULES = frozenset(("torch", "math", "losskit", "typing", "operator", "__future__", "collections"))
_BUILTINS = frozenset((
    abs, all, any, bool, complex, dict, divmod, enumerate, filter, float, int, isinstance, issubclass, iter, len, list,
    map, max, min, next, pow, range, reversed, round, set, slice, sorted, str, sum, super, tuple, type, zip,
))  # fmt: skip
_STATE = frozenset((  # PyTorch functions that read or change global state
    "_C", "backends", "compiler", "cuda", "distributed", "jit", "random", "utils", "grad_mode", "get_num_threads",
    "get_rng_state", "initial_seed", "is_autocast_cpu_enabled", "is_autocast_enabled", "is_grad_enabled",
    "is_inference_mode_enabled", "are_deterministic_algorithms_enabled", "manual_seed", "seed", "set_default_dtype",
    "set_default_device", "set_num_threads", "set_rng_state", "set_printoptions", "save", "load", "getattr", "__dict__",
    "get_autocast_dtype",
))  # fmt: skip
_KINDS = {
    "STORE_GLOBAL": "set", "DELETE_GLOBAL": "set", "STORE_ATTR": "set", "DELETE_ATTR": "set", "STORE_DEREF": "set cell",
    "DELETE_DEREF": "set cell", "LOAD_GLOBAL": "global", "LOAD_NAME": "global", "LOAD_DEREF": "cell",
    "LOAD_CLASSDEREF": "cell", "LOAD_FROM_DICT_OR_DEREF": "cell", "LOAD_ATTR": "attribute", "LOAD_METHOD": "attribute",
    "LOAD_SUPER_ATTR": "attribute", "IMPORT_NAME": "import", "IMPORT_FROM": "attribute",
}  # fmt: skip
