"""A whole loss on a GPU for tensors of one layout: two launches forward, one backward, and no synchronization.

A plan caches everything but the tensors of a call. The first launch reads the input. The second adds the partial sums,
computes the loss, and stores its derivative by each total. The launch of the backward pass multiplies this by the
incoming gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit.ops import choice, first_use, values
from losskit.ops.columns import OF_TARGETS, Column, kernel_columns, programs_of
from losskit.ops.finish import RegionsFinish
from losskit.ops.inputs import Inputs, can_hold
from losskit.ops.layouts import layout_of_tensor
from losskit.ops.plan import Call, PlannedPart, differentiated, divides
from losskit.ops.triton import finish
from losskit.ops.triton.kernels.printed import compiled
from losskit.ops.triton.kernels.reduction import reduce
from losskit.ops.triton.launch import REDUCED, Launch, Work, launch, on, power_of_two
from losskit.ops.triton.source import Numbers

MOST_AT_ONCE = 2**17  # partial sums that the last kernel, one program, adds; if there are more, a reduction precedes it
_BLOCK = 128  # regions that it processes at a time
_CHUNKS = 16  # partial sums per region that it adds at a time
_SIDES = ("input", "target", "weight", "mask", "gradient")

Tensors = dict[str, Any]
Room = dict[str, tuple[Any, Tensor]]  # shapes, each with an empty tensor of the same dtype and device


class Template(NamedTuple):
    """A launch, and by place the arguments that each call supplies."""

    launch: Launch
    given: list[tuple[int, Callable[[Tensors], Any]]]

    def __call__(self, tensors: Tensors, *, only_compiled: bool = False) -> None:
        kernel, programs, arguments, options = self.launch
        filled = list(arguments)
        for place, of_call in self.given:
            filled[place] = of_call(tensors)
        launch(kernel, programs, filled, options, only_compiled=only_compiled)


class DevicePlan:
    """A loss for tensors of one layout, as `ops.plan.Plan` is on the CPU."""

    serves = True
    lasts = True
    reason = ""
    define: Callable[[Tensor, Call], Tensor] | None = (
        None  # the loss from totals in plain PyTorch, until both are compared
    )
    gradient_in_forward = False  # it would be read and written again to multiply by the incoming gradient

    def __init__(
        self, tensors: Sequence[Tensor | None], inputs: Inputs, columns: Sequence[Column],
        parts: Sequence[PlannedPart], *, pooled: bool, is_sum: bool, offset: float, reasons: dict[choice.Operator, str],
        note: str = "",
    ) -> None:  # fmt: skip
        planned = kernel_columns(columns)
        assert planned is not None
        programs = programs_of(columns)
        self.form = first_use.form_and_tile(inputs, planned, programs, pooled=pooled)
        self.owner, self.classes, self.columns, self.note = inputs.owner, inputs.num_classes, len(columns), note
        self.device, self.reasons, self.tensors = inputs.input.device, reasons, [layout_of_tensor(t) for t in tensors]
        self.differentiable = inputs.input.requires_grad and torch.is_grad_enabled()
        self.of_scores = [
            k for k, column in enumerate(columns) if column not in OF_TARGETS
        ]  # columns with a derivative
        self.takes_normalizer = all(divides(part.finish) for part in parts)
        self.operations = [program.steps for program in programs if program is not None]
        self.operations += [part.finish.operations for part in parts if isinstance(part.finish, RegionsFinish)]
        self.weights = (*(part.weight for part in parts), offset)
        self.rows = 1 if pooled else inputs.input.shape[0]
        self.room: Room = {}  # outputs of a forward pass
        self.between: Room = {}  # outputs of a backward pass
        ignored = inputs.ignore_index if can_hold(inputs.target, inputs.ignore_index) else None
        given = (*inputs.tensors, inputs.link, ignored, *planned, pooled)
        forward: list[Launch] = []
        work = Work(*given, True, None, recorded=forward, programs=programs)
        chunks, partials, keys = work.passes()
        assert partials is not None
        assert keys is not None
        forward.append(self._last(work, parts, chunks, partials, keys, forward, is_sum=is_sum, offset=offset))
        names = {id(partials): "partials", id(keys): "keys"}
        *self.forward, finishing = [self._template(one, work, names, self.room) for one in forward]
        last = finishing.launch
        self.finishing = [
            finishing._replace(launch=last._replace(options={**last.options, "HAS_NORMALIZER": given}))
            for given in (False, True)
        ]
        backward: list[Launch] = []
        shape = (self.rows, self.classes, self.columns)
        dummy = torch.empty(shape, dtype=torch.float64, device=self.device)
        again = Work(*given, False, dummy, recorded=backward, programs=programs)
        again.passes()
        names = {}
        self.backward = [self._template(one, again, names, self.between) for one in backward]
        self.fits = again.gradient[0] is again.made and all(
            side[0] is None or side[0].data_ptr() == tensor.data_ptr()
            for side, tensor in zip((work.input, work.target, work.weight, work.mask), inputs.tensors, strict=False)
            if tensor is not None
        )
        given_names = zip(_SIDES, inputs.tensors, strict=False)
        self.bools = [name for name, t in given_names if t is not None and t.dtype == torch.bool]

    @property
    def late(self) -> bool:
        """Whether a later call reports invalid labels, to avoid synchronization."""
        return self.device.type != "cpu"

    def _last(
        self, work: Work, parts: Sequence[PlannedPart], chunks: int, partials: Tensor, keys: Tensor,
        forward: list[Launch], *, is_sum: bool, offset: float,
    ) -> Launch:  # fmt: skip
        """The launch that computes the loss, preceded by one that adds partial sums if there are many."""
        self.source = finish.printed(parts, self.columns, self.rows == 1)
        regions, column_count = self.rows * self.classes, self.columns
        of_row = work.n * chunks if work.pooled else chunks
        self._make("totals", (self.rows, self.classes, column_count), torch.float64)
        for name, size in (("problem", 2), ("coefficients", (self.rows, self.classes, column_count))):
            self._make(name, size, torch.float64)
        added: Any = partials
        if partials.numel() > MOST_AT_ONCE:
            room = self.classes * column_count
            most = min(power_of_two(of_row), 256)
            block = min(REDUCED // most, power_of_two(room))
            blocks = -(-room // block)
            self._make("added", (self.rows, self.classes, column_count), torch.float64)
            forward.append(
                Launch(
                    reduce, self.rows * blocks,
                    (partials, keys, work.target, "added", "problem", 0, of_row, room, blocks, self.classes, work.s),
                    {"KEYS": 1, "ROWS": most, "BLOCK": block},
                )
            )  # fmt: skip
            added, of_row = "added", 1
        scored = tuple(None if t is None else t.to(self.device) for t in finish.scored_classes(parts))
        options = [f"option{k}" for k in range(2 * len(parts))]
        return Launch(
            compiled(self.source.name, self.source.text), 1,
            (added, keys, work.target, "totals", "coefficients", "value", "values", "problem",
             self.source.numbers or (0.0, 0.0), "weights", "normalizer", scored, *options,
             len(keys), self.rows, of_row, self.classes, work.s),
            {"GRAD": self.differentiable, "OFFSET": offset != 0, "IS_SUM": is_sum,
             "KEYS": min(power_of_two(len(keys)), 1024), "CHUNKS": _CHUNKS,
             "BLOCK": min(_BLOCK, power_of_two(regions))},
        )  # fmt: skip

    def _make(self, name: str, shape: Any, dtype: torch.dtype, room: Room | None = None) -> None:
        room = self.room if room is None else room
        room[name] = shape, torch.empty(0, dtype=dtype, device=self.device)

    def _template(self, one: Launch, work: Work, names: dict[int, str], room: Room) -> Template:
        """A recorded launch, without the tensors of the recording."""
        arguments = list(one.arguments)
        given: list[tuple[int, Callable[[Tensors], Any]]] = []
        sides = {id(getattr(work, name)): name for name in _SIDES if getattr(work, name)[0] is not None}
        for place, argument in enumerate(arguments):
            if id(argument) in sides:
                given.append((place, _side(sides[id(argument)], argument[1:])))
            elif argument is work.coefficients and work.coefficients[0] is not None:
                given.append((place, _coefficients(work.coefficients[1])))
            elif isinstance(argument, str):
                given.append((place, _named(argument)))
            elif isinstance(argument, Tensor):
                name = "logit_bias" if argument is work.logit_bias else names.get(id(argument), "")
                if not name:
                    name = names[id(argument)] = f"between{len(names)}"
                if name != "logit_bias":
                    self._make(name, argument.shape, argument.dtype, room)
                given.append((place, _named(name)))
            else:
                continue
            arguments[place] = None
        return Template(one._replace(arguments=tuple(arguments)), given)

    def __call__(self, call: Call) -> Tensor | None:
        """The value of the loss; None if a launch raised, for the fallback to the registered operators."""
        values.raise_pending()
        try:
            if self.differentiable:
                result: Tensor = _apply(call.input, call)
            else:
                result, made = self.evaluate(call)
                call.problem = made["problem"]
        except Exception as error:
            if first_use.is_shortage(error) or torch._C._get_tracing_state() is not None:
                raise
            self._fail(error)
            return None
        problem, call.problem = call.problem, None
        values.report_problem(self.owner, self.classes, problem, result, late=self.late)
        return result

    def _fail(self, error: Exception) -> None:
        first_use.failed(self.form, self.owner, error)
        self.serves = False

    def prove(self, call: Call) -> str:
        """The problem with the last kernel of this loss, compared once per device; an empty string if there is none."""
        define, self.define = self.define, None
        assert define is not None
        if first_use.is_capturing(call.input):
            return first_use.NOT_COMPARED

        def compare() -> str:
            first_use.within_limit(lambda: self.evaluate(call, only_compiled=True) and None)
            return compared(self, call, define)

        return first_use.prove((self.device, self.source.text, self.differentiable), self.owner, compare)

    def evaluate(self, call: Call, *, only_compiled: bool = False) -> tuple[Tensor, Tensors]:
        """The value, and the other outputs of the launches."""
        made: Tensors = {name: like.new_empty(shape) for name, (shape, like) in self.room.items()}
        value = torch.empty((), dtype=torch.float32, device=self.device)
        made |= self._given(call.input, call.target, call.weight, call.mask, call.logit_bias)
        made |= {"value": value, "values": call.values}
        weights = self.weights if call.part_weights is None else (*call.part_weights, self.weights[-1])
        made["weights"], made["normalizer"] = weights, _as_two(call.normalizer)
        for k, option in enumerate(call.options or (None,) * (2 * len(self.weights) - 2)):
            made[f"option{k}"] = option
        with on(self.device):
            for one in (*self.forward, self.finishing[call.normalizer == call.normalizer]):
                one(made, only_compiled=only_compiled)
        return value, made

    def gradient(self, call: Call, coefficients: Tensor, upstream: Tensor) -> Tensor:
        """The gradient by the input, given the incoming gradient and the derivative by each total."""
        given = self._given(call.input, call.target, call.weight, call.mask, call.logit_bias)
        given |= {"gradient": torch.empty_like(call.input), "coefficients": coefficients, "upstream": upstream}
        given |= {name: like.new_empty(shape) for name, (shape, like) in self.between.items()}
        with on(self.device):
            for one in self.backward:
                one(given)
        result: Tensor = given["gradient"]
        return result

    def _given(self, *tensors: Tensor | None) -> Tensors:
        given: Tensors = dict(zip((*_SIDES[:4], "logit_bias"), tensors, strict=True))
        for name in self.bools:
            given[name] = given[name].view(torch.uint8)
        return given


def _side(name: str, strides: tuple[int, ...]) -> Callable[[Tensors], Any]:
    return lambda tensors: (tensors[name], *strides)


def _coefficients(step: int) -> Callable[[Tensors], Any]:
    return lambda tensors: (tensors["coefficients"], step, tensors["upstream"])


def _named(name: str) -> Callable[[Tensors], Any]:
    return lambda tensors: tensors[name]


def _as_two(number: float) -> tuple[float, ...]:
    """A number for the kernel, or zeros if it is NaN (absent)."""
    return Numbers([number]).arguments if number == number else (0.0, 0.0)


class DeviceLoss(torch.autograd.Function):
    """The whole loss as one autograd node."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, call: Call) -> Tensor:
        plan: DevicePlan = call.plan
        value, made = plan.evaluate(call)
        call.problem, ctx.coefficients, call.values = made["problem"], made["coefficients"], None
        ctx.save_for_backward(input, call.target, call.weight, call.mask, *(call.options or ()))
        ctx.call = Call(plan, call.loss, call.state, None, None, None, None)  # type: ignore[arg-type] # autograd has them
        ctx.call.logit_bias, ctx.call.part_weights = call.logit_bias, call.part_weights
        ctx.call.normalizer = call.normalizer
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        tensors, call, plan = ctx.saved_tensors, ctx.call, ctx.call.plan
        if torch.is_grad_enabled():
            return differentiated(tensors, call, grad), None
        batched = torch._C._functorch.is_batchedtensor(grad) or torch._C._functorch.is_legacy_batchedtensor(grad)
        same = plan.tensors == [layout_of_tensor(tensor) for tensor in tensors]
        if same and not batched and plan.serves:
            try:
                return plan.gradient(call.with_tensors(tensors), ctx.coefficients, grad), None
            except Exception as error:
                if first_use.is_shortage(error):
                    raise
                plan._fail(error)
        again = call.with_tensors(tensors)
        with torch.enable_grad():
            again.input = again.input.detach().requires_grad_()
            (found,) = torch.autograd.grad(again.by_operators(), again.input)
        return (found.to(grad.dtype) * grad).to(found.dtype), None


