"""Pass: what the parts of a loss read in common. Plans: how one C call computes a loss of one layout of tensors.

Parts with equal input specs read the tensors once, and columns that several parts need are summed once. This is
resolved again when an option changes. The first call with a layout selects its operator. A loss is a
`losskit.core.summable.PlannedLoss` or a sum of some.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from losskit import ops
from losskit.ops import choice, differences, first_use, reference
from losskit.ops.captured import Watched, exact
from losskit.ops.columns import Column, kernel_columns, programs_of
from losskit.ops.constants import MOST_NUMBERS, MOST_PARTS
from losskit.ops.inputs import Inputs
from losskit.ops.layouts import layout_of, layout_of_number, layout_of_option, serves_plain_code
from losskit.ops.learned import PlanOfNumbers
from losskit.ops.plan import Call, Plan, PlannedPart, Plans
from losskit.ops.tape import Untraceable
from losskit.ops.values import pending, raise_pending

# A user-defined class or object that overrides one of these is not what its base's plan computes.
REPLACED = frozenset(
    ("by_class", "check", "check_classes", "class_weights", "columns", "combine", "conclude", "difference", "elements",
     "evaluate", "finish", "formula", "forward", "is_mean", "logit_bias", "pairs", "per_class", "per_element",
     "per_sample", "pools", "reduced", "size", "spec", "sums_from_totals", "term", "totals", "truth_weight",
     "truth_weights", "weighed", "weights")
)  # fmt: skip


Watching = dict[Any, Watched]  # values outside a loss that its formulas read
_TRACED = frozenset(("per_class", "per_element", "term"))  # user-defined formulas of which a plan is traced


def replaces(cls: type) -> bool:
    """Whether a class overrides something that a plan of its base would ignore."""
    return any(
        name in REPLACED - _TRACED and not getattr(value, "__module__", "").startswith("losskit.")
        for name, value in vars(cls).items()
    )


class Pass:
    """The parts of a loss grouped by `InputSpec`; each group reads the tensors once."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.specs: list[tuple[Any, bool, list[int]]] = []
        for index, part in enumerate(parts):
            spec, biased = part.spec, part.logit_bias() is not None
            same = [members for known, other, members in self.specs if known == spec and not (biased or other)]
            if same:
                same[0].append(index)
            else:
                self.specs.append((spec, biased, [index]))

    def inputs(
        self, parts: Sequence[Any], input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None
    ) -> list[tuple[Inputs, list[int]]]:
        """Each distinct canonical form of the tensors, and the parts that read it."""
        found: list[tuple[Inputs, list[int]]] = []
        for spec, biased, members in self.specs:
            first = parts[members[0]]
            read = spec.parse(first.name, input, target, weight, mask, first.logit_bias() if biased else None)
            for index in members:
                parts[index].check_classes(read)
            same = [indices for each, indices in found if each.equals(read)]
            if same:
                same[0].extend(members)
            else:
                found.append((read, list(members)))
        return found

    def sums(
        self, parts: Sequence[Any], input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None
    ) -> list[Any]:
        """The sums of each part, in one pass per canonical form of the tensors."""
        found: dict[int, Any] = {}
        for inputs, members in self.inputs(parts, input, target, weight, mask):
            chosen = [parts[index] for index in members]
            columns, places = shared_columns([part.columns(inputs.link) for part in chosen])
            totals = ops.totals(inputs, columns, pooled=all(part.pools for part in chosen))
            for index, part, places_of_part in zip(members, chosen, places, strict=True):
                found[index] = part.sums_from_totals([totals[k] for k in places_of_part], inputs)
        return [found[index] for index in range(len(parts))]


def shared_columns(wanted: Sequence[Sequence[Column]]) -> tuple[list[Column], list[list[int]]]:
    """The columns of a pass, and the positions of each part's columns in it; region columns are summed once."""
    columns: list[Column] = []
    places: list[list[int]] = []
    for of_part in wanted:
        at = []
        for column in of_part:
            if not (isinstance(column, str) and column in columns):
                columns.append(column)
                at.append(len(columns) - 1)
            else:
                at.append(columns.index(column))
        places.append(at)
    return columns, places


