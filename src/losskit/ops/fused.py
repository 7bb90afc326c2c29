"""The fused operators as PyTorch knows them: registered, differentiable and batched.

They are plain operators with fakes, differentiated by autograd functions; the backward of the backward is the
reference's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit.ops import native, reference, values
from losskit.ops.columns import REGION_COLUMNS, Column, Difference, Formula, TermColumn
from losskit.ops.inputs import Inputs, can_hold, computing_dtype


class Settings(NamedTuple):
    """What an operator is told besides tensors."""

    owner: str
    link: str
    ignore_index: int
    places: list[int]
    constants: list[float]
    pooled: bool
    backend: str
    late: bool  # whether a bad label must not raise


Tensors = tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]
TENSORS = 5
_SIGNATURE = (
    "Tensor input, Tensor target, Tensor? weight, Tensor? mask, Tensor? logit_bias, str owner, str link, "
    "int ignore_index, int[] places, float[] constants, bool pooled, str backend, bool late"
)
_library = torch.library.Library("losskit", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define(f"totals({_SIGNATURE}) -> Tensor")  # type: ignore[no-untyped-call]
_library.define(f"totals_gradient(Tensor grad, {_SIGNATURE}) -> Tensor")  # type: ignore[no-untyped-call]


def run(
    tensors: Tensors, settings: Settings, totals: bool, coefficients: Tensor | None, parts: native.Parts | None = None
) -> tuple[Tensor | None, Tensor | None]:
    """Totals, if asked for, and the gradient by the input, if theirs is given; or parts of it, where they are known."""
    input, target, weight, mask, logit_bias = tensors
    ignore = settings.ignore_index if can_hold(target, settings.ignore_index) else None
    _, link, _, places, constants, pooled, backend, late = settings
    operator: Callable[..., tuple[Tensor | None, Tensor | None, Tensor | tuple[int, float] | None]]
    if backend == "triton":
        from losskit.ops import triton

        operator = triton.run
    else:
        operator = partial(native.run, parts=parts)
    sums, gradient, problem = operator(
        input, target, weight, mask, logit_bias, link, ignore, places, constants,
        pooled=pooled, totals=totals, coefficients=coefficients,
    )  # fmt: skip
    if totals:
        assert sums is not None
        values.conclude(settings.owner, input.shape[1], problem, sums, late=late)
    return sums, gradient


def _totals(*arguments: Any) -> Tensor:
    values.raise_pending()
    sums, _ = run(arguments[:TENSORS], Settings(*arguments[TENSORS:]), True, None)
    assert sums is not None
    return sums


def _totals_gradient(grad: Tensor, *arguments: Any) -> Tensor:
    _, gradient = run(arguments[:TENSORS], Settings(*arguments[TENSORS:]), False, grad)
    assert gradient is not None
    return gradient


_library.impl("totals", _totals, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
_library.impl("totals_gradient", _totals_gradient, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]


@torch.library.register_fake("losskit::totals")  # type: ignore[untyped-decorator]
def _(input: Tensor, *rest: Any) -> Tensor:
    settings = Settings(*rest[TENSORS - 1 :])
    columns = sum(1 for place in settings.places if place >= 0)
    return input.new_empty((1 if settings.pooled else input.shape[0], input.shape[1], columns), dtype=torch.float64)


@torch.library.register_fake("losskit::totals_gradient")  # type: ignore[untyped-decorator]
def _(grad: Tensor, input: Tensor, *rest: Any) -> Tensor:  # noqa: ARG001
    return torch.empty_like(input)


class Totals(torch.autograd.Function):
    @staticmethod
    def forward(  # spelt out, since dynamo does not follow *arguments here
        input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None, logit_bias: Tensor | None,
        owner: str, link: str, ignore_index: int, places: list[int], constants: list[float],
        pooled: bool, backend: str, late: bool,
    ) -> Tensor:  # fmt: skip
        result: Tensor = torch.ops.losskit.totals(
            input, target, weight, mask, logit_bias, owner, link, ignore_index, places, constants, pooled, backend, late
        )
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[:TENSORS])
        ctx.settings = inputs[TENSORS:]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gradient = TotalsGradient.apply(grads[0], *ctx.saved_tensors, *ctx.settings)  # type: ignore[no-untyped-call]
        return gradient, *[None] * (TENSORS - 1 + len(Settings._fields))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Tensor, int]:
        tensors, samples = fold(info.batch_size, in_dims, arguments)
        apart = Settings(*arguments[TENSORS:])._replace(pooled=False, late=True)
        result = Totals.apply(*tensors, *apart).unflatten(0, (info.batch_size, samples))  # type: ignore[no-untyped-call]
        return result.sum(1, keepdim=True) if arguments[TENSORS + 5] else result, 0


class TotalsGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        grad: Tensor, input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None, logit_bias: Tensor | None,
        owner: str, link: str, ignore_index: int, places: list[int], constants: list[float],
        pooled: bool, backend: str, late: bool,
    ) -> Tensor:  # fmt: skip
        result: Tensor = torch.ops.losskit.totals_gradient(
            grad,
            input,
            target,
            weight,
            mask,
            logit_bias,
            owner,
            link,
            ignore_index,
            places,
            constants,
            pooled,
            backend,
            late,
        )
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[: 1 + TENSORS])
        ctx.settings = inputs[1 + TENSORS :]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad, *tensors = ctx.saved_tensors
        settings = Settings(*ctx.settings)

        def gradient(grad: Tensor, input: Tensor) -> Tensor:
            pull: Any = torch.func.vjp(lambda x: _reference(x, tensors, settings), input)[1]
            result: Tensor = pull(grad)[0]
            return result

        pull: Any = torch.func.vjp(gradient, grad, tensors[0])[1]
        by_grad, by_input = pull(grads[0])
        return by_grad, by_input, *[None] * (TENSORS - 1 + len(Settings._fields))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], grad: Tensor, *arguments: Any) -> tuple[Tensor, int]:
        tensors, samples = fold(info.batch_size, in_dims[1:], arguments)
        grad = grad.unsqueeze(0) if in_dims[0] is None else grad.movedim(in_dims[0], 0)
        grad = grad.expand(info.batch_size, samples, *grad.shape[2:]).flatten(0, 1)
        apart = Settings(*arguments[TENSORS:])._replace(pooled=False, late=True)
        result = TotalsGradient.apply(grad, *tensors, *apart)  # type: ignore[no-untyped-call]
        return result.unflatten(0, (info.batch_size, samples)), 0


def fold(batch: int, in_dims: tuple[Any, ...], arguments: tuple[Any, ...]) -> tuple[list[Tensor | None], int]:
    """The batch folded into the samples: tensors (batch * N, ...), and N."""
    input_dim = in_dims[0]
    samples = arguments[0].shape[0] if input_dim != 0 else arguments[0].shape[1]
    folded: list[Tensor | None] = []
    for position, (tensor, dim) in enumerate(zip(arguments[:TENSORS], in_dims, strict=False)):
        if tensor is None or position == TENSORS - 1:
            folded.append(tensor)  # the logit_bias has no samples
            continue
        tensor = tensor.unsqueeze(0) if dim is None else tensor.movedim(dim, 0)
        folded.append(tensor.expand(batch, samples, *tensor.shape[2:]).flatten(0, 1))
    return folded, samples


def _reference(input: Tensor, tensors: Sequence[Tensor | None], settings: Settings) -> Tensor:
    """The same totals by the definition."""
    _, target, weight, mask, logit_bias = tensors
    assert target is not None
    if settings.link == "difference":
        return differences(input, target, weight, mask, Difference(*settings.constants[:2]))
    link: Any = settings.link
    inputs = Inputs(
        settings.owner, input, target, weight, mask, link, settings.ignore_index, True, logit_bias, input.shape
    )  # fmt: skip
    result = reference.totals(inputs, _columns(settings))
    return result.sum(0, keepdim=True) if settings.pooled else result


def differences(
    input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None, difference: Difference
) -> Tensor:
    """The definition of the sums of an element-wise formula, and of the weights that count: (1, C, 2)."""
    dtype = computing_dtype(input)
    input, target = input.to(dtype), target.to(dtype)
    if mask is not None:
        input, target = input.where(mask, 0.0), target.where(mask, 0.0)
    value, share = difference(input, target), input.new_ones(()) if weight is None else weight.to(dtype)
    share = share if mask is None else share.where(mask, 0.0)
    apart = [
        t.expand(input.shape).transpose(0, 1).flatten(1).sum(1, dtype=torch.float64) for t in (value * share, share)
    ]
    return torch.stack(apart, -1).unsqueeze(0)


def _columns(settings: Settings) -> list[Column]:
    """The columns of a plan, in order."""
    found: dict[int, Column] = dict(zip(settings.places, REGION_COLUMNS, strict=False))
    for slot, place in enumerate(settings.places[len(REGION_COLUMNS) :]):
        formula = Formula(*settings.constants[slot // 4 * 4 : slot // 4 * 4 + 4])
        found[place] = TermColumn(formula, "truth" if slot % 4 < 2 else "every", slot % 2)
    return [found[place] for place in sorted(found) if place >= 0]
