"""Losses of bounding boxes: IoU losses and distances between boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from losskit.core.domains import Positive
from losskit.core.options import option
from losskit.losses.boxes.rotated import ProbIoULoss as ProbIoULoss
from losskit.losses.geometry import Boxes, BoxLoss, Pair, product, ratio, root

_FLOOR = 100.0  # the value of -log(0), as in binary cross-entropy


class BoxIoULoss(BoxLoss):
    r"""IoU loss of boxes: one minus the intersection over union; constant for boxes that do not overlap.

    .. math:: 1 - \text{IoU}, \quad \text{or } -\log \text{IoU}

    IoU is 0, with a zero gradient, if boxes do not overlap or both have size 0. Its logarithm is clamped at -100.

    Source: Yu, Jiang, Wang, Cao, Huang 2016, "UnitBox: An Advanced Object Detection Network", arXiv:1608.01471, with
    the logarithm.

    Elsewhere: mmdet's IoULoss takes the logarithm by default; IoULoss here is the Jaccard loss of masks.

    Example:
        >>> loss = losskit.BoxIoULoss()
        >>> input = torch.tensor([[0.0, 0.0, 2.0, 2.0]])  # boxes (N, 4) of x1, y1, x2, y2
        >>> target = torch.tensor([[1.0, 1.0, 3.0, 3.0]])
        >>> loss(input, target)
        tensor(0.8571)
    """

    authority = "its formula in mpmath"
    function_name = "box_iou_loss"
    short_name = "box_iou"
    also_called = ("unitbox",)
    shapes = (
        "input and target (N, 4), or (N, 6) in space, boxes as `format` says; weight and mask (N,), one value per box."
    )
    dimensions = (2, 3)

    log: bool = option(default=False, doc="take minus the logarithm of IoU, with larger gradients at low overlap")

    def per_box(self, pair: Pair) -> Tensor:
        iou = pair.iou()
        if not self.log:
            return 1 - iou
        some = iou > math.exp(-_FLOOR)
        return torch.where(some, -torch.where(some, iou, 1.0).log(), torch.where(iou.isnan(), iou, _FLOOR))


class GIoULoss(BoxLoss):
    r"""Generalized IoU (GIoU) loss: the IoU loss plus the empty fraction of the smallest enclosing box.

    .. math:: 1 - \text{IoU} + \frac{|C| - |U|}{|C|}

    with U the union and C the smallest enclosing box. If C has size 0, its term is 0. Boxes that do not overlap have a
    gradient.

    Source: Rezatofighi, Tsoi, Gwak, Sadeghian, Reid, Savarese 2019, "Generalized Intersection over Union",
    arXiv:1902.09630.

    Elsewhere: torchvision, fvcore and MONAI add an eps to both denominators.

    Example:
        >>> loss = losskit.GIoULoss()
        >>> input = torch.tensor([[0.0, 0.0, 2.0, 2.0]])  # boxes (N, 4) of x1, y1, x2, y2
        >>> target = torch.tensor([[1.0, 1.0, 3.0, 3.0]])
        >>> loss(input, target)
        tensor(1.0794)
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
    r"""Distance IoU (DIoU) loss: the IoU loss plus the normalized squared distance of the box centres.

    .. math:: 1 - \text{IoU} + \frac{\rho^2}{c^2}

    with rho the distance of the centres and c the diagonal of the smallest enclosing box. If c is 0, its term is 0.
    Boxes that do not overlap move straight towards each other.

    Source: Zheng, Wang, Liu, Li, Ye, Ren 2020, "Distance-IoU Loss: Faster and Better Learning for Bounding Box
    Regression", arXiv:1911.08287.

    Elsewhere: torchvision adds an eps to both denominators.

    Example:
        >>> loss = losskit.DIoULoss()
        >>> input = torch.tensor([[0.0, 0.0, 2.0, 2.0]])  # boxes (N, 4) of x1, y1, x2, y2
        >>> target = torch.tensor([[1.0, 1.0, 3.0, 3.0]])
        >>> loss(input, target)
        tensor(0.9683)
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
    r"""Complete IoU (CIoU) loss: the distance IoU loss plus a penalty on different aspect ratios.

    .. math:: 1 - \text{IoU} + \frac{\rho^2}{c^2} + \lfloor a \rfloor v, \quad v = \frac{4}{\pi^2} \left(\arctan
        \frac{w_t}{h_t} - \arctan \frac{w}{h}\right)^2, \quad a = \frac{v}{1 - \text{IoU} + v}

    where the factor a carries no gradient. The angle of a box of height 0 is a right angle, that of a point is 0.

    Source: Zheng, Wang, Ren, Liu, Ye, Hu, Zuo 2020, "Enhancing Geometric Factors in Model Learning and Inference for
    Object Detection and Instance Segmentation", arXiv:2005.03572.

    Elsewhere: torchvision and detectron2 detach a too; mmdet does not.

    Example:
        >>> loss = losskit.CIoULoss()
        >>> input = torch.tensor([[0.0, 0.0, 2.0, 2.0]])  # boxes (N, 4) of x1, y1, x2, y2
        >>> target = torch.tensor([[1.0, 1.0, 4.0, 3.0]])
        >>> loss(input, target)
        tensor(1.0192)
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
    w, h = boxes.size().unbind(1)
    point = (w == 0) & (h == 0)
    return torch.atan2(torch.where(point, 0.0, w), torch.where(point, 1.0, h))


