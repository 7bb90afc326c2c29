"""Classification: cross entropies and margins of scores."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones

SCORES = r"input\w*|logits?|pred\w*|y_?pred|y_?hat|out\w*|x|scores?|prob\w*|output\w*|cls_score|z"
LABELS = r"target\w*|labels?\w*|y|y_?true|gt|truth|true|classes|t"
BOTH = {"x": SCORES, "y": LABELS}
GAMMA = Option("gamma", r"gamma|g|focus\w*", 1.7, (2.0,))
ALPHA = Option("alpha", r"alpha|a|balance", 0.3, (0.25,))


def labelled(seed: int) -> dict[str, Any]:
    return {"x": 2 * real(seed, 5, 3), "y": whole(seed, 3, 5)}


def pixels(seed: int) -> dict[str, Any]:
    return {"x": 2 * real(seed, 2, 3, 2, 2), "y": whole(seed, 3, 2, 2, 2)}


def binary(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 6), "y": zeros_and_ones(seed, 6)}


def column(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 6, 1), "y": zeros_and_ones(seed, 6, 1)}


def several(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 3, 4), "y": zeros_and_ones(seed, 3, 4)}


def masks(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 2, 1, 2, 3), "y": zeros_and_ones(seed, 2, 1, 2, 3)}


def logs_of_class(g: Given) -> tuple[Tensor, Tensor]:
    """Logarithms of the probabilities, (N, C), and of that of the true class, (N)."""
    x = g.x.movedim(1, -1).reshape(-1, g.x.shape[1])
    logs = x.log_softmax(1)
    return logs, logs.gather(1, g.y.reshape(-1, 1)).squeeze(1)


@reference(
    "the binary focal loss",
    r"focal",
    BOTH,
    binary,
    column,
    several,
    masks,
    options=[ALPHA, GAMMA],
    trained=("x",),
    unless=r"tversky|dice|heat ?map|qfl|quality|center|corner|vari|iou|reduced|effective|class balanced|unified|freq",
)
def binary_focal(g: Given, pick: Pick) -> Any:
    p = pick(g.x.sigmoid(), g.x)
    right = torch.where(g.y > 0.5, p, 1 - p)
    balance = torch.where(g.y > 0.5, g.alpha, 1 - g.alpha)
    if not g.text.says(r"1 ?- ?alpha|alpha.{0,40}positive"):
        balance = pick(
            balance,
            torch.ones_like(balance),
            torch.where(g.y > 0.5, 1 - g.alpha, g.alpha),
            torch.where(g.y > 0.5, g.alpha, 1.0),
        )
    return -(balance * pick.held(1 - right) ** g.gamma * right.log()).mean()


@reference(
    "the focal loss",
    r"focal",
    BOTH,
    labelled,
    pixels,
    options=[ALPHA, GAMMA],
    trained=("x",),
    unless=r"tversky|dice|heat ?map|qfl|quality|corner|vari|iou|reduced|effective|class balanced|unified|freq|binary|sigmoid|multi ?label",
)
def focal(g: Given, pick: Pick) -> Any:
    _, right = logs_of_class(g)
    y = g.y.reshape(-1)
    weight = pick(torch.ones(len(y)), torch.where(y > 0, g.alpha, 1 - g.alpha))  # of the classes and the background
    return -(weight * pick.held(1 - right.exp()) ** g.gamma * right).mean()


SMOOTHING = Option("eps", r"smooth\w*|eps\w*|epsilon|label_smoothing|alpha|s", 0.45, (0.1,), True)


@reference(
    "the cross entropy with smoothed labels",
    r"label ?smooth|smooth\w* (ce|cross|label|nll)|\bls (ce|loss|seq)",
    BOTH,
    labelled,
    pixels,
    options=[SMOOTHING],
    trained=("x",),
    unless=r"mixup|focal|online|binary|bce|ordinal|mask|pad|seq|nmt|token|annotated",
)
def smoothed(g: Given, pick: Pick) -> Any:
    logs, right = logs_of_class(g)
    if pick(True, False):
        return -((1 - g.eps) * right + g.eps * logs.mean(1)).mean()
    return -((1 - g.eps) * right + g.eps / 2 * (logs.sum(1) - right)).mean()


@reference(
    "Poly-1 cross entropy",
    r"poly ?1|poly loss|poly ?ce",
    BOTH,
    labelled,
    pixels,
    options=[Option("eps", r"eps\w*", 0.6, (1.0, 2.0), True)],
    trained=("x",),
    unless=r"focal|bce",
)
def poly(g: Given, pick: Pick) -> Any:
    _, right = logs_of_class(g)
    return (-right + g.eps * (1 - right.exp())).mean()


@reference(
    "the generalized cross entropy",
    r"\bgce\b|generali[sz]ed cross",
    BOTH,
    labelled,
    pixels,
    options=[Option("q", r"q", 0.6, (0.7,), True)],
    trained=("x",),
    unless=r"trunc",
)
def generalized(g: Given, pick: Pick) -> Any:
    _, right = logs_of_class(g)
    return -(right.exp() ** g.q).mean()


@reference(
    "the symmetric cross entropy",
    r"\bsce\b|symmetric cross",
    BOTH,
    labelled,
    options=[],
    trained=("x",),
    unless=r"binary",
)
def symmetric(g: Given, pick: Pick) -> Any:
    _, right = logs_of_class(g)
    return -right.mean(), -right.exp().mean()


@reference("the normalized cross entropy", r"normali[sz]ed cross|\bnce\b.*active", BOTH, labelled, trained=("x",))
def normalized(g: Given, pick: Pick) -> Any:
    logs, right = logs_of_class(g)
    return (right / logs.sum(1)).mean()


@reference(
    "the bootstrapped cross entropy",
    r"bootstrap",
    BOTH,
    labelled,
    options=[Option("beta", r"beta|alpha|b", 0.7, (0.95, 0.8))],
    trained=("x",),
    unless=r"top|hard pixel|ohem|\bbootstrapped\b.*pixel",
)
def bootstrapped(g: Given, pick: Pick) -> Any:
    logs, right = logs_of_class(g)
    own = (pick.held(logs.exp()) * logs).sum(1) if pick(True, False) else logs.amax(1)
    b = pick(g.beta, 1 - g.beta)
    return -(b * right + (1 - b) * own).mean()


@reference(
    "the asymmetric loss",
    r"asymmetric|\basl\b",
    BOTH,
    several,
    options=[
        Option("neg", r"gamma_?neg\w*|g_?neg|gamma_?n|gamma_?minus", 2.5, (4.0, 2.0), True),
        Option("pos", r"gamma_?pos\w*|g_?pos|gamma_?p|gamma_?plus", 0.7, (0.0, 1.0, 2.0), True),
        Option("clip", r"clip|margin|m|prob_?margin|shift|delta", 0.1, (0.05, 0.0)),
    ],
    trained=("x",),
    unless=r"single|tversky|unified|focal tversky|huber|quantile|mse|l2",
)
def asymmetric(g: Given, pick: Pick) -> Any:
    p = pick(g.x.sigmoid(), g.x)
    kept = (1 - p + g.clip).clamp(max=1)
    factors = pick.held((1 - p) ** g.pos), (1 - kept) ** g.neg
    factors = (factors[0], factors[1].detach()) if pick(False, True) else factors
    return -(g.y * factors[0] * p.log() + (1 - g.y) * factors[1] * kept.log()).mean()


@reference(
    "the multi-label loss of ranked exponentials",
    r"zlpr|multi ?label (soft ?max|categorical)|circle multi ?label",
    BOTH,
    lambda s: {"x": real(s, 3, 4), "y": zeros_and_ones(s, 3, 4)},
    trained=("x",),
)
def zlpr(g: Given, pick: Pick) -> Any:
    minus = torch.where(g.y > 0.5, -torch.inf, g.x)
    plus = torch.where(g.y > 0.5, -g.x, -torch.inf)
    zero = torch.zeros(len(g.x), 1, dtype=torch.float64)
    return (torch.cat([minus, zero], 1).logsumexp(1) + torch.cat([plus, zero], 1).logsumexp(1)).mean()


@reference(
    "the hinge loss",
    r"^(squared )?(binary )?hinge|svm",
    BOTH,
    lambda s: {"x": 1.5 * real(s, 6), "y": 2 * zeros_and_ones(s, 6) - 1},
    options=[Option("margin", "margin|m", 0.8, (1.0,), True)],
    trained=("x",),
    unless=r"gan|adv|embedding|multi|rank|triplet|pair|crammer",
)
def hinge(g: Given, pick: Pick) -> Any:
    each = F.relu(g.margin - g.y * g.x)
    return pick(each, each.square()).mean()


@reference(
    "the multi-class hinge loss",
    r"multi ?class (hinge|margin|svm)|crammer|weston",
    BOTH,
    labelled,
    options=[Option("margin", "margin|m|delta", 0.8, (1.0,), True)],
    trained=("x",),
)
def hinges(g: Given, pick: Pick) -> Any:
    right = g.x.gather(1, g.y[:, None])
    each = F.relu(g.margin + g.x - right).masked_fill(F.one_hot(g.y, 3).bool(), 0)
    each = pick(each, each.square())
    return pick(each.sum(1), each.amax(1)).mean()


@reference(
    "the confidence penalty",
    r"confidence penalty|max(imum)? entropy|negative entropy",
    BOTH,
    labelled,
    options=[],
    trained=("x",),
)
def confident(g: Given, pick: Pick) -> Any:
    logs, right = logs_of_class(g)
    return -right.mean(), (logs.exp() * logs).sum(1).mean()


@reference(
    "the entropy",
    r"entropy (min\w*|loss|regul\w*)|^entropy|softmax entropy",
    {"x": SCORES},
    lambda s: {"x": share(s, 4, 3)},
    unless=r"cross|binary|max|negative|conditional|masked|information",
)
def entropy(g: Given, pick: Pick) -> Any:
    p = pick(g.x.softmax(1), g.x)
    return -(p * p.log()).sum(1).mean()


@reference("the mean absolute error of probabilities", r"\bmae\b.*(noisy|label|class)", BOTH, labelled, trained=("x",))
def absolute(g: Given, pick: Pick) -> Any:
    return -logs_of_class(g)[1].exp().mean()


@reference("the Brier score", r"brier", BOTH, labelled, binary, trained=("x",))
def brier(g: Given, pick: Pick) -> Any:
    if g.y.dtype != torch.int64:
        return (pick(g.x.sigmoid(), g.x) - g.y).square().mean()
    return (pick(g.x.softmax(1), g.x) - F.one_hot(g.y, 3)).square().mean()


@reference("CORAL", r"\bcoral\b", {"x": SCORES, "y": LABELS + r"|levels?"}, lambda s: {"x": real(s, 5, 3), "y": whole(s, 4, 5)}, lambda s: {"x": real(s, 5, 3), "y": (whole(s, 4, 5)[:, None] > torch.arange(3)).double()}, trained=("x",), unless=r"domain|deep|corr|covariance|adapt", optional=("classes",), options=[Option("classes", r"num_classes|k|n_classes", 4, (4,))])  # fmt: skip
def coral(g: Given, pick: Pick) -> Any:
    levels = (g.y[:, None] > torch.arange(3)).double() if g.y.dim() == 1 else g.y
    return F.binary_cross_entropy_with_logits(g.x, levels)


@reference(
    "CORN",
    r"\bcorn\b",
    BOTH,
    lambda s: {"x": real(s, 5, 3), "y": whole(s, 4, 5)},
    trained=("x",),
    options=[Option("classes", r"num_classes|k|n_classes", 4, (4,))],
)
def corn(g: Given, pick: Pick) -> Any:
    total, count, means = 0.0, 0, 0.0
    for k in range(3):
        kept = g.y > k - 1
        each = F.binary_cross_entropy_with_logits(g.x[kept, k], (g.y[kept] > k).double(), reduction="sum")
        total, means = total + each, means + each / kept.sum()
        count += int(kept.sum())
    return pick(total / count, means)


@reference(
    "the ordinal loss of levels",
    r"ordinal",
    BOTH,
    lambda s: {"x": real(s, 5, 3), "y": whole(s, 4, 5)},
    trained=("x",),
    unless=r"coral|corn|emd|soft|weighted|kappa|cumulative|unimodal|distribution|thresh",
    options=[Option("classes", r"num_classes|k|n_classes", 4, (4,))],
)
def levels(g: Given, pick: Pick) -> Any:
    return F.binary_cross_entropy_with_logits(g.x, (g.y[:, None] > torch.arange(3)).double())


@reference(
    "the squared earth mover's distance",
    r"\bemd\b|earth mover|\bcdf\b|ranked probability|\brps\b",
    BOTH,
    labelled,
    lambda s: {"x": share(s, 4, 3), "y": share(s + 1, 4, 3).softmax(1)},
    trained=("x",),
    unless=r"chamfer|point",
)
def earth(g: Given, pick: Pick) -> Any:
    p = pick(g.x.softmax(1), g.x)
    y = F.one_hot(g.y, 3).double() if g.y.dim() == 1 else g.y
    gap = p.cumsum(1) - y.cumsum(1)
    return pick(gap.square().mean(), gap.square().mean(1).sqrt().mean(), gap.abs().mean())


@reference(
    "the causal language model's loss",
    r"causal|next ?token|\blm\b|language model",
    BOTH,
    lambda s: {"x": real(s, 2, 4, 5), "y": 1 + whole(s, 4, 2, 4)},
    trained=("x",),
    unless=r"mask|prefix|distill|smooth|z ?loss|label smooth|seq2seq",
)
def causal(g: Given, pick: Pick) -> Any:
    if g.called("y", "target") or g.text.says(r"shifted|already|aligned|next"):
        if pick(False, True):
            return F.cross_entropy(g.x.reshape(-1, 5), g.y.reshape(-1))
    return F.cross_entropy(g.x[:, :-1].reshape(-1, 5), g.y[:, 1:].reshape(-1))


def embedded(seed: int) -> dict[str, Any]:
    return {"x": real(seed, 5, 4), "y": whole(seed, 3, 5)}


HEAD = {"x": r"emb\w*|feat\w*|x|input|features|z|cos\w*|logits", "y": LABELS}
SCALE = Option("s", r"s|scale|gamma", 3.0, (30.0, 64.0))


def cosines(g: Given) -> Tensor | None:
    """Cosines of embeddings with the classes' weights, which the loss has or is given."""
    if not g.parameters:
        return g.x.clamp(-0.95, 0.95)  # type: ignore[no-any-return]
    w = g.parameters[0]
    w = w if w.shape[-1] == g.x.shape[1] else w.T
    return F.normalize(g.x) @ F.normalize(w).T


