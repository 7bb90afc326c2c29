"""Self-supervised losses with a teacher, a queue, codes or removed patches."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.embeddings import SCALE, TEMPERATURE, scaled
from losskit.checker.references.reference import Given, Option, Pick, real, reference

QUEUE = {
    "q": r"q|quer\w*|anchors?|z_?(1|i|q)|x|im_q|feat_q|online",
    "k": r"k|keys?|pos\w*|z_?(2|j|k)|y|im_k|feat_k|target",
    "queue": r"\w*queue\w*|neg\w*|memory\w*|bank|\w*_bank|dictionary",
}


@reference(
    "InfoNCE with a queue",
    r"\bmoco\b|momentum contrast|\bqueue|info ?nce|contrastive",
    QUEUE,
    lambda s: {"q": real(s, 4, 3), "k": real(s + 1, 4, 3), "queue": real(s + 2, 3, 5)},
    lambda s: {"q": real(s, 4, 3), "k": real(s + 1, 4, 3), "queue": real(s + 2, 5, 3)},
    lambda s: {"q": real(s, 4, 3), "k": real(s + 1, 4, 3), "queue": real(s + 2, 4, 5, 3)},
    options=[TEMPERATURE, SCALE],
    trained=("q",),
    unless=r"supervised|triplet|margin|cluster|proto",
    free=True,
)
def with_queue(g: Given, pick: Pick) -> Any:
    queue = g.queue.T if g.queue.dim() == 2 and len(g.queue) == 3 else g.queue
    kind = pick("all", "query and key", "none")
    q, k = (x if kind == "none" else F.normalize(x, dim=-1) for x in (g.q, g.k))
    queue = F.normalize(queue, dim=-1) if kind == "all" else queue
    near = (q * k).sum(1, keepdim=True)
    far = q @ queue.T if queue.dim() == 2 else (q[:, None] * queue).sum(2)
    return F.cross_entropy(scaled(torch.cat([near, far], 1), g), torch.zeros(4, dtype=torch.int64))


STUDENT = r"\w*student\w*|s|s_out\w*|out_?s|pred\w*|online\w*|x"
TEACHER = r"\w*teacher\w*|t|t_out\w*|out_?t|target\w*|momentum\w*|y"


@reference(
    "the DINO loss",
    r"\bdino\b|self.?distillation with no labels",
    {"s": STUDENT, "t": TEACHER, "center": r"\w*cent(er|re)\w*|c"},
    lambda s: {"s": real(s, 6, 4), "t": real(s + 1, 6, 4), "center": 0.3 * real(s + 2, 1, 4)},
    lambda s: {
        "s": [real(s, 3, 4), real(s + 1, 3, 4)],
        "t": [real(s + 2, 3, 4), real(s + 3, 3, 4)],
        "center": 0.3 * real(s + 2, 1, 4),
    },
    options=[
        Option("ts", r"\w*student_temp\w*|s_temp\w*|temp_s|tau_?s|tps", 0.6, (0.1,)),
        Option("tt", r"(?!warm)\w*teacher_temp(erature)?|t_temp\w*|temp_t|tau_?t|tpt", 0.4, (0.04, 0.07)),
        Option("size", r"out_dim\w*|dim|output_dim|k", 4),
        Option("crops", r"n_?crops", 2),
    ],
    optional=("center",),
    trained=("s",),
    unless=r"detr|ibot|koleo|patch",
    free=True,
)
def dino(g: Given, pick: Pick) -> Any:
    if isinstance(g.s, (list, tuple)):
        return _across(list(g.s), list(g.t), g)
    if "chunk" in g.text.code:
        return _across(list(g.s.chunk(2)), list(g.t.chunk(2)), g)
    return _entropy(g.s, g.t, g)


def _entropy(s: Tensor, t: Tensor, g: Given) -> Tensor:
    centered = t - g.center if g.has("center") else t
    shares: Tensor = (centered / g.tt).softmax(-1).detach()
    found: Tensor = -(shares * (s / g.ts).log_softmax(-1)).sum(-1).mean()
    return found


def _across(s: list[Tensor], t: list[Tensor], g: Given) -> Tensor:
    """The student's other view for each view of the teacher."""
    return _entropy(s[1], t[0], g) + _entropy(s[0], t[1], g)


def codes(scores: Tensor, eps: float, rounds: int) -> Tensor:
    """Assignments of the same total for each prototype, by the iteration of Sinkhorn and Knopp."""
    q = (scores / eps).exp().T
    q = q / q.sum()
    for _ in range(rounds):
        q = q / q.sum(1, keepdim=True) / q.shape[0]
        q = q / q.sum(0, keepdim=True) / q.shape[1]
    return (q * q.shape[1]).T.detach()


