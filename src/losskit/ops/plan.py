"""A whole loss in one C call: a plan caches everything that a layout of tensors determines; a call adds addresses.

Plans are used in plain eager code on the CPU. All other calls (compilation, functorch, modes, forward-mode
differentiation, tracing, second derivatives) use the registered operators, which define the values.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit.ops import accelerated, choice, native, values
from losskit.ops.columns import Column, columns_of, kernel_columns, programs_of
from losskit.ops.constants import GRADIENTS, RESULTS
from losskit.ops.finish import Finish, LossStruct, RegionsFinish, TermsFinish, set_part
from losskit.ops.inputs import Inputs
from losskit.ops.layouts import are_laid_out, layout_of_tensor
from losskit.ops.passes import can_save
from losskit.ops.programs import structure_of
from losskit.ops.twins import equal, holding, with_attributes

MOST_PLANS = 64
WITHOUT_LOCK = 8192  # elements; larger calls release the GIL
BOTH_PASSES = 65536  # elements, up to which the forward pass computes the gradient of region losses
MOST_SCALE = 1e15  # of a finished gradient; beyond it, small float32 values may have lost precision
_VALUE_ONLY, _WITH_TOTALS, _AFTER_TOTALS, _LATER = range(len(GRADIENTS))
_NOT_A_NUMBER = float("nan")
_NUMBERS = {  # templates of a value, by the dtype of the input
    dtype: torch.empty((), dtype=torch.float64 if dtype == torch.float64 else torch.float32, device="cpu")
    for dtype in (*native.INPUTS, torch.float64)
}


class Plans(dict[Any, Any]):
    """The plans of one loss by layout; copies and pickles start empty."""

    def __reduce__(self) -> tuple[type[Plans], tuple[()]]:
        return Plans, ()

    compiled: Any = None  # the options that the plans were built from
    elements: Any = None  # the loss of elements that serves instead: see losskit.losses.shortcuts

    def renew(self, compiled: Any) -> Any:
        """Discard all plans, for a loss whose options changed."""
        self.clear()
        self.compiled = compiled
        return compiled

    def keep(self, key: Any, plan: Any) -> Any:
        if len(self) >= MOST_PLANS:
            self.clear()
        self[key] = plan
        return plan


class PlannedPart(NamedTuple):
    """A part of a loss: its finish, its weight in the sum, and the places of its columns in the pass."""

    finish: Finish
    weight: float
    columns: Sequence[Column]
    places: Sequence[int]


class Plan:
    """A loss for tensors of one layout."""

    serves = lasts = True
    define = None  # the reference for a plan on a device at its first call
    note = ""

    def __init__(
        self, tensors: Sequence[Tensor | None], inputs: Inputs, columns: Sequence[Column],
        parts: Sequence[PlannedPart], *, pooled: bool, is_sum: bool, offset: float, reasons: dict[choice.Operator, str],
        neutral: Sequence[float] = (0.0, 0.0), derivatives: int = 0, numbers: int = 0,
    ) -> None:  # fmt: skip
        """The last `derivatives` parts are not added. The formulas read `numbers` 0-dim tensors too."""
        planned = kernel_columns(columns)
        assert planned is not None
        struct, alike = native.described(inputs, planned, pooled=pooled)
        self.fits = alike
        self.held: list[Any] = []
        added = len(parts) - derivatives
        self.struct = LossStruct(call=struct, parts=added, is_sum=is_sum, more_parts=derivatives, offset=offset)
        self.struct.call.numbers = numbers
        by_class = inputs.link in ("softmax", "log_softmax")
        self.struct.size = inputs.input.numel() // (inputs.num_classes if by_class else 1)
        for part, given in zip(self.struct.part, parts, strict=False):
            set_part(part, given.finish, given.weight, list(given.places), columns_of(given.columns), self.held)
        for term, program in zip(self.struct.call.term, programs_of(columns), strict=False):
            if program is not None:
                assert program.inputs == (2 if inputs.link == "difference" else 1) + numbers
                of_program = structure_of(program)
                self.held.append(of_program)
                term.program = ctypes.addressof(of_program)
        self.struct.call.neutral = type(self.struct.call.neutral)(*neutral)
        self.number = _NUMBERS[inputs.input.dtype]
        self.address = ctypes.byref(self.struct)
        self.columns = len(columns)
        self.operations = [program.steps for program in programs_of(columns) if program is not None]
        self.operations += [part.finish.operations for part in parts if isinstance(part.finish, RegionsFinish)]
        self.tensors = [layout_of_tensor(tensor) for tensor in tensors]
        self.owner, self.classes = inputs.owner, inputs.num_classes
        self.totals_room = (1 if pooled else inputs.input.shape[0]) * inputs.num_classes * len(columns)
        self.takes_normalizer = all(divides(part.finish) for part in parts)
        self.reasons = reasons  # why other operators cannot be used
        differentiable = inputs.input.requires_grad and torch.is_grad_enabled()
        self.mode = _mode(inputs, parts) if differentiable else _VALUE_ONLY
        self.can_save = can_save(inputs, planned)
        self.saves = self.mode == _LATER and self.can_save
        self.scales = inputs.input.dtype not in (torch.float16, torch.bfloat16)  # which would round twice
        locked = inputs.input.numel() < WITHOUT_LOCK
        self.run, self.run_gradient = native.entries(ctypes.sizeof(LossStruct), locked=locked)
        self.of_node: tuple[Any, Any] | None = None  # the same plan for the compiled node, and what runs it
        if self.mode != _LATER and not numbers:
            is_double = self.number.dtype == torch.float64
            self.of_node = accelerated.plan(
                self.run, self.struct, mode=self.mode, locked=locked, is_double=is_double, scales=self.scales
            )

    def postpone(self) -> None:
        """From now on, compute the gradient in the backward pass."""
        self.mode, self.saves, self.of_node = _LATER, self.can_save, None

    @property
    def gradient_in_forward(self) -> bool:
        return self.mode in (_WITH_TOTALS, _AFTER_TOTALS)

    def __call__(self, call: Call) -> Tensor:
        """The value of the loss."""
        if self.of_node is not None:
            return self._by_node(*self.of_node, call)
        if self.mode != _VALUE_ONLY:
            result: Tensor = _apply(call.input, call)
            return result
        return self.evaluate(call, None, None, _VALUE_ONLY)

    def _by_node(self, plan: Any, run: Any, call: Call) -> Tensor:
        """The value of the loss, as the output of the compiled node."""
        given = call.input, call.target, call.weight, call.mask, call.logit_bias, call.options
        call.input = call.target = call.weight = call.mask = call.options = None  # type: ignore[assignment] # saved by the node
        values, call.values = call.values, None
        value: Tensor = run(plan, call, *given, call.part_weights, call.normalizer, values, self._report, _by_saved)
        return value

    def evaluate(self, call: Call, gradient: Tensor | None, coefficients: Tensor | None, mode: int) -> Tensor:
        """One C call."""
        value = torch.empty_like(self.number)
        weight, mask, options, weights = call.weight, call.mask, call.options, call.part_weights
        flags = self.run(
            self.address,
            call.input.data_ptr(),
            call.target.data_ptr(),
            None if weight is None else weight.data_ptr(),
            None if mask is None else mask.data_ptr(),
            None if call.logit_bias is None else call.logit_bias.data_ptr(),
            None if gradient is None else gradient.data_ptr(),
            None if coefficients is None else coefficients.data_ptr(),
            None if options is None else _addresses(options),
            None if weights is None else _array(ctypes.c_double, len(weights))(*weights),
            call.normalizer,
            value.data_ptr(),
            None if call.values is None else call.values.data_ptr(),
            mode,
            torch.get_num_threads(),
        )
        if flags:
            self._report(flags, call)
        return value

    def _report(self, flags: int, call: Call) -> None:
        if flags & RESULTS["out_of_memory"]:
            raise MemoryError(native.NO_MEMORY)
        problem, value, scale = native.details()
        if flags & RESULTS["bad_value"]:
            values.raise_problem(self.owner, self.classes, int(problem), value)
        if flags & RESULTS["to_be_scaled"]:
            call.scale = scale
        call.saved = bool(flags & RESULTS["saved"])

    def gradient(self, call: Call, coefficients: Tensor, upstream: float, into: Tensor | None) -> Tensor:
        """`upstream` times the gradient by the input, given the derivative by the totals and the saved activations."""
        gradient = torch.empty_like(call.input) if into is None else into
        flags = self.run_gradient(
            self.address, call.input.data_ptr(), call.target.data_ptr(), _address(call.weight), _address(call.mask),
            _address(call.logit_bias), gradient.data_ptr(), coefficients.data_ptr(), upstream, into is not None,
            torch.get_num_threads(),
        )  # fmt: skip
        if flags:
            self._report(flags, call)
        return gradient

    def room(self) -> Tensor:
        return torch.empty(self.totals_room, dtype=torch.float64, device="cpu")


class Call:
    """The tensors and numbers of one call, and what its forward pass saves for the backward pass."""

    logit_bias: Tensor | None = None
    options: Sequence[Tensor | None] | None = None
    part_weights: Sequence[float] | None = None
    normalizer = _NOT_A_NUMBER
    values: Tensor | None = None  # buffer for the values of the parts
    numbers: dict[str, Tensor] | None = None  # attributes of the loss that are 0-dim tensors
    gradient: Tensor | None = None
    coefficients: Tensor | None = None
    scale = 1.0
    saved = False
    postponed = False  # whether the gradient is computed in the backward pass
    problem: Tensor | None = None  # on a device: the first label problem, if any

    def __init__(
        self, plan: Any, loss: Any, state: Any, input: Tensor, target: Tensor, weight: Tensor | None,
        mask: Tensor | None,
    ) -> None:  # fmt: skip
        self.plan: Any = plan  # a Plan, or one on a device
        self.loss, self.state = loss, state  # the state of the options
        self.input, self.target, self.weight, self.mask = input, target, weight, mask

    def with_tensors(self, tensors: Sequence[Any]) -> Call:
        """A copy of the call with the tensors saved by autograd, so that each thread of a backward pass has its own."""
        twin = Call(self.plan, self.loss, self.state, *tensors[:4])
        twin.logit_bias, twin.options, twin.part_weights = self.logit_bias, tensors[4:] or None, self.part_weights
        twin.normalizer, twin.coefficients, twin.numbers = self.normalizer, self.coefficients, self.numbers
        return twin

    def by_operators(self) -> Tensor:
        """The same loss by the registered operators, which support second derivatives."""
        loss = self._loss_of_options()
        if loss is None:
            raise RuntimeError(
                f"{self.plan.owner}: an option was changed between the forward pass and a second derivative. Change "
                "options after the backward pass."
            )
        if self.numbers is not None:
            loss = with_attributes(loss, self.numbers)
        arguments: dict[str, Any] = {"weight": self.weight, "mask": self.mask}
        if self.normalizer == self.normalizer:
            arguments["normalizer"] = self.normalizer
        if self.part_weights is not None:
            arguments["weights"] = self.part_weights
        result: Tensor = loss.reduced(self.input, self.target, **arguments)
        return result

    def _loss_of_options(self) -> Any:
        """The loss with the option tensors of the forward pass; None if other options have changed."""
        if self.loss.plan_state() != self.state:
            return None
        parts = self.loss.planned_parts()
        if self.logit_bias is not None and not equal(parts[0].logit_bias(), self.logit_bias):
            return None
        own = [tensor for part in parts for tensor in part.option_tensors()]
        given = [None] * len(own) if self.options is None else self.options
        changed = [(a, b) for a, b in zip(own, given, strict=True) if not equal(a, b)]
        tensors = {id(a): b for a, b in changed}
        if any(a is None or b is None or not equal(tensors[id(a)], b) for a, b in changed):
            return None
        return holding(self.loss, tensors) if changed else self.loss


class FusedLoss(torch.autograd.Function):
    """The whole loss as one autograd node."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, call: Call) -> Tensor:
        plan: Plan = call.plan
        mode = plan.mode
        if mode == _LATER:
            call.postponed, call.coefficients = True, plan.room()
            saved = torch.empty_like(input) if plan.saves else None
            value = plan.evaluate(call, saved, call.coefficients, mode)
            if call.saved:
                call.gradient = saved
        else:
            call.gradient = torch.empty_like(input)
            value = plan.evaluate(call, call.gradient, None, mode)
        call.values = None
        if call.options is None:
            ctx.save_for_backward(input, call.target, call.weight, call.mask)
        else:
            ctx.save_for_backward(input, call.target, call.weight, call.mask, *call.options)
        call.input = call.target = call.weight = call.mask = call.options = None  # type: ignore[assignment] # autograd holds them
        ctx.call = call
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        tensors, call = ctx.saved_tensors, ctx.call
        if torch.is_grad_enabled():
            return differentiated(tensors, call, grad), None
        return FusedLoss.gradient(tensors, call, grad), None

    @staticmethod
    def gradient(tensors: Sequence[Any], call: Call, grad: Tensor) -> Tensor:
        """The gradient by the input."""
        gradient: Tensor | None
        if torch._C._functorch.is_batchedtensor(grad) or torch._C._functorch.is_legacy_batchedtensor(grad):
            return _second_pass(tensors, call, 1.0).to(grad.dtype) * grad
        gradient, call.gradient = call.gradient, None  # autograd may write to what it is given
        upstream = grad.item()
        if gradient is None:
            return _second_pass(tensors, call, upstream)
        if call.postponed:
            return _second_pass(tensors, call, upstream, gradient)
        if not (math.isfinite(upstream) and (call.scale == 0 or 1 / MOST_SCALE < abs(call.scale) < MOST_SCALE)):
            return _second_pass(tensors, call, upstream)
        scale = upstream * call.scale
        if scale == 1:
            return gradient
        if not call.plan.scales:
            call.plan.postpone()
            return _second_pass(tensors, call, upstream)
        return gradient.mul_(scale)


