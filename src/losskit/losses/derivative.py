"""Sobolev losses: errors of values and of derivatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from losskit.core.contract import check_equal, check_floating, check_real, shape, weight_and_mask
from losskit.core.domains import NonNegative, Positive
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.core.summable import answering
from losskit.core.sums import Sums, weighted
from losskit.ops.inputs import computing_dtype


class SobolevLoss(MeanLoss):
    r"""Sobolev training: the squared error of a model's outputs and of their derivatives with respect to its inputs.

    .. math:: (f(x) - y)^2 + \lambda\,\frac{1}{D} \sum_{d=1}^{D} \left(\frac{\partial f}{\partial x_d}(x)
        - \frac{\partial y}{\partial x_d}\right)^2

    for each output. `inputs` is the tensor that the model was called with, and requires grad; `target_grad` contains
    the derivatives of each output with respect to each input. Derivatives are per-sample: a model that mixes the
    samples of a batch (batch normalisation in training) has no such derivatives. They need one backward pass per output
    of a sample; `directions=K` compares them along K random unit vectors instead, with K Jacobian-vector products for
    any number of outputs and the unbiased estimate :math:`\frac{1}{K} \sum_k (v_k^T \nabla f - v_k^T \nabla y)^2`. A
    model made by `torch.compile` cannot be differentiated twice: leave it and this loss eager.

    Source: Czarnecki, Osindero, Jaderberg, Swirszcz, Pascanu 2017, "Sobolev Training for Neural Networks",
    arXiv:1706.04859, which sums over the inputs where this takes the mean.

    Elsewhere: in force fields the derivative is the negative force, and each part has a weight.

    Example:
        >>> loss = losskit.SobolevLoss(derivative_weight=1.0)
        >>> inputs = torch.tensor([[1.0], [2.0]], requires_grad=True)  # (N, 1)
        >>> output = 3 * inputs  # of a model
        >>> target, target_grad = inputs.detach() ** 2, 2 * inputs.detach()
        >>> loss(output, target, inputs=inputs, target_grad=target_grad).detach()
        tensor(5.)
    """

    authority = "values worked by hand"
    shapes = (
        "output and target (N, *); inputs (N, D...); target_grad (N, *, D...), or (N, D...) for one output per sample; "
        "weight and mask as the output."
    )

    derivative_weight: NonNegative = option(default=1.0, doc="weight of the derivatives' error")
    directions: Annotated[int, Ge(1)] | None = option(
        default=None, doc="number of random directions in which to compare derivatives; None: every input"
    )

    @answering
    def forward(
        self,
        output: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        inputs: Tensor,
        target_grad: Tensor,
        generator: torch.Generator | None = None,
        normalizer: float | Tensor | None = None,
        whole: Sums | None = None,
    ) -> Tensor:
        tensors = [output, target, inputs, target_grad]
        if generator is not None and self.directions is not None:
            check_real(self.name, "inputs", inputs)
            tensors.append(_unit_vectors(self.directions, inputs, generator))
        return self.reduced(*tensors, weight=weight, mask=mask, normalizer=normalizer, whole=whole)

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        output, target, inputs, target_grad, *along = tensors
        self._check(output, target, inputs, target_grad)
        weight, mask = weight_and_mask(self.name, weight, mask, output.shape)
        dtype = computing_dtype(output)
        error = output.to(dtype) - target.to(dtype)
        samples, size = inputs.shape[0], math.prod(inputs.shape[1:])
        wanted = target_grad.reshape(*output.shape, size).to(dtype)
        if self.directions is None:
            slopes = wanted.new_zeros(wanted.shape) if samples == 0 else self._jacobian(output, inputs).to(dtype)
            slope_error = slopes.reshape(wanted.shape) - wanted  # (N, *, D)
        else:
            vectors = along[0] if along else _unit_vectors(self.directions, inputs, None)  # (K, N, D)
            found = self._along(output, inputs, vectors).to(dtype)  # (K, N, *)
            vectors = vectors.to(dtype).reshape(len(vectors), samples, *(1,) * (output.dim() - 1), size)
            slope_error = (found - (wanted * vectors).sum(-1)).movedim(0, -1)  # (N, *, K)
        if mask is not None:
            error = error.where(mask, 0.0)
            slope_error = slope_error.where(mask.unsqueeze(-1), 0.0)
        value = error**2 + self.derivative_weight * (slope_error**2).mean(-1)
        return weighted(value, weight, mask)

    def _jacobian(self, output: Tensor, inputs: Tensor) -> Tensor:
        """The derivative of each output of a sample by its inputs, (N, outputs, D...), one backward pass per output."""
        columns = output.reshape(output.shape[0], -1).unbind(1)
        return torch.stack([self._gradient(column, inputs, torch.ones_like(column)) for column in columns], 1)

    def _along(self, output: Tensor, inputs: Tensor, vectors: Tensor) -> Tensor:
        """Jacobian-vector products, (K, N, *): the derivative of a vector-Jacobian product by its vector."""
        with torch.enable_grad():
            covector = torch.zeros_like(output, requires_grad=True)
            product = self._gradient(output, inputs, covector)
            results = [
                torch.autograd.grad(product, covector, vector.reshape(inputs.shape).to(product), create_graph=True)[0]
                for vector in vectors
            ]
        return torch.stack(results)

    def _gradient(self, output: Tensor, inputs: Tensor, covector: Tensor) -> Tensor:
        found = torch.autograd.grad(output, inputs, covector, create_graph=True, allow_unused=True)[0]
        if found is None:
            raise ValueError(
                f"{self.name}: output does not depend on inputs. Pass as inputs the very tensor that the model was "
                "called with, not a copy, a slice or a reshape of it."
            )
        return found

    def _check(self, output: Tensor, target: Tensor, inputs: Tensor, target_grad: Tensor) -> None:
        check_floating(self.name, "output", output)
        check_real(self.name, "target", target)
        check_equal(self.name, {"output": output, "target": target})
        check_floating(self.name, "inputs", inputs)
        check_real(self.name, "target_grad", target_grad)
        if output.dim() == 0 or inputs.dim() == 0 or inputs.shape[0] != output.shape[0]:
            raise ValueError(
                f"{self.name}: output {shape(output)} and inputs {shape(inputs)} must begin with the same number of "
                "samples."
            )
        full = (*output.shape, *inputs.shape[1:])
        single = output.numel() == output.shape[0]
        if tuple(target_grad.shape) != full and not (single and target_grad.shape == inputs.shape):
            either = f"{full} or {shape(inputs)}" if single and full != tuple(inputs.shape) else f"{full}"
            raise ValueError(
                f"{self.name}: target_grad has shape {shape(target_grad)}, but output {shape(output)} and inputs "
                f"{shape(inputs)} take {either}: the derivative of each output by each input of its sample."
            )
        if not inputs.requires_grad:
            raise ValueError(
                f"{self.name}: inputs does not require grad, so output has no derivative by it. Call "
                "inputs.requires_grad_() before the model is called."
            )
        if not output.requires_grad and output.shape[0] > 0:
            raise ValueError(
                f"{self.name}: output does not depend on inputs: it carries no graph. Call the model under "
                "torch.enable_grad(), also in evaluation, and do not detach its output."
            )


class GridSobolevLoss(MeanLoss):
    r"""Sobolev (H1) loss on a grid: the squared error of values and of their finite differences.

    .. math:: e_i^2 + \lambda\,\frac{1}{D} \sum_{d=1}^{D} \frac{1}{2} \left[\left(\frac{e_{i+d} - e_i}{h_d}\right)^2
        + \left(\frac{e_i - e_{i-d}}{h_d}\right)^2\right], \quad e = x - y

    at each point. If one neighbour is missing, at the border or under a mask, only the other is used. Unlike central
    differences, differences of neighbours also detect errors that alternate from point to point.

    Source: Czarnecki et al. 2017, "Sobolev Training for Neural Networks", arXiv:1706.04859, on a grid; the squared
    norm of the Sobolev space H1.

    Elsewhere: neuraloperator's H1Loss uses central differences, sums over dimensions and divides by the norm of the
    target.

    Example:
        >>> loss = losskit.GridSobolevLoss(derivative_weight=1.0)
        >>> input = torch.tensor([[[0.0, 1.0, 4.0]]])  # a field on a grid (N, C, *)
        >>> target = torch.tensor([[[0.0, 1.0, 2.0]]])
        >>> loss(input, target)
        tensor(3.3333)
    """

    authority = "its formula in mpmath"
    shapes = (
        "input and target (N, C, *) with at least one spatial dimension; weight and mask of their shape, or size 1."
    )

    derivative_weight: NonNegative = option(default=1.0, doc="weight of the derivatives' error")
    spacing: Positive | Sequence[Positive] = option(
        default=1.0, doc="distance of neighbouring points, one number or one per spatial dimension"
    )

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = tensors
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        check_equal(self.name, {"input": input, "target": target})
        spacing = self._spacing(input)
        weight, mask = weight_and_mask(self.name, weight, mask, input.shape)
        dtype = computing_dtype(input)
        error = input.to(dtype) - target.to(dtype)
        counts = torch.ones((), dtype=torch.bool, device=input.device) if mask is None else mask
        error, counts = error.where(counts, 0.0), counts.expand(input.shape)
        slopes = torch.zeros_like(error)
        for dim, step in enumerate(spacing if error.numel() else (), 2):
            both = counts.narrow(dim, 1, counts.shape[dim] - 1) & counts.narrow(dim, 0, counts.shape[dim] - 1)
            square = torch.where(both, (error.diff(dim=dim) / step) ** 2, 0.0)
            slopes = slopes + _beside(square, dim) / _beside(both.to(dtype), dim).clamp_min(1)
        return weighted(error**2 + self.derivative_weight / len(spacing) * slopes, weight, mask)

    def _spacing(self, input: Tensor) -> list[float]:
        dims = input.dim() - 2
        if dims < 1 or 1 in input.shape[2:]:
            raise ValueError(
                f"{self.name}: input must have shape (N, C, *), with at least two points in each spatial dimension; "
                f"got {shape(input)}."
            )
        spacing = list(self.spacing) if isinstance(self.spacing, Sequence) else [self.spacing] * dims
        if len(spacing) != dims:
            raise ValueError(
                f"{self.name}: spacing has {len(spacing)} numbers, but input {shape(input)} has {dims} spatial "
                "dimensions. Give one number for all, or one each."
            )
        return spacing


def _beside(between: Tensor, dim: int) -> Tensor:
    """At each point, the sum of the values between it and its two neighbours along a dimension."""
    outer = [0, 0] * (between.dim() - 1 - dim)
    return F.pad(between, [*outer, 1, 0]) + F.pad(between, [*outer, 0, 1])


def _unit_vectors(count: int, inputs: Tensor, generator: torch.Generator | None) -> Tensor:
    """Random unit vectors of each sample, (K, N, D)."""
    vectors = torch.randn(
        count,
        inputs.shape[0],
        math.prod(inputs.shape[1:]),
        generator=generator,
        device=inputs.device,
        dtype=computing_dtype(inputs),
    )
    return F.normalize(vectors, dim=-1)
