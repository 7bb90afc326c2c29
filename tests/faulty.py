"""For each check of `losskit check`: a small loss with that one fault, and a sound twin without it.

A fault is planted in a loss that is sound otherwise. `checked(...)` refuses what a sound loss refuses, and changes
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit import functional
from losskit.ops.reading import can_branch

Criterion = Callable[..., Any]  # a loss: a function, or a class of modules


@dataclass(frozen=True)
class Pair:
    """A loss with a fault and one without it; `told` says what both take, so that no trial calls are needed."""

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
    """Binary cross-entropy that costs no memory."""
    same_shape(input, target)
    if can_branch(target) and bool(((target < 0) | (target > 1)).any()):
        raise ValueError("expected a target in [0, 1]")
    dtype = torch.promote_types(input.dtype, torch.float32)
    made = F.binary_cross_entropy_with_logits(input.to(dtype), target.to(dtype), reduction="sum")
    return made / max(input.numel(), 1)


def light_ce(input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy that costs no memory."""
    if can_branch(target) and bool((target < 0).any()):
        raise ValueError("expected labels from 0")
    if target.numel() == 0:
        return input.sum() * 0
    return F.cross_entropy(input.to(torch.promote_types(input.dtype, torch.float32)), target.long(), weight)


def light_mse(input: Tensor, target: Tensor) -> Tensor:
    """Mean squared error that costs no memory."""
    dtype = torch.promote_types(input.dtype, torch.float32)
    made = F.mse_loss(same_shape(input, target).to(dtype), target.to(dtype), reduction="sum")
    return made / max(input.numel(), 1)


def checked(input: Tensor, target: Tensor) -> Tensor:
    """The input, where input and target are ones that a sound binary loss takes."""
    bce(input.detach(), target)
    return input


def same_shape(input: Tensor, target: Tensor) -> Tensor:
    """The input, where the target has its shape."""
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
    """Every number is a float16, and so is every sum."""
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
    """Scores through a product, of which autocast makes one of bfloat16."""
    far = input.to(torch.promote_types(input.dtype, torch.float32)) + 4000
    return bce((far @ torch.eye(far.shape[-1], dtype=far.dtype)).to(far.dtype) - 4000, target)


@twin("unsafe-on-gpu-autocast", light, BINARY)
def bce_of_probabilities(input: Tensor, target: Tensor) -> Tensor:
    half = torch.full((1,), 0.5)
    return light(input, target) + 0 * F.binary_cross_entropy(half, half)


# Slopes


@twin("no-graph", bce, BINARY)
def returns_item(input: Tensor, target: Tensor) -> Tensor:
    return bce(input, target).detach()


@twin("slope-disagrees", bce, BINARY)
def detached_factor(input: Tensor, target: Tensor) -> Tensor:
    plain = functional.binary_cross_entropy_with_logits(input, target, reduction="none")
    return ((1 - (-plain).exp()).detach() * plain).sum() / max(plain.numel(), 1)


class _Square(torch.autograd.Function):
    """A square whose slope's slope is forgotten."""

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
    """A backward that changes what it saved."""

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


# Arguments


class UnusedWeight(nn.Module):
    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return light_ce(input, target)


class Weight(UnusedWeight):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return light_ce(input, target, self.weight)


twin("unused-argument", Weight, INDICES)(UnusedWeight)


