"""Domains: the values that an option takes, defined once for the constructor, messages, docs and tests.

Messages name the nearest known word, and values on one line.
"""

from __future__ import annotations

import difflib
import math
import numbers
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union

import torch
from annotated_types import Ge, Gt, Interval, Le, Lt
from torch import Tensor, nn

from losskit.core.elsewhere import FOREIGN_VALUES

Checker = Callable[[str, str, Any], Any]  # (class name, option name, value) -> the value to store, or an error


_WIDEST = 100  # characters of a value in a message


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean "smooth"?`, or a full stop where no known name is close."""
    if len(word) > _WIDEST:
        return "."
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.55)
    return f'; did you mean "{matches[0]}"?' if matches else "."


def quoted(value: object) -> str:
    """The repr of a value on one line, truncated if it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 4]} ..."


class Conversion:
    """Annotation metadata that checks a value and converts it to the stored form."""

    text: str

    def convert(self, owner: str, name: str, value: Any) -> Any:
        raise NotImplementedError


class PerClass(Conversion):
    """One non-negative number per class, stored as a 1-D tensor that moves with the module.

    `by_class` also allows a dict of the numbers that differ from 1, `single` one number or 0-dim tensor for all.
    """

    def __init__(self, *, by_class: bool = False, single: bool = False) -> None:
        self.by_class = by_class
        self.single = single
        self.text = f"{'a number >= 0 or ' if single else ''}one number >= 0 per class"
        if by_class:
            self.text += ", or a dict of those that differ from 1"

    def convert(self, owner: str, name: str, value: Any) -> Any:
        if isinstance(value, Mapping) and self.by_class:
            return self._by_class(owner, name, value)
        if self.single and isinstance(value, numbers.Number):
            return domain_of(NonNegative).check(owner, name, value)
        if isinstance(value, (str, numbers.Number)) or (
            not isinstance(value, (Sequence, Tensor)) and not hasattr(value, "__array__")
        ):
            raise TypeError(f"{owner}: {name} takes {self.text}, as a list or a 1-D tensor; got {quoted(value)}")
        tensor = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.get_default_dtype())
        if self.single and tensor.dim() > 1 and tensor.numel() == tensor.shape[0]:
            tensor = tensor.flatten()  # (C, 1, 1), which broadcasts to (N, C, H, W) elsewhere
        if tensor.dim() == 0 and self.single and not tensor.requires_grad:
            return domain_of(NonNegative).check(owner, name, tensor.item())
        if tensor.dim() != 1 and not (tensor.dim() == 0 and self.single):
            raise ValueError(
                f"{owner}: {name} takes {self.text}, as a list or a 1-D tensor; got shape {tuple(tensor.shape)}"
            )
        if self._negative(value):
            raise ValueError(f"{owner}: {name} takes {self.text}; got {quoted(tensor.tolist())}")
        return tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())

    def _by_class(self, owner: str, name: str, given: Mapping[Any, Any]) -> dict[int, float]:
        """The weights of some classes; the others have weight 1."""
        for key, value in given.items():
            if isinstance(key, bool) or not isinstance(key, numbers.Integral) or key < 0:
                raise ValueError(f"{owner}: {name} as a dict has class indices as keys; got {key!r}.")
            if not isinstance(value, (int, float)) or not value >= 0:
                raise ValueError(f"{owner}: {name} takes {self.text}; got {value!r} for class {key}.")
        return {int(key): float(value) for key, value in given.items()}

    @staticmethod
    def _negative(value: Any) -> bool:
        if not isinstance(value, Tensor):
            return any(v < 0 for v in value)
        learned = isinstance(value, nn.Parameter) or value.requires_grad
        return not learned and not torch.compiler.is_compiling() and bool((value < 0).any())


class PerBin(PerClass):
    """One non-negative number per bin, stored as a 1-D tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.text = "one number >= 0 per bin"


class PerPair(Conversion):
    """One non-negative number per pair of classes, 0 on the diagonal, stored as a (C, C) tensor."""

    text = "a number >= 0 per pair of classes, (C, C), with zeros on the diagonal"

    def convert(self, owner: str, name: str, value: Any) -> Any:
        try:
            tensor = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.get_default_dtype())
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(f"{owner}: {name} takes {self.text}, as lists or a tensor; got {quoted(value)}") from None
        if tensor.dim() != 2 or tensor.shape[0] != tensor.shape[1] or tensor.is_complex():
            raise ValueError(f"{owner}: {name} takes {self.text}; got shape {tuple(tensor.shape)}")
        if not torch.compiler.is_compiling() and not tensor.is_meta:
            fits = (tensor >= 0).all() & (tensor.diagonal() == 0).all() & (tensor.amax() < math.inf)
            if tensor.numel() == 0 or not bool(fits):
                raise ValueError(f"{owner}: {name} takes {self.text}; got {quoted(tensor.tolist())}")
        return tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())


class OneNumber(Conversion):
    """A reduction to one number."""

    text = "one of 'mean', 'sum'"

    def convert(self, owner: str, name: str, value: Any) -> Any:
        if value == "none":
            raise ValueError(
                f"{owner}: a composite is one number, so {name} must be {self.text}; got 'none'. For the components "
                "call parts(input, target) on the composite, and for unreduced values each part."
            )
        return _literal(str, ("mean", "sum")).check(owner, name, value)


NonNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]
ClassNumbers = Annotated[Union[Tensor, Sequence[float]], PerClass()]  # noqa: UP007 - evaluated at run time on 3.10
BinNumbers = Annotated[Union[Tensor, Sequence[float]], PerBin()]  # noqa: UP007
ClassPairs = Annotated[Union[Tensor, Sequence[Sequence[float]]], PerPair()]  # noqa: UP007
ClassWeights = Annotated[Union[Tensor, Sequence[float], Mapping[int, float]], PerClass(by_class=True)]  # noqa: UP007
OneOrPerClass = Annotated[Union[float, Tensor, Sequence[float]], PerClass(single=True)]  # noqa: UP007
Reduction = Literal["mean", "sum", "none"]
CompositeReduction = Annotated[Literal["mean", "sum"], OneNumber()]


class Domain:
    """A parsed annotation: its check, and its description for messages and docs."""

    def __init__(self, annotation: Any, check: Checker, text: str) -> None:
        self.annotation = annotation
        self.check = check
        self.text = text


def domain_of(annotation: Any) -> Domain:
    """The domain that an annotation describes."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _annotated(annotation, domain_of(arguments[0]), arguments[1:])
    if origin is Literal:
        return _literal(annotation, arguments)
    if origin in (Union, types.UnionType):
        return _union(annotation, [domain_of(a) for a in arguments])
    if annotation is None or annotation is type(None):
        return Domain(annotation, _check_none, "None")
    if annotation in (float, int):
        return _number(annotation)
    if isinstance(annotation, type) and annotation is not Any:  # which is a class since Python 3.11
        return _instance(annotation, annotation, annotation.__name__)
    if origin is not None and origin in (list, tuple, Sequence, typing.get_origin(Sequence[int])):
        return _sequence(annotation, domain_of(arguments[0]) if arguments else domain_of(Any))
    if origin is not None and isinstance(origin, type):
        return _instance(
            annotation, origin, "function" if origin is typing.get_origin(Callable[..., Any]) else str(origin)
        )
    return Domain(annotation, lambda _owner, _name, value: value, "anything")


def _fail(owner: str, name: str, text: str, value: object) -> ValueError:
    return ValueError(f"{owner}: {name} must be {text}; got {quoted(value)}")


def _check_none(owner: str, name: str, value: Any) -> Any:
    if value is not None:
        raise _fail(owner, name, "None", value)
    return value


def _number(kind: type) -> Domain:
    text = "a number" if kind is float else "an integer"
    wanted = numbers.Real if kind is float else numbers.Integral

    def check(owner: str, name: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise TypeError(f"{owner}: {name} must be {text}; got {quoted(value)} ({type(value).__name__})")
        if math.isnan(value):
            raise _fail(owner, name, text, value)
        return kind(value)

    return Domain(kind, check, text)


def _instance(annotation: Any, kind: type, text: str) -> Domain:
    def check(owner: str, name: str, value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError(f"{owner}: {name} must be {text}; got {quoted(value)} ({type(value).__name__})")
        return value

    return Domain(annotation, check, {"bool": "True or False", "str": "a string"}.get(text, text))


def _sequence(annotation: Any, element: Domain) -> Domain:
    one = re.match(r"an? (\w+)(.*)", element.text)
    text = f"a list of {one[1]}s{one[2]}" if one else f"a list, each {element.text}"

    def check(owner: str, name: str, value: Any) -> Any:
        if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, Tensor)):
            raise TypeError(f"{owner}: {name} must be {text}; got {quoted(value)}")
        return tuple(element.check(owner, name, v) for v in (value.tolist() if isinstance(value, Tensor) else value))

    return Domain(annotation, check, text)


def _literal(annotation: Any, allowed: tuple[Any, ...]) -> Domain:
    text = "one of " + ", ".join(repr(a) for a in allowed)

    def check(owner: str, name: str, value: Any) -> Any:
        if not any(type(value) is type(a) and value == a for a in allowed):
            hint = nearest(value, [str(a) for a in allowed]) if isinstance(value, str) else ""
            hint = FOREIGN_VALUES.get((name, value), hint) if isinstance(value, str) else hint
            raise ValueError(f"{owner}: {name} must be {text}; got {quoted(value)}{hint}")
        return value

    return Domain(annotation, check, text)


def _union(annotation: Any, members: list[Domain]) -> Domain:
    *first, last = [m.text for m in members]
    text = f"{', '.join(first)} or {last}"

    def check(owner: str, name: str, value: Any) -> Any:
        if value is None and any(m.text == "None" for m in members):
            return None
        errors = []
        for member in members:
            try:
                return member.check(owner, name, value)
            except (TypeError, ValueError) as error:
                errors.append(error)
        said = [e for e, m in zip(errors, members, strict=True) if m.text != "None"]
        if len(said) == 1:
            raise said[0]
        raise _fail(owner, name, text, value)

    return Domain(annotation, check, text)


_BOUNDS: dict[type, tuple[str, str, Callable[[Any, Any], bool]]] = {
    Ge: ("ge", ">=", lambda value, bound: value >= bound),
    Gt: ("gt", ">", lambda value, bound: value > bound),
    Le: ("le", "<=", lambda value, bound: value <= bound),
    Lt: ("lt", "<", lambda value, bound: value < bound),
}


def _annotated(annotation: Any, inner: Domain, metadata: tuple[Any, ...]) -> Domain:
    for item in metadata:
        if isinstance(item, Conversion):
            return Domain(annotation, item.convert, item.text)
    bounds = []
    for item in metadata:
        for bound in item if isinstance(item, Interval) else (item,):
            if type(bound) in _BOUNDS:
                attribute, sign, holds = _BOUNDS[type(bound)]
                bounds.append((getattr(bound, attribute), sign, holds))
    text = " and ".join([inner.text, *(f"{sign} {bound}" for bound, sign, _ in bounds)])
    text = text.replace(" and ", " ", 1) if bounds else text

    def check(owner: str, name: str, value: Any) -> Any:
        value = inner.check(owner, name, value)
        if not all(holds(value, bound) for bound, _, holds in bounds):
            raise _fail(owner, name, text, value)
        return value

    return Domain(annotation, check, text)
