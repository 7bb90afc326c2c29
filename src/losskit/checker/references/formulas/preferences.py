"""Preferences beyond DPO: odds ratios, prospects, margins, and log-probabilities of tokens."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from losskit.checker.references.formulas.ranking import ANSWERS, PAIR, answers
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, zeros_and_ones

CHOSEN = ANSWERS["pc"] + r"|chosen\w*|\w*_chosen|\w*win\w*|pos\w*"
REJECTED = ANSWERS["pr"] + r"|reject\w*|\w*_rejected|\w*los\w*|neg\w*"


def averages(seed: int) -> dict[str, Any]:
    """Means of log-probabilities, which are negative."""
    return {"p": -0.3 - 2 * share(seed, 5), "n": -0.3 - 2 * share(seed + 1, 5), "nll": 2 * share(seed + 2, 5)}


@reference(
    "the ORPO loss",
    r"\borpo\b|odds ratio",
    {"p": CHOSEN, "n": REJECTED, "nll": r"\w*nll\w*|\w*sft\w*|\w*lm_loss|ce\w*|loss\w*"},
    averages,
    options=[Option("beta", r"beta|lam\w*|alpha|weight|lmbda", 0.3, (0.1,))],
    optional=("nll",),
    unless=r"diagnostic|epidem",
)
def orpo(g: Given, pick: Pick) -> Any:
    odds = g.p - g.n - (torch.log1p(-g.p.exp()) - torch.log1p(-g.n.exp()))
    ratio = -F.logsigmoid(odds).mean()
    nll = g.nll.mean() if g.has("nll") else -g.p.mean()
    if g.bound("beta"):
        return pick(nll + g.beta * ratio, ratio)
    return pick((nll, ratio), (ratio,))


@reference(
    "the KTO loss",
    r"\bkto\b|kahneman",
    {**ANSWERS, "kl": r"\w*kl\w*|z_?0|z_ref"},
    lambda s: {**answers(s), "kl": 0.8 * share(s + 9, 5)},
    options=[
        Option("beta", "beta", 0.6, (0.1,)),
        Option("wd", r"(?!un)\w*desirable\w*|lambda_d|w_d", 1.2, (1.0,)),
        Option("wu", r"\w*undesirable\w*|lambda_u|w_u", 0.8, (1.0,)),
    ],
    trained=("pc", "pr"),
)
def kto(g: Given, pick: Pick) -> Any:
    z = g.kl.mean().detach().clamp(min=0)
    near, far = (g.beta * (g.pc - g.rc - z)).sigmoid(), (g.beta * (z - g.pr + g.rr)).sigmoid()
    return -g.wd * near.mean() - g.wu * far.mean()


def feedback(seed: int) -> dict[str, Any]:
    made: dict[str, Any] = {role: real(seed + n, 6) - 2 for n, role in enumerate(("p", "r", "pk", "rk"))}
    made["pk"] = made["pk"] + 0.3
    return {**made, "d": zeros_and_ones(seed + 5, 6).bool(), "kl": torch.tensor(0.3).double()}


@reference(
    "the KTO loss of unpaired answers",
    r"\bkto\b|kahneman",
    {
        "pk": r"(policy|model|pi)_?kl\w*|kl_(policy|model)\w*",
        "rk": r"ref\w*_?kl\w*|kl_ref\w*",
        "kl": r"kl\w*|z_?0|z_ref|baseline\w*",
        "p": r"(policy|model|pi)_?(log\w*)?|log_?p\w*|logprobs?",
        "r": r"ref\w*",
        "d": r"(is_?)?(un)?desirable\w*|labels?|is_\w+|tags?|feedback|y|good|liked|preferred|kto_tag\w*",
    },
    feedback,
    lambda s: {**feedback(s), "d": feedback(s)["d"].double()},
    options=[
        Option("beta", "beta", 0.6, (0.1,)),
        Option("wd", r"(?!un)\w*desirable\w*|lambda_d|w_d", 1.2, (1.0,)),
        Option("wu", r"\w*undesirable\w*|lambda_u|w_u", 0.8, (1.0,)),
    ],
    optional=("pk", "rk", "kl"),
    trained=("p",),
    by_name=True,
    unless=r"chosen|paired data",
)
def unpaired(g: Given, pick: Pick) -> Any:
    reward = g.p - g.r
    if g.has("pk") and g.has("rk"):
        z = (g.pk - g.rk).mean().clamp(min=0)
    else:
        z = torch.as_tensor(g.kl).mean().clamp(min=0) if g.has("kl") else reward.mean().clamp(min=0)
    gap, good = g.beta * (reward - z.detach()), g.d.bool() ^ g.called("d", "undesirable")
    near, far = g.wd * (1 - gap.sigmoid()), g.wu * (1 - (-gap).sigmoid())
    return torch.where(good, near, far).mean()


@reference(
    "the loss of a reward model with margins",
    r"bradley|reward model|pairwise (logistic|log|reward|rank)|preference|\brm loss",
    {**PAIR, "m": r"\w*margin\w*|m"},
    lambda s: {"p": real(s, 6), "n": real(s + 1, 6), "m": share(s + 2, 6)},
    trained=("p", "n"),
    unless=r"\bdpo|\bipo|hinge",
)
def with_margins(g: Given, pick: Pick) -> Any:
    if not g.called("m", "margin|^m$"):
        return g.p.sum() * torch.nan
    return -F.logsigmoid(g.p - g.n - g.m).mean()


def tokens(seed: int) -> dict[str, Any]:
    return {"r": real(seed, 4, 3) - 1, "p": real(seed + 1, 4, 3) - 1, "m": zeros_and_ones(seed + 2, 4, 3)}


@reference(
    "the DPO loss of tokens",
    r"\bdpo\b|direct preference",
    {
        "r": r"ref\w*|\w*_ref",
        "p": r"probs|log_?probs?|logps?|pol\w*|pi\w*|(policy|model)_log\w*",
        "m": r"\w*mask\w*",
    },
    tokens,
    options=[Option("beta", "beta", 0.6, (0.1,))],
    trained=("p",),
)
def dpo_of_tokens(g: Given, pick: Pick) -> Any:
    n = g.m.sum(1).clamp(min=1) if pick(False, True) else 1.0
    r, p = (g.r * g.m).sum(1) / n, (g.p * g.m).sum(1) / n
    h = (p[:2] - p[2:]) - (r[:2] - r[2:])
    return -F.logsigmoid(g.beta * h).mean()


@reference(
    "the CPO loss",
    r"\bcpo\b|contrastive preference",
    {"p": CHOSEN, "n": REJECTED},
    lambda s: {"p": real(s, 5) - 3, "n": real(s + 1, 5) - 3},
    options=[Option("beta", "beta", 0.6, (0.1,))],
    unless="sim ?po",
)
def cpo(g: Given, pick: Pick) -> Any:
    ratio = -F.logsigmoid(g.beta * (g.p - g.n)).mean()
    return pick((ratio, -g.p.mean()), (ratio,))


@reference(
    "the SLiC loss",
    r"\bslic\b|sequence likelihood calibration",
    {"p": CHOSEN, "n": REJECTED},
    lambda s: {"p": real(s, 5) - 3, "n": real(s + 1, 5) - 3},
    options=[Option("delta", r"delta|margin|beta", 0.6, (1.0,))],
)
def slic(g: Given, pick: Pick) -> Any:
    hinge = F.relu(g.delta - g.p + g.n).mean()
    return pick((hinge,), (hinge, -g.p.mean()))


def sequences(seed: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for n, name in enumerate("cr"):
        labels = torch.randint(5, (3, 4), generator=torch.Generator().manual_seed(seed + n))
        labels[0, :2], labels[1, 3:] = -100, -100
        labels[2, n + 1 :] = -100
        made[f"{name}l"], made[f"{name}y"] = real(seed + 4 + n, 3, 4, 5), labels
    return {**made, "rc": real(seed + 8, 3) - 2, "rr": real(seed + 9, 3) - 2}


@reference(
    "the DPO loss of sequences",
    r"\bdpo\b|direct preference",
    {
        "cl": r"\w*chosen_logits|\w*logits_(w|chosen)",
        "rl": r"\w*rejected_logits|\w*logits_(l|rejected)",
        "cy": r"chosen_(target|label|id)\w*|\w*labels_(w|chosen)",
        "ry": r"rejected_(target|label|id)\w*|\w*labels_(l|rejected)",
        "rc": r"ref\w*_chosen\w*|chosen_ref\w*",
        "rr": r"ref\w*_rejected\w*|rejected_ref\w*",
    },
    sequences,
    options=[Option("beta", "beta", 0.6, (0.1,))],
    trained=("cl", "rl"),
)
def dpo_of_sequences(g: Given, pick: Pick) -> Any:
    shifted, mean = pick(False, True), pick(False, True)
    sums = []
    for x, y in ((g.cl, g.cy), (g.rl, g.ry)):
        x, y = (x[:, :-1], y[:, 1:]) if shifted else (x, y)
        each = x.log_softmax(-1).gather(-1, y.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        kept = (y != -100).double()
        sums.append((each * kept).sum(1) / (kept.sum(1).clamp(min=1) if mean else 1.0))
    return -F.logsigmoid(g.beta * (sums[0] - sums[1] - g.rc + g.rr)).mean()
