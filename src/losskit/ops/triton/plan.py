"""A whole loss on a GPU for tensors of one layout: two launches forward, one backward, and no synchronization.

A plan caches everything but the tensors of a call. The first launch reads the input. The second adds the partial sums,
computes the loss, and stores its derivative by each total. The launch of the backward pass multiplies this by the
incoming gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from losskit.ops import choice, first_use, late, processes
from losskit.ops.columns import OF_TARGETS, Column, kernel_columns, programs_of
from losskit.ops.finish import RegionsFinish
from losskit.ops.inputs import Inputs, can_hold
from losskit.ops.layouts import are_laid_out, layout_of_tensor
from losskit.ops.plan import Call, PlannedPart, differentiated, divides
from losskit.ops.triton import finish, prepared
from losskit.ops.triton.kernels.printed import compiled
from losskit.ops.triton.kernels.reduction import reduce
from losskit.ops.triton.launch import MOST_AT_ONCE, REDUCED, Launch, Work, on, power_of_two
from losskit.ops.triton.prepared import Room, Steps, addresses_of, bytes_of
from losskit.ops.triton.source import Numbers
from losskit.ops.values import report_problem

IMMEDIATE = ("cpu",)  # devices on which reading a number back does not stall a queue
_BLOCK = 128  # regions that the last kernel processes at a time
_CHUNKS = 16  # partial sums per region that it adds at a time
_SIDES = ("input", "target", "weight", "mask")
# The values of a call in order, followed by the tensors of its room and by constants.
_FORWARD = (*_SIDES, "logit_bias", "value", "values", "coefficients", "problem", "weights", "normalizer")
_BACKWARD = (*_SIDES, "gradient", "coefficients", "logit_bias")
_NO_NUMBER = (0.0, 0.0)


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
        note: str = "", user_defined: bool = True,
    ) -> None:  # fmt: skip
        """`user_defined`: a formula of the parts is not of this package, so that no device is trusted with it."""
        self.user_defined = user_defined
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
        self.regions = self.rows * self.classes * self.columns
        self.late = self.device.type not in IMMEDIATE  # whether a later call reports invalid labels
        self.room, self.between = Room(), Room()  # what the launches of a pass hand on
        ignored = inputs.ignore_index if can_hold(inputs.target, inputs.ignore_index) else None
        given = (*inputs.tensors, inputs.link, ignored, *planned, pooled)
        forward: list[Launch] = []
        work = Work(*given, True, None, recorded=forward, programs=programs)
        chunks, partials, keys = work.passes()
        assert partials is not None
        assert keys is not None
        forward.append(self._last(work, parts, chunks, partials, keys, forward, is_sum=is_sum, offset=offset))
        self.no_options = (None,) * (2 * len(parts))
        options = tuple(f"option{k}" for k in range(2 * len(parts)))
        tensors_of_room = {id(partials): "partials", id(keys): "keys"}
        of_launches = _places(forward, (*_FORWARD, *options), work, self.room, tensors_of_room)
        places, self.forward_constants = of_launches
        self.forward = []  # without and with a normalizer, each without and with values of the parts
        for has_normalizer in (False, True):
            forward[-1] = forward[-1]._replace(options={**forward[-1].options, "HAS_NORMALIZER": has_normalizer})
            self.forward += [Steps(forward, places), Steps(forward, places)]
        backward: list[Launch] = []
        dummy = torch.empty((self.rows, self.classes, self.columns), dtype=torch.float64, device=self.device)
        again = Work(*given, False, dummy, recorded=backward, programs=programs)
        again.passes()
        self.key = self.device, self.source.text, self.differentiable  # of the last kernel
        self.names = processes.name_of(self.form), processes.name_of(self.key)
        places, self.backward_constants = _places(backward, _BACKWARD, again, self.between, {})
        self.backward = Steps(backward, places)
        self.strides = [side[1:] for side in (again.input, again.target, again.weight, again.mask, again.gradient)]
        self.step = again.coefficients[1]
        self.fits = again.gradient[0] is again.made and all(
            side[0] is None or side[0].data_ptr() == tensor.data_ptr()
            for side, tensor in zip((work.input, work.target, work.weight, work.mask), inputs.tensors, strict=False)
            if tensor is not None
        )

    def _last(
        self, work: Work, parts: Sequence[PlannedPart], chunks: int, partials: Tensor, keys: Tensor,
        forward: list[Launch], *, is_sum: bool, offset: float,
    ) -> Launch:  # fmt: skip
        """The launch that computes the loss, preceded by one that adds partial sums if there are many."""
        self.source = finish.printed(parts, self.columns, self.rows == 1)
        regions, column_count = self.rows * self.classes, self.columns
        of_row = work.n * chunks if work.pooled else chunks
        self.room.add("totals", (self.rows, self.classes, column_count), torch.float64)
        added: Any = partials
        if partials.numel() > MOST_AT_ONCE:
            room = self.classes * column_count
            most = min(power_of_two(of_row), 256)
            block = min(REDUCED // most, power_of_two(room))
            blocks = -(-room // block)
            self.room.add("added", (self.rows, self.classes, column_count), torch.float64)
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

    def __call__(self, call: Call) -> Tensor | None:
        """The value of the loss; None if kernels failed, for the fallback to the registered operators."""
        processes.read()
        if processes.failed and not processes.failed.isdisjoint(self.names):
            self.serves, self.reason = False, processes.FAILED_ELSEWHERE
            choice.refuse_formula(self.reason)
            return None
        try:
            if self.differentiable:
                result: Tensor = _apply(call.input, call)
            else:
                result = self.evaluate(call)[0]
        except Exception as error:
            if first_use.is_shortage(error) or torch._C._get_tracing_state() is not None:
                raise
            self._fail(error)
            return None
        problem, call.problem = call.problem, None
        if problem is not None:
            report_problem(self.owner, self.classes, problem, result, late=False)
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

        return first_use.prove(self.key, self.owner, compare, user_defined=self.user_defined)

    def evaluate(
        self, call: Call, *, only_compiled: bool = False, is_reported: bool = True
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The value, the memory of the room, and the derivative by each total if the loss is differentiable."""
        device = self.device
        value = torch.empty((), dtype=torch.float32, device=device)
        memory = torch.empty(self.room.size, dtype=torch.uint8, device=device)
        kept = torch.empty(self.regions, dtype=torch.float64, device=device) if self.differentiable else None
        stream = None if only_compiled else prepared.stream_of(device)
        rows: Any = None
        problem: Any = None
        if self.late and is_reported and not only_compiled:
            rows, place = late.row_of(self.owner, self.classes, device, stream)
        if rows is None:
            problem = torch.empty(2, dtype=torch.float64, device=device)
            call.problem = None if self.late else problem
        has_normalizer = call.normalizer == call.normalizer
        steps = self.forward[2 * has_normalizer + (call.values is not None)]
        weights = self.weights if call.part_weights is None else (*call.part_weights, self.weights[-1])
        numbers = weights, _as_two(call.normalizer) if has_normalizer else _NO_NUMBER
        options = self.no_options if call.options is None else call.options
        given: Any = (
            call.input, call.target, call.weight, call.mask, call.logit_bias, value, call.values, kept, *options,
        )  # fmt: skip
        addresses, are_aligned = addresses_of(given)
        if are_aligned and steps.are_prepared and stream is not None:
            base = memory.data_ptr()
            given = addresses
            room: list[Any] = [base + offset for offset in self.room.offsets]
            at: Any = rows.address + rows.row_size * place if problem is None else problem.data_ptr()
        else:
            stream = None
            given, room = bytes_of(given), self.room.tensors(memory)
            at = rows.found[place] if problem is None else problem
        a, b, c, d, _ = self.strides
        supplied = (
            (given[0], *a), (given[1], *b), (given[2], *c), (given[3], *d), *given[4:8], at, *numbers, *given[8:],
            *room, *self.forward_constants,
        )  # fmt: skip
        if stream is not None:
            steps.again(stream, supplied)
        else:
            with on(device):
                steps.first(supplied, are_aligned=are_aligned, only_compiled=only_compiled)
        if rows is not None:
            rows.launched()
        return value, memory, kept

    def gradient(self, tensors: Sequence[Any], bias: Tensor | None, coefficients: Tensor, upstream: Tensor) -> Tensor:
        """The gradient by the input, given the incoming gradient and the derivative by each total."""
        gradient = torch.empty_like(tensors[0])
        memory = torch.empty(self.between.size, dtype=torch.uint8, device=self.device) if self.between.size else None
        given: Any = (*tensors[:4], gradient, coefficients, upstream, bias)
        addresses, are_aligned = addresses_of(given)
        stream = prepared.stream_of(self.device) if are_aligned and self.backward.are_prepared else None
        room: Sequence[Any] = ()
        if stream is not None:
            given = addresses
            if memory is not None:
                base = memory.data_ptr()
                room = [base + offset for offset in self.between.offsets]
        else:
            given = bytes_of(given)
            if memory is not None:
                room = self.between.tensors(memory)
        a, b, c, d, e = self.strides
        supplied = (
            (given[0], *a), (given[1], *b), (given[2], *c), (given[3], *d), (given[4], *e),
            (given[5], self.step, given[6]), given[7], *room, *self.backward_constants,
        )  # fmt: skip
        if stream is not None:
            self.backward.again(stream, supplied)
        else:
            with on(self.device):
                self.backward.first(supplied, are_aligned=are_aligned)
        return gradient