@reference(
    "the SwAV loss",
    r"\bswav\b|swapped (prediction|assign)",
    {
        "a": r"(scores?|z|out\w*|p|x|logits?|proto\w*)_?(1|a|t|one|i)",
        "b": r"(scores?|z|out\w*|p|x|logits?|proto\w*)_?(2|b|s|two|j)",
    },
    lambda s: {"a": 0.5 * real(s, 6, 3), "b": 0.5 * real(s + 1, 6, 3)},
    options=[
        Option("t", r"temp\w*|tau|t", 0.3, (0.1,), True),
        Option("eps", r"eps\w*|sinkhorn_eps\w*", 0.4, (0.05,), True),
        Option("rounds", r"\w*iter\w*|n_iters|rounds", 2, (3,)),
    ],
    free=True,
)
def swav(g: Given, pick: Pick) -> Any:
    qa, qb = (codes(x.detach(), g.eps, int(g.rounds)) for x in (g.a, g.b))
    return -(qa * (g.b / g.t).log_softmax(1)).sum(1).mean() - (qb * (g.a / g.t).log_softmax(1)).sum(1).mean()


def patches(images: Tensor, channels_last: bool) -> Tensor:
    """Squares of 2 x 2 pixels of images of 4 x 4, as rows."""
    parts = images.unfold(2, 2, 2).unfold(3, 2, 2).flatten(2, 3)  # (batch, channels, patches, 2, 2)
    return parts.permute(0, 2, 3, 4, 1).flatten(2) if channels_last else parts.transpose(1, 2).flatten(2)


@reference(
    "the loss of a masked autoencoder",
    r"\bmae\b.*(patch|pix|mask)|mask\w* auto ?encoder|\bsim ?mim|\bmim\b|masked (image|patch)|"
    r"(?<=encoder )with normali[sz]ed \w+",
    {"x": r"pred\w*|x|out\w*|recon\w*|y_hat|x_rec", "y": r"target\w*|y|patches|im\w*|gt|labels?", "m": r"\w*mask\w*|m"},
    lambda s: {
        "x": real(s, 2, 5, 4),
        "y": real(s + 1, 2, 5, 4),
        "m": torch.tensor([[1.0, 0, 1, 1, 0], [0, 1, 0, 1, float(s // 100 % 2)]], dtype=torch.float64),
    },
    lambda s: {
        "x": real(s, 2, 4, 12),
        "y": real(s + 1, 2, 3, 4, 4),
        "m": torch.tensor([[1.0, 0, 1, 1], [0, 1, 0, float(s // 100 % 2)]], dtype=torch.float64),
    },
    options=[Option("size", r"patch_?size|p|patch", 2)],
    trained=("x",),
    unless=r"language|\bbert\b|graph",
    free=True,
)
def removed_patches(g: Given, pick: Pick) -> Any:
    y = g.y if g.y.dim() == 3 else patches(g.y, pick(True, False))
    norm = pick("plain", "unbiased", "biased")
    if norm != "plain":
        y = (y - y.mean(-1, keepdim=True)) / (y.var(-1, keepdim=True, unbiased=norm == "unbiased") + 1e-6).sqrt()
    each = (g.x - y).square() if pick(True, False) else (g.x - y).abs()
    each = each.mean(-1)
    kept = g.m if not g.text.says(r"1.{0,12}(keep|kept|visible)|0.{0,12}(removed?|masked)") else 1 - g.m
    if pick(True, False):
        return (each * kept).sum() / kept.sum()
    return ((each * kept).sum(1) / kept.sum(1)).mean()


@reference(
    "the alignment loss",
    r"\balign(ment)? loss|^align\b|alignment of pairs",
    {"a": r"x|a|z_?(1|i|a)|q", "b": r"y|b|z_?(2|j|b)|k|pos\w*"},
    lambda s: {"a": real(s, 5, 3), "b": real(s + 1, 5, 3)},
    options=[Option("alpha", r"alpha|a|p", 1.4, (2.0,))],
    unless=r"kernel|domain|correlation|distribution|uniform|entity",
)
def aligned(g: Given, pick: Pick) -> Any:
    a, b = (F.normalize(x) for x in (g.a, g.b)) if pick(False, True) else (g.a, g.b)
    return (a - b).norm(dim=1).pow(g.alpha).mean()
