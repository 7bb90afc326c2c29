"""Totals as tensors, in one pass over memory, and their gradient in a second one.

Outside transforms, the forward pass saves activations for the gradient if the kernels support it. Transforms use the
registered operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from losskit.ops import native, operators, values
from losskit.ops.columns import OF_REGIONS, OF_TARGETS, REGION_COLUMNS, KernelColumns
from losskit.ops.fused import run
from losskit.ops.inputs import Inputs, can_branch
from losskit.ops.operators import Settings, Tensors

_WORTH_SAVING = 4096  # elements
_OF_TARGETS = [REGION_COLUMNS.index(name) for name in OF_TARGETS]


class _Request(NamedTuple):
    """The arguments in one object, since each argument of an autograd function adds overhead."""

    tensors: Tensors
    settings: Settings
    saved: native.SavedActivations | None


class _Eager(torch.autograd.Function):
    """The operator outside transforms."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, request: _Request) -> tuple[Tensor, ...]:  # noqa: ARG004
        values.raise_pending()
        tensors, settings, saved = request
        sums, _ = run(tensors, settings, True, None, saved)
        assert sums is not None
        ctx.save_for_backward(*tensors)
        ctx.settings, ctx.saved = settings, saved
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
        elif ctx.saved is not None and ctx.saved.call is not None:
            gradient = ctx.saved.gradient(grad)
        else:
            gradient = run(tensors, settings, False, grad)[1]
        return gradient, None


def _columns(sums: Tensor, settings: Settings) -> tuple[Tensor, ...]:
    """(N, C, K) to (N, C) per column; pooled, (1, C, K) to (C,)."""
    return (sums[0] if settings.pooled else sums).unbind(-1)


def _joined(grads: Sequence[Tensor | None], input: Tensor, settings: Settings) -> Tensor:
    """The gradient of the totals, (N or 1, C, K), from those of the columns."""
    samples, classes = 1 if settings.pooled else input.shape[0], input.shape[1]
    if input.device.type == "cpu" and not torch.is_grad_enabled():  # takes less than half the time of the general case
        joined = np.zeros((samples, classes, len(grads)))
        for k, grad in enumerate(grads):
            if grad is not None:
                joined[..., k] = grad.numpy()
        return torch.from_numpy(joined)
    nothing = input.new_zeros((), dtype=torch.float64)
    each = [(nothing if grad is None else grad).expand(samples, classes) for grad in grads]
    return torch.stack(each, -1)


def _memory(inputs: Inputs, planned: KernelColumns, backend: str) -> native.SavedActivations | None:
    """Memory for saved activations, if the forward pass can save them; else None."""
    input = inputs.input
    wanted = input.requires_grad and torch.is_grad_enabled() and backend == "native"
    fits = wanted and input.numel() >= _WORTH_SAVING and can_save(inputs, planned)
    return native.SavedActivations(torch.empty_like(input)) if fits else None


def can_save(inputs: Inputs, planned: KernelColumns) -> bool:
    """Whether the kernels can save activations in the memory of the gradient."""
    input, target = inputs.input, inputs.target
    if not (input.dtype == torch.float32 and input.dim() > 2 and input.is_contiguous()):
        return False
    places, constants = planned
    rare, terms = places[OF_REGIONS : len(REGION_COLUMNS)], places[len(REGION_COLUMNS) :]
    every = [place for k in range(0, len(terms), 4) for place in terms[k + 2 : k + 4]]
    if max(rare + every) >= 0:
        return False
    if inputs.link == "sigmoid":
        return inputs.weight is None and len(constants) <= 4 and constants[1:3] in ([], [0.0, 0.0])
    return inputs.link == "softmax" and target.dim() < input.dim() and input.shape[1] <= native.FEW_CLASSES


def totals(inputs: Inputs, planned: KernelColumns, backend: str, *, pooled: bool) -> Sequence[Tensor]:
    """Sums over the positions of each sample and class in one pass, (N, C) per column; (C,) if pooled."""
    tensors = inputs.tensors
    plain = inputs.is_plain
    late = tensors[0].device.type != "cpu" if plain else not all(t is None or can_branch(t) for t in tensors)
    settings = Settings(inputs.owner, inputs.link, inputs.ignore_index, *planned, pooled, backend, late)
    if plain:
        request = _Request(tensors, settings, _memory(inputs, planned, backend))
        each: tuple[Tensor, ...] = _Eager.apply(tensors[0], request)  # type: ignore[no-untyped-call]
        return each
    return _columns(operators.sums("totals", tensors, settings), settings)
