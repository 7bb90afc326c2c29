"""Classification: cross entropies and margins of scores."""

from __future__ import annotations

import re
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
    each = -balance * pick.maybe_detached(1 - right) ** g.gamma * right.log()
    return pick(each.mean(), each.sum() / (g.y > 0.5).sum().clamp(min=1))  # of RetinaNet: divided by the positives


@reference(
    "the focal loss",
    r"focal",
    BOTH,
    labelled,
    pixels,
    options=[ALPHA, GAMMA],
    trained=("x",),
    unless=r"tversky|dice|heat ?map|qfl|quality|corner|vari|iou|reduced|effective|class balanced|unified|freq|binary|"
    r"sigmoid|multi ?label",
)
def focal(g: Given, pick: Pick) -> Any:
    _, right = logs_of_class(g)
    y = g.y.reshape(-1)
    weight = pick(torch.ones(len(y)), torch.where(y > 0, g.alpha, 1 - g.alpha))  # of the classes and the background
    return -(weight * pick.maybe_detached(1 - right.exp()) ** g.gamma * right).mean()


_WEIGHTED_CLASS = r"alpha\b.{0,60}?(positive|foreground|(?:label|class) 1|rare|background|negative|(?:label|class) 0)"


def class_of_alpha(g: Given) -> str:
    """The class of which alpha is the weight, if the documentation says it."""
    found = re.search(_WEIGHTED_CLASS, g.text.said, re.DOTALL)
    if found is None or "1 - alpha" in found[0]:
        return ""
    return "1" if re.search(r"positive|foreground|1$|rare", found[1]) else "0"


@reference(
    "the focal loss of two classes",
    r"focal",
    BOTH,
    lambda s: {"x": 2 * real(s, 6, 2), "y": whole(s, 2, 6)},
    lambda s: {"x": 2 * real(s, 2, 2, 2, 3), "y": whole(s, 2, 2, 2, 3)},
    options=[ALPHA, GAMMA],
    trained=("x",),
    unless=r"tversky|dice|heat ?map|qfl|quality|corner|vari|iou|reduced|effective|class balanced|unified|freq|sigmoid|"
    r"multi ?label",
)
def focal_of_two(g: Given, pick: Pick) -> Any:
    right = logs_of_class(g)[1]
    y = g.y.reshape(-1)
    of_positives = torch.where(y > 0, g.alpha, 1 - g.alpha)
    of_negatives = torch.where(y > 0, 1 - g.alpha, g.alpha)
    weighted = {"1": of_positives, "0": of_negatives}.get(class_of_alpha(g))
    weight = pick(of_positives, of_negatives, torch.ones(len(y))) if weighted is None else weighted
    return -(weight * pick.maybe_detached(1 - right.exp()) ** g.gamma * right).mean()


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
    own = (pick.maybe_detached(logs.exp()) * logs).sum(1) if pick(True, False) else logs.amax(1)
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
    factors = pick.maybe_detached((1 - p) ** g.pos), (1 - kept) ** g.neg
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
    free=True,
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


@reference(
    "the causal language model's loss",
    r"causal|next ?token|\blm\b|language model",
    BOTH,
    lambda s: {"x": real(s, 2, 4, 5), "y": 1 + whole(s, 4, 2, 4)},
    trained=("x",),
    unless=r"mask|prefix|distill|smooth|z ?loss|label smooth|seq2seq",
)
def causal(g: Given, pick: Pick) -> Any:
    shifted = g.called("y", "target") or g.text.says(r"shifted|already|aligned|next")
    shifts = re.search(r"1:|shift_|roll\(", g.text.code) is not None  # it does that itself
    if pick(False, True) and shifted and not shifts:
        return F.cross_entropy(g.x.reshape(-1, 5), g.y.reshape(-1))
    return F.cross_entropy(g.x[:, :-1].reshape(-1, 5), g.y[:, 1:].reshape(-1))