_apply: Callable[..., Tensor] = super(torch.autograd.Function, DeviceLoss).apply


def compared(plan: DevicePlan, call: Call, define: Callable[[Tensor, Call], Tensor]) -> str:
    """The difference between the last kernel and the same formula in plain PyTorch."""
    with torch.inference_mode(False), torch.no_grad():
        value, made = plan.evaluate(call)
        added = made["partials"].view(plan.rows, -1, plan.classes, plan.columns).sum(1)
        if not bool(value.isfinite()):
            return first_use.NOTHING_TO_COMPARE
        if not bool(((added - made["totals"]).abs() <= 1e-12 * (1 + added.abs())).all()):
            return "the sum of its partial sums differs from plain PyTorch's"
        with torch.enable_grad():
            exact = define(added.requires_grad_(), call)
            (slopes,) = torch.autograd.grad(exact, added)
        exact = exact.detach()
        if not bool((value.double() - exact).abs() <= _ROUNDING * (1 + exact.abs())):
            return "its value, from the same sums, differs from plain PyTorch's"
        slopes = slopes[..., plan.of_scores]
        beyond = (made["coefficients"][..., plan.of_scores] - slopes).abs() > _ROUNDING * slopes.abs().max()
        if plan.differentiable and bool(beyond.any()):
            return "its derivative, from the same sums, differs from plain PyTorch's"
    return ""


_ROUNDING = 4e-7