def _places(
    launches: Sequence[Launch], names: Sequence[str], work: Work, room: Room, tensors_of_room: dict[int, str]
) -> tuple[list[list[int]], tuple[Any, ...]]:
    """The places of the arguments of launches among the values of a call, and the constants among these values."""
    sides = {id(getattr(work, name)): name for name in (*_SIDES, "gradient") if getattr(work, name)[0] is not None}
    if work.coefficients[0] is not None:
        sides[id(work.coefficients)] = "coefficients"
    if work.logit_bias is not None:
        sides[id(work.logit_bias)] = "logit_bias"
    constants: list[Any] = []
    keys: list[list[str | int]] = []
    for one in launches:
        keys.append([])
        for argument in one.arguments:
            key: str | int = argument if isinstance(argument, str) else sides.get(id(argument), "")
            if not key and isinstance(argument, Tensor):
                key = tensors_of_room.setdefault(id(argument), f"tensor{len(tensors_of_room)}")
                if key not in room.pieces:
                    room.add(key, argument.shape, argument.dtype)
            elif not key:
                key = len(constants)
                constants.append(argument)
            keys[-1].append(key)
    order = {name: place for place, name in enumerate((*names, *room.pieces))}
    return [[order[key] if isinstance(key, str) else len(order) + key for key in each] for each in keys], (*constants,)


