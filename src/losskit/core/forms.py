"""The types of losses as functions: what type checkers and editors see of the kit's decorators.

The options of the decorated function are `P`; the options that every loss of its kind has precede them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ParamSpec, Protocol

from torch import Tensor

from losskit.core.contract import Mode
from losskit.core.domains import Reduction
from losskit.core.labels import ClassificationLoss
from losskit.core.loss import Loss
from losskit.core.means import MeanLoss, RegressionLoss
from losskit.core.region import Absent, Overlap, Pool, RegionLoss
from losskit.core.sums import Empty, Sums

P = ParamSpec("P")
Normalizer = float | Tensor | None
PerClass = Tensor | Sequence[float] | None


class FunctionForm(Protocol[P]):
    """A loss as a function: its tensors first, then `weight` and `mask`, then its options by keyword."""

    __name__: str
    Module: type[Loss]

    def __call__(
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        *args: P.args,
        **options: P.kwargs,
    ) -> Tensor: ...


class TensorsForm(Protocol[P]):
    """A loss of other tensors than input and target as a function, in PyTorch's order."""

    __name__: str
    Module: type[Loss]

    def __call__(self, *tensors: Any, **options: Any) -> Tensor: ...


class MeanModule(Protocol[P]):
    """The constructor of a mean of values."""

    def __call__(
        self, reduction: Reduction = "mean", empty: Empty = "zero", *args: P.args, **options: P.kwargs
    ) -> MeanLoss: ...


class MeanForm1(Protocol[P]):
    """A mean of values of one tensor."""

    __name__: str

    @property
    def Module(self) -> MeanModule[P]: ...  # noqa: N802 - it stands for a class

    def __call__(
        self,
        tensor: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: Normalizer = None,
        whole: Sums | None = None,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> Tensor: ...


class MeanForm2(Protocol[P]):
    """A mean of values of two tensors."""

    __name__: str

    @property
    def Module(self) -> MeanModule[P]: ...  # noqa: N802

    def __call__(
        self,
        tensor1: Tensor,
        tensor2: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: Normalizer = None,
        whole: Sums | None = None,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> Tensor: ...


class MeanForm3(Protocol[P]):
    """A mean of values of three tensors."""

    __name__: str

    @property
    def Module(self) -> MeanModule[P]: ...  # noqa: N802

    def __call__(
        self,
        tensor1: Tensor,
        tensor2: Tensor,
        tensor3: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: Normalizer = None,
        whole: Sums | None = None,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> Tensor: ...


class MeanForm4(Protocol[P]):
    """A mean of values of four tensors."""

    __name__: str

    @property
    def Module(self) -> MeanModule[P]: ...  # noqa: N802

    def __call__(
        self,
        tensor1: Tensor,
        tensor2: Tensor,
        tensor3: Tensor,
        tensor4: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: Normalizer = None,
        whole: Sums | None = None,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> Tensor: ...


class BatchForm(Protocol[P]):
    """A loss of the whole batch: the decorated function's own signature."""

    __name__: str

    @property
    def Module(self) -> type[Loss]: ...  # noqa: N802

    def __call__(self, *args: P.args, **options: P.kwargs) -> Tensor: ...


class RegressionModule(Protocol[P]):
    """The constructor of a loss of each element's input and target."""

    def __call__(
        self, reduction: Reduction = "mean", empty: Empty = "zero", *args: P.args, **options: P.kwargs
    ) -> RegressionLoss: ...


class RegressionForm(Protocol[P]):
    """A loss of each element's input and target."""

    __name__: str

    @property
    def Module(self) -> RegressionModule[P]: ...  # noqa: N802

    def __call__(
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: Normalizer = None,
        whole: Sums | None = None,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> Tensor: ...


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
        mode: Mode | None = None,
        ignore_index: int | Sequence[int] | None = -100,
        class_weight: PerClass = None,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> MeanLoss: ...


class LogitsForm(Protocol[P]):
    """A loss of a position's logits."""

    __name__: str

    @property
    def Module(self) -> LogitsModule[P]: ...  # noqa: N802

    def __call__(
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: Normalizer = None,
        whole: Sums | None = None,
        mode: Mode | None = None,
        ignore_index: int | Sequence[int] | None = -100,
        class_weight: PerClass = None,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> Tensor: ...


class ClassificationModule(Protocol[P]):
    """The constructor of a loss of the log-probability of the true label."""

    def __call__(
        self,
        label_smoothing: float = 0.0,
        mode: Mode | None = None,
        ignore_index: int | Sequence[int] | None = -100,
        class_weight: PerClass = None,
        from_logits: bool = True,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> ClassificationLoss: ...


class ClassificationForm(Protocol[P]):
    """A loss of the log-probability of the true label."""

    __name__: str

    @property
    def Module(self) -> ClassificationModule[P]: ...  # noqa: N802

    def __call__(
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: Normalizer = None,
        whole: Sums | None = None,
        label_smoothing: float = 0.0,
        mode: Mode | None = None,
        ignore_index: int | Sequence[int] | None = -100,
        class_weight: PerClass = None,
        from_logits: bool = True,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> Tensor: ...


class RegionModule(Protocol[P]):
    """The constructor of a loss of the totals of each class."""

    def __call__(
        self,
        pool: Pool = "sample",
        classes: Sequence[int] | None = None,
        include_background: bool = True,
        overlap: Overlap = "product",
        absent: Absent = "penalize",
        mode: Mode | None = None,
        ignore_index: int | Sequence[int] | None = -100,
        class_weight: PerClass = None,
        from_logits: bool = True,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> RegionLoss: ...


class RegionForm(Protocol[P]):
    """A loss of the totals of each class."""

    __name__: str

    @property
    def Module(self) -> RegionModule[P]: ...  # noqa: N802

    def __call__(
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: Normalizer = None,
        whole: Sums | None = None,
        pool: Pool = "sample",
        classes: Sequence[int] | None = None,
        include_background: bool = True,
        overlap: Overlap = "product",
        absent: Absent = "penalize",
        mode: Mode | None = None,
        ignore_index: int | Sequence[int] | None = -100,
        class_weight: PerClass = None,
        from_logits: bool = True,
        reduction: Reduction = "mean",
        empty: Empty = "zero",
        *args: P.args,
        **options: P.kwargs,
    ) -> Tensor: ...
