"""Losses of connectedness, based on skeletons of prediction and target."""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Ge
from torch import Tensor

from losskit.core.domains import Fraction, NonNegative
from losskit.core.options import option
from losskit.losses.region import plus, ratio
from losskit.losses.spatial import Regions, SpatialLoss
from losskit.ops.morphology import soft_skeleton, tube


class CLDiceLoss(SpatialLoss):
    r"""clDice (centreline Dice) loss: Dice of soft skeletons with masks, sensitive to gaps in thin structures.

    .. math:: 1 - \frac{2\,a\,b}{a + b}, \quad a = \frac{\sum s_p\,t + s}{\sum s_p + s}, \quad
        b = \frac{\sum s_t\,p + s}{\sum s_t + s}

    for each class of each sample, with the soft skeletons :math:`s_p` and :math:`s_t` of prediction and target: what
    soft openings remove from a map and from its erosions. If both shares are 0, the loss is 1.

    Source: Shit et al. 2021, arXiv:2003.07311.

    Elsewhere: MONAI's SoftclDiceLoss sums over all classes of a sample, and adds 1e-4 to the last denominator.

    Example:
        >>> loss = losskit.CLDiceLoss()
        >>> target = torch.zeros(1, 1, 5, 9)  # a mask (N, 1, H, W)
        >>> target[..., 2, :] = 1  # a vessel, one pixel wide
        >>> input = 8 * target - 4  # logits
        >>> input[..., 4] = -4  # broken in the middle
        >>> loss(input, target)
        tensor(0.0597)
    """

    authority = "monai.losses.SoftclDiceLoss of one channel and its formula in mpmath"
    function_name = "cldice_loss"
    short_name = "cldice"
    also_called: ClassVar[tuple[str, ...]] = ("cl_dice", "clDice", "centerline_dice", "soft_cldice")

    iterations: Annotated[int, Ge(0)] = option(
        default=3, doc="number of erosions of the skeletons: at least half the width of the widest structure"
    )
    smooth: NonNegative = option(default=1.0, doc="added to the numerator and the denominator of both shares")

    def per_region(self, regions: Regions, *beside: Tensor) -> Tensor:
        predicted = soft_skeleton(regions.p, regions.space, self.iterations)
        true = soft_skeleton(regions.t, regions.space, self.iterations)
        precision = self._share(regions, predicted, regions.t)
        recall = self._share(regions, true, regions.p)
        return 1 - ratio(2 * precision * recall, precision + recall)

    def _share(self, regions: Regions, skeleton: Tensor, mask: Tensor) -> Tensor:
        """The fraction of a skeleton inside a mask."""
        inside, whole = regions.total(skeleton * mask), regions.total(skeleton)
        return ratio(plus(inside, self.smooth), plus(whole, self.smooth))


class DiceCLDiceLoss(CLDiceLoss):
    r"""Weighted sum of Dice, for the area, and clDice, for the connectedness of thin structures.

    .. math:: (1 - \alpha)\,\mathrm{Dice} + \alpha\,\mathrm{clDice}

    for each class of each sample.

    Source: Shit et al. 2021, arXiv:2003.07311.

    Elsewhere: MONAI calls it SoftDiceclDiceLoss; its smooth applies to both parts too.

    Example:
        >>> loss = losskit.DiceCLDiceLoss(alpha=0.5)
        >>> target = torch.zeros(1, 1, 5, 9)  # a mask (N, 1, H, W)
        >>> target[..., 2, :] = 1  # a vessel, one pixel wide
        >>> input = 8 * target - 4  # logits
        >>> input[..., 4] = -4  # broken in the middle
        >>> loss(input, target)
        tensor(0.0777)
    """

    authority = "monai.losses.SoftDiceclDiceLoss of one channel and its formula in mpmath"
    function_name = "dice_cldice_loss"
    short_name = "dice_cldice"
    also_called = ("soft_dice_cldice",)

    alpha: Fraction = option(default=0.5, doc="weight of clDice; 1 - alpha of Dice")
    smooth: NonNegative = option(default=1.0, doc="added to the numerators and the denominators of both parts")

    def per_region(self, regions: Regions, *beside: Tensor) -> Tensor:
        shared, size = regions.total(regions.p * regions.t), regions.total(regions.p) + regions.total(regions.t)
        dice = 1 - ratio(plus(2 * shared, self.smooth), plus(size, self.smooth))
        return (1 - self.alpha) * dice + self.alpha * super().per_region(regions)


class SkeletonRecallLoss(SpatialLoss):
    r"""Skeleton recall loss: one minus the fraction of the target's skeleton that the prediction covers.

    .. math:: 1 - \frac{\sum_i k_i\,p_i + s}{\sum_i k_i + s}

    for each class of each sample, with k the tube of the target: its skeleton, dilated by `width` steps along the
    dimensions, inside the mask. The skeleton is the morphological one, in any number of dimensions: what openings
    remove from the mask and from each of its erosions. `skeleton=` at the call takes precomputed tubes, such as
    `skimage.morphology.skeletonize` of each mask, dilated. The loss keeps thin structures connected, but ignores false
    positives, so add it to another loss.

    Source: Kirchhoff et al. 2024, arXiv:2404.03010.

    Elsewhere: the paper's code thins all classes together with scikit-image, and leaves class 0 out.

    Example:
        >>> loss = losskit.DiceLoss() + losskit.SkeletonRecallLoss()
        >>> target = torch.zeros(1, 1, 5, 9)  # a mask (N, 1, H, W)
        >>> target[..., 2, :] = 1  # a vessel, one pixel wide
        >>> input = 8 * target - 4  # logits
        >>> input[..., 4] = -4  # broken in the middle
        >>> loss(input, target)
        tensor(0.2138)
    """

    authority = "its formula in mpmath and values worked by hand"
    short_name = "skeleton_recall"
    also_called = ("skel_rec", "srec")
    hard: ClassVar[bool] = True
    beside = ("skeleton",)

    width: Annotated[int, Ge(0)] = option(default=2, doc="number of dilation steps of the skeleton")
    smooth: NonNegative = option(default=1.0, doc="added to the numerator and the denominator")

    def per_region(self, regions: Regions, *beside: Tensor) -> Tensor:
        inside = beside[0] if beside else tube(regions.t > 0.5, regions.space, self.width).to(regions.p.dtype)
        return 1 - ratio(plus(regions.total(inside * regions.p), self.smooth), plus(regions.total(inside), self.smooth))
