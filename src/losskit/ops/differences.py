"""Sums of an element-wise formula on the difference of input and target, in the pass that makes its gradient."""

from __future__ import annotations

from torch import Tensor

from losskit.ops import choice, passes
from losskit.ops.columns import REGION_COLUMNS, Difference
from losskit.ops.inputs import Inputs

_PLACES = [1 if name == "count" else -1 for name in REGION_COLUMNS] + [0, -1, -1, -1]


def totals(
    owner: str,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    difference: Difference,
    *,
    mean: bool,
) -> tuple[Tensor, Tensor] | None:
    """The sum of the weighted values and that of the weights, in float64; None where plain PyTorch serves.

    `mean` says that the first will be divided by the second.
    """
    tensors = {"input": input, "target": target, "weight": weight, "mask": mask}
    reason = choice.unavailable("native", input) or choice.unfit(tensors) or ("" if input.dim() else "a single number")
    reasons: dict[choice.Operator, str] = {"native": reason, "triton": "Triton kernels take labels, not differences"}
    inputs = None if reason else _reading(owner, input, target, weight, mask)
    made = inputs is not None and passes.makes_gradients(inputs)
    if choice.choose(owner, 2, reasons, gradient_in_forward=made) == "reference" or inputs is None:
        return None
    planned = (_PLACES, [difference.scale, difference.limit, 0.0, 1.0])
    expected = None
    if made:
        share = 1 / input.numel() if mean else 1.0
        expected = passes.alike(inputs.num_classes, (share, 0.0))
    value, size = passes.totals(inputs, planned, "native", pooled=True, expected=expected)
    return value.sum(), size.sum()


def _reading(owner: str, input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None) -> Inputs:
    """The tensors, as one row where they lie alike."""
    size = input.numel()
    optional = [t for t in (weight, mask) if t is not None]
    if all(t.is_contiguous() and t.shape == input.shape for t in (input, target, *optional)) or input.dim() == 1:
        input, target = _line(input, size), _line(target, size)
        weight, mask = (None if t is None else _line(t, size) for t in (weight, mask))
    return Inputs(owner, input, target, weight, mask, "difference", -100, True, None, input.shape)


def _line(tensor: Tensor, size: int) -> Tensor:
    """One row of all elements."""
    return tensor.expand(size).view(1, 1, size) if tensor.dim() == 1 else tensor.view(1, 1, size)
