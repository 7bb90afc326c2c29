"""For each check of `losskit check`: a small loss with that one fault, and a sound twin without it.

A fault is planted in a loss that is otherwise sound. `checked(...)` rejects what a sound loss rejects, and changes
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit import functional
from losskit.ops.inputs import can_branch

Criterion = Callable[..., Any]  # a loss: a function, or a class of modules


@dataclass(frozen=True)
class Pair:
    """A loss with a fault and one without it; `told` says how both are called, which avoids trial calls."""

    check: str
    faulty: Criterion
    sound: Criterion
    told: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.check}-{self.faulty.__name__}"

    @staticmethod
    def made(criterion: Criterion) -> Criterion:
        """A loss to call."""
        return criterion() if isinstance(criterion, type) else criterion


PAIRS: list[Pair] = []
BINARY = {"kind": "binary", "scores": "logits", "target": "same"}
INDICES = {"kind": "multiclass", "scores": "logits", "target": "indices"}
NUMBERS = {"kind": "regression", "scores": "values", "target": "same"}


def twin(check: str, sound: Criterion, told: dict[str, Any] | None = None) -> Callable[[Criterion], Criterion]:
    """Mark a loss as the faulty one that `check` must report first."""

    def mark(faulty: Criterion) -> Criterion:
        PAIRS.append(Pair(check, faulty, sound, told or {}))
        return faulty

    return mark


# The sound ones


def bce(input: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(input, target)


def dice(input: Tensor, target: Tensor) -> Tensor:
    return functional.dice_loss(input, target)


def ce(input: Tensor, target: Tensor) -> Tensor:
    return functional.cross_entropy(input, target)


def mse(input: Tensor, target: Tensor) -> Tensor:
    return functional.mse_loss(input, target)


def light(input: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy without extra memory."""
    same_shape(input, target)
    if can_branch(target) and bool(((target < 0) | (target > 1)).any()):
        raise ValueError("expected a target in [0, 1]")
    dtype = torch.promote_types(input.dtype, torch.float32)
    made = F.binary_cross_entropy_with_logits(input.to(dtype), target.to(dtype), reduction="sum")
    return made / max(input.numel(), 1)


def light_ce(input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy without extra memory."""
    if can_branch(target) and bool((target < 0).any()):
        raise ValueError("expected labels from 0")
    if target.numel() == 0:
        return input.sum() * 0
    return F.cross_entropy(input.to(torch.promote_types(input.dtype, torch.float32)), target.long(), weight)


def light_mse(input: Tensor, target: Tensor) -> Tensor:
    """Mean squared error without extra memory."""
    dtype = torch.promote_types(input.dtype, torch.float32)
    made = F.mse_loss(same_shape(input, target).to(dtype), target.to(dtype), reduction="sum")
    return made / max(input.numel(), 1)


def checked(input: Tensor, target: Tensor) -> Tensor:
    """The input; raises what a sound binary loss raises for these tensors."""
    bce(input.detach(), target)
    return input


def same_shape(input: Tensor, target: Tensor) -> Tensor:
    """The input, checked to have the shape of the target."""
    if input.shape != target.shape:
        raise ValueError(f"expected a target of shape {tuple(input.shape)}, got {tuple(target.shape)}")
    return input


# Numbers


@twin("not-finite", bce, BINARY)
def log_of_a_sigmoid(input: Tensor, target: Tensor) -> Tensor:
    p = checked(input, target).sigmoid()
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


@twin("float64-disagrees", bce, BINARY)
def rounds_in_float32(input: Tensor, target: Tensor) -> Tensor:
    return bce((input + 1e7) - 1e7, target)


@twin("half-disagrees", bce, BINARY)
def rounds_in_half(input: Tensor, target: Tensor) -> Tensor:
    return bce((input + 1000) - 1000, target)


def dice_of(p: Tensor, t: Tensor) -> Tensor:
    return 1 - 2 * (p * t).sum() / (p.sum() + t.sum()).clamp_min(1e-6)


def dice_in_float32(input: Tensor, target: Tensor) -> Tensor:
    return dice_of(checked(same_shape(input, target), target).float().sigmoid(), target.float())


@twin("half-sums-overflow", dice_in_float32, BINARY)
def dice_in_half(input: Tensor, target: Tensor) -> Tensor:
    """All numbers and sums are float16."""
    return dice_of(checked(same_shape(input, target), target).sigmoid(), target)


@twin("float64-lost", light_mse, NUMBERS)
def always_float32(input: Tensor, target: Tensor) -> Tensor:
    return light_mse(input.float(), target.float())


@twin("target-sets-precision", bce, BINARY)
def in_the_targets_dtype(input: Tensor, target: Tensor) -> Tensor:
    return bce(input, target).to(target.dtype) if target.is_floating_point() else bce(input, target)


@twin("integer-targets", light, BINARY)
def floats_only(input: Tensor, target: Tensor) -> Tensor:
    if not target.is_floating_point():
        raise TypeError(f"expected a float target, got {target.dtype}")
    return light(input, target)


@twin("autocast", bce, BINARY)
def in_the_autocast_dtype(input: Tensor, target: Tensor) -> Tensor:
    """Scores through a matrix product, which autocast computes in bfloat16."""
    far = input.to(torch.promote_types(input.dtype, torch.float32)) + 4000
    return bce((far @ torch.eye(far.shape[-1], dtype=far.dtype)).to(far.dtype) - 4000, target)


@twin("unsafe-on-gpu-autocast", light, BINARY)
def bce_of_probabilities(input: Tensor, target: Tensor) -> Tensor:
    half = torch.full((1,), 0.5)
    return light(input, target) + 0 * F.binary_cross_entropy(half, half)


# Gradients


@twin("no-graph", bce, BINARY)
def returns_item(input: Tensor, target: Tensor) -> Tensor:
    return bce(input, target).detach()


@twin("slope-disagrees", bce, BINARY)
def detached_factor(input: Tensor, target: Tensor) -> Tensor:
    plain = functional.binary_cross_entropy_with_logits(input, target, reduction="none")
    return ((1 - (-plain).exp()).detach() * plain).sum() / max(plain.numel(), 1)


class _Square(torch.autograd.Function):
    """A square without a second derivative."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x * x

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.x = inputs[0].detach()
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * ctx.x * grad

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * ctx.saved_tensors[0] * tangent

    generate_vmap_rule = True


@twin("second-derivative", mse, NUMBERS)
def constant_slope(input: Tensor, target: Tensor) -> Tensor:
    return _Square.apply(same_shape(input, target) - target).mean()


@twin("wrong-answers-unlearnt", bce, BINARY)
def clamped(input: Tensor, target: Tensor) -> Tensor:
    return bce(input.clamp(-5, 5), target)


@twin("rewards-errors", mse, NUMBERS)
def upside_down(input: Tensor, target: Tensor) -> Tensor:
    return -mse(input, target)


class _NoTangent(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:  # type: ignore[override]
        return torch.zeros_like(tangent)

    generate_vmap_rule = True


@twin("forward-mode", bce, BINARY)
def zero_tangent(input: Tensor, target: Tensor) -> Tensor:
    return bce(_NoTangent.apply(input), target)


class _SpoilsItself(torch.autograd.Function):
    """A backward that modifies its saved tensors."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.clone(), torch.ones_like(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.factor = [1.0]
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> Tensor:  # type: ignore[override]
        ctx.factor[0] *= 2
        return grad * ctx.factor[0] / 2


@twin("backward-twice", bce, BINARY)
def spoils_itself(input: Tensor, target: Tensor) -> Tensor:
    return bce(_SpoilsItself.apply(input)[0], target)
