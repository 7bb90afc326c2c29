"""The losses of the catalogue that another library has too: who computes each, on which tensors.

The right answer of a loss is its definition in float64, which the tests hold against its formula in mpmath.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from bench.libraries import peer
from losskit.ops import choice

Call = Callable[[Tensor, Tensor], Tensor]
Shape = tuple[int, ...]
LIBRARIES = ("monai", "smp", "kornia", "toolbelt", "torchvision", "timm", "fvcore")

_ROWS = ((8, 8), (256, 1000), (4096, 256))
_SCORES = ((8, 8), (256, 80), (4096, 256))
_MAPS = ((1, 1, 8, 8), (2, 1, 64, 64), (8, 1, 256, 256))
_CLASS_MAPS = ((1, 4, 8, 8), (2, 4, 64, 64), (4, 19, 128, 128))
_SPACE = ((1, 1, 16, 16), (4, 1, 128, 128))
_NUMBERS = ((1, 1, 8, 8), (2, 1, 64, 64), (8, 1, 512, 512))
_BOXES = ((16, 4), (1024, 4), (131072, 4))
_VIEWS = ((9, 8), (384, 100), (384, 1000))
_VECTORS = ((8, 8), (256, 128), (4096, 256))


class Work(NamedTuple):
    """A loss, the tensors it is timed with, and who has it; how a call hands them over, where that is not (x, t)."""

    ours: str
    kind: str
    shapes: tuple[Shape, ...]
    peers: tuple[str, ...]
    given: str = "loss(x, t)"
    given_ours: str = "loss(x, t)"


_NO_SMOOTH = "smooth_nr=0.0, smooth_dr=0.0"
_APART = "torch.tensor([[abs(i - j) / (C - 1) for j in range(C)] for i in range(C)])"
_COUNTS = "class_counts=torch.arange(1, C + 1).float(), num_samples=2000"
_IN_PARTS = "loss(x, t[0], t[1])"
_SIGNS = "loss(x[:, :-1], t[:, :-1], t[:, -1])"

WORKS = {
    "asymmetric": Work("AsymmetricLoss()", "labels", _SCORES, ("timm.AsymmetricLossMultiLabel(reduction='mean')",)),
    "asymmetric-softmax": Work(
        "AsymmetricSoftmaxLoss()", "rows", _ROWS, ("timm.AsymmetricLossSingleLabel(gamma_pos=0.0)",)
    ),
    "auc-margin": Work(
        "AUCMLoss()", "binary", ((64, 1), (4096, 1), (1048576, 1)), ("monai.AUCMLoss(version='v2')",),
        "loss(x.sigmoid(), t)", "loss(x, t)",
    ),
    "bi-tempered": Work(
        "BiTemperedLoss(t1=0.8, t2=1.4)", "rows", _ROWS, ("toolbelt.BiTemperedLogisticLoss(0.8, 1.4)",),
        "loss(x, F.one_hot(t, x.shape[1]).to(x.dtype))", "loss(x, t)",
    ),
    "box-ciou": Work("CIoULoss()", "boxes", _BOXES, ("partial(torchvision.complete_box_iou_loss, reduction='mean')",)),
    "box-diou": Work("DIoULoss()", "boxes", _BOXES, ("partial(torchvision.distance_box_iou_loss, reduction='mean')",)),
    "box-giou": Work(
        "GIoULoss()", "boxes", _BOXES,
        (
            "partial(torchvision.generalized_box_iou_loss, reduction='mean')",
            "partial(fvcore.giou_loss, reduction='mean')", "monai.BoxGIoULoss()",
        ),
    ),
    "cauchy": Work("CauchyLoss()", "numbers", _NUMBERS, ("kornia.CauchyLoss(reduction='mean')",)),
    "charbonnier": Work(
        "CharbonnierLoss(eps=1.0)", "numbers", _NUMBERS, ("kornia.CharbonnierLoss('mean')",),
        "loss(x, t) + 1.0", "loss(x, t)",
    ),
    "cl-dice": Work(
        "CLDiceLoss(absent='formula', smooth=1.0)", "binary", _SPACE,
        ("monai.SoftclDiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0)",),
    ),
    "cosine-embedding": Work("CosineEmbeddingLoss()", "signed", _VECTORS, ("F.cosine_embedding_loss",), _SIGNS, _SIGNS),
    "cross-entropy-smoothed": Work(
        "CrossEntropyLoss(label_smoothing=0.1)", "rows", _ROWS,
        ("partial(F.cross_entropy, label_smoothing=0.1)", "timm.LabelSmoothingCrossEntropy(0.1)"),
    ),
    "distribution-balanced": Work(
        f"DistributionBalancedLoss({_COUNTS})", "labels", _SCORES,
        ("timm.DistributionBalancedLoss(torch.arange(1, C + 1).float(), 2000)",),
    ),
    "focal-cosine": Work("FocalCosineLoss()", "rows", _ROWS, ("toolbelt.FocalCosineLoss()",)),
    "focal-tversky": Work(
        "FocalTverskyLoss(alpha=0.3, beta=0.7, gamma=0.75, pool='batch')", "binary", _MAPS,
        ("smp.TverskyLoss('binary', alpha=0.3, beta=0.7, gamma=0.75)",),
    ),
    "gaussian-nll": Work("GaussianNLLLoss()", "spread", _NUMBERS, ("F.gaussian_nll_loss",), _IN_PARTS, _IN_PARTS),
    "geman-mcclure": Work("GemanMcClureLoss()", "numbers", _NUMBERS, ("kornia.GemanMcclureLoss(reduction='mean')",)),
    "generalized-dice": Work(
        "GeneralizedDiceLoss()", "classes", _CLASS_MAPS,
        (f"monai.GeneralizedDiceLoss(softmax=True, to_onehot_y=True, {_NO_SMOOTH})",),
        "loss(x, t.unsqueeze(1))", "loss(x, t)",
    ),
    "generalized-wasserstein-dice": Work(
        f"GeneralizedWassersteinDiceLoss(class_distances={_APART}, smooth=1.0)", "classes", _CLASS_MAPS,
        (f"monai.GeneralizedWassersteinDiceLoss({_APART}, smooth_nr=1.0, smooth_dr=1.0)",),
        "loss(x, t.unsqueeze(1))", "loss(x, t)",
    ),
    "hausdorff": Work(
        "HausdorffLoss(absent='formula')", "binary", _SPACE,
        ("monai.HausdorffDTLoss(include_background=True, sigmoid=True)",),
    ),
    "hausdorff-log": Work(
        "HausdorffLoss(absent='formula', log=True)", "binary", _SPACE,
        ("monai.LogHausdorffDTLoss(include_background=True, sigmoid=True)",),
    ),
    "hinge-embedding": Work("HingeEmbeddingLoss()", "signs", _NUMBERS, ("F.hinge_embedding_loss",)),
    "jsd-consistency": Work("JSDConsistencyLoss()", "views", _VIEWS, ("timm.JsdCrossEntropy(smoothing=0.0)",)),
    "kl-divergence": Work(
        "KLDivLoss(reduction='batchmean')", "distributions", _ROWS, ("partial(F.kl_div, reduction='batchmean')",),
        "loss(F.log_softmax(x, 1), t)", "loss(F.log_softmax(x, 1), t)",
    ),
    "log-cosh": Work("LogCoshLoss()", "numbers", _NUMBERS, ("toolbelt.LogCoshLoss()",)),
    "margin-ranking": Work(
        "MarginRankingLoss(margin=0.5)", "ranked", _NUMBERS, ("partial(F.margin_ranking_loss, margin=0.5)",),
        _IN_PARTS, _IN_PARTS,
    ),
    "mcc": Work(
        "MCCLoss(pool='batch')", "binary", _MAPS, ("smp.MCCLoss(eps=0.0)", "monai.MCCLoss(batch=True)"),
        "loss(x.sigmoid(), t)", "loss(x, t)",
    ),
    "multi-label-margin": Work("MultiLabelMarginLoss()", "lists", _SCORES, ("F.multilabel_margin_loss",)),
    "multi-label-soft-margin": Work(
        "MultiLabelSoftMarginLoss()", "labels", _SCORES, ("F.multilabel_soft_margin_loss",)
    ),
    "multi-margin": Work("MultiMarginLoss()", "rows", _ROWS, ("F.multi_margin_loss",)),
    "nll": Work(
        "NLLLoss()", "rows", _ROWS, ("F.nll_loss",), "loss(F.log_softmax(x, 1), t)", "loss(F.log_softmax(x, 1), t)"
    ),
    "poisson-nll": Work("PoissonNLLLoss()", "counts", _NUMBERS, ("F.poisson_nll_loss",)),
    "poly": Work("PolyLoss()", "rows", _ROWS, ("timm.PolyCrossEntropy(epsilon=1.0)",)),
    "poly-binary": Work("PolyLoss(mode='multilabel')", "labels", _SCORES, ("timm.PolyBinaryCrossEntropy(1.0)",)),
    "quality-focal": Work("QualityFocalLoss()", "soft", _SCORES, ("toolbelt.QualityFocalLoss()",)),
    "soft-margin": Work("SoftMarginLoss()", "signs", _NUMBERS, ("F.soft_margin_loss",)),
    "triplet-margin": Work(
        "TripletMarginLoss()", "triplets", _VECTORS, ("F.triplet_margin_loss",), _IN_PARTS, _IN_PARTS
    ),
    "two-way": Work("TwoWayLoss()", "labels", _SCORES, ("timm.TwoWayLoss()",)),
    "welsch": Work("WelschLoss()", "numbers", _NUMBERS, ("kornia.WelschLoss(reduction='mean')",)),
    "wing": Work("WingLoss(width=5.0, curvature=0.5)", "numbers", _NUMBERS, ("toolbelt.WingLoss(5.0, 0.5)",)),
    "zlpr": Work("ZLPRLoss()", "labels", _SCORES, ("timm.ZlprLoss()",)),
}  # fmt: skip


def source_of(name: str) -> str:
    """Our loss as a user writes it."""
    return f"losskit.{WORKS[name].ours}"


def ours(name: str, shape: Shape) -> Call:
    work = WORKS[name]
    return _given(_made(source_of(name), shape), work.given_ours)


def theirs(name: str, source: str, shape: Shape) -> Call:
    return _given(_made(source, shape), WORKS[name].given)


def right(name: str, x: Tensor, t: Tensor) -> Tensor:
    """The definition in float64."""
    with choice.forced("reference"):
        return ours(name, tuple(x.shape))(x.double(), t.double() if t.is_floating_point() else t)


def library(source: str) -> str:
    """The library of a constructor."""
    name = source.removeprefix("partial(").partition(".")[0]
    return "torch" if name == "F" else name


def _made(source: str, shape: Shape) -> Any:
    scope: dict[str, Any] = {"torch": torch, "F": F, "losskit": losskit, "partial": partial, "C": shape[1]}
    scope |= {name: peer(name) for name in LIBRARIES if f"{name}." in source}
    return eval(source, scope)


def _given(loss: Any, how: str) -> Call:
    if how == "loss(x, t)":
        called: Call = loss
        return called
    call: Call = eval(f"lambda x, t: {how}", {"loss": loss, "F": F})
    return call


@lru_cache(maxsize=4)
def data(name: str, shape: Shape) -> tuple[Tensor, Tensor]:
    """What wants a gradient, and the rest in one tensor."""
    make = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=make)
    x, t = _KINDS[WORKS[name].kind](x, make)
    return x.requires_grad_(), t


def _labels(x: Tensor, make: torch.Generator) -> tuple[Tensor, Tensor]:
    t = (torch.rand(x.shape, generator=make) < 0.3).float()
    t[:, 0], t[0] = 1.0, 1.0  # a positive in each sample and class
    t[1:, -1] = 0.0
    return x, t


def _binary(x: Tensor, make: torch.Generator) -> tuple[Tensor, Tensor]:
    if x.dim() == 2:
        return x, (torch.rand(x.shape, generator=make) < 0.3).float()
    t = torch.zeros_like(x)
    side = x.shape[2] // 2
    t[..., side // 2 : side // 2 + side, side // 2 : side // 2 + side] = 1.0
    return x, t


def _classes(x: Tensor, make: torch.Generator) -> tuple[Tensor, Tensor]:
    t = torch.randint(x.shape[1], (x.shape[0], *x.shape[2:]), generator=make)
    places = t.view(x.shape[0], -1)
    if places.shape[1] >= x.shape[1]:
        places[:, : x.shape[1]] = torch.arange(x.shape[1])
    return x, t


def _boxes(x: Tensor, make: torch.Generator) -> tuple[Tensor, Tensor]:
    low, size = torch.rand(2, *x.shape[:1], 2, generator=make)
    moved = 0.1 * x
    both = torch.cat([low, low + 0.2 + size], 1)
    return both + 0.05 * moved, both


def _views(x: Tensor, make: torch.Generator) -> tuple[Tensor, Tensor]:
    return x, torch.randint(x.shape[1], (x.shape[0] // 3,), generator=make)


def _lists(x: Tensor, make: torch.Generator) -> tuple[Tensor, Tensor]:
    """The first classes are listed, then -1."""
    order = torch.rand(x.shape, generator=make).argsort(1)
    order[:, x.shape[1] // 4 :] = -1
    return x, order


def _signed(x: Tensor, make: torch.Generator) -> tuple[Tensor, Tensor]:
    t = torch.randn(x.shape, generator=make)
    t[:, -1] = _sign(t[:, -1])
    return x, t


def _sign(x: Tensor) -> Tensor:
    return torch.where(x > 0, 1.0, -1.0)


_KINDS: dict[str, Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]] = {
    "rows": _classes, "classes": _classes, "labels": _labels, "binary": _binary, "boxes": _boxes, "views": _views,
    "lists": _lists, "signed": _signed,
    "soft": lambda x, make: (x, torch.rand(x.shape, generator=make)),
    "numbers": lambda x, make: (x, torch.randn(x.shape, generator=make)),
    "signs": lambda x, make: (x, _sign(torch.randn(x.shape, generator=make))),
    "counts": lambda x, make: (x, torch.rand(x.shape, generator=make).mul(5).round()),
    "distributions": lambda x, make: (x, torch.randn(x.shape, generator=make).softmax(1)),
    "spread": lambda x, make: (
        x, torch.stack([torch.randn(x.shape, generator=make), torch.rand(x.shape, generator=make) + 0.1])
    ),
    "ranked": lambda x, make: (
        x, torch.stack([torch.randn(x.shape, generator=make), _sign(torch.randn(x.shape, generator=make))])
    ),
    "triplets": lambda x, make: (x, torch.randn((2, *x.shape), generator=make)),
}  # fmt: skip