# Function.apply checks for functorch first, which the guards have already done.
_apply: Callable[..., Tensor] = super(torch.autograd.Function, FusedLoss).apply


def _by_saved(
    call: Call, tensors: Sequence[Any], gradients: Sequence[Tensor] | None, scale: float, grad: Tensor, _: Any
) -> list[Tensor]:
    """The gradient that the compiled node cannot compute."""
    if torch.is_grad_enabled():
        return [differentiated(tensors, call, grad)]
    call.gradient, call.scale = gradients[0] if gradients else None, scale
    return [FusedLoss.gradient(tensors, call, grad)]


def _second_pass(tensors: Sequence[Any], call: Call, upstream: float, saved: Tensor | None = None) -> Tensor:
    """The gradient by another pass, from the activations that the first one saved, if any."""
    plan: Plan = call.plan
    again = call.with_tensors(tensors)
    if not are_laid_out(tensors, plan.tensors):
        with torch.enable_grad():
            again.input = again.input.detach().requires_grad_()
            (found,) = torch.autograd.grad(again.by_operators(), again.input)
        scaled: Tensor = found * upstream
        return scaled
    if again.coefficients is None:
        again.coefficients = plan.room()
        plan.evaluate(again, None, again.coefficients, _LATER)
        call.coefficients = again.coefficients
    return plan.gradient(again, again.coefficients, upstream, saved)


def differentiated(tensors: Sequence[Any], call: Call, grad: Tensor) -> Tensor:
    """The gradient with its own graph, for second derivatives."""
    again = call.with_tensors(tensors)
    with torch.enable_grad():
        value = again.by_operators()
    gradient: Tensor = torch.autograd.grad(value, again.input, grad, create_graph=True)[0]
    return gradient


def divides(finish: Finish) -> bool:
    """Whether another denominator can replace that of the finish."""
    return isinstance(finish, TermsFinish) and finish.reduction == "mean" and finish.of_mean is None


def _mode(inputs: Inputs, parts: Sequence[PlannedPart]) -> int:
    if inputs.input.dtype in (torch.float16, torch.float64):
        return _LATER  # float16 losses are usually scaled, and rounded once, after that
    if all(isinstance(part.finish, TermsFinish) for part in parts):
        return _WITH_TOTALS
    return _AFTER_TOTALS if inputs.input.numel() <= BOTH_PASSES else _LATER


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _addresses(options: Sequence[Tensor | None]) -> Any:
    return _array(ctypes.c_void_p, len(options))(*[_address(option) for option in options])


@lru_cache(maxsize=64)
def _array(kind: Any, size: int) -> Any:
    return kind * size
