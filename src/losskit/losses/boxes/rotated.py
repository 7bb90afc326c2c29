"""The loss of rotated boxes."""

from __future__ import annotations

import torch
from torch import Tensor

from losskit.core.contract import weight_and_mask
from losskit.core.means import MeanLoss
from losskit.core.sums import weighted
from losskit.losses.geometry import rows
from losskit.ops.values import mark


class ProbIoULoss(MeanLoss):
    r"""Probabilistic IoU loss of rotated boxes: the Hellinger distance of Gaussians fitted to the boxes.

    .. math:: \sqrt{1 - e^{-B}}, \quad B = \frac{1}{8} d^T \Sigma^{-1} d + \frac{1}{2} \log \frac{\det
        \Sigma}{\sqrt{\det \Sigma_1 \det \Sigma_2}}, \quad \Sigma = \frac{\Sigma_1 + \Sigma_2}{2}

    where each Gaussian has a box's centre and the covariance of a uniform density on it, so that the loss is smooth in
    the angle. A box of width or height 0 has the value 1, with a zero gradient. For equal boxes the value is 0 and the
    gradient is defined as 0.

    Source: Llerena, Zeni, Kristen, Jung 2021, "Gaussian Bounding Boxes and Probabilistic Intersection-over-Union for
    Object Detection", arXiv:2106.06072.

    Elsewhere: ultralytics's probiou returns 1 minus this value; its angles are in radians too.

    Example:
        >>> loss = losskit.ProbIoULoss()
        >>> input = torch.tensor([[5.0, 5.0, 4.0, 2.0, 0.0]])  # rotated boxes (N, 5)
        >>> target = torch.tensor([[5.0, 5.0, 4.0, 2.0, 0.5]])  # the same box, turned by 0.5 radians
        >>> loss(input, target)
        tensor(0.2429)
    """

    authority = "its formula in mpmath"
    function_name = "prob_iou_loss"
    short_name = "prob_iou"
    also_called = ("probiou",)
    shapes = "input and target (N, 5): centre x and y, width, height and angle in radians; weight and mask (N,)."
    tensors = ("input", "target")

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = rows(self.name, tensors, (5,))
        weight, mask = weight_and_mask(self.name, weight, mask, input.shape[:1])
        if mask is not None:
            input, target = (t.where(mask.unsqueeze(1), 0.0) for t in (input, target))
        value = self.distance(input.double(), target.double()).to(input.dtype)  # B of similar boxes cancels
        for name, boxes in (("input", input), ("target", target)):
            value = mark(
                value,
                (boxes[:, 2:4] < 0).any(1),
                torch.arange(len(boxes), device=boxes.device),
                f"{self.name}: {name} box {{value}} has a size below 0. Pass middle, sizes and angle, with sizes made "
                "positive.",
            )
        return weighted(value, weight, mask)

    def distance(self, input: Tensor, target: Tensor) -> Tensor:
        a, b, c = (one + other for one, other in zip(_covariance(input), _covariance(target), strict=True))
        dx, dy = (input[:, :2] - target[:, :2]).unbind(1)
        flat = (input[:, 2:4].prod(1) == 0) | (target[:, 2:4].prod(1) == 0)
        det = torch.where(flat, 1.0, a * b - c * c)  # four times the mean's determinant
        dets = torch.where(flat, 1.0, (input[:, 2:4] * target[:, 2:4]).prod(1) / 144)  # root of both determinants
        apart = (b * dx * dx + a * dy * dy - 2 * c * dx * dy) / det / 4
        bhattacharyya = apart + (det / (4 * dets)).log() / 2
        near = bhattacharyya < 1e-14  # B is below rounding
        hellinger = (-torch.expm1(-torch.where(near, 1.0, bhattacharyya))).sqrt()
        return torch.where(flat, 1.0, torch.where(near, 0.0, hellinger))

    def values_shape(self, target: Tensor) -> torch.Size:
        return target.shape[:1]


def _covariance(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The covariance xx, yy and xy of a uniform density on each box."""
    w, h, angle = boxes[:, 2] ** 2 / 12, boxes[:, 3] ** 2 / 12, boxes[:, 4]
    cos, sin = angle.cos(), angle.sin()
    return w * cos * cos + h * sin * sin, w * sin * sin + h * cos * cos, (w - h) * cos * sin
