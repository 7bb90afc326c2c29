"""TopKLoss and OHEMLoss: hard-example mining, the mean over the elements with the largest loss."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor

from losskit.core.loss import Loss
from losskit.core.operands import as_loss
from losskit.core.options import Configured, option
from losskit.core.summable import Summable, bind
from losskit.core.sums import is_sharded, of_shards, reduce, result_dtype
from losskit.ops.inputs import summing_dtype


class TopKLoss(Loss):
    r"""Top-k loss (hard-example mining): the mean over the elements with the largest loss.

    .. math:: \sum_{i \in H} w_i \ell_i \big/ \sum_{i \in H} w_i

    with H the k elements with the largest weighted loss among those that count. `criterion` is any loss that is a mean
    over elements, or a module or function that returns one value per element.

    Source: Shrivastava, Gupta, Girshick 2016, arXiv:1604.03540 (OHEM); for pixels Wu, Shen, van den Hengel 2016,
    arXiv:1605.06885 (online bootstrapping).

    Elsewhere: nnU-Net's k is a percentage, its ignored elements are candidates, and its denominator omits class
    weights; OHEM in segmentation toolboxes also requires a probability below a threshold.

    Example:
        >>> loss = losskit.TopKLoss(losskit.CrossEntropyLoss(), k=0.5)
        >>> input = torch.tensor([[4.0, 0.0], [0.5, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0, 0])  # class indices (N,), the second one harder
        >>> loss(input, target)
        tensor(0.4741)
    """

    shapes: ClassVar[str] = "those of the criterion."
    authority: ClassVar[str] = "values worked out by hand"
    across_ranks: ClassVar[str] = (
        "the hardest elements are those of each rank's own batch; averaging over ranks averages their means."
    )

    k: int | float = option(default=0.1, doc="number of elements to keep: a fraction in (0, 1], or an integer count")
    pool: Literal["batch", "sample"] = option(
        default="batch", doc="keep the hardest elements of the batch, or of each sample"
    )

    def __init__(self, criterion: Any, k: float = 0.1, **options: Any) -> None:
        Configured.__init__(self, k=k, **options)
        self._mine(criterion)

    def _mine(self, criterion: Any) -> None:
        self.criterion = as_loss(criterion)
        cls = type(self.criterion)
        whole = isinstance(self.criterion, Summable) and not self.criterion.is_mean
        if whole or (cls.weighed is Loss.weighed and cls.values is Loss.values):
            raise TypeError(
                f"{self.name}: {self.criterion.name} is no mean of elements to choose the hardest from. Of a sum, mine "
                f"the parts: {type(self).__name__}(a) + {type(self).__name__}(b)."
            )
        self.__dict__["tensors"] = self.criterion.tensors or ("input", "target")

    def __post_init__(self) -> None:
        if self.k <= 0 or (isinstance(self.k, float) and self.k > 1):
            raise ValueError(
                f"{self.name}: k must be a share in (0, 1] or a whole number >= 1; got {self.k!r}. A count is written "
                "without a decimal point."
            )

    @property
    def takes_normalizer(self) -> bool:
        of_elements = not isinstance(self.criterion, Summable) or self.criterion.is_mean_of_elements
        return of_elements and self.reduction == "mean"

    def forward(
        self,
        *tensors: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: float | Tensor | None = None,
    ) -> Tensor:
        given = {"weight": weight, "mask": mask}
        tensors = bind(self.name, self.tensors, tensors, given)
        if is_sharded((*tensors, *given.values())):
            return of_shards(self, tensors, {**given, "normalizer": normalizer})
        value, share = self.criterion.weighed(*tensors, **given)
        if value.dim() == 0:
            raise ValueError(
                f"{self.name}: {self.criterion.name} returned one number, and the hardest are chosen from one for each "
                "element. Construct it with reduction='none'."
            )
        if self.pool == "sample" and value.shape[0] != tensors[0].shape[0]:
            raise ValueError(f"{self.name}: {self.criterion.name} has no values for each sample; pass pool='batch'.")
        hardest = self._hardest(value.detach(), share != 0)
        value, share = torch.where(hardest, value, 0.0), torch.where(hardest, share, 0.0)
        return reduce(value, share, self.reduction, self.empty, self.name, normalizer).to(result_dtype(tensors[0]))

    def _hardest(self, value: Tensor, counts: Tensor) -> Tensor:
        """Which elements to keep, in the shape of the values."""
        rows = (value.shape[0], value.shape[1:].numel()) if self.pool == "sample" else (1, value.numel())
        candidates = torch.where(counts, value, -torch.inf).reshape(rows)
        found = counts.reshape(rows).sum(1, keepdim=True)
        if isinstance(self.k, int):
            most = min(self.k, rows[1])
            wanted = found.clamp(max=self.k)
        else:
            most = min(math.ceil(self.k * rows[1]), rows[1])
            wanted = (
                (found.to(summing_dtype(value)) * (self.k * (1 + 1e-9))).long().clamp(min=1)
            )  # 0.29 of 100 is 28.999...
        order = candidates.topk(most, 1).indices
        kept = torch.arange(most, device=value.device) < wanted
        chosen = torch.zeros_like(candidates, dtype=torch.bool).scatter(1, order, kept)
        return chosen.reshape(value.shape) & counts

    @property
    def label(self) -> str:
        return f"top_k_{self.criterion.label}"


class OHEMLoss(TopKLoss):
    r"""Online hard example mining (OHEM): the mean over elements whose loss exceeds a threshold, or the hardest few.

    .. math:: \sum_{i \in H} w_i \ell_i \big/ \sum_{i \in H} w_i, \qquad
        H = \{i : w_i \ell_i > -\log\tau\} \cup \{\text{the hardest}\}

    For cross-entropy, these are the elements whose true class has a probability below :math:`\tau`. `criterion` is any
    loss that is a mean over elements, or a module or function that returns one value per element.

    Source: Shrivastava, Gupta, Girshick 2016, arXiv:1604.03540 (online hard example mining).

    Elsewhere: segmentation toolboxes select by probability, also with class weights; TopKLoss keeps a fixed number.

    Example:
        >>> loss = losskit.OHEMLoss(losskit.CrossEntropyLoss(), threshold=0.7)
        >>> input = torch.tensor([[4.0, 0.0], [0.5, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0, 0])  # class indices (N,), the first one easy
        >>> loss(input, target)
        tensor(0.4741)
    """

    without: ClassVar[tuple[str, ...]] = ("k",)

    threshold: Annotated[float, Interval(gt=0, lt=1)] = option(
        default=0.7, doc="probability of the true class below which an element is hard: its loss exceeds -log of it"
    )
    min_kept: Annotated[int, Ge(1)] = option(default=1, doc="minimum number of elements to keep, the hardest first")

    def __init__(self, criterion: Any, threshold: float = 0.7, min_kept: int = 1, **options: Any) -> None:
        Configured.__init__(self, threshold=threshold, min_kept=min_kept, **options)
        self._mine(criterion)

    def __post_init__(self) -> None:
        """No checks beyond the domains of the options."""

    def _hardest(self, value: Tensor, counts: Tensor) -> Tensor:
        rows = (value.shape[0], value.shape[1:].numel()) if self.pool == "sample" else (1, value.numel())
        candidates = torch.where(counts, value, -torch.inf).reshape(rows)
        first = candidates.topk(min(self.min_kept, rows[1]), 1).indices
        chosen = (candidates > -math.log(self.threshold)).scatter(1, first, True)
        return chosen.reshape(value.shape) & counts

    @property
    def label(self) -> str:
        return f"ohem_{self.criterion.label}"