class EIoULoss(BoxLoss):
    r"""Efficient IoU (EIoU) loss: the IoU loss plus the distances of centres, widths and heights, each normalized.

    .. math:: 1 - \text{IoU} + \frac{\rho^2}{c^2} + \frac{(w - w_t)^2}{C_w^2} + \frac{(h - h_t)^2}{C_h^2}

    with C the smallest enclosing box and c its diagonal. A term whose denominator is 0 is 0.

    Source: Zhang, Ren, Zhang, Jia, Wang, Tan 2021, "Focal and Efficient IOU Loss for Accurate Bounding Box
    Regression", arXiv:2101.08158, without its focal factor.

    Elsewhere: mmdet's EIoULoss is a different loss, by Peng and Yu 2021.

    Example:
        >>> loss = losskit.EIoULoss()
        >>> input = torch.tensor([[0.0, 0.0, 2.0, 2.0]])  # boxes (N, 4) of x1, y1, x2, y2
        >>> target = torch.tensor([[1.0, 1.0, 4.0, 3.0]])
        >>> loss(input, target)
        tensor(1.0814)
    """

    authority = "its formula in mpmath"
    function_name = "eiou_loss"
    short_name = "eiou"

    def per_box(self, pair: Pair) -> Tensor:
        apart = (pair.input.size() - pair.target.size()) ** 2
        return 1 - pair.iou() + pair.distance() + ratio(apart, pair.hull() ** 2).sum(1)


class SIoULoss(BoxLoss):
    r"""SIoU loss: the IoU loss plus an angle-aware distance cost and a shape cost.

    .. math:: 1 - \text{IoU} + \frac{\Delta + \Omega}{2}, \quad \Delta = \sum_{t = x, y} \left(1 - e^{-(2 - \Lambda)
        \rho_t}\right), \quad \Omega = \sum_{t = w, h} \left(1 - e^{-\omega_t}\right)^\theta

    with :math:`\Lambda = 2 |d_x d_y| / (d_x^2 + d_y^2)` of the difference d of the centres, :math:`\rho_t = (d_t /
    C_t)^2` of the smallest enclosing box C, and :math:`\omega_t` the difference of widths, or heights, over the larger
    one. A term whose denominator is 0 is 0. Boxes move first along the nearer axis.

    Source: Gevorgyan 2022, "SIoU Loss: More Powerful Learning for Bounding Box Regression", arXiv:2205.12740, whose
    :math:`1 - 2 \sin^2(\arcsin s - \pi / 4)` is this angle cost.

    Elsewhere: implementations differ in whether width or height divides each component of the distance.

    Example:
        >>> loss = losskit.SIoULoss(format="cxcywh")
        >>> input = torch.tensor([[5.0, 5.0, 4.0, 2.0]])  # boxes (N, 4) of centre x, y, width, height
        >>> target = torch.tensor([[6.0, 5.0, 4.0, 4.0]])
        >>> loss(input, target)
        tensor(0.7171)
    """

    authority = "its formula in mpmath"
    function_name = "siou_loss"
    short_name = "siou"
    also_called = ("scylla_iou",)

    theta: Annotated[float, Interval(ge=2, le=6)] = option(default=4.0, doc="exponent of the shape cost")

    def per_box(self, pair: Pair) -> Tensor:
        between, hull = pair.between(), pair.hull()
        square = between**2
        angle = ratio(2 * product(between).abs(), square.sum(1))
        distance = -(-(2 - angle).unsqueeze(1) * ratio(square, hull**2)).expm1().sum(1)
        w, w_t = pair.input.size(), pair.target.size()
        uneven = ratio((w - w_t).abs(), torch.maximum(w, w_t))
        shape_cost = ((-(-uneven).expm1()) ** self.theta).sum(1)
        return 1 - pair.iou() + (distance + shape_cost) / 2


