"""Shortcuts: faster computations of a plain call, with the same numbers as the definition of the loss.

`ClosedForm` computes the value and its derivatives together, in float32 on the CPU; `ElementFormula` computes value,
gradient and argument checks in one C call. The definition computes everything else: compilation, transforms, second
derivatives, weights, masks, other reductions, dtypes and devices, and ignored or invalid labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from types import FunctionType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from losskit.core.means import RegressionLoss
from losskit.ops import accelerated, choice, differences
from losskit.ops.closed_forms import Found
from losskit.ops.columns import Column
from losskit.ops.finish import Finish, TermsFinish
from losskit.ops.inputs import Inputs
from losskit.ops.layouts import serves_plain_code
from losskit.ops.planning import Watching, planned
from losskit.ops.program_cache import program_of
from losskit.ops.values import pending, raise_pending

_PLAIN = (Tensor, nn.Parameter)
_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor


class ClosedForm:
    """Computes plain calls of a loss by its `closed_form`; a loss derives from it before its kind."""

    records_pass: ClassVar[bool] = False  # whether the closed form records its pass, as kernels do

    def closed_form(self, *tensors: Any, **_: Any) -> Found | None:
        """The value and its derivatives by the tensors and the learned ones; None if the definition must compute it."""
        raise NotImplementedError

    def learned_tensors(self) -> Sequence[Tensor]:
        """Tensors of the loss that may require gradients."""
        return ()

    def shortcut(self: Any, *tensors: Any) -> Tensor | None:
        if not serves_plain_code():
            return None
        if pending():
            raise_pending()
        if not _are_plain(tensors) or not _is_defined_here(self) or self.reduction != "mean":
            return None
        every = (*tensors, *self.learned_tensors())
        derive = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in every)
        with torch.no_grad():
            found = self.closed_form(*tensors, derive=derive)
        if found is None:
            return None
        value: Tensor = found[0]
        gradients = [*found[1], *[None] * (len(every) - len(found[1]))]
        if derive and any(tensor.requires_grad and each is None for tensor, each in zip(every, gradients, strict=True)):
            return None
        if not self.records_pass:
            choice.record_closed_form(self.name, derive=derive)
        if not derive:
            return value
        compiled = accelerated.node()
        if compiled is not None:
            call = _Call(self, len(tensors), None, None)
            connected: Tensor = compiled.attach(value, every, gradients, call, _gradients)
            return connected
        result: Tensor = _apply(_Call(self, len(tensors), value, gradients), *every)
        return result


def _are_plain(tensors: Sequence[Any]) -> bool:
    for tensor in tensors:
        if type(tensor) not in _PLAIN or not tensor.is_cpu or tensor.layout is not torch.strided:
            return False
        if tensor.is_neg() or tensor.is_complex() or _is_wrapped(tensor):
            return False
    first = tensors[0]
    return bool(first.dtype == torch.float32 and first.numel() > 0)


def _is_defined_here(loss: Any) -> bool:
    """Whether this is a catalogue loss without class weights, replaced methods or options that need a gradient."""
    cls: Any = type(loss)
    if not cls.__module__.startswith("losskit."):
        return False
    own, buffers = vars(loss), vars(loss)["_buffers"]
    if own.get("class_weight") is not None or "class_weight" in buffers:
        return False
    if buffers and any(each is not None and each.requires_grad for each in buffers.values()):
        return False
    return _methods(cls).isdisjoint(own)


@cache
def _methods(cls: Any) -> frozenset[str]:
    """The names of what an instance can replace: methods and properties."""
    kinds = (FunctionType, property)
    return frozenset(name for base in cls.__mro__ for name, value in vars(base).items() if isinstance(value, kinds))


class _Call:
    """What the forward pass keeps for the backward pass."""

    def __init__(self, loss: Any, count: int, value: Tensor | None, gradients: Any) -> None:
        self.loss, self.generation, self.count = loss, loss.generation, count
        self.value: Tensor | None = value
        self.gradients: Sequence[Tensor | None] | None = gradients

    def check_options(self) -> None:
        """Raise an error if an option has changed since the forward pass."""
        if self.loss.generation != self.generation:
            raise RuntimeError(
                f"{self.loss.name}: an option was changed between the forward pass and a second backward pass. Change "
                "options after the last backward pass."
            )


class ClosedFormFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> Any:
        ctx.save_for_backward(*tensors)
        ctx.call = call
        value, call.value = call.value, None
        return value

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        call = ctx.call
        tensors = ctx.saved_tensors
        gradients, call.gradients = call.gradients, None  # autograd may write to returned gradients
        return None, *_gradients(call, tensors, gradients, 1.0, grads[0], ctx.needs_input_grad[1:])


def _gradients(
    call: _Call, tensors: Sequence[Any], gradients: Sequence[Tensor | None] | None, scale: float, grad: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:  # fmt: skip
    """The gradients by the tensors, from those of the forward pass if these are still there."""
    if torch.is_grad_enabled():
        return _differentiated(call, tensors, needed, grad)
    if gradients is None:
        call.check_options()
        gradients = call.loss.closed_form(*tensors[: call.count], derive=True)[1]
        gradients = [*gradients, *[None] * (len(tensors) - len(gradients))]
    if torch._C._functorch.is_batchedtensor(grad) or torch._C._functorch.is_legacy_batchedtensor(grad):
        return [None if each is None else each * grad for each in gradients]
    upstream = grad.item() * scale
    return [each if each is None or upstream == 1 else each.mul_(upstream) for each in gradients]


def _differentiated(call: _Call, tensors: Sequence[Any], wanted: Sequence[bool], grad: Tensor) -> list[Tensor | None]:
    """The derivatives of the definition, with a graph for second derivatives."""
    call.check_options()
    with torch.enable_grad():
        value = call.loss.reduced(*tensors[: call.count])
    asked = [tensor for tensor, needs in zip(tensors, wanted, strict=True) if needs]
    found = iter(torch.autograd.grad(value, asked, grad, create_graph=True, allow_unused=True))
    return [next(found) if needs else None for needs in wanted]


# Function.apply checks for functorch first; `shortcut` has already done so.
_apply: Callable[..., Tensor] = super(torch.autograd.Function, ClosedFormFunction).apply


class _Elements(RegressionLoss):
    """The element formula of another loss, as a loss that a plan can compute."""

    abstract: ClassVar[bool] = True
    of: Any
    state: Any

    def __init__(self, loss: Any) -> None:
        super().__init__(reduction="mean" if loss.reduction == "mean" else "sum")
        self.__dict__["of"] = loss  # not a submodule
        self.__dict__["state"] = loss.generation

    @property
    def name(self) -> str:
        name: str = self.of.name
        return name

    def plan_state(self) -> Any:
        return self.of.generation

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        value: Tensor = self.of.of_element(input, target)
        return value

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        finish = super().finish_plan(inputs, watched)
        if self.of.reduction != "batchmean" or not isinstance(finish, TermsFinish):
            return finish
        return replace(finish, divisor=inputs.output_shape[0])

    def reduced(self, *tensors: Tensor, **arguments: Any) -> Tensor:
        value = super().reduced(*tensors, **arguments)
        return value / tensors[0].shape[0] if self.of.reduction == "batchmean" else value

    def planned_columns(self, inputs: Inputs, watched: Watching) -> list[Column]:
        return differences.columns(program_of(self.of, "of_element", 2, "elements", inputs.input.shape, watched))


class ElementFormula:
    """Computes plain calls of an element-wise loss by a formula that is infinite for invalid arguments.

    The definition computes an infinite result again, and raises the error. A loss derives from it before its kind.
    """

    def of_element(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of each element."""
        raise NotImplementedError

    def shortcut(self: Any, *tensors: Any) -> Tensor | None:
        if not serves_plain_code():  # first, since torch.compile cannot trace the other checks
            return None
        input, target = tensors
        if not isinstance(input, Tensor) or not isinstance(target, Tensor) or input.shape != target.shape:
            return None
        if not _is_defined_here(self) or _can_ignore(self) or self.reduction not in ("mean", "batchmean"):
            return None
        if not input.is_cpu or not input.numel() or target.is_complex():
            return None
        formula = self.plans.elements
        if formula is None or formula.of is not self or formula.state != self.generation:
            formula = self.plans.elements = _Elements(self)
        value = planned(formula, input, target)
        return value if value is not None and math.isfinite(value.item()) else None


def _can_ignore(loss: Any) -> bool:
    """Whether `ignore_index` contains a valid label."""
    ignored = loss.ignore_index if "ignore_index" in loss.options else None
    labels = ignored if isinstance(ignored, Sequence) else [ignored]
    return any(isinstance(label, int) and 0 <= label <= 1 for label in labels)