class Compiled:
    """What a loss resolves once, valid until one of its options changes."""

    def __init__(self, loss: Any, state: Any) -> None:
        self.state = state
        parts: Sequence[Any] = loss.planned_parts()
        self.planned = 0 < len(parts) <= MOST_PARTS and all(part.planned and not part.is_sum for part in parts)
        self.planned = self.planned and all(vars(each).keys().isdisjoint(REPLACED) for each in (loss, *parts))
        self.has_options = self.has_bias = self.has_numbers = False
        self.watched: Watching = {}  # values outside the loss that formulas of its plans read
        if self.planned:
            self.has_options = any(t is not None for part in parts for t in part.option_tensors())
            self.has_bias = any(part.logit_bias() is not None for part in parts)
            self.has_numbers = bool(loss.number_tensors())

    @property
    def is_stale(self) -> bool:
        """Whether a value outside the loss has changed."""
        for read, value in self.watched.values():  # a loop, since this runs in every call
            now = read()
            if now is not value and exact(now) != exact(value):
                return True
        return False


class NoPlan:
    """Takes the place of a plan where the registered operators compute the loss."""

    serves = False

    def __init__(self, reason: str = "", *, lasts: bool = True) -> None:
        self.reason = reason  # why a formula could not become a program
        self.lasts = lasts  # whether this is so for every call with the layout


def planned(
    loss: Any, input: Any, target: Any, weight: Any = None, mask: Any = None, normalizer: Any = None,
    values: Tensor | None = None, weights: Sequence[float | Tensor] | None = None,
) -> Tensor | None:  # fmt: skip
    """The loss in one C call, or None where the registered operators compute it.

    `values` (parts,) receives the values of the parts of a sum; `weights` are their weights where these vary.
    """
    is_recorded = choice.begins_recorded()
    if not serves_plain_code():
        return None
    if pending():
        raise_pending()
    key = layout_of(input, target, weight, mask)
    state = loss.plan_state()
    if key is None or state is None:
        return None
    plans: Plans = loss.plans
    compiled = plans.compiled
    if compiled is None or compiled.state != state or (compiled.watched and compiled.is_stale):
        compiled = plans.renew(Compiled(loss, state))
    if not compiled.planned:
        return None
    options = numbers = None
    if compiled.has_options or compiled.has_numbers:
        options, numbers = _tensors_read(compiled, loss)
        of_options = _layout_of_options(options, numbers, input)
        if of_options is None:
            return None
        key += of_options
    plan: Any = plans.get(key) or _new(plans, compiled, key, loss, input, target, weight, mask, options)
    if not plan.serves:
        choice.refuse_formula(plan.reason)
        return None
    if numbers is not None:
        plan = plan.with_numbers(numbers)
    call = Call(plan, loss, state, input, target, weight, mask)
    call.options, call.values, call.numbers = options, values, numbers
    varies = compiled.has_bias or loss.varies or normalizer is not None
    if varies and not _set_numbers(call, compiled, normalizer, weights):
        return None
    if is_recorded or plan.define is not None:
        return _called(plan, call, key, plans)
    value: Tensor | None = plan(call)
    return value


def _tensors_read(compiled: Compiled, loss: Any) -> tuple[list[Tensor | None] | None, dict[str, Tensor] | None]:
    """The tensor options of all parts, and the 0-dim tensors that the formula reads."""
    options = None
    if compiled.has_options:
        options = [tensor for part in loss.planned_parts() for tensor in part.option_tensors()]
    return options, loss.number_tensors() if compiled.has_numbers else None


