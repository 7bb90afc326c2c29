"""Naming: code that makes a loss again, from its imports to the expression."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.repro import literal

Options = Callable[[Any], Mapping[str, Any]]


class Unnamed(ValueError):  # noqa: N818 - the name states the condition
    """There is no name by which a program could access this object."""


def stored(criterion: Any, name: str, default: Any) -> Any:
    """The value of an option: that of the attribute of a loss, or of a part of it; otherwise the default."""
    if hasattr(criterion, name):
        return getattr(criterion, name)
    parts = criterion.modules() if isinstance(criterion, nn.Module) else ()
    found = (vars(part).get(name) for part in parts)
    return next((each for each in found if isinstance(each, (bool, int, float, str))), default)


def written(
    value: Any, imports: dict[str, None], options_of: Options, changed: Mapping[str, Any] = MappingProxyType({})
) -> str:
    """An expression that makes this value again; the imports that it needs are added to `imports`.

    `changed` holds options of a module that get other values.
    """
    inner = functools.partial(written, imports=imports, options_of=options_of)
    if isinstance(value, Tensor):
        return literal(value)
    if isinstance(value, (list, tuple)):
        held = ", ".join(map(inner, value)) + ("," if isinstance(value, tuple) and len(value) == 1 else "")
        return f"[{held}]" if isinstance(value, list) else f"({held})"
    if isinstance(value, functools.partial):
        imports["import functools"] = None
        given = [*map(inner, value.args), *(f"{key}={inner(each)}" for key, each in value.keywords.items())]
        return f"functools.partial({', '.join([inner(value.func), *given])})"
    if isinstance(value, nn.DataParallel):
        return f"torch.nn.DataParallel({inner(value.module)})"
    if isinstance(value, torch.jit.ScriptModule):
        raise Unnamed("a scripted module")
    if isinstance(value, MethodType):
        return f"{inner(value.__self__)}.{value.__name__}"
    if isinstance(value, nn.Module) or (
        callable(value) and not inspect.isroutine(value) and not isinstance(value, type)
    ):
        options = {name: stored(value, name, default) for name, default in options_of(type(value)).items()}
        return _constructed(value, inner, imports, {**options, **changed}, options_of)
    if callable(value):
        return named(value, imports)
    return repr(value)


def _constructed(
    value: Any, inner: Callable[[Any], str], imports: dict[str, None], options: Mapping[str, Any], options_of: Options
) -> str:
    usual = options_of(type(value))
    if any(each is inspect.Parameter.empty for each in options.values()):
        raise Unnamed("an option that is not stored")
    given = [f"{n}={inner(each)}" for n, each in options.items() if n not in usual or _differs(each, usual[n])]
    return f"{named(type(value), imports)}({', '.join(given)})"


def _differs(value: Any, default: Any) -> bool:
    if type(value) is not type(default):
        return value is not default
    try:
        return bool(value != default)
    except (RuntimeError, ValueError):  # tensors
        return True


def named(owner: Any, imports: dict[str, None]) -> str:
    """The name of a function or class, imported from its module; Unnamed for a lambda or a local definition."""
    name, place = getattr(owner, "__qualname__", ""), getattr(owner, "__module__", "") or ""
    if not name or "<" in name or not place:
        raise Unnamed(name or repr(owner))
    top = name.split(".")[0]
    if place == "__main__":
        imports[f"# {top} is your own"] = None
    elif place != "builtins":
        imports[f"from {_public(place, top)} import {top}"] = None
    return name


def _public(place: str, name: str) -> str:
    """The shortest package that exports this name: torch.nn rather than torch.nn.modules.loss."""
    parts = place.split(".")
    for length in range(1, len(parts)):
        package = ".".join(parts[:length])
        if hasattr(sys.modules.get(package), name):
            return package
    return place
