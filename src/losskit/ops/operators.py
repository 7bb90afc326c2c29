"""Registers a fused operator with PyTorch: fake implementation, derivatives and batching rule.

Its gradient is a second operator, whose derivative is that of the reference. Both are called by autograd functions,
since `register_autograd` breaks func.grad, vmap(grad) and hessian. The two functions call every operator by name, since
dynamo does not resolve functions in closures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._decomp import register_decomposition

from losskit.ops import values
from losskit.ops.inputs import Inputs, can_hold


class Settings(NamedTuple):
    """The non-tensor arguments of an operator."""

    owner: str
    link: str
    ignore_index: int
    places: list[int]  # the columns of a plan; -1 if not summed
    constants: list[float]
    pooled: bool
    backend: str
    late: bool  # whether errors for invalid labels are raised later

    def ignored(self, target: Tensor) -> int | None:
        """The ignored label, or None if the dtype of the target cannot represent it."""
        return self.ignore_index if can_hold(target, self.ignore_index) else None


Tensors = tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]


def inputs_of(tensors: Tensors, settings: Settings) -> Inputs:
    """The arguments of an operator as `Inputs` for the reference."""
    input, target, weight, mask, logit_bias = tensors
    link: Any = settings.link
    ignore = settings.ignore_index
    return Inputs(settings.owner, input, target, weight, mask, link, ignore, True, logit_bias, input.shape)


_ARGUMENTS = (
    "Tensor input, Tensor target, Tensor? weight, Tensor? mask, Tensor? logit_bias, str owner, str link, "
    "int ignore_index, int[] places, float[] constants, bool pooled, str backend, bool late"
)
_library = torch.library.Library("losskit", "FRAGMENT")  # type: ignore[no-untyped-call]


class _Operator(NamedTuple):
    reference: Callable[[Inputs, Settings], Tensor]
    check: Callable[[Inputs], list[Tensor]]
    additive: bool


_operators: dict[str, _Operator] = {}


def register(
    name: str,
    run: Callable[[Tensors, Settings], Tensor],
    run_gradient: Callable[[Tensor, Tensors, Settings], Tensor],
    reference: Callable[[Inputs, Settings], Tensor],
    check: Callable[[Inputs], list[Tensor]],
    *,
    additive: bool,
) -> None:
    """Define `losskit::name`, sums (N or 1, C, K), and `losskit::name_gradient`, their gradient by the input.

    `check` returns what is invalid in the values, as `values.check`. `additive`: pooled sums are those over samples.
    For code that knows only PyTorch's own operators, such as ONNX, the sums are decomposed to the definition.
    """

    def sums(*arguments: Any) -> Tensor:
        values.raise_pending()
        return run(arguments[:5], Settings(*arguments[5:]))

    def gradient(grad: Tensor, *arguments: Any) -> Tensor:
        return run_gradient(grad, arguments[:5], Settings(*arguments[5:]))

    def decomposed(*arguments: Any) -> Tensor:
        return sums_by_definition(name, arguments[:5], Settings(*arguments[5:]))

    _operators[name] = _Operator(reference, check, additive)
    _define(name, f"({_ARGUMENTS}) -> Tensor", sums, _fake_sums)
    register_decomposition(getattr(torch.ops.losskit, name).default)(decomposed)
    _define(f"{name}_gradient", f"(Tensor grad, {_ARGUMENTS}) -> Tensor", gradient, _fake_gradient)


def _define(name: str, signature: str, operator: Callable[..., Tensor], fake: Callable[..., Tensor]) -> None:
    _library.define(name + signature)  # type: ignore[no-untyped-call]
    _library.impl(name, operator, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"losskit::{name}", fake)


def _fake_sums(input: Tensor, *rest: Any) -> Tensor:
    settings = Settings(*rest[4:])
    columns = sum(1 for place in settings.places if place >= 0)
    return input.new_empty((1 if settings.pooled else input.shape[0], input.shape[1], columns), dtype=torch.float64)


def _fake_gradient(grad: Tensor, input: Tensor, *rest: Any) -> Tensor:  # noqa: ARG001
    return torch.empty_like(input)


def sums(name: str, tensors: Tensors, settings: Settings) -> Tensor:
    return _Sums.apply(*tensors, name, settings)  # type: ignore[no-any-return, no-untyped-call]


def gradient(name: str, grad: Tensor, tensors: Tensors, settings: Settings) -> Tensor:
    """The gradient of the sums by the input; differentiable once more."""
    return _Gradient.apply(grad, *tensors, name, settings)  # type: ignore[no-any-return, no-untyped-call]


def sums_by_definition(name: str, tensors: Tensors, settings: Settings) -> Tensor:
    """The sums by plain PyTorch, NaN where an invalid label is reported later."""
    inputs, operator = inputs_of(tensors, settings), _operators[name]
    bad = operator.check(inputs)
    result = operator.reference(inputs, settings)
    return result + sum(bad) if bad else result


def gradient_by_definition(name: str, grad: Tensor, tensors: Tensors, settings: Settings) -> Tensor:
    """The gradient of the sums by the input, in plain PyTorch."""

    def sums(input: Tensor) -> Tensor:
        return _operators[name].reference(inputs_of((input, *tensors[1:]), settings), settings)

    result: Tensor = torch.func.vjp(sums, tensors[0])[1](grad)[0]
    return result


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    *tensors, ctx.name, ctx.settings = inputs
    ctx.save_for_backward(*tensors)


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(  # dynamo counts the parameters, so they cannot be *arguments
        input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None, logit_bias: Tensor | None,
        name: str, settings: Settings,
    ) -> Tensor:  # fmt: skip
        operator = getattr(torch.ops.losskit, name)
        result: Tensor = operator(input, target, weight, mask, logit_bias, *settings)
        return result

    setup_context = staticmethod(_save)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return gradient(ctx.name, grads[0], ctx.saved_tensors, ctx.settings), *[None] * 6

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Tensor, int]:
        result = _batched(_Sums, info.batch_size, in_dims, arguments)
        return result.sum(1, keepdim=True) if arguments[-1].pooled else result, 0


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(
        grad: Tensor, input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None,
        logit_bias: Tensor | None, name: str, settings: Settings,
    ) -> Tensor:  # fmt: skip
        operator = getattr(torch.ops.losskit, f"{name}_gradient")
        result: Tensor = operator(grad, input, target, weight, mask, logit_bias, *settings)
        return result

    setup_context = staticmethod(_save)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad, *tensors = ctx.saved_tensors

        def of_input(grad: Tensor, input: Tensor) -> Tensor:
            return gradient_by_definition(ctx.name, grad, (input, *tensors[1:]), ctx.settings)

        pull: Any = torch.func.vjp(of_input, grad, tensors[0])[1]
        return *pull(grads[0]), *[None] * 6

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Tensor, int]:
        return _batched(_Gradient, info.batch_size, in_dims, arguments), 0


def _batched(function: Any, batch: int, in_dims: tuple[Any, ...], arguments: tuple[Any, ...]) -> Tensor:
    """One call with the vmap dimension folded into the samples, or one call per element where that would be wrong."""
    *tensors, name, settings = arguments
    settings = settings._replace(late=True)
    batched_bias = in_dims[len(tensors) - 1] is not None
    if batched_bias or (settings.pooled and not _operators[name].additive):
        each = [
            [t if dim is None else t.select(dim, b) for t, dim in zip(tensors, in_dims, strict=False)]
            for b in range(batch)
        ]
        return torch.stack([function.apply(*one, name, settings) for one in each])
    moved: list[Any] = [
        t if t is None else t.unsqueeze(0) if dim is None else t.movedim(dim, 0)
        for t, dim in zip(tensors[:-1], in_dims, strict=False)
    ]  # all but logit_bias, which has no sample dimension
    samples = moved[-4].shape[1]  # batch dimension of the input
    folded = [t if t is None else t.expand(batch, samples, *t.shape[2:]).flatten(0, 1) for t in moved]
    result: Tensor = function.apply(*folded, tensors[-1], name, settings._replace(pooled=False))
    return result.unflatten(0, (batch, samples))  # type: ignore[no-any-return, no-untyped-call]