class AlphaIoULoss(BoxLoss):
    r"""Alpha-IoU loss: one minus a power of the IoU, with larger gradients for boxes of high overlap.

    .. math:: 1 - \text{IoU}^\alpha

    If boxes do not overlap, the value is 1, with a zero gradient.

    Source: He, Erfani, Ma, Bailey, Chi, Hua 2021, "Alpha-IoU: A Family of Power Intersection over Union Losses for
    Bounding Box Regression", arXiv:2110.13675.

    Elsewhere: the family also raises the terms of GIoU, DIoU and CIoU to powers.

    Example:
        >>> loss = losskit.AlphaIoULoss(alpha=3.0)
        >>> input = torch.tensor([[0.0, 0.0, 2.0, 2.0]])  # boxes (N, 4) of x1, y1, x2, y2
        >>> target = torch.tensor([[0.0, 0.0, 2.0, 4.0]])
        >>> loss(input, target)
        tensor(0.8750)
    """

    authority = "its formula in mpmath"
    function_name = "alpha_iou_loss"
    short_name = "alpha_iou"

    alpha: Positive = option(default=3.0, doc="exponent of IoU; above 1, gradients are larger at high overlap")

    def per_box(self, pair: Pair) -> Tensor:
        iou = pair.iou()
        some = iou != 0
        return 1 - torch.where(some, torch.where(some, iou, 1.0) ** self.alpha, 0.0)


class WIoULoss(BoxLoss):
    r"""Wise-IoU (WIoU) loss, version 1: the IoU loss times a factor that grows with the distance of the box centres.

    .. math:: (1 - \text{IoU}) \exp\left(\frac{\rho^2}{\lfloor c^2 \rfloor}\right)

    with rho the distance of the centres and c the diagonal of the smallest enclosing box, which carries no gradient.

    Source: Tong, Chen, Xu, Yu 2023, "Wise-IoU: Bounding Box Regression Loss with Dynamic Focusing Mechanism",
    arXiv:2301.10051, version 1.

    Elsewhere: versions 2 and 3 weigh by a running mean of the loss, which a single batch does not determine.

    Example:
        >>> loss = losskit.WIoULoss()
        >>> input = torch.tensor([[0.0, 0.0, 2.0, 2.0]])  # boxes (N, 4) of x1, y1, x2, y2
        >>> target = torch.tensor([[1.0, 1.0, 3.0, 3.0]])
        >>> loss(input, target)
        tensor(0.9579)
    """

    authority = "its formula in mpmath"
    function_name = "wiou_loss"
    short_name = "wiou"
    also_called = ("wise_iou",)

    def per_box(self, pair: Pair) -> Tensor:
        apart = ratio((pair.between() ** 2).sum(1), (pair.hull() ** 2).sum(1).detach())
        return (1 - pair.iou()) * apart.exp()


class WassersteinBoxLoss(BoxLoss):
    r"""Normalized Gaussian Wasserstein distance (NWD) loss: compares boxes as Gaussians, for tiny objects.

    .. math:: 1 - \exp\left(-\frac{1}{C} \sqrt{\lVert m - m_t \rVert^2 + \tfrac{1}{4} \lVert s - s_t \rVert^2}\right)

    with centres m and sizes s; the root is their 2-Wasserstein distance, which is also informative for boxes that do
    not overlap. For equal boxes the gradient is defined as 0.

    Source: Wang, Xu, Yang, Yu 2021, "A Normalized Gaussian Wasserstein Distance for Tiny Object Detection",
    arXiv:2110.13389.

    Elsewhere: NWD is another name; the constant is the mean object size in pixels, 12.8 in AI-TOD.

    Example:
        >>> loss = losskit.WassersteinBoxLoss()
        >>> input = torch.tensor([[10.0, 10.0, 14.0, 14.0]])  # boxes (N, 4) of x1, y1, x2, y2
        >>> target = torch.tensor([[14.0, 10.0, 18.0, 14.0]])  # a tiny object, shifted by its width
        >>> loss(input, target)
        tensor(0.2684)
    """

    authority = "its formula in mpmath"
    short_name = "wasserstein_box"
    also_called = ("nwd",)

    constant: Positive = option(default=12.8, doc="typical object size, in the boxes' unit")

    def per_box(self, pair: Pair) -> Tensor:
        square = (pair.between() ** 2).sum(1) + ((pair.input.size() - pair.target.size()) ** 2).sum(1) / 4
        return -(-root(square) / self.constant).expm1()


class MPDIoULoss(BoxLoss):
    r"""MPDIoU loss: the IoU loss plus the squared distances of both corner pairs, normalized by the image size.

    .. math:: 1 - \text{IoU} + \frac{d_1^2 + d_2^2}{W^2 + H^2}

    with d the distances of the first and of the last corners, and the image's width W and height H, in either order.

    Source: Ma and Xu 2023, "MPDIoU: A Loss for Efficient and Accurate Bounding Box Regression", arXiv:2307.07662.

    Elsewhere: some divide by the size of a feature map, if boxes are in units of its cells.

    Example:
        >>> loss = losskit.MPDIoULoss(image_size=[10, 10])
        >>> input = torch.tensor([[0.0, 0.0, 2.0, 2.0]])  # boxes (N, 4) of x1, y1, x2, y2
        >>> target = torch.tensor([[1.0, 1.0, 3.0, 3.0]])
        >>> loss(input, target)
        tensor(0.8771)
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
