"""The plot of each loss: value and gradient, for several values of its main option if it has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

from extension.run import SOURCES
from losskit import build
from losskit.core.catalogue import short_name
from losskit.figures import plots

# Settings to plot together, by short name; all other losses are plotted with their defaults.
_SETTINGS = {
    "bce": ["bce", "bce(label_smoothing=0.2)", "bce(pos_weight=3)"],
    "ce": ["ce", "ce(label_smoothing=0.2)"],
    "focal": ["focal(gamma=0)", "focal(gamma=1)", "focal(gamma=2)", "focal(gamma=5)"],
    "gce": ["gce(q=0.1)", "gce(q=0.7)", "gce(q=1)"],
    "sce": ["sce", "sce(alpha=1, beta=0.1)"],
    "poly": ["poly(epsilon=-1)", "poly(epsilon=0)", "poly(epsilon=1)", "poly(epsilon=4)"],
    "taylor_ce": ["taylor_ce(order=1)", "taylor_ce(order=2)", "taylor_ce(order=6)"],
    "asl": ["asl", "asl(gamma_negative=1, clip=0)"],
    "hinge": ["hinge", "hinge(squared=True)"],
    "entmax": ["entmax(alpha=1)", "entmax(alpha=1.5)", "entmax(alpha=2)"],
    "bi_tempered": ["bi_tempered(t1=1, t2=1)", "bi_tempered", "bi_tempered(t1=0.2, t2=2)"],
    "balanced_softmax": ["balanced_softmax(prior=[9, 1])"],
    "logit_adjusted": ["logit_adjusted(prior=[9, 1], tau=0)", "logit_adjusted(prior=[9, 1], tau=1)"],
    "ldam": ["ldam(class_counts=[9, 1], scale=3)"],
    "seesaw": ["seesaw(class_counts=[1, 1])", "seesaw(class_counts=[1, 99])"],
    "eql": ["eql(positive=[1], negative=[1e9])", "bce"],
    "aucm": ["aucm(alpha=0)", "aucm(alpha=1)"],
    "distribution_balanced": ["distribution_balanced(class_counts=[50, 9], num_samples=100)"],
    "focal_cosine": ["focal_cosine(focal_weight=0)", "focal_cosine", "focal_cosine(focal_weight=1)"],
    "pu": ["pu(prior=0.3)"],
    "dice": ["dice", "dice(squared=True)", "dice(log=True, smooth=1)"],
    "iou": ["iou", "dice"],
    "tversky": ["tversky(alpha=0.5, beta=0.5)", "tversky(alpha=0.3, beta=0.7)", "tversky(alpha=0.7, beta=0.3)"],
    "exp_log": ["exp_log(gamma=0.3)", "exp_log(gamma=1)"],
    "unified_focal": ["unified_focal", "unified_focal(asymmetric=True)"],
    "noise_robust_dice": ["noise_robust_dice(gamma=1)", "noise_robust_dice(gamma=1.5)", "noise_robust_dice(gamma=2)"],
    "gwdl": ["gwdl(class_distances=[[0, 1], [1, 0]])", "dice"],
    "sensitivity_specificity": ["sensitivity_specificity", "sensitivity_specificity(r=0.5)"],
    "focal_tversky": ["focal_tversky(gamma=0.75)", "focal_tversky(gamma=1)", "focal_tversky(gamma=1.5)"],
    "smooth_l1": ["smooth_l1(beta=1)", "smooth_l1(beta=0.5)", "smooth_l1(beta=0)"],
    "robust": ["robust(alpha=2)", "robust(alpha=1)", "robust(alpha=0)", "robust(alpha=-2)"],
    "quantile": ["quantile(quantiles=0.1)", "quantile(quantiles=0.5)", "quantile(quantiles=0.9)"],
    "expectile": ["expectile(tau=0.1)", "expectile(tau=0.5)", "expectile(tau=0.9)"],
    "tweedie": ["tweedie(power=1)", "tweedie(power=1.5)", "tweedie(power=2)"],
    "mpdiou": ["mpdiou(image_size=[4, 4])"],
    "alpha_iou": ["alpha_iou(alpha=1)", "alpha_iou(alpha=3)"],
    "huber": ["huber(delta=1)", "huber(delta=2)", "huber(delta=0.5)"],
}

# Losses without a plot, because they are not a function of a single number.
WITHOUT = {
    "NormalizedLoss": "No plot: the curve is that of the loss that it normalises by the sum over classes.",
    "JSDConsistencyLoss": "No plot: the loss compares several views of a sample.",
    "PartialLabelLoss": "No plot: the curve is that of cross-entropy, with the probabilities of some classes summed.",
    "CTCLoss": "No plot: the loss is a function of whole sequences.",
    "SobolevLoss": "No plot: the loss compares functions and their derivatives.",
    "EvidentialLoss": "No plot: the loss is a function of four parameters of a distribution.",
    "MixtureNLLLoss": "No plot: the loss is a function of the parameters of several Gaussians.",
    "OKSLoss": "No plot: the loss is a function of keypoints, their visibility and the area.",
    "GridSobolevLoss": "No plot: the loss compares fields and their derivatives.",
}


def draw(cls: Any, folder: Path, name: str) -> None:
    """Plot a loss as a reproducible SVG, wide and narrow, unless the files are newer than all that they depend on."""
    for path in (folder / f"{name}.svg", folder / f"{name}-narrow.svg"):
        if path.exists() and path.stat().st_mtime > max(p.stat().st_mtime for p in (*SOURCES, Path(__file__))):
            continue
        with mpl.rc_context({"svg.hashsalt": "losskit", "svg.fonttype": "path", "savefig.transparent": True}):
            picture = plots.figure({text: build(text) for text in settings(cls)}, narrow="narrow" in path.name)
            picture.savefig(path, metadata={"Date": None})


def settings(cls: Any) -> list[str]:
    name = short_name(cls)
    return _SETTINGS.get(name, [name])
