"""What losskit's own losses take: their kind defines it, so nothing is tried."""

from __future__ import annotations

from typing import Any

from losskit.core.algebra import WeightedSum, leaves
from losskit.core.labels import LabelOptions
from losskit.core.loss import Loss
from losskit.core.means import RegressionLoss
from losskit.core.operands import Wrapped
from losskit.losses.masks import MaskLoss

Form = tuple[str, str, str]  # kind, scores, layout

_BY_NAME: dict[str, list[Form]] = {
    "GaussianNLLLoss": [("regression", "values", "with-variance")],
    "KLDivLoss": [("distribution", "log_probabilities", "soft")],
    "HingeEmbeddingLoss": [("pairs", "distances", "signs")],
    "SoftMarginLoss": [("binary", "logits", "signs")],
    "MarginRankingLoss": [("pairs", "values", "order")],
    "MultiMarginLoss": [("multiclass", "logits", "indices")],
    "MultiLabelMarginLoss": [("multilabel", "logits", "label-lists")],
    "DistributionBalancedLoss": [("multilabel", "logits", "same")],
    "MultiLabelSoftMarginLoss": [("multilabel", "logits", "same")],
    "CosineEmbeddingLoss": [("pairs", "embeddings", "alike")],
    "TripletMarginLoss": [("pairs", "embeddings", "triplets")],
    "GridSobolevLoss": [("regression", "values", "same")],
    "CTCLoss": [("sequence", "log_probabilities", "sequences")],
}


def forms_of(criterion: Any) -> list[Form]:
    """The ways to call a losskit loss, the usual first; empty for other losses and those that do not define it."""
    if isinstance(criterion, WeightedSum):
        ways = [forms_of(part) for _, part in leaves(criterion)]
        shared = [form for form in ways[0] if all(form in way for way in ways[1:])] if ways else []
        return shared or _labels(criterion) if isinstance(criterion, LabelOptions) else shared
    if not isinstance(criterion, Loss) or isinstance(criterion, Wrapped):
        return []
    by_name = next((_BY_NAME[c.__name__] for c in type(criterion).__mro__ if _ours(c) and c.__name__ in _BY_NAME), None)
    if by_name is not None:
        if type(criterion).__name__ == "KLDivLoss" and getattr(criterion, "log_target", False):
            return [("distribution", "log_probabilities", "log-soft")]
        return by_name
    if _ours(type(criterion)) and type(criterion).__name__ == "PoissonNLLLoss":
        return [("regression", "log_rates" if criterion.log_input else "rates", "counts")]
    if isinstance(criterion, MaskLoss):
        return [("binary", _scores(criterion), "bare")]
    if isinstance(criterion, LabelOptions):
        return _labels(criterion)
    if isinstance(criterion, RegressionLoss) and criterion.tensors == ("input", "target"):
        return [("regression", "values", "same")]
    return []


def _ours(cls: type) -> bool:
    return cls.__module__.startswith("losskit.losses.")


def _scores(criterion: Any) -> str:
    return "logits" if getattr(criterion, "from_logits", True) else "probabilities"


def _labels(criterion: Any) -> list[Form]:
    scores, mode = _scores(criterion), getattr(criterion, "mode", None)
    always = getattr(criterion, "always", None)
    if always == "log_softmax":
        return [("multiclass", "log_probabilities", "indices"), ("multiclass", "log_probabilities", "one-hot")]
    multiclass = [("multiclass", scores, "indices")]
    binary = [("binary", scores, "same"), ("binary", scores, "no-channel")]
    if always == "softmax" or mode == "multiclass":
        return [*multiclass, ("multiclass", scores, "one-hot")]
    if always == "sigmoid":
        return [*binary, ("multilabel", scores, "same")]
    if mode == "multilabel":
        return [("multilabel", scores, "same"), *binary]
    return [*binary, *multiclass]
