"""State: a call leaves nothing behind that changes the next one, and what a loss holds moves with it."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker import draws
from losskit.checker.checks.tools import close, code, is_random, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.listening import CallRecorder
from losskit.checker.registry import check
from losskit.checker.subject import LossRaised, Subject
from losskit.checker.uses import MODE


@check(
    "has-memory",
    Severity.WRONG,
    why="The loss of a batch depends on earlier batches: validation and resumed runs give other numbers.",
    fix="Store nothing on self in forward, or only in training mode and in a buffer.",
    consequence_of=("changes-inputs",),
    anyhow=True,
)
def has_memory(subject: Subject) -> Iterator[Found]:
    """Does a call have no effect on the next one?"""
    one, other = subject.example(0), subject.example(1)
    criterion = subject.build()
    reordered = tuple(each.flip(0) if each.dim() else each for each in one)  # labels are in order in examples
    numbers = [_once(subject, criterion, one), tried(_once, subject, criterion, other)]
    numbers += [tried(_once, subject, criterion, each) for each in (reordered, one)]
    if numbers[3] is None:
        what = "the same call raises the second time"
        yield Found(what, {"first": numbers[0]}, code(subject, *one, lines=("print({call}, {call}, {call})",)))
    elif not close(numbers[0] or 0.0, numbers[3], 1e-6, 1e-9):
        switch = any(each.startswith("update") for each in subject.spec.arguments)  # turns the memory off
        averages = _keeps_average(subject, criterion)
        how = ", by a moving average in a buffer" if averages else ""
        yield Found(
            f"the same call gives another number the second time{how}",
            {"first": numbers[0], "after another call": numbers[3]},
            code(subject, *one, lines=("print({call}, {call}, {call})",)),
            Severity.PROPERTY if averages or switch or subject.words.say(_SCHEDULE) else None,
        )
    else:
        stored = [*_of_first_shape(subject, one)]
        yield from stored
        if not stored and not subject.spec.way.inside and not is_random(subject):
            yield from _of_another_call(subject)


_SCHEDULE = r"warm.?up|anneal|schedul|ramps?\b|grows|training (calls|steps)|curriculum"  # documented


def _once(subject: Subject, criterion: Any, tensors: tuple[Tensor, ...]) -> float:
    draws.seed()
    with torch.set_grad_enabled(subject.spec.way.inside):
        made = subject.call(criterion, *(each.clone() for each in tensors))
    return float(made.detach().double().mean())


def _of_first_shape(subject: Subject, first: tuple[Tensor, ...]) -> Iterator[Found]:
    """Whether tensors of another shape or precision give what a new instance gives."""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module) or any(True for _ in criterion.parameters()) or is_random(subject):
        return  # the shapes of parameters may follow from the first call
    for what, tensors in _others(subject):
        right = tried(value, subject, *tensors)
        used = subject.build()
        if right is None or not math.isfinite(right) or tried(_once, subject, used, first) is None:
            continue
        found = tried(_once, subject, used, tensors)
        if (found is None or not close(found, right, 1e-3)) and not _keeps_average(subject, used):
            shapes = f"{tuple(first[0].shape)} {_name(first[0])}, then {tuple(tensors[0].shape)} {_name(tensors[0])}"
            how = "raises" if found is None else "gives another number"
            yield Found(
                f"after a call, tensors of another {what} are computed with what the first call stored: it {how}",
                {"after another call": "raises" if found is None else found, "new instance": right, "shapes": shapes},
                code(subject, *tensors),
            )
            return


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _others(subject: Subject) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    spec = subject.spec
    yield "number of samples", subject.example(batch=subject.samples + 1)
    if spec.spatial:
        yield "size", subject.example(size=tuple(each + 2 for each in spec.spatial))
    if not spec.labels:
        yield "number of channels", subject.example(classes=spec.classes + 1)
        yield "precision", subject.example(dtype=torch.float64)


def _of_another_call(subject: Subject) -> Iterator[Found]:
    """Whether a call in another mode, or with another number of samples, changes the next one."""
    tensors = subject.example(0)
    flags = [each for each in subject.spec.way.extras if each.sort == MODE and isinstance(each.value, bool)]
    before: list[tuple[str, tuple[Tensor, ...], dict[str, Any]]] = [
        (f"{each.name}={not each.value}", tensors, {each.name: not each.value}) for each in flags
    ]
    before.append(("another number of samples", subject.example(1, batch=4), {}))
    right = tried(value, subject, *tensors)
    for what, others, given in before:
        criterion = subject.build()
        try:
            with torch.no_grad():
                subject.call(criterion, *others, **given)
        except LossRaised:
            continue
        try:
            draws.seed()
            with torch.no_grad():
                after = float(subject.call(criterion, *tensors).double().mean())
        except LossRaised:
            after = math.nan
        if right is not None and math.isfinite(right) and not close(after, right, 1e-5, 1e-8):
            lines = (f"print({subject.call_code(**given)}, {subject.call_code()})",)
            yield Found(
                f"a call with {what} changes what the next one returns: something of it is kept on the loss",
                {"after it": after, "alone": right},
                code(subject, *tensors, lines=lines),
                Severity.PROPERTY if _keeps_average(subject, criterion) else None,
            )
            return


def _keeps_average(subject: Subject, criterion: Any) -> bool:
    """Whether a loss says that it keeps a moving average or a queue, and a buffer of it has changed."""
    if not isinstance(criterion, nn.Module) or not re.search(
        r"momentum|\bema\b|ema_|decay|moving|queue", subject.words.code
    ):
        return False
    fresh = subject.build()
    before = dict(fresh.named_buffers()) if isinstance(fresh, nn.Module) else {}
    return any(not torch.equal(before[name], held) for name, held in criterion.named_buffers() if name in before)


@check(
    "left-behind",
    Severity.TRAP,
    why="The loss works on the CPU in float32 alone: to('cuda'), half() and double() leave its tensors where they are.",
    fix="self.register_buffer('kernel', kernel), or kernel.to(input) where it is used.",
    consequence_of=("has-memory",),
)
def left_behind(subject: Subject) -> Iterator[Found]:
    """Do the tensors that a module makes for itself move with it to another device and precision?"""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module) or not (names := _own_tensors(subject, criterion)):
        return
    double = subject.example(dtype=torch.float64)
    error = _refusal(subject, subject.build().double(), double)  # type: ignore[attr-defined]
    mixed = _mixes_devices(subject, names)
    moved = any(re.search(rf"self\.{name}(\.cuda\(|\.to\()", subject.words.code) for name in map(str.lower, names))
    promised = subject.words.say(r"\.to\(|\.cuda\(|\.double\(|\.half\(|\bgpu\b|any (device|dtype|precision)")
    if (_OF_PRECISION.search(error) and mixed) or (promised and (mixed or _OF_PRECISION.search(error))):
        which = " and ".join(names)
        lines = ("criterion = criterion.double()", "print({call})")
        yield Found(
            f"{which}, made by the loss itself, {'does' if len(names) == 1 else 'do'} not move with it: it fails on "
            "another device" + (" and in another precision" if error else ""),
            error or f"{which} stays on the CPU",
            code(subject, *double, lines=lines),
            Severity.TRAP if moved else Severity.WRONG,
        )


_OF_PRECISION = re.compile(r"dtype|scalar type|same type|type \w*Tensor", re.IGNORECASE)
_MOVES = {*("to", "type_as", "copy_", "is_same_size", "expand_as", "view_as", "reshape_as"), "__get__"}


def _own_tensors(subject: Subject, criterion: nn.Module) -> list[str]:
    """The attributes that are tensors of real numbers, neither registered nor given by the user."""
    given = [each for each in subject.origin.options.values() if isinstance(each, Tensor)]
    found = []
    for inner in criterion.modules():
        for name, held in vars(inner).items():
            if isinstance(held, Tensor) and held.is_floating_point() and held.dim() and not held.requires_grad:
                found += [name] if all(held is not each and not _equal(held, each) for each in given) else []
    return found


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.double(), other.double())


def _refusal(subject: Subject, criterion: Any, tensors: tuple[Tensor, ...]) -> str:
    try:
        _once(subject, criterion, tensors)
    except LossRaised as error:
        return str(error)[:200]
    return ""


def _mixes_devices(subject: Subject, names: list[str]) -> bool:
    """Whether an operation combines one of these tensors with a tensor of the device that the module was moved to."""
    criterion: Any = subject.build()
    criterion = criterion.to("meta")
    own = [held for inner in criterion.modules() for name, held in vars(inner).items() if name in names]
    recorder = CallRecorder()
    with contextlib.suppress(LossRaised, NotImplementedError), recorder:
        subject.call(criterion, *(each.to("meta") for each in subject.example()))
    return any(
        any(given is each for given in call.tensors for each in own)
        and any(given.is_meta for given in call.tensors)
        and call.name not in _MOVES
        for call in recorder.calls
    )
