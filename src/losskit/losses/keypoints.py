"""Losses of keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from losskit.core.contract import check_equal, check_floating, check_real, shape, weight_and_mask
from losskit.core.domains import Positive
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.core.sums import weighted
from losskit.ops.inputs import computing_dtype
from losskit.ops.values import mark


class OKSLoss(MeanLoss):
    r"""Object keypoint similarity (OKS) loss: one minus COCO's OKS of each instance.

    .. math:: \frac{1}{|V|} \sum_{i \in V} 1 - \exp\left(-\frac{d_i^2}{2\,(2 \sigma_i)^2\,A}\right)

    over the visible keypoints V of each instance, with A its area and :math:`\sigma_i` the deviations of annotators. An
    instance without visible keypoints has the value 0; exclude it with `mask`.

    Source: COCO's keypoint evaluation, Ronchi and Perona 2017, "Benchmarking and Error Diagnosis in Multi-Instance Pose
    Estimation", arXiv:1707.05388; as a loss Maji, Nagori, Mathew, Poddar 2022, YOLO-Pose, arXiv:2204.06806.

    Elsewhere: ultralytics adds an eps to the area and averages over the batch's keypoints.

    Example:
        >>> loss = losskit.OKSLoss(sigmas=[0.1, 0.2])
        >>> input = torch.tensor([[[10.0, 10.0], [20.0, 20.0]]])  # keypoints (N, K, 2)
        >>> target = torch.tensor([[[11.0, 10.0], [20.0, 22.0]]])
        >>> visible, area = torch.tensor([[True, True]]), torch.tensor([100.0])  # (N, K) and (N,)
        >>> loss(input, target, visible, area)
        tensor(0.1175)
    """

    authority = "its formula in mpmath"
    function_name = "oks_loss"
    short_name = "oks"
    also_called = ("object_keypoint_similarity",)
    shapes = (
        "input and target (N, K, 2); visible (N, K), bool or positive where a keypoint is; area (N,); weight and mask "
        "(N,)."
    )
    tensors = ("input", "target", "visible", "area")

    sigmas: Sequence[Positive] = option(doc="deviation of annotators for each keypoint, in roots of the area")

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target, visible, area = tensors
        check_floating(self.name, "input", input)
        for name, tensor in (("target", target), ("visible", visible), ("area", area)):
            check_real(self.name, name, tensor)
        check_equal(self.name, {"input": input, "target": target})
        if input.dim() != 3 or input.shape[1:] != (len(self.sigmas), 2):
            raise ValueError(
                f"{self.name}: input must have shape (N, {len(self.sigmas)}, 2), x and y of one keypoint for each of "
                f"the {len(self.sigmas)} sigmas; got {shape(input)}."
            )
        if visible.shape != input.shape[:2] or area.shape != input.shape[:1]:
            raise ValueError(
                f"{self.name}: input {shape(input)} takes visible {tuple(input.shape[:2])} and area "
                f"{tuple(input.shape[:1])}; got {shape(visible)} and {shape(area)}."
            )
        weight, mask = weight_and_mask(self.name, weight, mask, area.shape)
        dtype = computing_dtype(input)
        seen, size = visible > 0, area.to(dtype)
        if mask is not None:
            seen, size = seen & mask.unsqueeze(1), size.where(mask, 1.0)
        apart = (input.to(dtype) - target.to(dtype)).where(seen.unsqueeze(2), 0.0)
        spread = 8 * torch.tensor(self.sigmas, dtype=dtype, device=input.device) ** 2 * size.unsqueeze(1)
        each = -torch.expm1(-(apart**2).sum(2) / spread)
        count = seen.sum(1)
        value = each.where(seen, 0.0).sum(1) / count.clamp_min(1)
        value = mark(value, size <= 0, size, f"{self.name}: area holds {{value}}, but instances have areas above 0.")
        return weighted(value, weight, mask)