def _layout_of_options(
    options: Sequence[Tensor | None] | None, numbers: dict[str, Tensor] | None, input: Tensor
) -> tuple[Any, ...] | None:
    """What a plan depends on, of tensor options; None if kernels cannot read them."""
    layouts = [None if tensor is None else layout_of_option(tensor, input.device) for tensor in options or ()]
    layouts += [layout_of_number(tensor) for tensor in (numbers or {}).values()]
    if False in layouts or (numbers and (len(numbers) > MOST_NUMBERS or not input.is_cpu)):
        return None
    return (*layouts, tuple(numbers or ()))


def _new(
    plans: Plans, compiled: Compiled, key: Any, loss: Any, input: Tensor, target: Tensor, weight: Tensor | None,
    mask: Tensor | None, options: Sequence[Tensor | None] | None,
) -> Any:  # fmt: skip
    """Make the plan of a layout and cache it."""
    plan = _made(loss, input, target, weight, mask, options, compiled.watched)
    if plan.lasts and plans.compiled is compiled:  # else another thread has set an option meanwhile
        plans.keep(key, plan)
    return plan


def _set_numbers(call: Call, compiled: Compiled, normalizer: Any, weights: Sequence[float | Tensor] | None) -> bool:
    """Read the numbers that vary between calls of one layout; False if one is no number or needs a gradient."""
    loss = call.loss
    if normalizer is not None:
        if isinstance(normalizer, Tensor):
            plain = normalizer.dim() == 0 and normalizer.is_cpu and not normalizer.requires_grad
            normalizer = normalizer.item() if plain else None
        if not call.plan.takes_normalizer or not isinstance(normalizer, (int, float)):
            return False
        call.normalizer = float(normalizer)
        if math.isnan(call.normalizer):  # C reads NaN as no normalizer
            return False
    if loss.varies:
        weights = loss.weights() if weights is None else weights
        if any(isinstance(weight, Tensor) and weight.requires_grad for weight in weights):
            return False
        call.part_weights = [float(weight) for weight in weights]
    if compiled.has_bias:
        bias = loss.planned_parts()[0].logit_bias()  # a part with one shares no pass
        if bias is None or bias.requires_grad or bias.device != call.input.device or len(bias) != call.plan.classes:
            return False
        call.logit_bias = bias.to(torch.float32).contiguous()
    return True


def _made(
    loss: Any, input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None,
    options: Sequence[Tensor | None] | None, watched: Watching,
) -> Any:  # fmt: skip
    """The plan of a layout, after the inputs are checked."""
    parts: Sequence[Any] = loss.planned_parts()
    if input.dim() == 0 or input.is_complex() or target.is_complex():
        return NoPlan()
    groups = Pass(parts).inputs(parts, input, target, weight, mask)
    inputs = groups[0][0]
    if inputs.target.data_ptr() != target.data_ptr():  # it was converted, and a plan does not convert
        return NoPlan()
    neutral = {tuple(part.neutral_numbers()) for part in parts}
    if len(groups) > 1 or len(neutral) > 1:
        return NoPlan()
    numbers = loss.number_tensors()
    if loss.is_sum and any(part.number_tensors() for part in parts):
        return NoPlan("a part of the sum has a tensor option")
    learned = [k for k, tensor in enumerate(numbers.values()) if layout_of_number(tensor)[1]]
    try:
        finishes = [part.finish_plan(inputs, watched) for part in parts]
        of_parts = [part.planned_columns(inputs, watched) for part in parts]
        if learned:
            derivatives = loss.derivative_columns(inputs, watched)
            finishes += finishes * len(learned)
            of_parts += [derivatives[k] for k in learned]
    except Untraceable as reason:
        return NoPlan(str(reason))
    if inputs.link == "difference" and (len(parts) > 1 or choice.unavailable("native", input)):
        of_parts = [differences.as_programs(each) for each in of_parts]
    columns, places = shared_columns(of_parts)
    programs = programs_of(columns)
    reasons = {name: choice.refusal(name, inputs, kernel_columns(columns), programs) for name in choice.FUSED}
    if None in finishes or all(reasons.values()):
        return NoPlan()
    weights = loss.numbers if loss.is_sum else [1.0] * len(finishes)
    each = [
        PlannedPart(finish, number, of_part, at)
        for finish, number, of_part, at in zip(finishes, weights, of_parts, places, strict=True)
        if finish is not None
    ]
    pooled = all(part.pools for part in parts)
    settled: dict[str, Any] = {"pooled": pooled, "is_sum": loss.is_sum, "offset": loss.offset if loss.is_sum else 0.0}
    tensors = (input, target, weight, mask, *(options or ()))
    if reasons["native"]:
        return _made_on_device(loss, tensors, inputs, columns, each, reasons, **settled)
    settled |= {"reasons": reasons, "neutral": neutral.pop()}
    if numbers:
        names = list(numbers)
        made: Plan = PlanOfNumbers(
            tensors, inputs, columns, each, derivatives=len(learned), numbers=len(names), **settled
        ).differentiating([names[k] for k in learned])
    else:
        made = Plan(tensors, inputs, columns, each, **settled)
    return made if made.fits else NoPlan()