def _as_two(number: float) -> tuple[float, ...]:
    """A number for the kernel."""
    return Numbers([number]).arguments


class DeviceLoss(torch.autograd.Function):
    """The whole loss as one autograd node."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, call: Call) -> Tensor:
        plan: DevicePlan = call.plan
        value, _, ctx.coefficients = plan.evaluate(call)
        call.values = None
        ctx.save_for_backward(input, call.target, call.weight, call.mask, *(call.options or ()))
        call.input = call.target = call.weight = call.mask = call.options = None  # type: ignore[assignment] # autograd holds them
        ctx.call = call
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        tensors, call, plan = ctx.saved_tensors, ctx.call, ctx.call.plan
        if torch.is_grad_enabled():
            return differentiated(tensors, call, grad), None
        batched = torch._C._functorch.is_batchedtensor(grad) or torch._C._functorch.is_legacy_batchedtensor(grad)
        if not batched and plan.serves and are_laid_out(tensors, plan.tensors):
            try:
                return plan.gradient(tensors, call.logit_bias, ctx.coefficients, grad), None
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
        value, memory, kept = plan.evaluate(call, is_reported=False)
        call.problem = None
        added = plan.room.tensor(memory, "partials").view(plan.rows, -1, plan.classes, plan.columns).sum(1)
        if not bool(value.isfinite()):
            return first_use.NOTHING_TO_COMPARE
        if not bool(((added - plan.room.tensor(memory, "totals")).abs() <= 1e-12 * (1 + added.abs())).all()):
            return "the sum of its partial sums differs from plain PyTorch's"
        with torch.enable_grad():
            exact = define(added.requires_grad_(), call)
            (slopes,) = torch.autograd.grad(exact, added)
        exact = exact.detach()
        if not bool((value.double() - exact).abs() <= _ROUNDING * (1 + exact.abs())):
            return "its value, from the same sums, differs from plain PyTorch's"
        if kept is None:
            return ""
        slopes, own = slopes[..., plan.of_scores], kept.view_as(slopes)[..., plan.of_scores]
        if bool(((own - slopes).abs() > _ROUNDING * slopes.abs().max()).any()):
            return "its derivative, from the same sums, differs from plain PyTorch's"
    return ""


_ROUNDING = 4e-7
