"""Binding the arguments of a call, and the errors that say what a loss takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from torch import Tensor

from losskit.core.totals import Sums

MISSING: Any = object()  # the default of a tensor that a call omits


def bind(owner: str, names: Sequence[str], given: tuple[Any, ...], arguments: dict[str, Any]) -> tuple[Any, ...]:
    """The tensors of a call in order. Tensors may be passed by name, and weight and mask by position."""
    if len(given) == len(names):
        return given
    if len(given) > len(names) + 2:
        raise TypeError(f"{owner} takes {len(names)} tensors, weight and mask; got {len(given)} by position.")
    for name, tensor in zip(("weight", "mask"), given[len(names) :], strict=False):
        if arguments.get(name) is not None:
            raise TypeError(f"{owner}: {name} was given twice, by position and by name.")
        arguments[name] = tensor
    missing = [name for name in names[len(given) :] if name not in arguments]
    if missing:
        refuse_missing(owner, names, missing)
    return (*given[: len(names)], *(arguments.pop(name) for name in names[len(given) :]))


def refuse_missing(owner: str, names: Sequence[str], missing: Sequence[str]) -> NoReturn:
    """Raise the error for missing tensors of a call."""
    raise TypeError(f"{owner} takes ({', '.join(names)}); {' and '.join(missing)} {_is(missing)} missing.")


def refuse_named(loss: Any, names: Sequence[str], unknown: Sequence[str]) -> NoReturn:
    """Raise the error for unknown arguments of a call, which are most often options."""
    name, owner = unknown[0], loss.name
    if name in loss.options:
        raise TypeError(f"{owner}: {name} is an option of the loss, not of a call. Pass it to the constructor.")
    raise TypeError(f"{owner} takes ({', '.join(names)}) and, by name, weight, mask, normalizer, whole; got {name}=.")


def answering(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The forward with the usual errors for missing tensors and unknown arguments."""
    known = list(inspect.signature(forward).parameters.values())[1:]
    required = [p.name for p in known if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in known)
    names = {p.name for p in known}

    def answered(self: Any, *tensors: Any, **arguments: Any) -> Tensor:
        missing = [name for name in required[len(tensors) :] if name not in arguments]
        if missing:
            refuse_missing(self.name, required, missing)
        if not takes_any and not all(name in names for name in arguments):
            refuse_named(self, required, sorted(arguments.keys() - names))
        return forward(self, *tensors, **arguments)

    answered.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    answered.__doc__ = forward.__doc__
    return answered


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def signature_of_call(names: tuple[str, ...], *, more: bool = False) -> inspect.Signature:
    """The signature of a forward of these tensors; with `more`, it takes further tensors and any keyword arguments."""
    optional = {"weight": Tensor | None, "mask": Tensor | None}
    by_name = {"normalizer": float | Tensor | None, "whole": Sums | None}
    either, keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    given = keyword if more else either
    return inspect.Signature(
        [
            inspect.Parameter("self", either),
            *(inspect.Parameter(name, either, annotation=Tensor) for name in names),
            *([inspect.Parameter("tensors", inspect.Parameter.VAR_POSITIONAL)] if more else []),
            *(inspect.Parameter(n, given, default=None, annotation=a) for n, a in optional.items()),
            *(inspect.Parameter(n, keyword, default=None, annotation=a) for n, a in by_name.items()),
            *([inspect.Parameter("named", inspect.Parameter.VAR_KEYWORD)] if more else []),
        ],
        return_annotation=Tensor,
    )