SIZES = [
    Option("classes", r"num_classes|n_classes|out_features|num_class", 3),
    Option("size", r"embedding_size|in_features|emb\w*_dim|feat\w*_dim|dim|embedding_dim", 4),
]


@reference(
    "ArcFace",
    r"arc ?(face|margin)|additive angular",
    HEAD,
    embedded,
    lambda s: {"x": 2 * share(s, 5, 3) - 1, "y": whole(s, 3, 5)},
    options=[SCALE, Option("m", r"m|margin", 0.4, (0.5,)), *SIZES],
    trained=("x",),
    states=True,
    unless="sub ?center|dynamic",
)
def arcface(g: Given, pick: Pick) -> Any:
    cos = cosines(g)
    moved = (cos.acos() + g.m).cos() if g.parameters or g.x.shape[1] == 3 else cos
    if pick(True, False):
        border = torch.cos(torch.tensor(torch.pi - g.m, dtype=torch.float64))
        beyond = cos - g.m * torch.sin(torch.tensor(torch.pi - g.m, dtype=torch.float64))
        moved = torch.where(cos > border, moved, pick(beyond, cos))
    return F.cross_entropy(g.s * torch.where(F.one_hot(g.y, cos.shape[1]).bool(), moved, cos), g.y)


@reference(
    "CosFace",
    r"cos ?face|am ?soft ?max|additive margin|large margin cosine",
    HEAD,
    embedded,
    lambda s: {"x": 2 * share(s, 5, 3) - 1, "y": whole(s, 3, 5)},
    options=[SCALE, Option("m", r"m|margin", 0.3, (0.35, 0.4)), *SIZES],
    trained=("x",),
    states=True,
)
def cosface(g: Given, pick: Pick) -> Any:
    cos = cosines(g)
    return F.cross_entropy(g.s * (cos - g.m * F.one_hot(g.y, cos.shape[1])), g.y)


@reference(
    "the center loss",
    r"\bcenter loss|centre loss",
    HEAD,
    embedded,
    options=SIZES,
    trained=("x",),
    states=True,
    unless=r"triplet|contrastive",
)
def center(g: Given, pick: Pick) -> Any:
    return (g.x - g.parameters[0][g.y]).square().sum(1).mean()
