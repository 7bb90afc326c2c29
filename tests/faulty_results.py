"""Losses with one fault in their results, identities, memory or side effects."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from faulty import (
    BINARY,
    INDICES,
    NUMBERS,
    bce,
    ce,
    checked,
    dice,
    light_mse,
    mse,
    same_shape,
    twin,
)
from losskit import functional

# Reductions and batches


class Reducing(nn.Module):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(input, target, reduction=self.reduction)


class SumOfMeans(Reducing):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        values = functional.mse_loss(input, target, reduction="none")
        if self.reduction == "sum":
            return values.flatten(1).mean(1).sum() if len(values) else values.sum()
        return functional.mse_loss(input, target, reduction=self.reduction)


class AnyReduction(Reducing):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        known = self.reduction if self.reduction in ("mean", "none") else "sum"
        return functional.mse_loss(input, target, reduction=known)


class SumByBatch(Reducing):
    """The sum is divided by the number of samples."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        if self.reduction not in ("mean", "sum"):
            raise ValueError(f"expected mean or sum, got {self.reduction}")
        whole = functional.mse_loss(input, target, reduction=self.reduction)
        return whole / max(len(input), 1) if self.reduction == "sum" else whole


class TwoReductions(Reducing):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        if self.reduction not in ("mean", "sum"):
            raise ValueError(f"expected mean or sum, got {self.reduction}")
        return functional.mse_loss(input, target, reduction=self.reduction)


twin("reductions-disagree", Reducing, NUMBERS)(SumOfMeans)
twin("unknown-reduction", Reducing, NUMBERS)(AnyReduction)
twin("sum-does-not-add", TwoReductions, NUMBERS)(SumByBatch)


@twin("depends-on-batch", dice, BINARY)
def pooled_dice(input: Tensor, target: Tensor) -> Tensor:
    return functional.dice_loss(input, target, pool="batch")


# Identities


@twin("activated-twice", bce, BINARY)
def sigmoid_twice(input: Tensor, target: Tensor) -> Tensor:
    return bce(checked(input, target).to(torch.promote_types(input.dtype, torch.float32)).sigmoid(), target)


@twin("perfect-costs", bce, BINARY)
def plus_one(input: Tensor, target: Tensor) -> Tensor:
    return bce(input, target) + 1


def of_probabilities(input: Tensor, target: Tensor) -> Tensor:
    return functional.dice_loss(input, target, from_logits=False)


@twin("outside-probabilities", of_probabilities, {**BINARY, "scores": "probabilities"})
def clamped_probabilities(input: Tensor, target: Tensor) -> Tensor:
    return functional.dice_loss(input.clamp(0, 1), target, from_logits=False)


@twin("one-against-the-rest", ce, INDICES)
def sigmoid_per_class(input: Tensor, target: Tensor) -> Tensor:
    ce(input.detach(), target)
    return functional.focal_loss(input, target, gamma=0.0, mode="multilabel")


def either_way(input: Tensor, target: Tensor) -> Tensor:
    return functional.focal_loss(input, target)


@twin("two-classes-differ", either_way)
def softmax_is_dearer(input: Tensor, target: Tensor) -> Tensor:
    return functional.focal_loss(input, target) * (2.0 if input.shape[1] > 1 else 1.0)


# Citizenship


@twin("changes-inputs", bce, BINARY)
def divides_in_place(input: Tensor, target: Tensor) -> Tensor:
    """Halves a float target in place."""
    loss = bce(input, target)
    if target.is_floating_point() and not torch._C._functorch.is_batchedtensor(target):
        target.mul_(0.5)
    return loss


class Remembers(nn.Module):
    """A scale that grows with the number of calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        self.calls += 1
        return mse(input, target) * (1 + self.calls // 3)


class Plain(nn.Module):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return mse(input, target)


twin("has-memory", Plain, NUMBERS)(Remembers)


@twin("random", mse, NUMBERS)
def with_dropout(input: Tensor, target: Tensor) -> Tensor:
    noise = 1 + torch.rand(())
    return mse(input, target) * noise


class KeepsResult(Plain):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        self.last = super().forward(input, target)
        return self.last


twin("keeps-graph", Plain, NUMBERS)(KeepsResult)


@twin("compile", light_mse, NUMBERS)
def breaks_the_graph(input: Tensor, target: Tensor) -> Tensor:
    torch._dynamo.graph_break()
    return light_mse(input, target)


class Exportable(nn.Module):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return light_mse(input, target)


class NotExportable(Exportable):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        if not torch.compiler.is_dynamo_compiling() and torch.compiler.is_exporting():
            raise RuntimeError("not in an export")
        return super().forward(input, target)


twin("export", Exportable, NUMBERS)(NotExportable)


class _OldStyle(torch.autograd.Function):
    """A Function with a context in forward, which torch.func rejects."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad


@twin("func-grad", light_mse, NUMBERS)
def old_style_function(input: Tensor, target: Tensor) -> Tensor:
    return light_mse(_OldStyle.apply(input), target)


@twin("vmap", light_mse, NUMBERS)
def reads_a_number(input: Tensor, target: Tensor) -> Tensor:
    """item() fails under vmap."""
    if not torch.compiler.is_compiling() and target.device.type != "meta":
        target.sum().item()
    return light_mse(input, target)


class HoldsALambda(Exportable):
    def __init__(self) -> None:
        super().__init__()
        self.link = lambda x: x


twin("copies", Exportable, NUMBERS)(HoldsALambda)


# Cost


@twin("saves-more", mse, NUMBERS)
def many_copies(input: Tensor, target: Tensor) -> Tensor:
    same_shape(input, target)
    made = mse(input, target)
    for _ in range(4):
        made = made + 0 * (input.tanh() * 0).sum()
    return made


class _Large(torch.autograd.Function):
    """Six tensors of the input's size at once, none of them saved."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        held = [x + i for i in range(6)]
        return x + 0 * sum(each.reshape(-1)[:1].sum() for each in held)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:  # type: ignore[override]
        return tangent


@twin("peak-memory", light_mse, NUMBERS)
def many_at_once(input: Tensor, target: Tensor) -> Tensor:
    return light_mse(_Large.apply(input), target)
