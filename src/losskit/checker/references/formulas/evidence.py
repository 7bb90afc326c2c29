"""Evidence of classes: Dirichlet distributions as the output of a classifier."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.classification import BOTH, labelled
from losskit.checker.references.reference import Given, Option, Pick, reference


def from_uniform(alpha: Tensor) -> Tensor:
    """The KL divergence of a Dirichlet distribution from the uniform one."""
    s = alpha.sum(1)
    constant = torch.lgamma(s) - torch.lgamma(alpha).sum(1)
    return constant + ((alpha - 1) * (torch.digamma(alpha) - torch.digamma(s)[:, None])).sum(1)


@reference(
    "the evidential classification loss",
    r"evidential|\bedl\b|dirichlet|subjective logic",
    BOTH,
    labelled,
    lambda s: {"x": labelled(s)["x"], "y": F.one_hot(labelled(s)["y"], 3).double()},
    options=[Option("classes", r"num_class\w*|k|n_class\w*", 3)],
    trained=("x",),
    unless=r"regress|nig\b|normal|prior network|posterior",
)
def evidential(g: Given, pick: Pick) -> Any:
    y = F.one_hot(g.y, 3).double() if g.y.dim() == 1 else g.y
    evidence = pick(F.softplus, F.relu, lambda x: x.clamp(-10, 10).exp(), torch.exp)(g.x)
    alpha = evidence + 1
    s = alpha.sum(1, keepdim=True)
    kind = pick("digamma", "log", "square")
    if kind == "square":
        p = alpha / s
        main = ((y - p).square() + p * (1 - p) / (s + 1)).sum(1)
    else:
        f = torch.digamma if kind == "digamma" else torch.log
        main = (y * (f(s) - f(alpha))).sum(1)
    penalty = from_uniform(y + (1 - y) * alpha)
    return pick((main.mean(), penalty.mean()), (main.mean(),))
