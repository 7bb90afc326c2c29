"""Checks of values: labels out of range, probabilities outside [0, 1].

On the CPU the error is raised immediately. Under `torch.compile`, under `vmap` and on a GPU, raising would break the
graph or synchronize with the device. There the loss becomes NaN and the next check, or `flush_errors()`, raises the
error. The next check belongs to the next call, or to a later part of the same call if parts are checked separately.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor
from torch._decomp import register_decomposition

from losskit.ops.constants import MOST_WEIGHT, PROBLEMS, ROW_TOLERANCE
from losskit.ops.inputs import Inputs, can_branch, can_hold
from losskit.ops.reference import Elements

_MOST_PENDING = 64
_EARLIER = (
    "This error is from an earlier call, whose loss was NaN, or an earlier part of this one: compiled, vmapped and GPU "
    "code reports errors late."
)


class _Pending:
    """An error to raise later; its values may not have arrived from the device yet."""

    def __init__(self, messages: str | tuple[str, ...], found: Tensor) -> None:
        self.messages = (messages,) if isinstance(messages, str) else messages  # by the kind of problem: 1, 2, ...
        self.found = found.to("cpu", non_blocking=found.is_cuda)  # into pinned memory; synchronous on other devices
        self.event: Any = None
        if found.is_cuda:
            self.event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self.event.record()

    def ready(self) -> bool:
        return self.event is None or (not torch.cuda.is_current_stream_capturing() and bool(self.event.query()))

    def error(self) -> ValueError | None:
        kind, value = self.found.tolist()
        return _late_error(self.messages, int(kind), value) if kind else None


class _PendingRows(_Pending):
    """The problems of several calls, a row (kind, value) each; the first is raised."""

    def __init__(self, losses: Sequence[tuple[str, int]], found: Tensor) -> None:
        super().__init__((), found)
        self.losses = losses  # name and number of classes

    def error(self) -> ValueError | None:
        for (owner, classes), (kind, value) in zip(self.losses, self.found.tolist(), strict=True):
            if kind:
                return _late_error(_messages(owner, classes), int(kind), value)
        return None


def _late_error(messages: Sequence[str], kind: int, value: float) -> ValueError:
    return ValueError(f"{messages[kind - 1].replace('{value}', f'{value:g}')} {_EARLIER}")


class Open(Protocol):
    """Problems that a device has not sent yet."""

    def send(self) -> None: ...


_pending: deque[_Pending] = deque(maxlen=_MOST_PENDING)
open_rows: dict[Any, Open] = {}  # by device and stream: see losskit.ops.late


def report_rows(losses: Sequence[tuple[str, int]], found: Tensor) -> None:
    """Raise the first problem of several calls, rows (kind, value), once it has arrived."""
    _pending.append(_PendingRows(losses, found))


def flush_errors() -> None:
    """Raise the first error that compiled, vmapped or GPU code detected but could not raise."""
    for each in list(open_rows.values()):
        each.send()
    for finding in list(_pending):
        if finding.event is not None:
            finding.event.synchronize()
    raise_pending()


def pending() -> bool:
    """Whether an error is waiting to be raised."""
    return bool(_pending)


def raise_pending() -> None:
    """Raise the first pending error that has arrived; cheap if there is none. In compiled code, operators call it."""
    if torch.compiler.is_compiling():
        return
    while _pending and _pending[0].ready():
        error = _pending.popleft().error()
        if error is not None:
            _pending.clear()
            raise error


@torch.library.custom_op("losskit::report_bad_values", mutates_args=())
def _report(found: Tensor, message: str, first: bool) -> Tensor:
    """Rows of (bad, value), (..., 2), to NaN where bad and 0 elsewhere, (...); stores the first message.

    The first check of a call raises pending errors of earlier calls; later checks do not raise those of the first.
    """
    bad, rows = found[..., 0] != 0, found.reshape(-1, 2)
    if len(rows) and not (found.is_cuda and torch.cuda.is_current_stream_capturing()):
        if first:
            raise_pending()
        if found.device.type != "cpu" or bool(bad.any()):
            _pending.append(_Pending(message, rows[rows[:, 0].argmax()]))
    return torch.where(bad, torch.nan, 0.0)


@register_decomposition(torch.ops.losskit.report_bad_values.default)
def _(found: Tensor, message: str, first: bool) -> Tensor:  # noqa: ARG001
    """Without the message, for what knows plain operators alone."""
    return torch.where(found[..., 0] != 0, torch.nan, 0.0)


@_report.register_fake
def _(found: Tensor, message: str, first: bool) -> Tensor:  # noqa: ARG001
    return found.new_empty(found.shape[:-1])


@_report.register_vmap
def _(_: Any, in_dims: tuple[Any, ...], found: Tensor, message: str, first: bool) -> tuple[Tensor, int]:
    return _report(found.movedim(in_dims[0], 0), message, first), 0


def verdict(bad: Tensor, values: Tensor, message: str, *, first: bool = True) -> Tensor | None:
    """None if no value is bad. Otherwise raise the message, with the first bad value, now or at the next call.

    `first` is False for a check that follows another one in the same call.

    If the error is raised at the next call, returns a scalar to add to the loss: NaN if any value is bad, else 0.
    """
    if can_branch(bad):
        if bool(bad.any()):
            raise ValueError(message.replace("{value}", f"{values[bad][0].item():g}"))
        return None
    bad, values = bad.reshape(-1), values.detach().reshape(-1)
    if bad.numel() == 0:
        return None
    value = values.gather(0, bad.to(torch.uint8).argmax(0, keepdim=True)).squeeze(0)
    found = torch.stack([bad.any().to(torch.float32), value.to(torch.float32)])
    result: Tensor = _report(found, message, first)
    return result


def mark(result: Tensor, bad: Tensor, values: Tensor, message: str) -> Tensor:
    """The result; NaN if the error for bad values is raised at the next call."""
    raise_pending()
    found = verdict(bad, values, message)
    return result if found is None else result + found


def check(inputs: Inputs) -> list[Tensor]:
    """Run every check that the inputs need; returns scalars to add to the loss for errors that cannot be raised now."""
    raise_pending()
    found = [_labels(inputs) if inputs.holds_indices else _soft_labels(inputs)]
    if inputs.link == "log_softmax":
        found.append(log_probabilities(inputs.owner, inputs.input, Elements(inputs).counts))
    if not inputs.from_logits:
        found.append(probabilities_in_range(inputs.owner, inputs.input, inputs.mask))
    return [f for f in found if f is not None]


def _index_message(owner: str, classes: int) -> str:
    return (
        f"{owner}: target holds the class index {{value}}, but input has {classes} classes, 0 to {classes - 1}. If it "
        "marks positions to leave out, pass ignore_index={value}; otherwise correct the target."
    )


def _label_message(owner: str, classes: int) -> str:
    boxes = " If these are boxes, (N, 4), use BoxIoULoss or GIoULoss." if classes == 4 else ""
    return (
        f"{owner}: target holds {{value}}, but labels lie in [0, 1]. For a 0/255 mask, pass (target > 127); if "
        f"{{value}} marks elements to leave out, pass ignore_index={{value}}.{boxes}"
    )


def _row_message(owner: str) -> str:
    return (
        f"{owner}: the target's classes sum to {{value}} at some position, but a distribution over classes sums to 1. "
        "For labels that are not mutually exclusive use BCEWithLogitsLoss, or a loss with mode='multilabel'."
    )


def _hard_message(owner: str) -> str:
    return f"{owner}: target holds {{value}}, but this loss requires hard labels, 0 or 1. Pass (target > 0.5)."


def weight_message(owner: str) -> str:
    """The message for weights that cannot be those of a mean."""
    return (
        f"{owner}: weight holds a number below 0, above {MOST_WEIGHT:g} or NaN, so the weighted mean is undefined. "
        "For weights of either sign, pass normalizer= with the denominator, or reduction='sum'; losses of regions "
        "divide by sums of weights, so weights must not be negative."
    )


def check_hard(inputs: Inputs) -> list[Tensor]:
    """Check that labels are 0 or 1, given that they lie in [0, 1]. Runs after `check`, and returns the same."""
    target = inputs.target
    if inputs.holds_indices or not target.is_floating_point():
        return []
    bad, counts = (target > 0) & (target < 1), Elements(inputs).counts
    found = verdict(bad if counts is None else bad & counts, target, _hard_message(inputs.owner), first=False)
    return [] if found is None else [found]


def report_problem(
    owner: str, classes: int, problem: Tensor | tuple[int, float] | None, sums: Tensor, *, late: bool
) -> None:
    """Raise the error that a fused operator detected or, if `late`, set its sums to NaN and raise at the next call.

    A problem given as a tensor, (kind, value), may not have been computed yet; the operator itself sets the sums then.
    """
    if problem is None:
        return
    messages = _messages(owner, classes)
    if isinstance(problem, Tensor):
        if late:
            if not (problem.is_cuda and torch.cuda.is_current_stream_capturing()):
                _pending.append(_Pending(messages, problem))
            return
        kind, value = problem.tolist()
    else:
        kind, value = problem
    if not kind:
        return
    if not late:
        raise_problem(owner, classes, int(kind), value)
    sums.fill_(torch.nan)
    _pending.append(_Pending(messages, torch.tensor([float(kind), value])))


def _messages(owner: str, classes: int) -> tuple[str, ...]:
    """Messages by kind of problem, starting at 1."""
    by_problem = {
        "bad_index": _index_message(owner, classes), "bad_label": _label_message(owner, classes),
        "bad_row": _row_message(owner), "bad_soft": _hard_message(owner), "bad_weight": weight_message(owner),
    }  # fmt: skip
    return tuple(by_problem[name] for name in PROBLEMS[1:])


def raise_problem(owner: str, classes: int, kind: int, value: float) -> NoReturn:
    """Raise the error for a problem that an operator detected."""
    raise ValueError(_messages(owner, classes)[kind - 1].replace("{value}", f"{value:g}"))


def _labels(inputs: Inputs) -> Tensor | None:
    target, classes = inputs.target, inputs.num_classes
    bad = target >= classes if can_hold(target, classes) else torch.zeros_like(target, dtype=torch.bool)
    if can_hold(target, -1):
        bad = bad | (target < 0)
    if can_hold(target, inputs.ignore_index):
        bad = bad & (target != inputs.ignore_index)
    if inputs.mask is not None:
        bad = bad & _positions(inputs.mask)
    return verdict(
        bad,
        target,
        _index_message(inputs.owner, classes),
    )


def _soft_labels(inputs: Inputs) -> Tensor | None:
    target = inputs.target
    if target.dtype == torch.bool and inputs.link == "sigmoid":
        return None
    counts = Elements(inputs).counts
    rounding = _rounding(target)
    bad = ~((target >= -rounding) & (target <= 1 + rounding))
    bad = bad if counts is None else bad & counts
    out_of_range = verdict(
        bad,
        target,
        _label_message(inputs.owner, inputs.num_classes),
    )
    if inputs.link == "sigmoid":
        return out_of_range
    total = target.sum(1, keepdim=True, dtype=torch.float32)
    bad = ~((total - 1).abs() <= ROW_TOLERANCE + target.shape[1] * rounding)
    rows = verdict(
        bad if counts is None else bad & counts,
        total,
        _row_message(inputs.owner),
        first=False,
    )
    return out_of_range if rows is None else rows if out_of_range is None else out_of_range + rows


def probabilities_in_range(owner: str, input: Tensor, mask: Tensor | None) -> Tensor | None:
    """Check that probabilities lie in [0, 1] up to rounding. NaN passes, and makes the loss NaN."""
    rounding = _rounding(input)
    bad = (input < -rounding) | (input > 1 + rounding)
    return verdict(
        bad if mask is None else bad & mask,
        input,
        f"{owner}: input holds {{value}}, but from_logits=False expects probabilities in [0, 1]. For logits leave "
        "from_logits out.",
        first=False,
    )


def log_probabilities(owner: str, input: Tensor, counts: Tensor | None) -> Tensor | None:
    """Check that log-probabilities are not above 0, up to rounding of long sums. NaN passes, and makes the loss NaN."""
    bad = input > above_zero(input)
    return verdict(
        bad if counts is None else bad & counts,
        input,
        log_probability_message(owner, "input", 1),
        first=False,
    )


def above_zero(input: Tensor) -> float:
    """How far above 0 a log-probability may lie due to rounding."""
    return max(1e-3, 16 * torch.finfo(input.dtype).eps)


def log_probability_message(owner: str, name: str, dim: int) -> str:
    return (
        f"{owner}: {name} holds {{value}}, but log-probabilities are not above 0. If it holds logits, pass "
        f"{name}.log_softmax({dim})."
    )


def _rounding(tensor: Tensor) -> float:
    return 4 * torch.finfo(tensor.dtype).eps if tensor.is_floating_point() else 0.0


def _positions(mask: Tensor) -> Tensor:
    """(N, 1, *) to (N, *)."""
    return mask.squeeze(1)
