"""The losses of labels once more, in numpy, element by element: slow, and written from the formulas alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Array = Any  # a numpy array of float64


class Options(dict[str, Any]):
    """Options by attribute, None where one is not given."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


def probabilities(x: Array, link: str, o: Options) -> Array:
    """(N, C, S) scores to probabilities."""
    if o.from_logits is False:
        return x
    if o.prior is not None:
        x = x + np.log(np.asarray(o.prior)[None, :, None])
    if link == "sigmoid":
        return 1 / (1 + np.exp(-x))
    powers = np.exp(x)
    return powers / powers.sum(1, keepdims=True)


TERMS: dict[str, Callable[[float, Options], float]] = {
    "BCEWithLogitsLoss": lambda p, o: -np.log(p),
    "CrossEntropyLoss": lambda p, o: -np.log(p),
    "NLLLoss": lambda p, o: -np.log(p),
    "FocalLoss": lambda p, o: -((1 - p) ** o.gamma) * np.log(p),
    "MeanFocalLoss": lambda p, o: -np.log(p),
    "GeneralizedCrossEntropyLoss": lambda p, o: (1 - p**o.q) / o.q,
    "SymmetricCrossEntropyLoss": lambda p, o: -o.alpha * np.log(p) - o.beta * np.log(o.floor) * (1 - p),
}


def element_loss(name: str, x: Array, t: Array, counts: Array, link: str, o: Options) -> Array:
    """A loss of elements of scores, targets and what counts, (N, C, S) each."""
    n, c, s = x.shape
    p = probabilities(x, link, o) if name != "NLLLoss" else np.exp(x)
    smoothing = o.label_smoothing or 0.0
    weight = np.ones(c) if o.class_weight is None else np.asarray(o.class_weight)
    yes, no = np.ones(c), np.ones(c)
    if name == "BCEWithLogitsLoss" and o.pos_weight is not None:
        yes = yes * np.asarray(o.pos_weight)
    if name == "FocalLoss" and o.alpha is not None:
        yes, no = np.asarray(o.alpha) * yes, (1 - np.asarray(o.alpha)) * no

    def f(probability: float) -> float:
        return TERMS[name](probability, o)

    values, share = np.zeros((n, c, s)), np.zeros((n, c, s))
    for i, k, j in np.ndindex(n, c, s):
        if not counts[i, k, j]:
            continue
        truth, here = t[i, k, j], p[i, k, j]
        if link == "sigmoid":
            charge = yes[k] * ((1 - smoothing) * truth + smoothing / 2) * f(here)
            charge += no[k] * ((1 - smoothing) * (1 - truth) + smoothing / 2) * f(1 - here)
            share[i, k, j] = weight[k]
        else:
            charge = yes[k] * ((1 - smoothing) * truth + smoothing / c) * f(here)
            share[i, k, j] = weight[k] * truth
        values[i, k, j] = weight[k] * charge
    if name == "MeanFocalLoss":
        mean = values.sum() / share.sum()
        return np.asarray(o.alpha * (1 - np.exp(-mean)) ** o.gamma * mean)
    if o.reduction == "none":
        return values if link == "sigmoid" else values.sum(1)
    return values.sum() if o.reduction == "sum" else values.sum() / share.sum()


def tversky(tp: float, fp: float, fn: float, o: Options) -> float:
    return float((tp + o.smooth) / (tp + o.alpha * fp + o.beta * fn + o.smooth))


def region_formula(name: str, p: Array, t: Array, o: Options) -> float:
    """The loss of one region: the probabilities and targets of the elements that count."""
    tp = np.minimum(p, t).sum() if o.overlap == "l1" else (p * t).sum()  # (p + t - |p - t|) / 2 is the smaller one
    fp, fn = p.sum() - tp, t.sum() - tp
    if name == "DiceLoss":
        size = (p**2).sum() + (t**2).sum() if o.squared else p.sum() + t.sum()
        score = (2 * tp + o.smooth) / (size + o.smooth)
        return float(-np.log(score) if o.log else 1 - score)
    if name == "JaccardLoss":
        return float(1 - (tp + o.smooth) / (tp + fp + fn + o.smooth))
    loss = 1 - tversky(tp, fp, fn, o)
    return float(loss**o.gamma if name == "FocalTverskyLoss" else loss)


