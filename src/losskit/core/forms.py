"""The types of losses as functions: what type checkers and editors see of the kit's decorators.

The options of the decorated function are `P`; the options that every loss of its kind has precede them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from torch import Tensor

from losskit.core.contract import Mode
from losskit.core.domains import Reduction
from losskit.core.labels import ClassificationLoss
from losskit.core.loss import Loss
from losskit.core.means import MeanLoss, RegressionLoss
from losskit.core.region import Absent, Overlap, Pool, RegionLoss
from losskit.core.sums import Empty, Sums

P = ParamSpec("P")
C_co = TypeVar("C_co", covariant=True)  # a class
L_co = TypeVar("L_co", bound=Loss, covariant=True)
PerElement = Tensor | None  # a weight or a mask
Normalizer = float | Tensor | None
Ignored = int | Sequence[int] | None
PerClass = Tensor | Sequence[float] | None


class Form(Protocol[C_co]):
    """What every function form has: its name and its class."""

    __name__: str

    @property
    def Module(self) -> C_co: ...  # noqa: N802 - it stands for a class


class FunctionForm(Form[type[Loss]], Protocol[P]):
    """A loss as a function: its tensors first, then `weight` and `mask`, then its options by keyword."""

    def __call__(
        self, input: Tensor, target: Tensor, weight: PerElement = None, mask: PerElement = None,
        *args: P.args, **options: P.kwargs,
    ) -> Tensor: ...  # fmt: skip


class TensorsForm(Form[type[Loss]], Protocol[P]):
    """A loss of other tensors than input and target as a function, in PyTorch's order."""

    def __call__(self, *tensors: Any, **options: Any) -> Tensor: ...


class BatchForm(Form[type[Loss]], Protocol[P]):
    """A loss of the whole batch: the decorated function's own signature."""

    def __call__(self, *args: P.args, **options: P.kwargs) -> Tensor: ...


class MeanModule(Protocol[P, L_co]):
    """The constructor of a mean of values or of elements."""

    def __call__(
        self, reduction: Reduction = "mean", empty: Empty = "zero", *args: P.args, **options: P.kwargs
    ) -> L_co: ...


class MeanForm1(Form[MeanModule[P, MeanLoss]], Protocol[P]):
    """A mean of values of one tensor."""

    def __call__(
        self, tensor: Tensor, weight: PerElement = None, mask: PerElement = None,
        normalizer: Normalizer = None, whole: Sums | None = None, reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> Tensor: ...  # fmt: skip


class MeanForm2(Form[MeanModule[P, MeanLoss]], Protocol[P]):
    """A mean of values of two tensors."""

    def __call__(
        self, tensor1: Tensor, tensor2: Tensor, weight: PerElement = None, mask: PerElement = None,
        normalizer: Normalizer = None, whole: Sums | None = None, reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> Tensor: ...  # fmt: skip


class MeanForm3(Form[MeanModule[P, MeanLoss]], Protocol[P]):
    """A mean of values of three tensors."""

    def __call__(
        self, tensor1: Tensor, tensor2: Tensor, tensor3: Tensor,
        weight: PerElement = None, mask: PerElement = None,
        normalizer: Normalizer = None, whole: Sums | None = None, reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> Tensor: ...  # fmt: skip


class MeanForm4(Form[MeanModule[P, MeanLoss]], Protocol[P]):
    """A mean of values of four tensors."""

    def __call__(
        self, tensor1: Tensor, tensor2: Tensor, tensor3: Tensor, tensor4: Tensor,
        weight: PerElement = None, mask: PerElement = None,
        normalizer: Normalizer = None, whole: Sums | None = None, reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> Tensor: ...  # fmt: skip


class RegressionForm(Form[MeanModule[P, RegressionLoss]], Protocol[P]):
    """A loss of each element's input and target."""

    def __call__(
        self, input: Tensor, target: Tensor, weight: PerElement = None, mask: PerElement = None,
        normalizer: Normalizer = None, whole: Sums | None = None, reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> Tensor: ...  # fmt: skip


class OfLogits(Protocol[P]):
    """A function of logits; its parameter name distinguishes it from a function of log-probabilities."""

    def __call__(self, logits: Tensor, *args: P.args, **options: P.kwargs) -> Tensor: ...


class OfBoth(Protocol[P]):
    """A function of log-probabilities and logits."""

    def __call__(self, log_p: Tensor, logits: Tensor, *args: P.args, **options: P.kwargs) -> Tensor: ...


class LogitsModule(Protocol[P]):
    """The constructor of a loss of a position's logits."""

    def __call__(
        self,
        mode: Mode | None = None, ignore_index: Ignored = -100, class_weight: PerClass = None,
        reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> MeanLoss: ...  # fmt: skip


class LogitsForm(Form[LogitsModule[P]], Protocol[P]):
    """A loss of a position's logits."""

    def __call__(
        self, input: Tensor, target: Tensor, weight: PerElement = None, mask: PerElement = None,
        normalizer: Normalizer = None, whole: Sums | None = None,
        mode: Mode | None = None, ignore_index: Ignored = -100, class_weight: PerClass = None,
        reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> Tensor: ...  # fmt: skip


class ClassificationModule(Protocol[P]):
    """The constructor of a loss of the log-probability of the true label."""

    def __call__(
        self,
        label_smoothing: float = 0.0,
        mode: Mode | None = None, ignore_index: Ignored = -100, class_weight: PerClass = None,
        from_logits: bool = True, reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> ClassificationLoss: ...  # fmt: skip


class ClassificationForm(Form[ClassificationModule[P]], Protocol[P]):
    """A loss of the log-probability of the true label."""

    def __call__(
        self, input: Tensor, target: Tensor, weight: PerElement = None, mask: PerElement = None,
        normalizer: Normalizer = None, whole: Sums | None = None,
        label_smoothing: float = 0.0,
        mode: Mode | None = None, ignore_index: Ignored = -100, class_weight: PerClass = None,
        from_logits: bool = True, reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> Tensor: ...  # fmt: skip


class RegionModule(Protocol[P]):
    """The constructor of a loss of the totals of each class."""

    def __call__(
        self,
        pool: Pool = "sample", classes: Sequence[int] | None = None, include_background: bool = True,
        overlap: Overlap = "product", absent: Absent = "penalize",
        mode: Mode | None = None, ignore_index: Ignored = -100, class_weight: PerClass = None,
        from_logits: bool = True, reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> RegionLoss: ...  # fmt: skip


class RegionForm(Form[RegionModule[P]], Protocol[P]):
    """A loss of the totals of each class."""

    def __call__(
        self, input: Tensor, target: Tensor, weight: PerElement = None, mask: PerElement = None,
        normalizer: Normalizer = None, whole: Sums | None = None,
        pool: Pool = "sample", classes: Sequence[int] | None = None, include_background: bool = True,
        overlap: Overlap = "product", absent: Absent = "penalize",
        mode: Mode | None = None, ignore_index: Ignored = -100, class_weight: PerClass = None,
        from_logits: bool = True, reduction: Reduction = "mean", empty: Empty = "zero",
        *args: P.args, **options: P.kwargs,
    ) -> Tensor: ...  # fmt: skip
