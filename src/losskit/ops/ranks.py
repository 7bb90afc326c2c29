"""Sums of errors by their ranks: elements in falling order of error, each priced by the Jaccard loss that it adds.

    totals(inputs) -> (N or 1, C, 3)    errors times their prices, positives, and elements that count

Errors are hinges `[1 - x (2t - 1)]+` under sigmoid, `|t - p|` under softmax and for probabilities. Equal errors have
the same sum in any order, but not the same gradient: of them the first position ranks first, so that it is always one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit.ops import choice, native, values
from losskit.ops.fused import fold
from losskit.ops.inputs import Inputs, can_branch, can_hold
from losskit.ops.reference import Elements

_SORTED_AT_ONCE = 2**32  # elements that a position of 32 bits can name


class Settings(NamedTuple):
    """What the operator is told besides tensors."""

    owner: str
    link: str
    ignore_index: int
    pooled: bool
    late: bool  # whether a bad label must not raise


_TENSORS = 3
_SIGNATURE = "Tensor input, Tensor target, Tensor? mask, str owner, str link, int ignore_index, bool pooled, bool late"
_library = torch.library.Library("losskit", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define(f"ranks({_SIGNATURE}) -> Tensor")  # type: ignore[no-untyped-call]
_library.define(f"ranks_gradient(Tensor grad, {_SIGNATURE}) -> Tensor")  # type: ignore[no-untyped-call]


def totals(inputs: Inputs, *, pooled: bool) -> Tensor:
    """Errors times their prices, positives and elements that count, (N, C, 3) in float64; (1, C, 3) if pooled.

    All are NaN where a bad label was left for later.
    """
    reasons: dict[choice.Operator, str] = {
        "native": _refusal(inputs, pooled=pooled),
        "triton": "ranks need a sort, which the GPU does with torch.sort",
    }
    if choice.choose(inputs.owner, 3, reasons) == "reference":
        bad = values.check(inputs) + values.check_hard(inputs)
        result = reference(inputs, pooled=pooled)
        return result + sum(bad) if bad else result
    late = not all(t is None or can_branch(t) for t in inputs.tensors)
    settings = Settings(inputs.owner, inputs.link, inputs.ignore_index, pooled, late)
    tensors = (inputs.input, inputs.target, inputs.mask)
    if inputs.is_plain:
        priced = inputs.input.requires_grad and torch.is_grad_enabled()
        return _Plain.apply(priced, *tensors, *settings)  # type: ignore[no-any-return, no-untyped-call]
    return _Ranks.apply(*tensors, *settings)  # type: ignore[no-any-return, no-untyped-call]


def _refusal(inputs: Inputs, *, pooled: bool) -> str:
    reason = choice.refusal("native", inputs, ([], []))
    together = inputs.input.numel() if pooled else inputs.input.shape[2:].numel()
    return reason or ("" if together < _SORTED_AT_ONCE else f"more than {_SORTED_AT_ONCE} elements are ranked together")


def reference(inputs: Inputs, *, pooled: bool) -> Tensor:
    """The definition, in plain PyTorch."""
    elements = Elements(inputs)
    target = elements.target > 0.5
    if inputs.link == "sigmoid" and inputs.from_logits:
        error = torch.relu(1 - elements.input * (2 * target.to(elements.dtype) - 1))
    else:
        error = (target.to(elements.dtype) - elements.p).abs()
    counts = torch.ones_like(target) if elements.counts is None else elements.counts.expand_as(target)
    error, truth, counts = (t.unsqueeze(-1).flatten(2) for t in (error, target & counts, counts))  # (N, C, S)
    if pooled:
        error, truth, counts = (t.transpose(0, 1).flatten(1).unsqueeze(0) for t in (error, truth, counts))
    positives, count = (t.sum(-1, dtype=torch.float64) for t in (truth, counts))
    return torch.stack([ranked(error, truth, counts), positives, count], -1)


def ranked(error: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """The sum of errors in falling order, each times the Jaccard loss it adds: (..., S) to (...)."""
    order = torch.where(counts, error.detach(), -1.0).argsort(dim=-1, descending=True, stable=True)
    truth = (truth & counts).gather(-1, order).to(torch.float64)
    counts = counts.gather(-1, order)
    error = torch.where(counts, error.gather(-1, order), 0.0).to(torch.float64)
    positives = truth.sum(-1, keepdim=True)
    union = positives + (counts.to(torch.float64) - truth).cumsum(-1)
    jaccard = 1 - (positives - truth.cumsum(-1)) / torch.where(union > 0, union, 1.0)
    price = jaccard - torch.cat([torch.zeros_like(jaccard[..., :1]), jaccard[..., :-1]], -1)
    return (error * price).sum(-1)


def _run(
    input: Tensor, target: Tensor, mask: Tensor | None, settings: Settings, *, priced: bool
) -> tuple[Tensor, Tensor]:
    sums, prices, problem = native.rank(
        input, target, mask, settings.link, _ignored(target, settings), pooled=settings.pooled, priced=priced
    )
    values.conclude(settings.owner, input.shape[1], problem, sums, late=settings.late)
    return sums, prices


def _ignored(target: Tensor, settings: Settings) -> int | None:
    return settings.ignore_index if can_hold(target, settings.ignore_index) else None


def _chain(
    grad: Tensor, prices: Tensor, input: Tensor, target: Tensor, mask: Tensor | None, settings: Settings
) -> Tensor:
    """The gradient by the input, from the prices, which are lost."""
    ignore = _ignored(target, settings)
    return native.rank_gradient(grad, prices, input, target, mask, settings.link, ignore, pooled=settings.pooled)


def _ranks(input: Tensor, target: Tensor, mask: Tensor | None, *settings: Any) -> Tensor:
    values.raise_pending()
    return _run(input, target, mask, Settings(*settings), priced=False)[0]


def _ranks_gradient(grad: Tensor, input: Tensor, target: Tensor, mask: Tensor | None, *settings: Any) -> Tensor:
    told = Settings(*settings)
    ignore = _ignored(target, told)
    _, prices, _ = native.rank(input, target, mask, told.link, ignore, pooled=told.pooled, priced=True)
    return _chain(grad, prices, input, target, mask, told)


_library.impl("ranks", _ranks, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
_library.impl("ranks_gradient", _ranks_gradient, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]


@torch.library.register_fake("losskit::ranks")  # type: ignore[untyped-decorator]
def _(input: Tensor, target: Tensor, mask: Tensor | None, *settings: Any) -> Tensor:  # noqa: ARG001
    samples = 1 if Settings(*settings).pooled else input.shape[0]
    return input.new_empty((samples, input.shape[1], 3), dtype=torch.float64)


@torch.library.register_fake("losskit::ranks_gradient")  # type: ignore[untyped-decorator]
def _(grad: Tensor, input: Tensor, *rest: Any) -> Tensor:  # noqa: ARG001
    return torch.empty_like(input)


class _Ranks(torch.autograd.Function):
    @staticmethod
    def forward(  # spelt out, since dynamo does not follow *arguments here
        input: Tensor, target: Tensor, mask: Tensor | None,
        owner: str, link: str, ignore_index: int, pooled: bool, late: bool,
    ) -> Tensor:  # fmt: skip
        result: Tensor = torch.ops.losskit.ranks(input, target, mask, owner, link, ignore_index, pooled, late)
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[:_TENSORS])
        ctx.settings = inputs[_TENSORS:]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gradient = _RanksGradient.apply(grads[0], *ctx.saved_tensors, *ctx.settings)  # type: ignore[no-untyped-call]
        return gradient, *[None] * (_TENSORS - 1 + len(Settings._fields))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Tensor, int]:
        return _batched(_Ranks, info.batch_size, in_dims, arguments), 0


class _RanksGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        grad: Tensor, input: Tensor, target: Tensor, mask: Tensor | None,
        owner: str, link: str, ignore_index: int, pooled: bool, late: bool,
    ) -> Tensor:  # fmt: skip
        result: Tensor = torch.ops.losskit.ranks_gradient(
            grad, input, target, mask, owner, link, ignore_index, pooled, late
        )
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[: 1 + _TENSORS])
        ctx.settings = inputs[1 + _TENSORS :]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad, input, target, mask = ctx.saved_tensors
        told = Settings(*ctx.settings)
        link: Any = told.link

        def sums(input: Tensor) -> Tensor:
            inputs = Inputs(
                told.owner, input, target, None, mask, link, told.ignore_index, True, None, input.shape
            )  # fmt: skip
            return reference(inputs, pooled=told.pooled)

        def gradient(grad: Tensor, input: Tensor) -> Tensor:
            pull: Any = torch.func.vjp(sums, input)[1]
            result: Tensor = pull(grad)[0]
            return result

        pull: Any = torch.func.vjp(gradient, grad, input)[1]
        by_grad, by_input = pull(grads[0])
        return by_grad, by_input, *[None] * (_TENSORS - 1 + len(Settings._fields))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Tensor, int]:
        return _batched(_RanksGradient, info.batch_size, in_dims, arguments), 0


def _batched(function: Any, batch: int, in_dims: tuple[Any, ...], arguments: tuple[Any, ...]) -> Tensor:
    """One call for the whole batch, whose elements are samples; a call for each where samples are pooled."""
    count = len(arguments) - len(Settings._fields)
    settings = Settings(*arguments[count:])._replace(late=True)
    tensors = arguments[:count]
    if settings.pooled:
        each = [
            [t if dim is None else t.select(dim, b) for t, dim in zip(tensors, in_dims, strict=False)]
            for b in range(batch)
        ]
        return torch.stack([function.apply(*of_one, *settings) for of_one in each])
    leading = count - _TENSORS  # the gradient of the sums
    input, target, mask = tensors[leading:]
    input_dim, target_dim, mask_dim = in_dims[leading:count]
    folded, samples = fold(
        batch, (input_dim, target_dim, None, mask_dim, None), (input, target, None, mask, None)
    )  # fmt: skip
    grads = []
    for grad, dim in zip(tensors[:leading], in_dims, strict=False):
        moved = grad.unsqueeze(0) if dim is None else grad.movedim(dim, 0)
        grads.append(moved.expand(batch, samples, *moved.shape[2:]).flatten(0, 1))
    result: Tensor = function.apply(*grads, folded[0], folded[1], folded[3], *settings)
    return result.unflatten(0, (batch, samples))  # type: ignore[no-any-return, no-untyped-call]


class _Plain(torch.autograd.Function):
    """The same outside every transform. Prices are made with the sums, and become the gradient in their own memory."""

    @staticmethod
    def forward(ctx: Any, priced: bool, *arguments: Any) -> Tensor:
        values.raise_pending()
        input, target, mask = arguments[:_TENSORS]
        sums, prices = _run(input, target, mask, Settings(*arguments[_TENSORS:]), priced=priced)
        ctx.save_for_backward(*arguments[:_TENSORS])
        ctx.settings = arguments[_TENSORS:]
        ctx.prices = [prices] if priced else []
        return sums

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tensors, settings = tuple(ctx.saved_tensors), Settings(*ctx.settings)
        if torch.is_grad_enabled():
            gradient: Tensor = _RanksGradient.apply(grads[0], *tensors, *settings)  # type: ignore[no-untyped-call]
        elif ctx.prices:  # given away once
            input, target, mask = tensors
            gradient = _chain(grads[0], ctx.prices.pop(), input, target, mask, settings)
        else:
            gradient = _ranks_gradient(grads[0], *tensors, *settings)
        return None, gradient, *[None] * (_TENSORS - 1 + len(settings))
