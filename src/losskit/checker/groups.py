"""Groups: forms that are tried alike, in order, and the choice among several that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from losskit.checker import fits
from losskit.checker.fits import shift_invariant
from losskit.checker.trial import Form, Trial

NARROW = ("quantiles", "boxes", "centred", "sides", "images", "heatmap")  # layouts whose tensors may not
Fitting = list[tuple[Form, tuple[int, ...], Trial]]


def sharpest(fitting: Fitting) -> Fitting:
    """The forms that no other fitting form explains."""
    found = {form.key for form, _, _ in fitting}
    softmax = {form.key for form, _, trial in fitting if form.kind == "multiclass" and shift_invariant(trial, form)}
    takes_logits = any(form.scores == "logits" for form, _, _ in fitting)

    def beside(form: Form, *scores: str) -> bool:
        return any((form.kind, each, form.layout) in found for each in scores)

    def stands(form: Form) -> bool:
        if (
            form.scores == "probabilities"
            and form.layout != "heatmap"
            and (takes_logits or beside(form, "log_probabilities"))
        ):
            return False  # the loss is lower still beyond 0 and 1
        if form.scores == "log_probabilities" and beside(form, "logits"):
            return False  # a softmax leaves log-probabilities as they are
        if form.layout == "one-hot" and form.key not in softmax:
            return all(kind == "multiclass" for kind, _, _ in found)  # each class by itself
        return not (form.kind == "multilabel" and ("multiclass", form.scores, "one-hot") in softmax)

    return [each for each in fitting if stands(each[0])]


@dataclass(frozen=True)
class Group:
    """Forms that are tried alike; if one fits, the groups after it are skipped."""

    holds: Callable[[Form], bool]
    fits: Callable[[Trial, Form], None]


def _ordered(form: Form) -> bool:
    if form.layout == "next":
        return False
    ordered = form.kind in ("pairs", "sequence", "survival", "ordinal", "multilabel") or form.layout == "elbo"
    return ordered and not form.labels


def is_last(form: Form) -> bool:
    return form.layout in ("above", "alone")


BOXES = Group(lambda f: f.layout in ("boxes", "centred", "sides"), fits.fits_narrow)
HEATMAPS = Group(lambda f: f.layout == "heatmap", fits.fits_order)
IMAGES = Group(lambda f: f.layout == "images", fits.fits_narrow)
SIGNS = Group(lambda f: f.layout == "signs" and f.kind == "binary", fits.fits_signs)
RANKS = Group(lambda f: f.layout == "ranks", fits.fits_order)
# In the order in which they are tried: the most specific first.
GROUPS = (
    Group(lambda f: f.layout == "log-variance", fits.fits_prior),
    Group(lambda f: f.layout == "next", fits.fits_order),
    Group(lambda f: f.layout == "teacher", fits.fits_teacher),
    Group(lambda f: f.layout == "teacher-and-labels", fits.fits_teacher_and_labels),
    Group(lambda f: f.kind == "regression" and f.layout not in NARROW and f.scores != "positive", fits.fits_numbers),
    Group(lambda f: f.kind == "distribution" and f.scores != "logits", fits.fits_numbers),
    IMAGES,
    Group(lambda f: f.labels, fits.fits_labels),
    Group(lambda f: f.layout in NARROW and f.layout not in ("centred", "sides", "heatmap"), fits.fits_narrow),
    Group(lambda f: _ordered(f) and not is_last(f), fits.fits_order),
    Group(lambda f: f.scores == "positive", fits.fits_numbers),
)
LAST: tuple[tuple[Callable[[Trial, Form], None], Callable[[Form], bool]], ...] = (
    (fits.fits_order, lambda f: f.layout == "above"),
    (fits.fits_alone, lambda f: f.layout == "alone"),
)
