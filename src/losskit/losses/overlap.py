"""Overlap losses other than Dice and Jaccard, and Dice with other weights: formulas on the totals of each class."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from losskit.core.contract import Always
from losskit.core.domains import ClassPairs, Fraction, NonNegative, Positive
from losskit.core.labels import LABEL_SHAPES
from losskit.core.options import Configured, option
from losskit.core.region import RegionLoss
from losskit.core.totals import Totals
from losskit.losses.region import plus, ratio, tversky
from losskit.losses.shortcuts import ClosedForm
from losskit.ops import choice, closed_forms, native
from losskit.ops.columns import Probabilities, kernel_columns
from losskit.ops.fused import run
from losskit.ops.inputs import Inputs
from losskit.ops.maths import distance, safe_power
from losskit.ops.operators import Settings


class FBetaLoss(RegionLoss):
    r"""F-beta loss: one minus the soft F-score, with recall weighted beta times as much as precision.

    .. math:: 1 - \frac{(1 + \beta^2)\,TP}{(1 + \beta^2)\,TP + \beta^2 FN + FP}

    beta = 1 is Dice; in general it is Tversky with :math:`\alpha = 1 / (1 + \beta^2)` and :math:`1 - \alpha`.

    Source: Hashemi et al. 2018, arXiv:1803.11078 (asymmetric similarity loss).

    Elsewhere: pytorch_toolbelt's soft F1 pools the batch, and excludes no class.

    Example:
        >>> loss = losskit.FBetaLoss(beta=2.0)
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.3283)
    """

    authority = "its formula in mpmath"
    function_name = "fbeta_loss"
    short_name = "fbeta"
    also_called = ("f_beta", "soft_f1", "f1_loss", "asymmetric_similarity")

    beta: Positive = option(default=1.0, doc="weight of recall relative to precision")

    def per_class(self, total: Totals) -> Tensor:
        alpha = 1 / (1 + self.beta**2)
        return tversky(total, alpha, 1 - alpha, 0.0)


class MCCLoss(RegionLoss):
    r"""Matthews correlation coefficient (MCC) loss: one minus the MCC, which takes true negatives into account.

    .. math:: 1 - \frac{TP \cdot TN - FP \cdot FN}{\sqrt{(TP + FP)(TP + FN)(TN + FP)(TN + FN)}}

    If a factor under the root is 0, there is no correlation: the loss is 1, without a gradient.

    Source: Abhishek and Hamarneh 2021, "Matthews Correlation Coefficient Loss For Deep Convolutional Networks", ISBI,
    arXiv:2010.13454.

    Elsewhere: segmentation_models_pytorch pools the batch and adds an eps to each count; MONAI's loss is 0 if there is
    no error.

    Example:
        >>> loss = losskit.MCCLoss()
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.5603)
    """

    authority = "its formula in mpmath"
    function_name = "mcc_loss"
    short_name = "mcc"
    also_called = ("matthews", "phi")

    def per_class(self, total: Totals) -> Tensor:
        covariance = total.tp * total.count - total.pred * total.target
        size = total.pred * total.target * (total.count - total.pred) * (total.count - total.target)
        undefined = size <= 0
        return 1.0 - torch.where(undefined, 0.0, covariance / torch.where(undefined, 1.0, size).sqrt())


class LogCoshDiceLoss(RegionLoss):
    r"""Log-cosh Dice loss: the log-cosh of the Dice loss, which is flatter near a perfect overlap.

    .. math:: \log\cosh\left(1 - \frac{2\,TP + s}{P + T + s}\right)

    for each class of each sample, before the mean.

    Source: Jadon 2020, arXiv:2006.14822.

    Example:
        >>> loss = losskit.LogCoshDiceLoss()
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.0304)
    """

    authority = "its formula in mpmath"
    short_name = "log_cosh_dice"

    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator")

    def per_class(self, total: Totals) -> Tensor:
        loss = tversky(total, 0.5, 0.5, self.smooth / 2)
        return torch.log1p(2 * torch.sinh(loss / 2) ** 2)

    def score_formula(self, total: Totals) -> Tensor:
        return 1 - tversky(total, 0.5, 0.5, self.smooth / 2)


class GeneralizedDiceOptions(Configured):
    """The options of generalized Dice."""

    weighting: Literal["square", "simple", "uniform"] = option(
        default="square", doc="weight of a class: one over its squared size, one over its size, or 1"
    )
    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator")


class GeneralizedDiceLoss(ClosedForm, GeneralizedDiceOptions, RegionLoss):
    r"""Generalized Dice loss: one Dice over all classes, each weighted by its inverse (squared) size.

    .. math:: 1 - \frac{2 \sum_c w_c\,TP_c + s}{\sum_c w_c\,(P_c + T_c) + s}

    with :math:`w_c` one over the size of the class in the target, squared, simple or 1. A class absent from the target
    has the largest weight of the present classes; if none is present, all weights are 1.

    Source: Sudre et al. 2017, arXiv:1707.03237.

    Elsewhere: optax's generalized Dice is the weighted mean of the classes' own Dice scores; in MONAI a sample without
    any class has loss 0 for every prediction.

    Example:
        >>> loss = losskit.GeneralizedDiceLoss()
        >>> input = torch.tensor([[[2.0, 2.0, 0.0], [0.0, 0.0, 3.0]]])  # logits (N, C, *) of 2 classes
        >>> target = torch.tensor([[0, 0, 1]])  # class indices (N, *)
        >>> loss(input, target)
        tensor(0.1137)
    """

    authority = "monai.losses.GeneralizedDiceLoss and its formula in mpmath"
    short_name = "gdl"
    also_called = ("generalized_dice", "generalised_dice", "gdice")
    shapes = f"{LABEL_SHAPES}; values (N,), or one number with pool='batch'."
    without = ("class_weight", "absent")
    class_weight: ClassVar[None] = None  # type: ignore[misc] # classes are weighted by their sizes
    absent: ClassVar[Literal["formula"]] = "formula"  # type: ignore[misc]

    def per_sample(self, total: Totals) -> Tensor:
        weight = self._weights(total.target)
        wrong = (weight * (total.fp + total.fn)).sum(-1)
        size = (weight * (total.pred + total.target)).sum(-1)
        return ratio(wrong, plus(size, self.smooth))

    records_pass: ClassVar[bool] = True  # of the sums, which are those of the definition

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        if self.classes is not None or not self.include_background or self.overlap != "product":
            return None
        inputs, columns = self.parse(input, target), self.columns("softmax")
        planned = kernel_columns(columns)
        if planned is None or choice.refusal("native", inputs, planned):
            return None
        settings = Settings(self.name, inputs.link, inputs.ignore_index, *planned, self.pools, "native", False)
        found = run(inputs.tensors, settings, True, None)[0]
        assert found is not None
        sums = dict(zip(map(str, columns), found.unbind(-1), strict=True))
        if not bool((sums["count"] != 0).any(-1).all()):
            return None
        numbers = {name: total.numpy() for name, total in sums.items()}
        value, slopes = closed_forms.generalized_dice(numbers, self.weighting, self.smooth)
        if choice.is_recorded() and math.isfinite(value):
            choice.choose(self.name, len(columns), {"native": ""}, gradient_in_forward=derive)
        if not derive:
            return closed_forms.finite(torch.tensor(value), None)
        of_sums = torch.stack([torch.from_numpy(slopes.get(n, 0 * numbers["tp"])) for n in sums], -1)
        return closed_forms.finite(torch.tensor(value), run(inputs.tensors, settings, False, of_sums)[1])

    def _weights(self, target: Tensor) -> Tensor:
        if self.weighting == "uniform":
            return torch.ones_like(target)
        there = target > 0
        size = torch.where(there, target, 1.0)
        weight = 1 / (size**2 if self.weighting == "square" else size)
        heaviest = torch.where(there, weight, 0.0).amax(-1, keepdim=True)
        return torch.where(there, weight, torch.where(heaviest > 0, heaviest, 1.0))


class SensitivitySpecificityLoss(RegionLoss):
    r"""Sensitivity-specificity loss: squared errors averaged inside and outside the class, in fixed shares.

    .. math:: r\,\frac{\sum t\,(t - p)^2}{\sum t} + (1 - r)\,\frac{\sum (1 - t)(t - p)^2}{\sum (1 - t)}

    over the elements of one class of one sample. An empty mean is 0.

    Source: Brosch et al. 2015, "Deep Convolutional Encoder Networks for Multiple Sclerosis Lesion Segmentation",
    MICCAI.

    Elsewhere: SegLossOdyssey takes r = 0.1 and adds a smooth to all four sums.

    Example:
        >>> loss = losskit.SensitivitySpecificityLoss(r=0.5)
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.1106)
    """

    authority = "its formula in mpmath"
    short_name = "sensitivity_specificity"
    also_called = ("ss_loss", "sensitivity", "specificity")
    without = ("overlap",)
    overlap: ClassVar[Literal["product"]] = "product"  # type: ignore[misc] # squared errors handle soft labels

    r: Fraction = option(default=0.05, doc="weight of errors inside the class; 1 - r of errors outside")

    def own_columns(self) -> dict[str, Callable[[Probabilities], Tensor]]:
        return {
            "missed": lambda e: e.target * distance(e.p, e.q, e.target) ** 2,
            "false": lambda e: (1 - e.target) * distance(e.p, e.q, e.target) ** 2,
        }

    def per_class(self, total: Totals) -> Tensor:
        missed = ratio(total.column("missed"), total.target)
        return self.r * missed + (1 - self.r) * ratio(total.column("false"), total.count - total.target)


class NoiseRobustDiceLoss(RegionLoss):
    r"""Noise-robust Dice loss: between Dice and the absolute error, less sensitive to single wrong labels.

    .. math:: \frac{\sum |p - t|^{\gamma}}{\sum p^2 + \sum t^2}

    over the elements of one class of one sample. gamma = 2 is Dice with squares, 1 is closest to the absolute error.

    Source: Wang et al. 2020, "A Noise-Robust Framework for Automatic Segmentation of COVID-19 Pneumonia Lesions From CT
    Images", IEEE TMI 39.

    Elsewhere: PyMIC divides by the plain sums, without squares.

    Example:
        >>> loss = losskit.NoiseRobustDiceLoss(gamma=1.5)
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.1926)
    """

    authority = "its formula in mpmath"
    short_name = "noise_robust_dice"
    also_called = ("nr_dice", "nrdice")
    without = ("overlap",)
    overlap: ClassVar[Literal["product"]] = "product"  # type: ignore[misc] # errors handle soft labels

    gamma: Annotated[float, Interval(ge=1, le=2)] = option(default=1.5, doc="exponent of errors")

    def own_columns(self) -> dict[str, Callable[[Probabilities], Tensor]]:
        return {"apart": lambda e: safe_power(distance(e.p, e.q, e.target), self.gamma)}

    def per_class(self, total: Totals) -> Tensor:
        return ratio(total.column("apart"), total.pred_sq + total.target_sq)


class GeneralizedWassersteinDiceLoss(ClosedForm, RegionLoss):
    r"""Generalized Wasserstein Dice loss: Dice with errors weighted by the distance between classes.

    .. math:: 1 - \frac{2\,TP + s}{2\,TP + \sum_i \delta_i + s}, \qquad \delta_i = \sum_{y, c} t_{iy} M_{yc}\,p_{ic},
        \quad TP = \sum_i \sum_{y > 0} t_{iy}\,(1 - \delta_i)

    with M the distances between classes, divided by the largest, and class 0 the background. Equal distances treat all
    errors alike. If a sample's target is background only, the formula is 1 for every prediction; the value is then the
    mean distance.

    Source: Fidon et al. 2017, arXiv:1707.00478.

    Elsewhere: in MONAI `dist_matrix` is required too; a background-only sample has a value of about 1.

    Example:
        >>> loss = losskit.GeneralizedWassersteinDiceLoss(class_distances=[[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]])
        >>> input = torch.tensor([[[3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 3.0]]])  # logits (N, C, *)
        >>> target = torch.tensor([[0, 1, 2]])  # class indices (N, *), class 0 the background
        >>> loss(input, target)
        tensor(0.1436)
    """

    always: ClassVar[Always | None] = "softmax"
    authority = "monai.losses.GeneralizedWassersteinDiceLoss and its formula in mpmath"
    short_name = "gwdl"
    also_called = ("generalized_wasserstein_dice", "wasserstein_dice", "gwdice")
    shapes = (
        "input (N, C, *) with C > 1; target (N, *) or (N, 1, *) of class indices, or (N, C, *) of probabilities; "
        "weight and mask (N, *) or (N, 1, *), with size 1 where they repeat; values (N,), or one with pool='batch'."
    )
    without = ("class_weight", "absent", "classes", "include_background", "overlap", "mode")
    class_weight: ClassVar[None] = None  # type: ignore[misc] # the distances weight the classes
    absent: ClassVar[Literal["formula"]] = "formula"  # type: ignore[misc]
    classes: ClassVar[None] = None  # type: ignore[misc]
    include_background: ClassVar[bool] = True  # type: ignore[misc]
    overlap: ClassVar[Literal["product"]] = "product"  # type: ignore[misc]
    mode: ClassVar[None] = None  # type: ignore[misc]

    class_distances: ClassPairs = option(
        doc="distance of the predicted class (column) from the true class (row), (C, C) with a zero diagonal"
    )
    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not torch.compiler.is_compiling() and not self._distances.is_meta and not bool(self._distances.any()):
            raise ValueError(f"{self.name}: class_distances are all 0, so the loss is always 0. Give one above 0.")

    @property
    def _distances(self) -> Tensor:
        assert isinstance(self.class_distances, Tensor)
        return self.class_distances

    def check_classes(self, inputs: Inputs) -> None:
        super().check_classes(inputs)
        if len(self._distances) != inputs.num_classes:
            raise ValueError(
                f"{self.name}: class_distances are of {len(self._distances)} classes, but input "
                f"{tuple(inputs.input.shape)} has {inputs.num_classes}. Give it one row and one column per class."
            )

    records_pass: ClassVar[bool] = True

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        count = len(self._distances)
        fits = native.AVAILABLE and input.dim() > 2 and input.shape[1] == count and target.dim() == input.dim() - 1
        if not fits or target.dtype != torch.int64 or target.shape != (input.shape[0], *input.shape[2:]):
            return None
        if not isinstance(self.ignore_index, int) or 0 <= self.ignore_index < count:
            return None
        labels = target.flatten(1).contiguous()
        gradient = torch.empty_like(input, memory_format=torch.contiguous_format) if derive else None
        sums = native.wasserstein(input.contiguous(), labels, self._far, gradient)
        if sums is None:
            return None
        flat = None if gradient is None else gradient.flatten(2)
        found = closed_forms.wasserstein_dice(sums, labels.shape[1], self.smooth, self.pools, labels, flat)
        if choice.is_recorded() and found is not None:
            choice.choose(self.name, 3, {"native": ""}, gradient_in_forward=derive)
        return None if found is None else (found[0], [gradient])

    @property
    def _far(self) -> Tensor:
        """The distances from each class, divided by the largest, in float32."""
        far = self._distances.detach().double()
        return (far / far.amax()).float().contiguous()

    def own_columns(self) -> dict[str, Callable[[Probabilities], Tensor]]:
        return {"wrong": self._wrong, "wrong_background": self._wrong_background}

    def _wrong(self, elements: Probabilities) -> Tensor:
        """The distance of the prediction from the true class, split by predicted class."""
        target, far = elements.target, self._relative(elements)
        wrong = target[:, :1] * far[0]
        for c in range(1, len(far)):  # no matrix product, which autocast would round
            wrong = wrong + target[:, c : c + 1] * far[c]
        return wrong * elements.p

    def _wrong_background(self, elements: Probabilities) -> Tensor:
        """The same, where the true class is background."""
        return elements.target[:, :1] * self._relative(elements)[0] * elements.p

    def _relative(self, elements: Probabilities) -> Tensor:
        """The distances from each class, divided by the largest: (C, C, 1, ...)."""
        far = self._distances.to(elements.p)
        return (far / far.amax()).view(*far.shape, *(1,) * (elements.p.dim() - 2))

    def per_sample(self, total: Totals) -> Tensor:
        wrong, foreground = total.column("wrong").sum(-1), total.target[..., 1:].sum(-1)
        right = foreground - (wrong - total.column("wrong_background").sum(-1))
        empty = foreground == 0
        mean = wrong / total.count.amax(-1)
        return torch.where(empty, mean, ratio(wrong, plus(2 * torch.where(empty, 1.0, right) + wrong, self.smooth)))
