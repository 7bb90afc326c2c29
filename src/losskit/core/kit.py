"""Function forms and the kit: functions from loss classes, and loss classes from user-defined functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Concatenate, Literal, ParamSpec, Protocol, get_type_hints, overload

import torch
from torch import Tensor

from losskit.core import catalogue
from losskit.core.contract import check_tensor, shape
from losskit.core.forms import (
    BatchForm,
    ClassificationForm,
    FunctionForm,
    LogitsForm,
    MeanForm1,
    MeanForm2,
    MeanForm3,
    MeanForm4,
    OfBoth,
    OfLogits,
    RegionForm,
    RegressionForm,
    TensorsForm,
)
from losskit.core.labels import ClassificationLoss, ModeOptions
from losskit.core.logits import LogitsLoss
from losskit.core.loss import NO_SCRIPT, Loss
from losskit.core.means import MeanLoss, RegressionLoss
from losskit.core.options import signature_of
from losskit.core.region import RegionLoss
from losskit.core.summable import bind
from losskit.core.totals import Totals

P = ParamSpec("P")


def function_form(cls: Callable[P, Loss]) -> FunctionForm[P]:
    """The function form of a loss of input and target: the same computation, options as keyword arguments."""
    form: FunctionForm[P] = _function(cls)
    return form


def tensors_form(cls: Callable[P, Loss]) -> TensorsForm[P]:
    """The function form of a loss that takes other tensors."""
    form: TensorsForm[P] = _function(cls)
    return form


def _function(cls: Any) -> Any:
    modules = _Modules(cls)
    at_call = _call_parameters(cls)
    names = {p.name for p in at_call}
    if issubclass(cls, _BatchLoss):
        names |= {"weight", "mask", "normalizer"}  # so that it raises its own error for them

    def function(*tensors: Any, **arguments: Any) -> Tensor:
        options = {name: arguments.pop(name) for name in list(arguments) if name not in names}
        result: Tensor = modules.of(options).forward(*tensors, **arguments)
        return result

    function.__name__ = catalogue.function_name(cls)
    function.__qualname__ = function.__name__
    function.__module__ = cls.__module__
    function.__doc__ = cls.__doc__
    function.__signature__ = signature_of(cls.options, at_call)  # type: ignore[attr-defined]
    function.Module = cls  # type: ignore[attr-defined]
    function.__script_unsupported = NO_SCRIPT  # type: ignore[attr-defined] # which torch.jit.script looks for
    return function


def _call_parameters(cls: type[Loss]) -> list[inspect.Parameter]:
    """The parameters of a call: the tensors, weight, mask and the keyword arguments."""
    parameters = list(inspect.signature(cls.forward).parameters.values())[1:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        tensors = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in cls.tensors]
        keyword = [p.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for p in parameters if p.default is None]
        return [*tensors, *keyword]
    return parameters


_MOST_MODULES = 256  # bounds the memory of a sweep over options


_PLAIN = (int, float, str, type(None))


class _Modules:
    """The modules behind a function form, cached by their options.

    They are in evaluation mode, in which no loss updates its state.
    """

    def __init__(self, cls: type[Loss]) -> None:
        self.cls = cls
        self.kept: dict[tuple[Any, ...], Loss] = {}
        self.names: dict[str, str] = {}  # of the attributes with modules for compiled code

    def of(self, options: dict[str, Any]) -> Loss:
        """The module with these options; tensor options are not cached."""
        if torch.compiler.is_compiling():
            if not all(_is_constant(value) for value in options.values()):
                return self.cls(**options).eval()
            fixed = {name: _specialized(value) for name, value in options.items()}
            module: Loss = getattr(self, self.outside(**fixed))
            return module
        tensors = {name: value for name, value in options.items() if isinstance(value, Tensor)}
        plain = all(isinstance(value, (*_PLAIN, Tensor)) for value in options.values())
        if not plain or (tensors and self.cls.is_sum):
            return self.cls(**options).eval()
        each = [(name, type(value), None if name in tensors else value) for name, value in sorted(options.items())]
        found = self.kept.get(tuple(each))
        if found is None:
            if len(self.kept) >= _MOST_MODULES:
                self.kept.clear()
            found = self.kept[tuple(each)] = self.cls(**options).eval()
            for name in tensors:
                found._buffers.pop(name, None), found._parameters.pop(name, None)
        return found.with_tensors(tensors) if tensors else found

    def outside(self, **options: Any) -> str:
        """The name of the attribute with the module of these constants. Dynamo calls this and does not trace it."""
        key = repr(sorted(options.items()))
        if key not in self.names:
            module = self.cls(**options).eval()
            self.names[key] = f"module_{len(self.names)}"
            setattr(self, self.names[key], module)
        return self.names[key]

    outside._dynamo_marked_constant = True  # type: ignore[attr-defined] # as torch.compiler.assume_constant_result does


def _specialized(value: Any) -> Any:
    """The value as a constant of compiled code, which is recompiled when it changes."""
    if isinstance(value, (list, tuple)):
        return [_specialized(each) for each in value]
    if isinstance(value, (int, float)):
        return next(iter({value: None}))  # the compiler makes the key of a dict a constant
    return value


def _is_constant(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_constant(each) for each in value)
    return isinstance(value, _PLAIN)


# The kit: one formula becomes a function, a class and an entry of the catalogue.


def regression_loss(function: Callable[Concatenate[Tensor, Tensor, P], Tensor]) -> RegressionForm[P]:
    """Make a loss from a function of `(input, target)` that returns one value per element.

    Parameters with defaults become options. `my_loss(output, target, weight=w, reduction="none")` is the function
    form and `my_loss.Module(...)` the class.
    """
    form: RegressionForm[P] = _from_function(function, RegressionLoss, "per_element", ["input", "target"])
    return form


@overload
def classification_loss(function: OfBoth[P]) -> LogitsForm[P]: ...  # type: ignore[overload-overlap] # by name
@overload
def classification_loss(function: OfLogits[P]) -> LogitsForm[P]: ...  # type: ignore[overload-overlap]
@overload
def classification_loss(function: Callable[Concatenate[Tensor, P], Tensor]) -> ClassificationForm[P]: ...
def classification_loss(function: Callable[..., Tensor]) -> Any:
    """Make a loss from a function of `log_p`, the log-probability of the true label, of `logits`, or of both.

    The target decides between sigmoid and softmax. A function of `log_p` alone is element-wise. `logits` has shape
    (N, C, *), and a function of it returns (N, *) under softmax and (N, C, *) under sigmoid.
    """
    takes = _required(function)
    if "logits" in takes:
        leading: list[str] = [name for name in ("log_p", "logits") if name in takes]
        return _from_function(function, LogitsLoss, "per_position", leading, takes=tuple(leading))
    return _from_function(function, _LabelledTerm, "term", ["log_p"])


def region_loss(function: Callable[Concatenate[Totals, P], Tensor]) -> RegionForm[P]:
    """Make a loss from a formula on the totals of each class: `total.tp`, `total.pred`, `total.target` and so on."""
    form: RegionForm[P] = _from_function(function, RegionLoss, "per_class", ["total"])
    return form


class _Decorator(Protocol):
    """`loss` without options."""

    @overload
    def __call__(self, function: Callable[Concatenate[Tensor, Tensor, Tensor, Tensor, P], Tensor]) -> MeanForm4[P]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Tensor, Tensor, Tensor, P], Tensor]) -> MeanForm3[P]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Tensor, Tensor, P], Tensor]) -> MeanForm2[P]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Tensor, P], Tensor]) -> MeanForm1[P]: ...


class _BatchDecorator(Protocol):
    def __call__(self, function: Callable[P, Tensor]) -> BatchForm[P]: ...


@overload
def loss(function: Callable[Concatenate[Tensor, Tensor, Tensor, Tensor, P], Tensor]) -> MeanForm4[P]: ...
@overload
def loss(function: Callable[Concatenate[Tensor, Tensor, Tensor, P], Tensor]) -> MeanForm3[P]: ...
@overload
def loss(function: Callable[Concatenate[Tensor, Tensor, P], Tensor]) -> MeanForm2[P]: ...
@overload
def loss(function: Callable[Concatenate[Tensor, P], Tensor]) -> MeanForm1[P]: ...
@overload
def loss(*, batch: Literal[True]) -> _BatchDecorator: ...
@overload
def loss(*, batch: Literal[False] = False) -> _Decorator: ...
def loss(function: Callable[..., Tensor] | None = None, *, batch: bool = False) -> Any:
    """Make a loss from any function of tensors that returns one value per sample, with the batch first.

    The loss takes `weight`, `mask` and `normalizer`, and its sums add over ranks and micro-batches. With `batch=True`
    the function returns one number, a loss of the whole batch, which takes none of these arguments.
    """
    if function is None:
        return partial(loss, batch=batch)
    tensors = _required(function)
    if not tensors:
        raise TypeError(f"{function.__name__}: a loss takes at least one tensor, as a parameter without a default.")
    return _from_function(function, _BatchLoss if batch else MeanLoss, "values", tensors)


def _required(function: Callable[..., Any]) -> list[str]:
    """The parameters without a default."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


