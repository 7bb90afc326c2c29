"""Losses of embeddings: similar samples should be near, dissimilar ones far apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from losskit.core.contract import check_equal, check_floating, check_real, elementwise, shape, weight_and_mask
from losskit.core.domains import NonNegative, Positive
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.core.sums import weighted
from losskit.losses.margin import signed
from losskit.losses.shortcuts import ClosedForm
from losskit.ops import closed_pairs
from losskit.ops.closed_forms import Found
from losskit.ops.inputs import computing_dtype

_EPS = 1e-12  # added to squared lengths, as PyTorch does


class CosineEmbeddingLoss(ClosedForm, MeanLoss):
    r"""Cosine embedding loss: one minus the cosine of similar pairs, a hinge on the cosine of dissimilar pairs.

    .. math:: \begin{cases} 1 - \cos(x_1, x_2) & y = 1 \\ \max(0, \cos(x_1, x_2) - m) & y = -1 \end{cases}

    Source: Hadsell, Chopra, LeCun 2006, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR, with the
    cosine as the distance.

    Elsewhere: Keras's CosineSimilarity is minus the cosine and takes similar pairs only.

    Example:
        >>> loss = losskit.CosineEmbeddingLoss(margin=0.5)
        >>> input1 = torch.tensor([[3.0, 4.0], [3.0, 4.0]])  # (N, D)
        >>> input2 = torch.tensor([[4.0, 3.0], [4.0, 3.0]])
        >>> loss(input1, input2, torch.tensor([1, -1]))  # similar, dissimilar
        tensor(0.2500)
    """

    authority = "torch.nn.functional.cosine_embedding_loss"
    shapes = "input1 and input2 (N, D) or (D,), target (N,) or () of 1 and -1; weight and mask of the target's shape."

    margin: Annotated[float, Interval(ge=-1, le=1)] = option(
        default=0.0, doc="cosine below which dissimilar pairs have loss 0"
    )

    def closed_form(self, input1: Tensor, input2: Tensor, target: Tensor, *, derive: bool) -> Found | None:
        fits = input1.dim() == 2 and closed_pairs.are_alike(input1, input2) and target.shape == input1.shape[:1]
        if not fits or target.is_complex():
            return None
        return closed_pairs.cosine_embedding(input1, input2, target, self.margin, _EPS, derive)

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input1, input2, target = tensors
        check_floating(self.name, "input1", input1)
        check_floating(self.name, "input2", input2)
        check_real(self.name, "target", target)
        check_equal(self.name, {"input1": input1, "input2": input2})
        if input1.dim() not in (1, 2) or target.shape != input1.shape[:-1]:
            raise ValueError(
                f"{self.name}: input1 and input2 have shape (N, D) with target (N,), or (D,) with target (); got "
                f"{shape(input1)} with target {shape(target)}. Give one target per pair of vectors, and vectors in the "
                "last dimension."
            )
        weight, mask = weight_and_mask(self.name, weight, mask, target.shape)
        x1, x2 = (_rows(x.to(computing_dtype(input1)), mask, 1.0) for x in (input1, input2))
        y = target.to(x1.dtype)
        y = y if mask is None else y.where(mask, 1.0)
        return weighted(self.values(x1, x2, y), weight, mask)

    def values(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        lengths = ((x * x).sum(-1).add(_EPS).sqrt() for x in (input1, input2))
        cosine = (input1 * input2).sum(-1)
        for length in lengths:
            cosine = cosine / length
        value = torch.where(target == 1, 1 - cosine, (cosine - self.margin).clamp_min(0))
        return signed(self.name, value, target)


class TripletMarginLoss(ClosedForm, MeanLoss):
    r"""Triplet margin loss: the anchor must be closer to its positive than to its negative by a margin.

    .. math:: \max(0, d(a, p) - d(a, n) + m), \quad d(u, v) = \lVert u - v + \epsilon \rVert_p

    Source: Schroff, Kalenichenko, Philbin 2015, FaceNet, arXiv:1503.03832, with squared distances; `swap` from
    Balntas, Riba, Ponsa, Mikolajczyk 2016, "Learning local feature descriptors with triplets and shallow
    convolutional neural networks", BMVC.

    Elsewhere: PyTorch has `distance_function` in TripletMarginWithDistanceLoss; pytorch_metric_learning forms the
    triplets from labels.

    Example:
        >>> loss = losskit.TripletMarginLoss(margin=1.0)
        >>> anchor = torch.tensor([[0.0, 0.0]])  # embeddings (N, D)
        >>> positive, negative = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 5.5]])
        >>> loss(anchor, positive, negative)
        tensor(0.5000)
    """

    authority = "torch.nn.functional.triplet_margin_loss and torch.nn.TripletMarginWithDistanceLoss"
    shapes = "anchor, positive and negative of one shape (*, D); weight and mask (*), one value per triplet."

    margin: Positive = option(default=1.0, doc="required difference of the distances")
    p: Positive = option(default=2.0, doc="order of the norm")
    eps: NonNegative = option(default=1e-6, doc="added to each difference, so that the norm has a gradient at 0")
    swap: bool = option(default=False, doc="use the distance of negative and positive where it is smaller")
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = option(
        default=None, doc="user-defined distance of two tensors, one number per pair, instead of the p-norm"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.distance_function is not None and {"p", "eps"} & self.given_options().keys():
            raise TypeError(
                f"{self.name}: p and eps belong to the built-in distance; leave them out beside a custom one."
            )

    def closed_form(self, anchor: Tensor, positive: Tensor, negative: Tensor, *, derive: bool) -> Found | None:
        euclidean = self.distance_function is None and self.p == 2 and not self.swap
        if not euclidean or not anchor.dim() or not closed_pairs.are_alike(anchor, positive, negative):
            return None
        return closed_pairs.triplet_margin(anchor, positive, negative, self.margin, self.eps, derive)

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        anchor = tensors[0]
        for name, tensor in zip(self.tensors, tensors, strict=True):
            check_floating(self.name, name, tensor)
            if name != "anchor":
                check_equal(self.name, {"anchor": anchor, name: tensor})
        if anchor.dim() == 0:
            raise ValueError(f"{self.name}: anchor must have shape (*, D), vectors in the last dimension; got ().")
        given = [t.to(computing_dtype(anchor)) for t in tensors]
        if mask is not None:  # a user-defined distance takes any shape, so values are weighted afterwards
            leading = anchor.shape[: mask.dim()] if isinstance(mask, Tensor) else anchor.shape[:-1]
            mask = elementwise(self.name, "mask", mask, leading)
            given = [_rows(t, mask, float(i)) for i, t in enumerate(given, 1)]  # distinct points: gradients exist
        values = self.values(*given)
        weight, mask = weight_and_mask(self.name, weight, mask, values.shape)
        return weighted(values, weight, mask)

    def values(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        near, far = self.distance(anchor, positive), self.distance(anchor, negative)
        if self.swap:
            far = torch.minimum(far, self.distance(positive, negative))
        return (self.margin + near - far).clamp_min(0)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        if self.distance_function is not None:
            return self.distance_function(a, b)
        distance: Tensor = torch.linalg.vector_norm(a - b + self.eps, self.p, dim=-1)
        return distance

    def values_shape(self, target: Tensor) -> torch.Size:
        return target.shape[:-1]


def _rows(tensor: Tensor, mask: Tensor | None, neutral: float) -> Tensor:
    """The samples that count, and a neutral number in the others: mask (N,) selects in (N, *)."""
    if mask is None:
        return tensor
    return tensor.where(mask.reshape(*mask.shape, *(1,) * (tensor.dim() - mask.dim())), neutral)