def _made_on_device(
    loss: Any, tensors: Sequence[Tensor | None], inputs: Inputs, columns: Sequence[Column], each: list[PlannedPart],
    reasons: dict[choice.Operator, str], *, pooled: bool, **settled: Any,
) -> Any:  # fmt: skip
    """The plan of a layout by Triton kernels, if these compute the same as plain PyTorch."""
    planned = kernel_columns(columns)
    assert planned is not None
    parts = loss.planned_parts()

    def defined(inputs: Inputs) -> Tensor:
        if inputs.link == "difference":
            return differences.defined(
                [(part.weighed, given.places) for part, given in zip(parts, each, strict=True)], inputs
            )
        return reference.totals(inputs, shared_columns([part.columns(inputs.link) for part in parts])[0])

    try:
        verdict = first_use.verdict(inputs, planned, programs_of(columns), defined, pooled=pooled)
    except Untraceable as reason:
        return NoPlan(str(reason))
    if verdict.problem or not all(option is None or option.is_contiguous() for option in tensors[4:]):
        return NoPlan(lasts=verdict.failed)
    from losskit.ops.triton.plan import DevicePlan  # needs Triton, which is optional

    settled |= {"pooled": pooled, "user_defined": any(not type(p).__module__.startswith("losskit.") for p in parts)}
    try:
        made = DevicePlan(tensors, inputs, columns, each, reasons=reasons, note=verdict.note, **settled)
    except Untraceable as reason:
        return NoPlan(str(reason))
    if not made.fits:
        return NoPlan()

    def define(totals: Tensor, call: Call) -> Tensor:
        columns = (totals[0] if pooled else totals).unbind(-1)
        normalizer = None if math.isnan(call.normalizer) else call.normalizer
        values = [
            part.finish(part.sums_from_totals([columns[k] for k in given.places], inputs), normalizer=normalizer)
            for part, given in zip(parts, each, strict=True)
        ]
        weights = call.part_weights or loss.numbers if loss.is_sum else None
        value: Tensor = values[0] if weights is None else loss.combine(values, weights)
        return value

    made.define, made.lasts = define, False
    return made


def _called(plan: Any, call: Call, key: Any, plans: Plans) -> Tensor | None:
    """The value of a plan on a device, or of a recorded call; None where the registered operators must compute it."""
    if plan.define is not None and not _proven(plan, call, key, plans):
        return None
    value: Tensor | None = plan(call)
    if value is not None and choice.is_recorded():
        with choice.noting(plan.note):
            choice.choose(plan.owner, plan.columns, plan.reasons, gradient_in_forward=plan.gradient_in_forward,
                          operations=plan.operations)  # fmt: skip
    return value


def _proven(plan: Any, call: Call, key: Any, plans: Plans) -> bool:
    """Whether a plan on a device computes the same as plain PyTorch; a definite answer is cached."""
    problem = plan.prove(call)
    choice.refuse_formula(problem)
    if problem not in (first_use.NOT_COMPARED, first_use.NOTHING_TO_COMPARE):
        plans.keep(key, NoPlan(problem) if problem else plan)
    return not problem
