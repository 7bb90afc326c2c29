"""Losses of boxes: what two boxes share, and how far apart they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from losskit.core.contract import elementwise
from losskit.core.domains import Positive
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.core.reduction import weighted
from losskit.losses.geometry import Boxes, BoxLoss, Pair, product, ratio, root, rows
from losskit.ops.values import mark

_FLOOR = 100.0  # what no overlap costs under a logarithm, as everywhere here


class BoxIoULoss(BoxLoss):
    r"""Measures what share of two boxes is not shared; boxes that do not touch all cost the same.

    .. math:: 1 - \text{IoU}, \quad \text{or } -\log \text{IoU}

    IoU is 0, with a zero gradient, where boxes do not overlap or both are of size 0. Its logarithm is floored at -100.

    Source: Yu, Jiang, Wang, Cao, Huang 2016, "UnitBox: An Advanced Object Detection Network", arXiv:1608.01471, with
    the logarithm.

    Elsewhere: mmdet's IoULoss takes the logarithm by default; IoULoss here is that of masks, Jaccard.
    """

    authority = "its formula in mpmath"
    function_name = "box_iou_loss"
    short_name = "box_iou"
    also_called = ("unitbox",)
    shapes = (
        "input and target (N, 4), or (N, 6) in space, boxes as `format` says; weight and mask (N,), one value a box."
    )
    dimensions = (2, 3)

    log: bool = option(default=False, doc="take minus the logarithm of the overlap, so that a bad one pulls harder")

    def per_box(self, pair: Pair) -> Tensor:
        iou = pair.iou()
        if not self.log:
            return 1 - iou
        some = iou > math.exp(-_FLOOR)
        return torch.where(some, -torch.where(some, iou, 1.0).log(), torch.where(iou.isnan(), iou, _FLOOR))


class GIoULoss(BoxLoss):
    r"""Extends the overlap to boxes that do not touch: the emptier the box around both, the more it costs.

    .. math:: 1 - \text{IoU} + \frac{|C| - |U|}{|C|}

    with U the union and C the smallest box around both. Where C is of size 0 its term is 0.

    Source: Rezatofighi, Tsoi, Gwak, Sadeghian, Reid, Savarese 2019, "Generalized Intersection over Union",
    arXiv:1902.09630.

    Elsewhere: torchvision, fvcore and MONAI add an eps to both denominators.
    """

    authority = "torchvision.ops.generalized_box_iou_loss and its formula in mpmath"
    function_name = "giou_loss"
    short_name = "giou"
    also_called = ("generalized_box_iou",)
    shapes = BoxIoULoss.shapes
    dimensions = (2, 3)

    overlap_kind = "giou"

    def per_box(self, pair: Pair) -> Tensor:
        shared, union = pair.overlap()
        hull = product(pair.hull())
        return 1 - ratio(shared, union) + ratio(hull - union, hull)


class DIoULoss(BoxLoss):
    r"""Adds the distance of the middles, so that boxes apart move straight towards each other.

    .. math:: 1 - \text{IoU} + \frac{\rho^2}{c^2}

    with rho the distance of the middles and c the diagonal of the smallest box around both. Where c is 0 its term is 0.

    Source: Zheng, Wang, Liu, Li, Ye, Ren 2020, "Distance-IoU Loss: Faster and Better Learning for Bounding Box
    Regression", arXiv:1911.08287.

    Elsewhere: torchvision adds an eps to both denominators.
    """

    authority = "torchvision.ops.distance_box_iou_loss and its formula in mpmath"
    function_name = "diou_loss"
    short_name = "diou"
    also_called = ("distance_box_iou",)
    shapes = BoxIoULoss.shapes
    dimensions = (2, 3)

    overlap_kind = "diou"

    def per_box(self, pair: Pair) -> Tensor:
        return 1 - pair.iou() + pair.distance()


class CIoULoss(BoxLoss):
    r"""Adds the distance of the middles and the difference of the aspect ratios.

    .. math:: 1 - \text{IoU} + \frac{\rho^2}{c^2} + \lfloor a \rfloor v, \quad v = \frac{4}{\pi^2} \left(\arctan
        \frac{w_t}{h_t} - \arctan \frac{w}{h}\right)^2, \quad a = \frac{v}{1 - \text{IoU} + v}

    where the factor a takes no gradient. The angle of a box without height is a right one, and that of a point 0.

    Source: Zheng, Wang, Ren, Liu, Ye, Hu, Zuo 2020, "Enhancing Geometric Factors in Model Learning and Inference for
    Object Detection and Instance Segmentation", arXiv:2005.03572.

    Elsewhere: torchvision and detectron2 stop the gradient too; mmdet lets it pass through a.
    """

    authority = "torchvision.ops.complete_box_iou_loss and its formula in mpmath"
    function_name = "ciou_loss"
    short_name = "ciou"
    also_called = ("complete_box_iou",)

    overlap_kind = "ciou"

    def per_box(self, pair: Pair) -> Tensor:
        iou = pair.iou()
        v = 4 / math.pi**2 * (_angle(pair.target) - _angle(pair.input)) ** 2
        share = ratio(v, 1 - iou + v).detach()
        return 1 - iou + pair.distance() + share * v


def _angle(boxes: Boxes) -> Tensor:
    """arctan(w / h), and 0 with derivatives of 0 for a point."""
    w, h = boxes.size.unbind(1)
    point = (w == 0) & (h == 0)
    return torch.atan2(torch.where(point, 0.0, w), torch.where(point, 1.0, h))


class EIoULoss(BoxLoss):
    r"""Adds the distance of the middles and the differences of width and height, each by itself.

    .. math:: 1 - \text{IoU} + \frac{\rho^2}{c^2} + \frac{(w - w_t)^2}{C_w^2} + \frac{(h - h_t)^2}{C_h^2}

    with C the smallest box around both, and c its diagonal. Where a denominator is 0 its term is 0.

    Source: Zhang, Ren, Zhang, Jia, Wang, Tan 2021, "Focal and Efficient IOU Loss for Accurate Bounding Box
    Regression", arXiv:2101.08158, without its focal factor.

    Elsewhere: mmdet's EIoULoss is another loss, of Peng and Yu 2021.
    """

    authority = "its formula in mpmath"
    function_name = "eiou_loss"
    short_name = "eiou"

    def per_box(self, pair: Pair) -> Tensor:
        apart = (pair.input.size - pair.target.size) ** 2
        return 1 - pair.iou() + pair.distance() + ratio(apart, pair.hull() ** 2).sum(1)


class SIoULoss(BoxLoss):
    r"""Adds distance and shape, and moves a box first along the axis that is nearer.

    .. math:: 1 - \text{IoU} + \frac{\Delta + \Omega}{2}, \quad \Delta = \sum_{t = x, y} \left(1 - e^{-(2 - \Lambda)
        \rho_t}\right), \quad \Omega = \sum_{t = w, h} \left(1 - e^{-\omega_t}\right)^\theta

    with :math:`\Lambda = 2 |d_x d_y| / (d_x^2 + d_y^2)` of the difference d of the middles, :math:`\rho_t = (d_t /
    C_t)^2` of the smallest box C around both, and :math:`\omega_t` the difference of widths, or heights, over the
    larger one. Where a denominator is 0 its term is 0.

    Source: Gevorgyan 2022, "SIoU Loss: More Powerful Learning for Bounding Box Regression", arXiv:2205.12740, whose
    :math:`1 - 2 \sin^2(\arcsin s - \pi / 4)` is this angle cost.

    Elsewhere: implementations differ in which of width and height divides each side of the distance.
    """

    authority = "its formula in mpmath"
    function_name = "siou_loss"
    short_name = "siou"
    also_called = ("scylla_iou",)

    theta: Annotated[float, Interval(ge=2, le=6)] = option(default=4.0, doc="the power of the shape's cost")

    def per_box(self, pair: Pair) -> Tensor:
        between, hull = pair.between(), pair.hull()
        square = between**2
        angle = ratio(2 * product(between).abs(), square.sum(1))
        distance = -(-(2 - angle).unsqueeze(1) * ratio(square, hull**2)).expm1().sum(1)
        w, w_t = pair.input.size, pair.target.size
        uneven = ratio((w - w_t).abs(), torch.maximum(w, w_t))
        shape_cost = ((-(-uneven).expm1()) ** self.theta).sum(1)
        return 1 - pair.iou() + (distance + shape_cost) / 2


class AlphaIoULoss(BoxLoss):
    r"""Raises the overlap to a power, so that boxes that are nearly right still pull.

    .. math:: 1 - \text{IoU}^\alpha

    Where boxes do not overlap the value is 1, with a zero gradient.

    Source: He, Erfani, Ma, Bailey, Chi, Hua 2021, "Alpha-IoU: A Family of Power Intersection over Union Losses for
    Bounding Box Regression", arXiv:2110.13675.

    Elsewhere: the family also raises the terms of GIoU, DIoU and CIoU to powers.
    """

    authority = "its formula in mpmath"
    function_name = "alpha_iou_loss"
    short_name = "alpha_iou"

    alpha: Positive = option(default=3.0, doc="the power; above 1 good boxes pull harder")

    def per_box(self, pair: Pair) -> Tensor:
        iou = pair.iou()
        some = iou != 0
        return 1 - torch.where(some, torch.where(some, iou, 1.0) ** self.alpha, 0.0)


class WIoULoss(BoxLoss):
    r"""Weighs the overlap by the distance of the middles, which pulls more where boxes are wrong anyway.

    .. math:: (1 - \text{IoU}) \exp\left(\frac{\rho^2}{\lfloor c^2 \rfloor}\right)

    with rho the distance of the middles and c the diagonal of the smallest box around both, which takes no gradient.

    Source: Tong, Chen, Xu, Yu 2023, "Wise-IoU: Bounding Box Regression Loss with Dynamic Focusing Mechanism",
    arXiv:2301.10051, version 1.

    Elsewhere: versions 2 and 3 weigh by a running mean of the loss, which no single batch tells.
    """

    authority = "its formula in mpmath"
    function_name = "wiou_loss"
    short_name = "wiou"
    also_called = ("wise_iou",)

    def per_box(self, pair: Pair) -> Tensor:
        apart = ratio((pair.between() ** 2).sum(1), (pair.hull() ** 2).sum(1).detach())
        return (1 - pair.iou()) * apart.exp()


class WassersteinBoxLoss(BoxLoss):
    r"""Compares boxes as Gaussians, so that tiny ones that miss by a pixel are near and not simply apart.

    .. math:: 1 - \exp\left(-\frac{1}{C} \sqrt{\lVert m - m_t \rVert^2 + \tfrac{1}{4} \lVert s - s_t \rVert^2}\right)

    with middles m and sizes s; the root is their 2-Wasserstein distance. For equal boxes the gradient is taken as 0.

    Source: Wang, Xu, Yang, Yu 2021, "A Normalized Gaussian Wasserstein Distance for Tiny Object Detection",
    arXiv:2110.13389.

    Elsewhere: NWD is another name; the constant is the mean size of the objects, in pixels, 12.8 in AI-TOD.
    """

    authority = "its formula in mpmath"
    short_name = "wasserstein_box"
    also_called = ("nwd",)

    constant: Positive = option(default=12.8, doc="the usual size of the objects, in the boxes' unit")

    def per_box(self, pair: Pair) -> Tensor:
        square = (pair.between() ** 2).sum(1) + ((pair.input.size - pair.target.size) ** 2).sum(1) / 4
        return -(-root(square) / self.constant).expm1()


class MPDIoULoss(BoxLoss):
    r"""Adds the distances of both pairs of corners, in sizes of the image.

    .. math:: 1 - \text{IoU} + \frac{d_1^2 + d_2^2}{W^2 + H^2}

    with d the distances of the first and of the last corners, and the image's width W and height H, in either order.

    Source: Ma and Xu 2023, "MPDIoU: A Loss for Efficient and Accurate Bounding Box Regression", arXiv:2307.07662.

    Elsewhere: some divide by the size of a feature map, in whose cells their boxes are.
    """

    authority = "its formula in mpmath"
    function_name = "mpdiou_loss"
    short_name = "mpdiou"

    image_size: Sequence[Positive] = option(doc="width and height of the image, in the boxes' unit")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.image_size) != 2:
            raise ValueError(
                f"{self.name}: image_size takes two numbers, the image's width and height; got {self.image_size}."
            )

    def per_box(self, pair: Pair) -> Tensor:
        apart = (pair.input.low - pair.target.low) ** 2 + (pair.input.high - pair.target.high) ** 2
        return 1 - pair.iou() + apart.sum(1) / sum(size**2 for size in self.image_size)


class ProbIoULoss(MeanLoss):
    r"""Compares rotated boxes as Gaussians, whose overlap is smooth in the angle too.

    .. math:: \sqrt{1 - e^{-B}}, \quad B = \frac{1}{8} d^T \Sigma^{-1} d + \frac{1}{2} \log \frac{\det
        \Sigma}{\sqrt{\det \Sigma_1 \det \Sigma_2}}, \quad \Sigma = \frac{\Sigma_1 + \Sigma_2}{2}

    the Hellinger distance of Gaussians with a box's middle and covariance, which is that of a uniform density on it. A
    box of width or height 0 costs 1, with a zero gradient, and equal boxes cost 0, where the gradient is taken as 0.

    Source: Llerena, Zeni, Kristen, Jung 2021, "Gaussian Bounding Boxes and Probabilistic Intersection-over-Union for
    Object Detection", arXiv:2106.06072.

    Elsewhere: ultralytics's probiou returns 1 minus this; angles there are radians too.
    """

    authority = "its formula in mpmath"
    function_name = "prob_iou_loss"
    short_name = "prob_iou"
    also_called = ("probiou",)
    shapes = "input and target (N, 5): middle x and y, width, height and angle in radians; weight and mask (N,)."
    tensors = ("input", "target")

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = rows(self.name, tensors, (5,))
        weight = elementwise(self.name, "weight", weight, input.shape[:1])
        mask = elementwise(self.name, "mask", mask, input.shape[:1])
        if mask is not None:
            input, target = (t.where(mask.unsqueeze(1), 0.0) for t in (input, target))
        value = self.distance(input.double(), target.double()).to(input.dtype)  # B of near boxes is a small difference
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
        det = torch.where(flat, 1.0, a * b - c * c)  # four times that of the mean
        dets = torch.where(flat, 1.0, (input[:, 2:4] * target[:, 2:4]).prod(1) / 144)  # the root of both dets' product
        apart = (b * dx * dx + a * dy * dy - 2 * c * dx * dy) / det / 4
        bhattacharyya = apart + (det / (4 * dets)).log() / 2
        near = bhattacharyya < 1e-14  # where B is rounding
        hellinger = (-torch.expm1(-torch.where(near, 1.0, bhattacharyya))).sqrt()
        return torch.where(flat, 1.0, torch.where(near, 0.0, hellinger))

    def values_shape(self, target: Tensor) -> torch.Size:
        return target.shape[:1]


def _covariance(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of x with x, y with y and x with y, where a point is anywhere in the box."""
    w, h, angle = boxes[:, 2] ** 2 / 12, boxes[:, 3] ** 2 / 12, boxes[:, 4]
    cos, sin = angle.cos(), angle.sin()
    return w * cos * cos + h * sin * sin, w * sin * sin + h * cos * cos, (w - h) * cos * sin
