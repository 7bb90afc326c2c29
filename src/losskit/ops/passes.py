"""Totals and their gradient in as few passes over memory as there can be.

Outside every transform the gradient is made with the totals where it is known but for a factor; else the pass that sums
leaves what it is made of, where it can. Transforms see the registered operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from losskit.ops import native, operators, values
from losskit.ops.columns import OF_REGIONS, OF_TARGETS, REGION_COLUMNS, Plan
from losskit.ops.fused import run
from losskit.ops.inputs import Inputs, can_branch
from losskit.ops.operators import Settings, Tensors

_WORTH_MAKING = 4096  # elements
_OF_TARGETS = [REGION_COLUMNS.index(name) for name in OF_TARGETS]


class _Request(NamedTuple):
    """One object, since each argument of an autograd function costs time."""

    tensors: Tensors
    settings: Settings
    expected: Tensor | None
    parts: native.SavedActivations | None


class _Eager(torch.autograd.Function):
    """The operator outside every transform."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, request: _Request) -> tuple[Tensor, ...]:  # noqa: ARG004
        values.raise_pending()
        tensors, settings, expected, parts = request
        sums, made = run(tensors, settings, True, expected, parts)
        assert sums is not None
        ctx.save_for_backward(*tensors)
        ctx.settings, ctx.expected = settings, expected
        ctx.made = None if made is None else [made]  # given away once
        ctx.parts = parts
        ctx.set_materialize_grads(False)
        each = _columns(sums, settings)
        ctx.mark_non_differentiable(*[each[settings.places[k]] for k in _OF_TARGETS if settings.places[k] >= 0])
        return each

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, None]:
        tensors, settings = ctx.saved_tensors, ctx.settings
        grad = _joined(grads, tensors[0], settings)
        gradient: Tensor | None
        if torch.is_grad_enabled():
            gradient = operators.gradient("totals", grad, tensors, settings)
        elif ctx.parts is not None and ctx.parts.call is not None:
            gradient = ctx.parts.gradient(grad)
        else:
            gradient = _as_made(ctx, grad)
            if gradient is None:
                gradient = run(tensors, settings, False, grad)[1]
        return gradient, None


def _columns(sums: Tensor, settings: Settings) -> tuple[Tensor, ...]:
    """(N, C, K) to (N, C) a column; pooled, (1, C, K) to (C,)."""
    return (sums[0] if settings.pooled else sums).unbind(-1)


def _joined(grads: Sequence[Tensor | None], input: Tensor, settings: Settings) -> Tensor:
    """The gradients of the columns as one of the totals, (N or 1, C, K)."""
    samples, classes = 1 if settings.pooled else input.shape[0], input.shape[1]
    if input.device.type == "cpu" and not torch.is_grad_enabled():  # in less than half the time of what follows
        joined = np.zeros((samples, classes, len(grads)))
        for k, grad in enumerate(grads):
            if grad is not None:
                joined[..., k] = grad.numpy()
        return torch.from_numpy(joined)
    nothing = input.new_zeros((), dtype=torch.float64)
    each = [(nothing if grad is None else grad).expand(samples, classes) for grad in grads]
    return torch.stack(each, -1)


def _as_made(ctx: Any, grad: Tensor) -> Tensor | None:
    """The gradient made in the forward pass, if it is what is asked for."""
    if not ctx.made:
        return None
    ratio = _ratio(grad, ctx.expected)
    if ratio is None or (ratio != 1 and ctx.made[0].dtype != torch.float32):  # half precision may have lost it already
        return None
    made: Tensor = ctx.made.pop()
    return made if ratio == 1 else made.mul_(ratio)


def _ratio(grad: Tensor, expected: Tensor) -> float | None:
    """The factor from the expected gradient of the totals to the one asked for, or None where there is none."""
    if torch.equal(grad, expected):
        return 1.0
    asked, known = grad.numpy(), expected.numpy()
    at = abs(known).argmax()
    largest = float(known.flat[at])
    if largest == 0:
        return None
    ratio = float(asked.flat[at]) / largest
    if not abs(asked - ratio * known).max() <= 1e-12 * abs(ratio * largest):
        return None
    return 1.0 if abs(ratio - 1) < 1e-12 else ratio


@lru_cache(maxsize=64)
def alike(classes: int, shares: tuple[float, ...]) -> Tensor:
    """An expected gradient, the same for every class: that of each column, (1, C, K); never written to."""
    return torch.tensor(shares, dtype=torch.float64, device="cpu").repeat(1, classes, 1)


def makes_gradients(inputs: Inputs) -> bool:
    """Whether a gradient that is known but for a factor is made with the totals."""
    return _is_worth_making(inputs.input) and inputs.is_plain


def _is_worth_making(input: Tensor) -> bool:
    wanted = input.requires_grad and torch.is_grad_enabled()
    return wanted and input.numel() >= _WORTH_MAKING and input.device.type == "cpu"


def _parts(tensors: Tensors, settings: Settings) -> native.SavedActivations | None:
    """Memory for what a gradient is made of, where one pass can leave that for the next."""
    input, target, weight = tensors[:3]
    fits = input.dtype == torch.float32 and input.dim() > 2 and input.is_contiguous()
    if not (fits and settings.backend == "native" and _is_worth_making(input)):
        return None
    places, constants = settings.places, settings.constants
    rare, terms = places[OF_REGIONS : len(REGION_COLUMNS)], places[len(REGION_COLUMNS) :]
    every = [place for k in range(0, len(terms), 4) for place in terms[k + 2 : k + 4]]
    if max(rare + every) >= 0:
        return None
    if settings.link == "sigmoid":
        known = weight is None and len(constants) <= 4 and constants[1:3] in ([], [0.0, 0.0])
    else:
        known = settings.link == "softmax" and target.dim() < input.dim() and input.shape[1] <= native.FEW_CLASSES
    return native.SavedActivations(torch.empty_like(input)) if known else None


def totals(inputs: Inputs, planned: Plan, backend: str, *, pooled: bool, expected: Tensor | None) -> Sequence[Tensor]:
    """Sums over the positions of each sample and class in one pass, (N, C) a column; (C,) if pooled.

    `expected`, (1, C, K), is what the gradient of the totals will be but for a factor: then the gradient by the input
    is made in the same pass, and scaled or made again where that proves wrong.
    """
    tensors = inputs.tensors
    plain = inputs.is_plain
    late = tensors[0].device.type != "cpu" if plain else not all(t is None or can_branch(t) for t in tensors)
    settings = Settings(inputs.owner, inputs.link, inputs.ignore_index, *planned, pooled, backend, late)
    if plain:
        parts = _parts(tensors, settings) if expected is None else None
        request = _Request(tensors, settings, expected, parts)
        each: tuple[Tensor, ...] = _Eager.apply(tensors[0], request)  # type: ignore[no-untyped-call]
        return each
    return _columns(operators.sums("totals", tensors, settings), settings)