class _LabelledTerm(ModeOptions, ClassificationLoss):
    """A classification loss whose link depends on the target."""


class _BatchLoss(Loss):
    """One number for the whole batch."""

    without: ClassVar[tuple[str, ...]] = ("reduction", "empty")
    shapes: ClassVar[str] = "the tensors of the call; the value is one number."

    def forward(self, *tensors: Any, **arguments: Any) -> Tensor:
        tensors = bind(self.name, self.tensors, tensors, arguments)
        given = [name for name, value in arguments.items() if value is not None]
        if given:
            raise TypeError(
                f"{self.name} is a loss of the whole batch (batch=True), so it takes no {given[0]}. Leave it out, or "
                "return one value per sample from a function declared with @losskit.loss."
            )
        for name, tensor in zip(self.tensors, tensors, strict=True):
            check_tensor(self.name, name, tensor)
        value = self.values(*tensors)
        if not isinstance(value, Tensor) or value.dim():
            got = f"shape {shape(value)}" if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(
                f"{self.name} is a loss of the whole batch (batch=True), so it must return a tensor of one number; got "
                f"{got}. Return the mean, or leave batch=True out, which takes one value per sample and reduces them."
            )
        return value


def _from_function(
    function: Callable[..., Tensor], kind: type[Loss], method: str, leading: list[str], **settings: Any
) -> Any:
    name = function.__name__
    parameters = list(inspect.signature(function).parameters.values())
    _check_signature(name, parameters, leading, kind)
    hints = _hints(function)
    options = parameters[len(leading) :]
    names = [p.name for p in options]

    def call(self: Loss, *tensors: Any) -> Tensor:
        return function(*tensors, **{option: getattr(self, option) for option in names})

    call.__wrapped__ = function  # type: ignore[attr-defined]
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in ("self", *leading)]
    )
    namespace = {
        "__doc__": function.__doc__ or f"A loss defined by the function `{name}`.",
        "__module__": function.__module__,
        "__qualname__": f"{function.__qualname__}.Module",
        "__annotations__": {p.name: hints.get(p.name, Any) for p in options},
        "function_name": name,
        method: call,
        **settings,
        **{p.name: p.default for p in options},
    }
    made = _function(type(name, (kind,), namespace))
    made.__qualname__ = function.__qualname__
    made.__wrapped__ = function
    return made


def _check_signature(name: str, parameters: list[inspect.Parameter], leading: list[str], kind: type[Loss]) -> None:
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    expected = f"def {name}({', '.join([*leading, 'option=default'])})"
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise TypeError(f"{name}: options are declared one by one, not as *args or **kwargs: {expected}.")
    if len(required) != len(leading):
        raise TypeError(
            f"{name}: a {_KINDS.get(kind, 'loss')} takes {len(leading)} parameter{'s' * (len(leading) > 1)} without a "
            f"default, ({', '.join(leading)}); got ({', '.join(p.name for p in required)}). Write {expected}; every "
            "option has a default."
        )
    clash = [p.name for p in parameters[len(leading) :] if p.name in kind.options]
    if clash:
        raise TypeError(f"{name}: {clash[0]} is an option of every {_KINDS.get(kind, 'loss')}; leave it out.")


_KINDS: dict[type[Loss], str] = {
    RegressionLoss: "regression loss",
    _LabelledTerm: "classification loss",
    LogitsLoss: "classification loss",
    RegionLoss: "region loss",
}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # names local to a function: the options stay unchecked
        return {}