def region_loss(name: str, x: Array, t: Array, counts: Array, link: str, o: Options) -> Array:
    p = probabilities(x, link, o)
    c = x.shape[1]
    images: Sequence[Any] = [slice(None)] if o.pool == "batch" else list(range(len(x)))
    weight = np.ones(c) if o.class_weight is None else np.asarray(o.class_weight)
    values, share = np.zeros((len(images), c)), np.zeros((len(images), c))
    for i, image in enumerate(images):
        for k in range(c):
            if (o.classes is not None and k not in o.classes) or (o.include_background is False and k == 0 and c > 1):
                continue
            here = counts[image, k]
            pk, tk = p[image, k][here], t[image, k][here]
            absent = tk.sum() == 0
            if len(pk) == 0 or (absent and o.absent == "skip"):
                continue
            share[i, k] = weight[k]
            penalty = pk.mean() if absent and o.absent == "penalize" else region_formula(name, pk, tk, o)
            values[i, k] = weight[k] * penalty
    if o.reduction == "none":
        return values[0] if o.pool == "batch" else values
    return values.sum() if o.reduction == "sum" else values.sum() / share.sum()


def jaccard_extension(errors: Array, truth: Array) -> float:
    """The Lovász extension of the Jaccard loss by its definition: the loss of the set of errors above each level."""
    levels = np.sort(np.unique(np.append(errors, 0.0)))[::-1]
    total = 0.0
    for above, below in pairwise(levels):
        wrong = errors >= above
        union = (truth | wrong).sum()
        total += (above - below) * (1 - (truth & ~wrong).sum() / union)
    return total


def lovasz_loss(x: Array, t: Array, counts: Array, link: str, o: Options) -> Array:
    p = probabilities(x, link, o)
    hinge = link == "sigmoid" and o.from_logits is not False
    errors = np.maximum(0, 1 - x * (2 * t - 1)) if hinge else np.abs(t - p)
    c = x.shape[1]
    images: Sequence[Any] = [slice(None)] if o.pool == "batch" else list(range(len(x)))
    weight = np.ones(c) if o.class_weight is None else np.asarray(o.class_weight)
    losses = []
    for image in images:
        found = []
        for k in range(c):
            here = counts[image, k]
            truth = t[image, k][here] > 0
            if link == "softmax" and o.classes in (None, "present") and not truth.any():
                continue
            if link == "softmax" and o.classes not in (None, "present", "all") and k not in o.classes:
                continue
            if here.any():
                found.append((weight[k], jaccard_extension(errors[image, k][here], truth)))
        if found:
            losses.append(sum(w * v for w, v in found) / sum(w for w, _ in found))
        elif o.reduction == "none":
            losses.append(0.0)
    if o.reduction == "none":
        return np.asarray(losses[0] if o.pool == "batch" else losses)
    return np.sum(losses) if o.reduction == "sum" and o.pool != "batch" else np.mean(losses)


def composite(name: str, x: Array, t: Array, counts: Array, link: str, o: Options) -> Array:
    dice = region_loss("DiceLoss", x, t, counts, link, Options({**o, "reduction": o.reduction}))
    if name == "ComboLoss":
        alpha = o.alpha
        p, values = probabilities(x, link, o), 0.0
        negatives = alpha * (1 - alpha) if o.variant == "tutorial" else 1 - alpha
        weight = np.ones(x.shape[1]) if o.class_weight is None else np.asarray(o.class_weight)
        weight = np.where(counts, weight[None, :, None], 0.0)
        safe_t = np.where(counts, t, 0.0)
        charge = -alpha * safe_t * np.log(p) - negatives * (1 - safe_t) * np.log(1 - p)
        values = (weight * charge).sum() / (1.0 if o.reduction == "sum" else weight.sum())
        score = dice - 1 if o.variant == "tutorial" else dice
        return o.ce_ratio * values + (1 - o.ce_ratio) * score
    part, key = {
        "DiceBCELoss": ("BCEWithLogitsLoss", "bce_weight"),
        "DiceCELoss": ("CrossEntropyLoss", "ce_weight"),
        "DiceFocalLoss": ("FocalLoss", "focal_weight"),
    }[name]
    without_prior = region_loss("DiceLoss", x, t, counts, link, Options({**o, "prior": None}))
    return o.dice_weight * without_prior + o[key] * element_loss(part, x, t, counts, link, o)


def expected(name: str, x: Array, t: Array, counts: Array, link: str, options: dict[str, Any]) -> Array:
    """The loss by its class name, of scores, one-hot or yes-and-no targets and what counts, (N, C, S) each."""
    o = Options(options)
    if name in TERMS:
        return element_loss(name, x, t, counts, link, o)
    if name == "LovaszLoss":
        return lovasz_loss(x, t, counts, link, o)
    if (name.startswith("Dice") and name != "DiceLoss") or name == "ComboLoss":
        return composite(name, x, t, counts, link, o)
    return region_loss(name, x, t, counts, link, o)