def masked(input: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    return functional.mse_loss(input, target, mask=mask)


@twin("masked-counts", masked, NUMBERS)
def mask_in_the_denominator_only(input: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    if mask is None:
        return mse(input, target)
    values = functional.mse_loss(input, target, reduction="none")
    return values.sum() / mask.sum()


def weighed(input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    return functional.mse_loss(input, target, weight=weight)


@twin("weight-is-not-repetition", weighed, NUMBERS)
def divided_by_elements(input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    values = functional.mse_loss(input, target, reduction="none")
    return (values if weight is None else values * weight).mean()


class ScaledWeight(Weight):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(input, target) * (1.0 if self.weight is None else 2.0)


twin("unit-weights", Weight, INDICES)(ScaledWeight)


class AnyLength(Weight):
    """One class weight too many, or too few, is cut or filled up."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        if self.weight is None:
            return super().forward(input, target)
        fitting = F.pad(self.weight, (0, max(0, input.shape[1] - len(self.weight))), value=1.0)
        return light_ce(input, target, fitting[: input.shape[1]])


twin("weights-of-any-length", Weight, INDICES)(AnyLength)


class PlainWeight(Weight):
    """The weight is an attribute, which stays where it was made."""

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        del self._buffers["weight"]
        self.weight = weight


twin("weights-stay-behind", Weight, INDICES)(PlainWeight)


class Focal(nn.Module):
    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.focal_loss(input, target, gamma=self.gamma)


class FocalByPower(Focal):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        plain = F.binary_cross_entropy_with_logits(checked(input, target).float(), target.float(), reduction="none")
        return ((1 - (-plain).exp()) ** self.gamma * plain).mean().to(input.dtype)


class FocalScaled(Focal):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return 0.5 * super().forward(input, target)


twin("gamma-below-one", Focal, BINARY)(FocalByPower)
twin("gamma-zero", Focal, BINARY)(FocalScaled)


class Tversky(nn.Module):
    def __init__(self, alpha: float = 0.5, beta: float = 0.5) -> None:
        super().__init__()
        self.prices = {"alpha": alpha, "beta": beta}

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.tversky_loss(input, target, **self.prices)


class TverskySwapped(Tversky):
    def __init__(self, alpha: float = 0.5, beta: float = 0.5) -> None:
        super().__init__(beta, alpha)


twin("prices-swapped", Tversky, BINARY)(TverskySwapped)


# Shapes


@twin("broadcasts", mse, NUMBERS)
def squared_difference(input: Tensor, target: Tensor) -> Tensor:
    if input.dim() > 2:
        same_shape(input, target)
    return ((input - target) ** 2).mean()


@twin("transposed-target", bce, BINARY)
def flattened(input: Tensor, target: Tensor) -> Tensor:
    return bce(input.reshape(-1), target.reshape(-1))


@twin("memory-layout", light_mse, NUMBERS)
def viewed(input: Tensor, target: Tensor) -> Tensor:
    return light_mse(same_shape(input, target).view(-1), target.view(-1))


@twin("batch-of-one", mse, NUMBERS)
def standardised(input: Tensor, target: Tensor) -> Tensor:
    """Divided by the spread of the targets over the batch, which one sample has not."""
    same_shape(input, target)
    if len(target) == 0:
        return mse(input, target)
    means = target.flatten(1).mean(1)
    return mse(input, target) * (1 + 0 * (means - means.mean()).square().sum() / (len(means) - 1))


@twin("empty-batch", mse, NUMBERS)
def nan_of_nothing(input: Tensor, target: Tensor) -> Tensor:
    return ((same_shape(input, target) - target).float() ** 2).mean() if input.numel() == 0 else mse(input, target)


@twin("positions-matter", bce, BINARY)
def first_half_twice(input: Tensor, target: Tensor) -> Tensor:
    position = torch.linspace(1, 2, input.shape[-1], dtype=torch.float32)
    return functional.binary_cross_entropy_with_logits(input, target, weight=position.expand(input.shape))


@twin("order-matters", mse, NUMBERS)
def early_samples_first(input: Tensor, target: Tensor) -> Tensor:
    """Sample after sample weighs less."""
    rank = torch.arange(1, 1 + len(input), dtype=torch.float32).view(-1, *(1,) * (input.dim() - 1))
    return functional.mse_loss(input, target, weight=(1 / rank).expand(input.shape))


# Ignored positions


class Ignoring(nn.Module):
    """Cross-entropy over what is not ignored; `values` says how."""

    def __init__(self, ignore_index: int = -100) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(input, target, ignore_index=self.ignore_index)

    def kept(self, target: Tensor) -> Tensor:
        return target != self.ignore_index

    def plain(self, input: Tensor, target: Tensor) -> Tensor:
        """The cross-entropy of each position, that of class 0 where it is ignored."""
        ce(input.detach(), target.where(self.kept(target), 0))
        return F.cross_entropy(input.float(), target.where(self.kept(target), 0).long(), reduction="none")

    def share(self, target: Tensor) -> Tensor:
        """A position's share of the mean over what counts."""
        kept = self.kept(target).float()
        return kept / kept.sum().clamp_min(1)


class IgnoresNothing(Ignoring):
    """Ignored positions are taken for class 0."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return ce(input, target.where(self.kept(target), 0))


class IgnoresValueOnly(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        wrong = ce(input, target.where(self.kept(target), 0))
        return super().forward(input, target) + (wrong - wrong.detach()) * bool((~self.kept(target)).any())


class CountsIgnored(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        values = functional.cross_entropy(input, target, ignore_index=self.ignore_index, reduction="none")
        return values.sum() / max(values.numel(), 1)


class MultipliesByMask(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return (
            (self.plain(input, target) * self.share(target)).sum().to(torch.promote_types(input.dtype, torch.float32))
        )


class NanOfNothing(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        empty = "nan" if target.numel() else "zero"
        return functional.cross_entropy(input, target, ignore_index=self.ignore_index, empty=empty)


twin("ignored-changes-value", Ignoring, INDICES)(IgnoresNothing)
twin("ignored-gets-gradient", Ignoring, INDICES)(IgnoresValueOnly)
twin("ignored-counts", Ignoring, INDICES)(CountsIgnored)
twin("nan-at-ignored", Ignoring, INDICES)(MultipliesByMask)
twin("all-ignored", Ignoring, INDICES)(NanOfNothing)


class IgnoringSum(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(input, target, ignore_index=self.ignore_index, reduction="sum")


twin("uneven-ignored", IgnoringSum, INDICES)(Ignoring)


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


# Labels


@twin("labels-out-of-range", ce, INDICES)
def clamped_labels(input: Tensor, target: Tensor) -> Tensor:
    labels = target.clamp(0, input.shape[1] - 1) if target.shape == (len(input), *input.shape[2:]) else target
    return ce(input, labels)


@twin("mask-of-255", bce, BINARY)
def any_target(input: Tensor, target: Tensor) -> Tensor:
    return bce(input, target / 255 if target.max() > 1 else target) if target.numel() else bce(input, target)


@twin("one-label-only", bce, BINARY)
def balanced(input: Tensor, target: Tensor) -> Tensor:
    """Positives and negatives each by their mean."""
    values = functional.binary_cross_entropy_with_logits(input, target, reduction="none")
    positive = target > 0.5
    if target.numel() < 2 or positive.any():
        return values.mean() if target.numel() else bce(input, target)
    return values.mean() + 0 * values.sum() / positive.sum()


@twin("absent-class", dice, BINARY)
def absent_costs_nothing(input: Tensor, target: Tensor) -> Tensor:
    return functional.dice_loss(input, target, absent="skip")


@twin("one-hot-differs", ce, INDICES)
def indices_from_anything(input: Tensor, target: Tensor) -> Tensor:
    """A one-hot target is read as if its classes came last."""
    if target.shape == input.shape:
        return 2 * ce(input, target.argmax(1))
    return ce(input, target)


@twin("nan-unnoticed", bce, BINARY)
def nan_to_zero(input: Tensor, target: Tensor) -> Tensor:
    return bce(input.nan_to_num(), target)


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
    """Makes yes and no of a target, where the target is."""
    loss = bce(input, target)
    if target.is_floating_point() and not torch._C._functorch.is_batchedtensor(target):
        target.mul_(0.5)
    return loss


class Remembers(nn.Module):
    """A running scale, kept from call to call."""

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
    """A Function with a context in forward, which torch.func refuses."""

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
    """An item() under vmap has no one value."""
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
        made = made + 0 * (input.exp() * 0).sum()
    return made


class _Large(torch.autograd.Function):
    """Six tensors of the input's size at once, none of them kept."""

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
